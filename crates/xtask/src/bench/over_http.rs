//! Redemption and code exchange over loopback, against `postern dev` as a process, with its Action.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use url::Url;

use crate::demo::Stage;
use crate::http::{Peer, form_action, hidden_field, parameter, pkce, random, text};
use crate::process::{cargo, run, target_folder};

/// Flows before the ones that count.
const WARM_UP: usize = 20;

/// The times of so many flows.
pub(super) async fn measure(flows: usize) -> Result<Map<String, Value>> {
    // As the benches build it: one set of features for all of the workspace.
    run(&mut cargo(&["build", "--quiet", "--locked", "--release", "--workspace", "--bin", "postern"]))?;
    let stage = Stage::server_only(&target_folder()?.join("release")).await?;
    let measured = flow_times(&stage, flows).await;
    if measured.is_err() {
        stage.complain();
    }
    stage.clear().await?;
    let (redemptions, exchanges) = measured?;
    Ok(Map::from_iter([
        ("authorize_redemption".to_owned(), summary(redemptions)),
        ("code_exchange".to_owned(), summary(exchanges)),
    ]))
}

/// Redemptions at `/authorize`, Action included, and code exchanges at `/oauth/token`.
async fn flow_times(stage: &Stage, flows: usize) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let native_id = text(&stage.demo["native_client"], "client_id")?;
    let web_id = text(&stage.demo["web_client"], "client_id")?;
    let web_secret = text(&stage.demo["web_client"], "client_secret")?;
    let redirect_uri = format!("{}/callback", stage.web_app_url);
    let token_url = stage.at("oauth/token")?;
    let audience = format!("urn:{}:session_transfer", stage.issuer.host_str().unwrap_or_default());
    let mut refresh_token = log_in(stage).await?;
    let app = Peer::new(&stage.issuer)?;
    // Cookies stay away: each redemption is that of a browser without a session. Connections are kept.
    let browser = Peer::without_cookies(&stage.issuer)?;
    let (mut redemptions, mut exchanges) = (Vec::new(), Vec::new());
    for index in 0..flows + WARM_UP {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", native_id),
            ("refresh_token", refresh_token.as_str()),
            ("audience", audience.as_str()),
        ];
        let tokens = app.post(&token_url, &form).await?.json()?;
        refresh_token = text(&tokens, "refresh_token")?.to_owned();
        let (verifier, challenge) = pkce()?;
        let authorize = authorize_url(
            stage,
            web_id,
            &redirect_uri,
            "openid profile email",
            &challenge,
            &[("session_transfer_token", text(&tokens, "access_token")?)],
        )?;
        let start = Instant::now();
        let answer = browser.get(&authorize).await?;
        let redemption = start.elapsed();
        let code = parameter(answer.redirect()?, "code").context("the redemption gave no code")?;
        let form = [
            ("grant_type", "authorization_code"),
            ("redirect_uri", &redirect_uri),
            ("code", &code),
            ("code_verifier", &verifier),
        ];
        let start = Instant::now();
        let answer = app.post_as(&token_url, &form, web_id, web_secret).await?;
        let exchange = start.elapsed();
        text(&answer.json()?, "id_token")?;
        if index >= WARM_UP {
            redemptions.push(redemption);
            exchanges.push(exchange);
        }
    }
    Ok((redemptions, exchanges))
}

/// The native login, for its refresh token.
async fn log_in(stage: &Stage) -> Result<String> {
    let browser = Peer::new(&stage.issuer)?;
    let client_id = text(&stage.demo["native_client"], "client_id")?;
    let redirect_uri = "http://127.0.0.1:49152/callback";
    let (verifier, challenge) = pkce()?;
    let url = authorize_url(stage, client_id, redirect_uri, "openid offline_access", &challenge, &[])?;
    let page_url = browser.get(&url).await?.redirect()?.clone();
    let page = browser.get(&page_url).await?;
    let target = page_url.join(&form_action(&page.body).context("the page has no form")?)?;
    let form = [
        ("csrf", hidden_field(&page.body, "csrf")?),
        ("username", text(&stage.demo["user"], "email")?.to_owned()),
        ("password", text(&stage.demo["user"], "password")?.to_owned()),
    ];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = browser.post(&target, &form).await?;
    let code = parameter(answer.redirect()?, "code").context("the login gave no code")?;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("code", &code),
        ("code_verifier", &verifier),
    ];
    let tokens = browser.post(&stage.at("oauth/token")?, &form).await?.json()?;
    Ok(text(&tokens, "refresh_token")?.to_owned())
}

fn authorize_url(
    stage: &Stage,
    client_id: &str,
    redirect_uri: &str,
    scope: &str,
    challenge: &str,
    more: &[(&str, &str)],
) -> Result<Url> {
    let mut url = stage.at("authorize")?;
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", &random()?),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]);
    url.query_pairs_mut().extend_pairs(more);
    Ok(url)
}

fn summary(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_nanos() as f64 / 1000.0;
    json!({ "median_us": at(50), "p99_us": at(99), "runs": times.len() })
}
