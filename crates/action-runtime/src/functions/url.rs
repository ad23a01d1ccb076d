//! URLs (WHATWG URL) and forms, by the crate `url`.

use ::url::{Url, form_urlencoded};
use serde_json::json;

use super::{Inputs, Result};

/// `parse_url(text, base)`: the URL as it is written (its `href`), or an error.
pub(super) fn parse(inputs: &Inputs<'_>) -> Result<String> {
    let text = inputs.lossy(0);
    let parsed = if inputs.given(1) {
        Url::parse(&inputs.lossy(1)).and_then(|base| base.join(&text))
    } else {
        Url::parse(&text)
    };
    parsed.map(String::from).map_err(|_| "Invalid URL".into())
}

/// `set_url(href, part, value)`: the URL after a part of it was set, as the setters of `URL` do: what cannot be set stays
/// as it was.
pub(super) fn set(inputs: &Inputs<'_>) -> Result<String> {
    let mut url = Url::parse(inputs.text(0)?).map_err(|_| "Invalid URL")?;
    let (part, value) = (inputs.text(1)?, inputs.lossy(2));
    use ::url::quirks;
    // A setter that fails leaves the URL as it was.
    let _ = match part {
        "protocol" => quirks::set_protocol(&mut url, &value),
        "username" => quirks::set_username(&mut url, &value),
        "password" => quirks::set_password(&mut url, &value),
        "host" => quirks::set_host(&mut url, &value),
        "hostname" => quirks::set_hostname(&mut url, &value),
        "port" => quirks::set_port(&mut url, &value),
        "pathname" => {
            quirks::set_pathname(&mut url, &value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, &value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(&mut url, &value);
            Ok(())
        }
        _ => return Err(format!("no part {part}")),
    };
    Ok(url.into())
}

/// `url_parts(href)`: the parts as JSON.
pub(super) fn parts(inputs: &Inputs<'_>) -> Result<String> {
    use ::url::quirks;
    let url = &Url::parse(inputs.text(0)?).map_err(|_| "Invalid URL")?;
    let parts = json!({
        "origin": quirks::origin(url), "protocol": quirks::protocol(url),
        "username": quirks::username(url), "password": quirks::password(url), "host": quirks::host(url),
        "hostname": quirks::hostname(url), "port": quirks::port(url), "pathname": quirks::pathname(url),
        "search": quirks::search(url), "hash": quirks::hash(url),
    });
    Ok(parts.to_string())
}

/// `parse_form(text)`: names and values of `application/x-www-form-urlencoded`, as JSON.
pub(super) fn parse_form(inputs: &Inputs<'_>) -> Result<String> {
    let pairs: Vec<_> = form_urlencoded::parse(inputs.bytes(0)).collect();
    Ok(json!(pairs).to_string())
}
