//! Fills the server's login page without a browser, for demos and tests. A real application never sees a password.

use anyhow::{Context, Result, ensure};
use url::Url;

use crate::oidc::http;

/// Pages and redirects that one login may take.
const MAX_STEPS: usize = 10;

/// Walks from the authorization request over the login page to the redirect URI, and yields the address with the code.
pub(crate) async fn log_in(address: &Url, redirect_uri: &str, username: &str, password: &str) -> Result<Url> {
    let client = http(address, true)?;
    let mut here = address.clone();
    let mut response = client.get(here.clone()).send().await?;
    let mut submitted = false;
    for _ in 0..MAX_STEPS {
        if let Some(location) = response.headers().get("location") {
            let next = here.join(location.to_str()?)?;
            if next.as_str().starts_with(redirect_uri) {
                return Ok(next);
            }
            ensure!(next.origin() == address.origin(), "the server redirects elsewhere: {next}");
            here = next;
            response = client.get(here.clone()).send().await?;
            continue;
        }
        let status = response.status();
        let page = response.text().await?;
        ensure!(status.is_success() && !submitted, "the login was refused ({status}): {}", text_of(&page));
        let form = Form::find(&page).context("the page holds no login form")?;
        let fields: Vec<_> = form
            .inputs
            .iter()
            .filter(|input| !input.name.is_empty() && input.kind != "submit")
            .map(|input| match input.kind.as_str() {
                "hidden" => (input.name.as_str(), input.value.as_str()),
                "password" => (input.name.as_str(), password),
                _ => (input.name.as_str(), username),
            })
            .collect();
        let target = here.join(&form.action)?;
        ensure!(target.origin() == address.origin(), "the form leads elsewhere: {target}");
        response = client.post(target.clone()).form(&fields).send().await?;
        here = target;
        submitted = true;
    }
    anyhow::bail!("the login took more than {MAX_STEPS} steps")
}

/// The first form of a page.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    action: String,
    inputs: Vec<Input>,
}

#[derive(Debug, PartialEq, Eq)]
struct Input {
    name: String,
    kind: String,
    value: String,
}

impl Form {
    fn find(page: &str) -> Option<Self> {
        let start = page.find("<form")?;
        let form = &page[start..];
        let form = &form[..form.find("</form>").unwrap_or(form.len())];
        let action = attribute(&form[..form.find('>')?], "action").unwrap_or_default();
        let inputs = form
            .split("<input")
            .skip(1)
            .filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag))
            .map(|tag| Input {
                name: attribute(tag, "name").unwrap_or_default(),
                kind: attribute(tag, "type").unwrap_or_else(|| "text".to_owned()),
                value: attribute(tag, "value").unwrap_or_default(),
            })
            .collect();
        Some(Self { action, inputs })
    }
}

/// An attribute in double quotes, as this server writes them.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\"")).or_else(|| tag.find(&format!("\n{name}=\"")))?;
    let value = &tag[start + name.len() + 3..];
    let value = &value[..value.find('"')?];
    Some(
        value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#x27;", "'")
            .replace("&#38;", "&")
            .replace("&amp;", "&"),
    )
}

/// The words of a page, for an error message.
fn text_of(page: &str) -> String {
    let mut words = String::new();
    let mut in_tag = false;
    for character in page.chars() {
        match character {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                words.push(' ');
            }
            _ if !in_tag => words.push(character),
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let page = r#"<p>x</p><form method="post" action="/u/login?state=a&amp;b">
            <input type="hidden" name="csrf" value="a&quot;b"><input name="username" autocomplete="username">
            <input type="password" name="password"></form><form action="/other"></form>"#;
        let form = Form::find(page).unwrap();
        assert_eq!(form.action, "/u/login?state=a&b");
        let seen: Vec<_> =
            form.inputs.iter().map(|i| (i.name.as_str(), i.kind.as_str(), i.value.as_str())).collect();
        assert_eq!(
            seen,
            [("csrf", "hidden", "a\"b"), ("username", "text", ""), ("password", "password", "")]
        );
    }

    #[test]
    fn the_words_of_a_page_are_found() {
        assert_eq!(text_of("<h1>Wrong</h1>\n<p>Try  again</p>"), "Wrong Try again");
    }
}
