//! The steps, each with what must come of it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use url::Url;

use super::show::{Script, answer, fact, request};
use super::stage::Stage;
use crate::http::{Answer, Peer, claims, form_action, hidden_field, parameter, pkce, random, text};
use crate::process::say;

/// What the sample Action sets, in seconds.
const ABSOLUTE: i64 = 30 * 60;
const IDLE: i64 = 15 * 60;

/// What the native app holds after its login.
struct Native {
    refresh_token: String,
    session_id: String,
}

/// Plays all steps.
pub(crate) async fn play(stage: &Stage) -> Result<()> {
    let mut script = Script::default();
    say(&format!("Postern at {}, the web app at {}", stage.issuer, stage.web_app_url));

    let mut native = native_login(stage, &mut script).await.context("the native login")?;
    let before = stage.ask(&["session", "show", &native.session_id])?;
    let lifetimes_before = lifetimes(&before)?;
    fact(&format!("that session lives as the tenant says: {}", describe(lifetimes_before)));
    ensure!(lifetimes_before.0 > ABSOLUTE, "the Action limited a session that was not transferred");

    let transfer_token = exchange(stage, &mut script, &mut native).await.context("the exchange")?;
    let browser = Peer::new(&stage.issuer)?;
    let session_id = redeem(stage, &mut script, &browser, &transfer_token).await.context("the redemption")?;
    decision(stage, &mut script, &session_id, lifetimes_before).context("the Action's decision")?;
    second_redemption(stage, &mut script, &transfer_token).await.context("the second redemption")?;
    single_sign_on(stage, &mut script, &browser).await.context("single sign-on")?;
    revocation(stage, &mut script, &browser, &native, &session_id).await.context("the revocation")?;

    say("\nEvery step went as it must.");
    Ok(())
}

async fn native_login(stage: &Stage, script: &mut Script) -> Result<Native> {
    let app = Peer::new(&stage.issuer)?;
    let client_id = text(&stage.demo["native_client"], "client_id")?;
    // A native app takes any free port (RFC 8252 §7.3).
    let redirect_uri = "http://127.0.0.1:49152/callback";
    let (verifier, challenge) = pkce()?;
    let state = random()?;

    script.step("The native app sends its user to log in: code, PKCE, loopback redirect.");
    let mut url = stage.at("authorize")?;
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("scope", "openid profile email offline_access"),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let got = get(&app, "browser", &url).await?;
    let page_url = got.redirect()?.clone();
    ensure!(page_url.path() == "/u/login", "expected the login page, got {page_url}");
    let page = get(&app, "browser", &page_url).await?;
    ensure!(page.status == 200, "the login page answers {}", page.status);

    script.step("The user logs in with a password.");
    let target = page_url.join(&form_action(&page.body).context("the page has no form")?)?;
    let csrf = hidden_field(&page.body, "csrf")?;
    let (email, password) = (text(&stage.demo["user"], "email")?, text(&stage.demo["user"], "password")?);
    let form = [("csrf", csrf.as_str()), ("username", email), ("password", password)];
    let got = post(&app, "browser", &target, &form).await?;
    let back = got.redirect()?;
    ensure!(back.as_str().starts_with(redirect_uri), "expected the app's redirect URI, got {back}");
    ensure!(parameter(back, "state").as_deref() == Some(&state), "another state came back");
    ensure!(parameter(back, "iss").as_deref() == Some(stage.issuer.as_str()), "no iss (RFC 9207)");
    let code = parameter(back, "code").context("no code came back")?;

    script.step("The app exchanges the code.");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("code", &code),
        ("code_verifier", &verifier),
    ];
    let tokens = post(&app, "app", &stage.at("oauth/token")?, &form).await?.json()?;
    let claims = claims(text(&tokens, "id_token")?)?;
    Ok(Native {
        refresh_token: text(&tokens, "refresh_token")?.to_owned(),
        session_id: text(&claims, "sid")?.to_owned(),
    })
}

