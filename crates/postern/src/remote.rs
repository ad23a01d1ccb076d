//! The Management API of a running server, for the commands that go there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};

use crate::cli::action::RemoteArgs;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::escape;

/// An access token, when there is one already.
const TOKEN: &str = "POSTERN_TOKEN";
/// The client that gets one.
const CLIENT_ID: &str = "POSTERN_CLIENT_ID";
const CLIENT_SECRET: &str = "POSTERN_CLIENT_SECRET";
/// The tenant's address, where the command line does not say it.
const URL: &str = "POSTERN_URL";

/// What the configuration must leave alone: these are no settings of the server.
pub const VARIABLES: [&str; 4] = ["url", "token", "client_id", "client_secret"];

/// For a large component.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long a connection for events lives at most: as long as an access token.
const FOLLOWED: Duration = Duration::from_secs(24 * 3600);

/// A tenant's Management API, with an access token.
pub struct Remote {
    http: Client,
    base: Url,
    token: String,
    /// What the command says of the scopes that it needs, where it needs more than one.
    scopes: &'static str,
}

impl Remote {
    /// With what is said of scopes where the token has too few.
    #[must_use]
    pub fn needing(self, scopes: &'static str) -> Self {
        Self { scopes, ..self }
    }

    /// Whether it is said where the server is.
    pub fn is_named(args: &RemoteArgs) -> bool {
        args.url.is_some() || variable(URL).is_some()
    }

    /// With the token of the environment, or one that the client of the environment gets.
    pub async fn connect(args: &RemoteArgs) -> Result<Self, Failure> {
        let usage = |text: &str| Failure::new(ExitCode::Usage, text);
        let url = args.url.clone().or_else(|| variable(URL));
        let url = url.ok_or_else(|| usage("--url or POSTERN_URL must say where the tenant is"))?;
        let base = base(&url)?;
        let http = client(&base)?;
        if let Some(token) = variable(TOKEN) {
            return Ok(Self { http, base, token, scopes: "" });
        }
        let (Some(id), Some(secret)) = (variable(CLIENT_ID), variable(CLIENT_SECRET)) else {
            let text = format!(
                "{TOKEN}, or {CLIENT_ID} and {CLIENT_SECRET}, must be set in the environment; `postern tenant create` and \
                 `postern dev` print those of a client"
            );
            return Err(usage(&text));
        };
        let mut remote = Self { http, base, token: String::new(), scopes: "" };
        remote.token = remote.new_token(&id, &secret).await?;
        Ok(remote)
    }

    async fn new_token(&self, id: &str, secret: &str) -> Result<String, Failure> {
        let audience = self.url("api/v2/")?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("audience", audience.as_str()),
        ];
        let answer = self.send(self.http.post(self.url("oauth/token")?).form(&form)).await?;
        let token = answer["access_token"].as_str();
        token
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(ExitCode::Failed, "the server's answer has no access token"))
    }

    /// One call below `/api/v2`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.http.request(method, self.url(&format!("api/v2{path}"))?).bearer_auth(&self.token);
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let request =
            self.http.get(self.url(&format!("api/v2{path}"))?).query(query).bearer_auth(&self.token);
        self.send(request).await
    }

    /// The same; `None` where there is no such thing.
    pub async fn find(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        let request =
            self.http.get(self.url(&format!("api/v2{path}"))?).query(query).bearer_auth(&self.token);
        match self.answer(request).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, body) => self.success(status, body).map(Some),
        }
    }

    /// A request for server-sent events, after the one with the id `last`. It may be answered for a day.
    pub fn follow(&self, path: &str, last: Option<&str>) -> Result<RequestBuilder, Failure> {
        let request = self.http.get(self.url(&format!("api/v2{path}"))?).bearer_auth(&self.token);
        let request = request.header(ACCEPT, "text/event-stream").timeout(FOLLOWED);
        Ok(match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        })
    }

    /// The Action of that name, if there is one.
    pub async fn find_action(&self, name: &str) -> Result<Option<Value>, Failure> {
        let list = self.get("/actions/actions", &[("actionName", name)]).await?;
        Ok(list["actions"].get(0).cloned())
    }

    /// The Action of that name, and its path.
    pub async fn action(&self, name: &str) -> Result<(Value, String), Failure> {
        let action = self.find_action(name).await?.ok_or_else(|| {
            Failure::new(
                ExitCode::Failed,
                format!("there is no Action {} at {}", escape(name, false), self.base),
            )
        })?;
        let path = format!("/actions/actions/{}", action["id"].as_str().unwrap_or_default());
        Ok((action, path))
    }

    /// Where this is, for people.
    pub fn place(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        self.base.join(path).or_exit(ExitCode::Usage, "the URL of the tenant")
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let (status, body) = self.answer(request).await?;
        self.success(status, body)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, Value), Failure> {
        let failed = ExitCode::Failed;
        let answer = request.send().await.or_exit(failed, format!("cannot reach {}", self.place()))?;
        let status = answer.status();
        let text = answer.text().await.or_exit(failed, format!("the answer of {}", self.place()))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    fn success(&self, status: StatusCode, body: Value) -> Result<Value, Failure> {
        if status.is_success() { Ok(body) } else { Err(refusal(status, &body, self.scopes)) }
    }
}