async fn exchange(stage: &Stage, script: &mut Script, native: &mut Native) -> Result<String> {
    script
        .step("The app wants to open the web app: it trades its refresh token for a session transfer token.");
    let app = Peer::new(&stage.issuer)?;
    let audience = format!("urn:{}:session_transfer", stage.issuer.host_str().unwrap_or_default());
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", text(&stage.demo["native_client"], "client_id")?),
        ("refresh_token", &native.refresh_token),
        ("audience", &audience),
    ];
    let tokens = post(&app, "app", &stage.at("oauth/token")?, &form).await?.json()?;
    let kind = text(&tokens, "issued_token_type")?;
    ensure!(
        kind == "urn:auth0:params:oauth:token-type:session_transfer_token",
        "issued_token_type is {kind}"
    );
    fact("one use, one minute, bound to this address; the refresh token rotated");
    native.refresh_token = text(&tokens, "refresh_token")?.to_owned();
    Ok(text(&tokens, "access_token")?.to_owned())
}

/// The browser opens the web app with the token; yields the new session's id.
async fn redeem(stage: &Stage, script: &mut Script, browser: &Peer, token: &str) -> Result<String> {
    script.step("The browser opens the web app with the token; the web app passes it on to /authorize.");
    let got = get(browser, "browser", &login_url(stage, token)?).await?;
    let authorize = got.redirect()?.clone();
    ensure!(
        parameter(&authorize, "session_transfer_token").as_deref() == Some(token),
        "the token was not passed on"
    );

    script.step("The server redeems it. The tenant's Action decides. No login page.");
    let got = get(browser, "browser", &authorize).await?;
    let callback = got.redirect()?.clone();
    ensure!(
        callback.as_str().starts_with(&stage.web_app_url),
        "expected the web app's callback, got {callback}"
    );
    ensure!(parameter(&callback, "code").is_some(), "no code came back: {callback}");

    script.step("The web app exchanges the code, checks the ID token, and knows who is there.");
    let got = get(browser, "browser", &callback).await?;
    ensure!(got.redirect()?.path() == "/", "the web app did not accept the login: {}", got.body);
    let claims = get(browser, "browser", &format!("{}/claims", stage.web_app_url).parse()?).await?.json()?;
    let email = text(&stage.demo["user"], "email")?;
    ensure!(claims["email"] == email, "the web app sees {}", claims["email"]);
    Ok(text(&claims, "sid")?.to_owned())
}

fn decision(stage: &Stage, script: &mut Script, session_id: &str, before: (i64, i64)) -> Result<()> {
    script.step("What the Action did to that session (from the database and the tenant's log).");
    let session = stage.ask(&["session", "show", session_id])?;
    let after = lifetimes(&session)?;
    let logs = stage.ask(&["logs", "--limit", "50"])?;
    let entries = logs["logs"].as_array().context("no log")?;
    let login = |entry: &&Value| entry["type"] == "s" && entry["details"]["session_id"] == session_id;
    let login = entries.iter().find(login).context("the login is not in the tenant's log")?;
    let ends = &login["details"]["session"];
    let moment = |when: &str, which: &str| text(&ends[when], which).map(str::to_owned);
    for (when, lifetimes) in [("before_actions", before), ("after_actions", after)] {
        let (absolute, idle) = (moment(when, "expires_at")?, moment(when, "idle_expires_at")?);
        fact(&format!("{when}: ends {absolute}, without use {idle} ({})", describe(lifetimes)));
    }
    ensure!(ends["before_actions"] != ends["after_actions"], "the Action changed nothing");
    ensure!(
        moment("after_actions", "expires_at")? == text(&session, "expires_at")?,
        "log and session disagree"
    );
    ensure!((after.0 - ABSOLUTE).abs() <= 5, "the session's absolute lifetime is {} s", after.0);
    ensure!((after.1 - IDLE).abs() <= 5, "the session's idle lifetime is {} s", after.1);
    let runs = logs["executions"].as_array().context("no executions")?;
    let limiting =
        |run: &&Value| run["report"]["commands"].as_array().is_some_and(|commands| commands.len() == 2);
    let run = runs.iter().find(limiting).context("no run with two commands is recorded")?;
    let report = &run["report"];
    let number = |field: &str| report[field].as_u64().with_context(|| format!("the report has no {field}"));
    ensure!(report["error"].is_null(), "the Action failed: {}", report["error"]);
    fact(&format!(
        "Action {} version {}: {} us, {} fuel, {} KiB of memory, in a fresh sandbox",
        run["action_name"].as_str().unwrap_or_default(),
        run["version"],
        number("elapsed_us")?,
        number("fuel")?,
        number("memory_bytes")? / 1024
    ));
    for command in report["commands"].as_array().into_iter().flatten() {
        fact(&format!("command {command}"));
    }
    Ok(())
}