/// Why the server did not do it: in its own words, where it has some.
fn refusal(status: StatusCode, body: &Value, scopes: &str) -> Failure {
    let word =
        |names: [&str; 2]| names.iter().find_map(|name| body[*name].as_str()).map(|text| escape(text, false));
    let said = word(["message", "error_description"]).unwrap_or_else(|| "it says no more".to_owned());
    let code = word(["errorCode", "error"]).map(|code| format!(" {code}")).unwrap_or_default();
    let needs = match body["errorCode"] == "insufficient_scope" && !scopes.is_empty() {
        true => format!(" (this command needs {scopes})"),
        false => String::new(),
    };
    Failure::new(ExitCode::Failed, format!("the server refused ({}{code}): {said}{needs}", status.as_u16()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The tenant's address with a slash at its end. Credentials do not travel in the clear, but on this machine.
fn base(url: &str) -> Result<Url, Failure> {
    let usage = |text: String| Failure::new(ExitCode::Usage, text);
    let mut base = Url::parse(url).or_exit(ExitCode::Usage, format!("{url:?} is no URL"))?;
    if base.scheme() != "https" && !(base.scheme() == "http" && is_here(&base)) {
        return Err(usage(format!("{url:?} must begin with https, or be on this machine")));
    }
    if !matches!(base.path(), "/" | "") || base.query().is_some() || base.fragment().is_some() {
        return Err(usage(format!("{url:?} must be the tenant's address alone, as https://acme.example")));
    }
    base.set_path("/");
    Ok(base)
}

/// `localhost` and `*.localhost` are this machine (RFC 6761 §6.3), whatever the resolver says.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn client(base: &Url) -> Result<Client, Failure> {
    let mut client = Client::builder()
        .redirect(Policy::none())
        .timeout(TIMEOUT)
        .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")));
    if let Some(host) = base.host_str().filter(|host| host.ends_with("localhost")) {
        client = client.resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    client.build().or_exit(ExitCode::Failed, "cannot send requests")
}

/// A binding that stays as it is.
pub fn kept_binding(binding: &Value) -> Value {
    json!({ "ref": { "type": "binding_id", "value": binding["id"] }, "display_name": binding["display_name"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_travel_in_the_clear_on_this_machine_only() {
        for good in [
            "https://acme.example",
            "https://acme.example:8443/",
            "http://acme.localhost:3000",
            "http://localhost",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            let base = base(good).map_err(|failure| failure.error);
            assert!(base.as_ref().is_ok_and(|base| base.path() == "/"), "{good}: {base:?}");
        }
        for bad in [
            "http://acme.example",
            "http://notlocalhost.example",
            "ftp://acme.example",
            "acme.example",
            "https://acme.example/api/v2",
            "https://acme.example/?a=b",
            "http://localhost.evil.example",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