async fn second_redemption(stage: &Stage, script: &mut Script, token: &str) -> Result<()> {
    script.step("Somebody else presents the same token again.");
    let thief = Peer::new(&stage.issuer)?;
    let got = get(&thief, "thief", &login_url(stage, token)?).await?;
    let got = get(&thief, "thief", got.redirect()?).await?;
    let to = got.redirect()?;
    ensure!(to.path() == "/u/login", "a spent token led to {to}");
    fact("it is spent: the login page");
    Ok(())
}

async fn single_sign_on(stage: &Stage, script: &mut Script, browser: &Peer) -> Result<()> {
    script.step("The browser's session works for a silent login, as long as the Action allowed.");
    let got = get(browser, "browser", &silent(stage)?).await?;
    let to = got.redirect()?;
    ensure!(parameter(to, "code").is_some(), "expected a code, got {to}");
    Ok(())
}

async fn revocation(
    stage: &Stage,
    script: &mut Script,
    browser: &Peer,
    native: &Native,
    session_id: &str,
) -> Result<()> {
    script.step("The native app logs out: it revokes its refresh token.");
    let app = Peer::new(&stage.issuer)?;
    let client_id = text(&stage.demo["native_client"], "client_id")?;
    let form = [("client_id", client_id), ("token", native.refresh_token.as_str())];
    let got = post(&app, "app", &stage.at("oauth/revoke")?, &form).await?;
    ensure!(got.status == 200, "revocation answers {}", got.status);

    script.step("The web session that came from it is over.");
    let got = get(browser, "browser", &silent(stage)?).await?;
    let to = got.redirect()?;
    let error = parameter(to, "error");
    ensure!(error.as_deref() == Some("login_required"), "expected login_required, got {to}");
    let session = stage.ask(&["session", "show", session_id])?;
    let revoked = text(&session, "revoked_at").context("the session is not revoked")?;
    fact(&format!("revoked at {revoked}"));
    Ok(())
}

/// The web app's login address with the token.
fn login_url(stage: &Stage, token: &str) -> Result<Url> {
    let mut url: Url = format!("{}/login", stage.web_app_url).parse()?;
    url.query_pairs_mut().append_pair("session_transfer_token", token);
    Ok(url)
}

/// `prompt=none` for the web client.
fn silent(stage: &Stage) -> Result<Url> {
    let mut url = stage.at("authorize")?;
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", text(&stage.demo["web_client"], "client_id")?),
        ("redirect_uri", &format!("{}/callback", stage.web_app_url)),
        ("scope", "openid"),
        ("state", &random()?),
        ("prompt", "none"),
        ("code_challenge", &pkce()?.1),
        ("code_challenge_method", "S256"),
    ]);
    Ok(url)
}

/// Absolute and idle, in seconds.
fn lifetimes(session: &Value) -> Result<(i64, i64)> {
    let number = |field: &str| session[field].as_i64().with_context(|| format!("the session has no {field}"));
    Ok((number("lifetime_secs")?, number("idle_lifetime_secs")?))
}

fn describe((absolute, idle): (i64, i64)) -> String {
    let text = |secs: i64| match secs {
        7_200.. => format!("{} h", (secs + 1_800) / 3_600),
        _ => format!("{} min", (secs + 30) / 60),
    };
    format!("at most {}, {} without use", text(absolute), text(idle))
}

async fn get(peer: &Peer, who: &str, url: &Url) -> Result<Answer> {
    request(who, "GET", url, &[]);
    let got = peer.get(url).await?;
    answer(&got);
    Ok(got)
}

async fn post(peer: &Peer, who: &str, url: &Url, form: &[(&str, &str)]) -> Result<Answer> {
    request(who, "POST", url, form);
    let got = peer.post(url, form).await?;
    answer(&got);
    Ok(got)
}
