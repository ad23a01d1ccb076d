//! Second factors of clients without a browser: `mfa_required`, the MFA API, and the grants that go on.

use end_to_end::authenticator::{code, wrong_code};
use end_to_end::flow::text;
use end_to_end::{RawClient, Response, TestServer, jwt, seed};
use idp::manage;
use idp::token::{MFA_OTP_GRANT_TYPE, MFA_RECOVERY_CODE_GRANT_TYPE};
use reqwest::Method;
use serde_json::{Value, json};

/// What most of these tests are about.
const ENABLE: &str = "exports.onExecutePostLogin = async (event, api) => { api.multifactor.enable('any'); };";

/// A server at which the native app may send passwords and codes, of a tenant with both factors.
pub(crate) async fn server() -> TestServer {
    let server = TestServer::start().await;
    server
        .change_client(seed::NATIVE, |client| {
            let grants = ["password", MFA_OTP_GRANT_TYPE, MFA_RECOVERY_CODE_GRANT_TYPE].map(str::to_owned);
            client.grant_types.extend(grants);
        })
        .await;
    set_factors(&server, true).await;
    server
}

async fn set_factors(server: &TestServer, enabled: bool) {
    let patch = json!({ "factors": { "otp": enabled, "recovery-code": enabled } });
    manage::update_tenant(&server.idp, &server.acme(), patch.as_object().unwrap()).await.unwrap();
}

async fn token_request(app: &RawClient, form: &[(&str, &str)]) -> Response {
    let form: Vec<_> = [("client_id", seed::NATIVE)].into_iter().chain(form.iter().copied()).collect();
    app.post_form("/oauth/token", &form).await
}

pub(crate) async fn password(app: &RawClient, more: &[(&str, &str)]) -> Response {
    let mut form = vec![("grant_type", "password"), ("username", seed::ADA), ("password", seed::PASSWORD)];
    form.extend(more);
    token_request(app, &form).await
}

/// Logs in with the password; the `mfa_token` and what is required.
pub(crate) async fn wanted(app: &RawClient, more: &[(&str, &str)]) -> (String, Value) {
    let answer = password(app, more).await;
    let error = answer.expect_error(403, "mfa_required").json();
    assert_eq!(error["error_description"], "Multifactor authentication required");
    (text(&error, "mfa_token"), error["mfa_requirements"].clone())
}

async fn otp(app: &RawClient, mfa_token: &str, code: &str) -> Response {
    token_request(app, &[("grant_type", MFA_OTP_GRANT_TYPE), ("mfa_token", mfa_token), ("otp", code)]).await
}

async fn recovery(app: &RawClient, mfa_token: &str, code: &str) -> Response {
    let grant = ("grant_type", MFA_RECOVERY_CODE_GRANT_TYPE);
    token_request(app, &[grant, ("mfa_token", mfa_token), ("recovery_code", code)]).await
}

async fn associate(app: &RawClient, mfa_token: &str, types: Value) -> Response {
    let request = app.request(Method::POST, "/mfa/associate").bearer_auth(mfa_token);
    app.send(request.json(&json!({ "authenticator_types": types }))).await
}

async fn challenge(app: &RawClient, mfa_token: &str, types: &str) -> Response {
    let form = [("client_id", seed::NATIVE), ("mfa_token", mfa_token), ("challenge_type", types)];
    app.post_form("/mfa/challenge", &form).await
}

/// Sets up an authenticator app for Ada, at a server whose Action wants one; its secret, and the recovery code.
async fn enrolled(server: &TestServer, app: &RawClient) -> (String, String) {
    let (mfa_token, _) = wanted(app, &[]).await;
    let enrolment = associate(app, &mfa_token, json!(["otp"])).await.expect(200).json();
    let secret = text(&enrolment, "secret");
    otp(app, &mfa_token, &code(&secret, &server.clock)).await.expect(200);
    server.clock.advance_secs(30);
    (secret, enrolment["recovery_codes"][0].as_str().expect("a code").to_owned())
}

// LG5
#[tokio::test]
async fn an_app_enrols_a_factor_and_logs_in_with_it_from_then_on() {
    let server = server().await;
    server.deploy_action("mfa", ENABLE).await;
    let app = server.client();
    let scope = [("scope", "openid offline_access")];

    let (mfa_token, required) = wanted(&app, &scope).await;
    assert_eq!(required, json!({ "enroll": [{ "type": "otp" }] }));
    challenge(&app, &mfa_token, "otp").await.expect_error(403, "association_required");
    associate(&app, &mfa_token, json!(["oob"])).await.expect_error(400, "invalid_request");
    otp(&app, &mfa_token, "123456").await.expect_error(403, "invalid_grant");
    let enrolment = associate(&app, &mfa_token, json!(["otp", "oob"])).await.expect(200).json();
    assert_eq!(enrolment["authenticator_type"], "otp");
    let secret = text(&enrolment, "secret");
    let uri = text(&enrolment, "barcode_uri");
    assert!(uri.starts_with("otpauth://totp/The%20acme%20tenant:ada%40example.com?secret="), "{uri}");
    assert!(uri.contains(&secret), "{uri}");
    let again = associate(&app, &mfa_token, json!(["otp"])).await.expect(200).json();
    assert_eq!(again["secret"], enrolment["secret"], "the same login shows the same secret");
    let recovery_code = again["recovery_codes"][0].as_str().expect("a code").to_owned();
    assert_eq!(recovery_code.len(), 24);
    let wrong = otp(&app, &mfa_token, &wrong_code(&secret, &server.clock)).await;
    assert_eq!(wrong.expect_error(403, "invalid_grant").json()["error_description"], "Invalid otp_code.");
    let used = code(&secret, &server.clock);
    let tokens = otp(&app, &mfa_token, &used).await.expect(200).json();
    let id_token = jwt::claims(&text(&tokens, "id_token"));
    assert_eq!(id_token["amr"], json!(["mfa"]));
    assert!(tokens["refresh_token"].is_string() && tokens.get("recovery_code").is_none(), "{tokens}");
    let done = otp(&app, &mfa_token, &used).await.expect_error(403, "invalid_grant").json();
    assert_eq!(done["error_description"], "Malformed mfa_token");

    let (mfa_token, required) = wanted(&app, &scope).await;
    assert_eq!(required, json!({ "challenge": [{ "type": "otp" }, { "type": "recovery-code" }] }));
    challenge(&app, &mfa_token, "oob").await.expect_error(400, "unsupported_challenge_type");
    let asked = challenge(&app, &mfa_token, "oob otp").await.expect(200).json();
    assert_eq!(asked, json!({ "challenge_type": "otp" }));
    associate(&app, &mfa_token, json!(["otp"])).await.expect_error(403, "access_denied");
    otp(&app, &mfa_token, &used).await.expect_error(403, "invalid_grant");
    server.clock.advance_secs(30);
    otp(&app, &mfa_token, &code(&secret, &server.clock)).await.expect(200);

    let (mfa_token, _) = wanted(&app, &scope).await;
    let wrong = recovery(&app, &mfa_token, "AAAABBBBCCCCDDDDEEEEFFFF").await;
    let error = wrong.expect_error(403, "invalid_grant").json();
    assert_eq!(error["error_description"], "MFA Authorization rejected.");
    let typed = recovery_code.to_lowercase().replace('A', "a ");
    let next = text(&recovery(&app, &mfa_token, &typed).await.expect(200).json(), "recovery_code");
    let (mfa_token, _) = wanted(&app, &scope).await;
    recovery(&app, &mfa_token, &recovery_code).await.expect_error(403, "invalid_grant");
    recovery(&app, &mfa_token, &next).await.expect(200);
    let codes = server.log_codes().await;
    for expected in [
        "gd_enrollment_complete",
        "gd_auth_succeed",
        "gd_auth_failed",
        "gd_recovery_succeed",
        "gd_recovery_failed",
        "seotpft",
        "feotpft",
        "sercft",
        "fercft",
    ] {
        assert!(codes.contains(&expected.to_owned()), "{expected}: {codes:?}");
    }
}

#[tokio::test]
async fn a_login_that_waits_is_its_clients_and_ends_with_its_time_and_its_password() {
    let server = server().await;
    server.deploy_action("mfa", ENABLE).await;
    let app = server.client();
    let (secret, _) = enrolled(&server, &app).await;
    let malformed = |answer: Response| {
        let error = answer.expect_error(403, "invalid_grant").json();
        assert_eq!(error["error_description"], "Malformed mfa_token");
    };
    malformed(otp(&app, "nonsense", &code(&secret, &server.clock)).await);
    server.change_client(seed::SPA, |client| client.grant_types.push(MFA_OTP_GRANT_TYPE.to_owned())).await;
    let (mfa_token, _) = wanted(&app, &[]).await;
    let code_now = code(&secret, &server.clock);
    let form = [
        ("grant_type", MFA_OTP_GRANT_TYPE),
        ("client_id", seed::SPA),
        ("mfa_token", &mfa_token),
        ("otp", &code_now),
    ];
    malformed(app.post_form("/oauth/token", &form).await);
    server.clock.advance_secs(600);
    let late = otp(&app, &mfa_token, &code(&secret, &server.clock)).await;
    let error = late.expect_error(403, "expired_token").json();
    assert_eq!(error["error_description"], "mfa_token is expired");

    let (mfa_token, _) = wanted(&app, &[]).await;
    let user = ada(&server).await;
    server.clock.advance_secs(30);
    let password = Some("another long password".to_owned());
    let changes = manage::UserChanges { password, ..Default::default() };
    manage::update_user(&server.idp, &server.acme(), &user, changes).await.unwrap();
    malformed(otp(&app, &mfa_token, &code(&secret, &server.clock)).await);
}

async fn ada(server: &TestServer) -> model::UserId {
    let mut tx = server.idp.storage.begin_read(&server.acme()).await.unwrap();
    let connection = tx.connection_by_name(manage::DEFAULT_CONNECTION).await.unwrap().unwrap();
    tx.user_by_login(&connection.id, seed::ADA).await.unwrap().unwrap().user_id
}

// LG5
#[tokio::test]
async fn guessing_codes_is_stopped_for_the_user_and_an_operator_helps() {
    let server = server().await;
    server.deploy_action("mfa", ENABLE).await;
    let app = server.client();
    let (secret, recovery_code) = enrolled(&server, &app).await;
    for attempt in 0..5 {
        let (mfa_token, _) = wanted(&app, &[]).await;
        match attempt % 2 {
            0 => otp(&app, &mfa_token, &wrong_code(&secret, &server.clock)).await,
            _ => recovery(&app, &mfa_token, "wrong").await,
        }
        .expect_error(403, "invalid_grant");
    }
    let (mfa_token, _) = wanted(&app, &[]).await;
    let stopped = otp(&app, &mfa_token, &code(&secret, &server.clock)).await;
    assert!(stopped.expect_error(429, "too_many_attempts").header("retry-after").is_some());
    recovery(&app, &mfa_token, &recovery_code).await.expect_error(429, "too_many_attempts");
    let removed = manage::remove_factors(&server.idp, &server.acme(), &ada(&server).await).await.unwrap();
    assert_eq!(removed.len(), 2);
    let (_, required) = wanted(&app, &[]).await;
    assert_eq!(required, json!({ "enroll": [{ "type": "otp" }] }));
    enrolled(&server, &app).await;
}

// LG5 CC1
#[tokio::test]
async fn of_many_requests_with_one_code_one_is_answered_with_tokens() {
    let server = server().await;
    server.deploy_action("mfa", ENABLE).await;
    let app = server.client();
    let (secret, _) = enrolled(&server, &app).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(wanted(&app, &[]).await.0);
    }
    let code = code(&secret, &server.clock);
    let (a, b, c, d) = tokio::join!(
        otp(&app, &waiting[0], &code),
        otp(&app, &waiting[1], &code),
        otp(&app, &waiting[2], &code),
        otp(&app, &waiting[3], &code),
    );
    let answered = [a, b, c, d].iter().filter(|answer| answer.status == 200).count();
    assert_eq!(answered, 1);
}

#[tokio::test]
async fn a_challenge_comes_between_two_actions_and_the_second_sees_it() {
    let server = server().await;
    let first = "exports.onExecutePostLogin = async (event, api) => {
        console.log(JSON.stringify({ first: event.user.enrolledFactors }));
        api.transaction.setMetadata('kept', 'yes');
        if (event.user.enrolledFactors.length) api.authentication.challengeWith({ type: 'otp' });
        else api.authentication.enrollWith({ type: 'otp' });
    };";
    let second = "exports.onExecutePostLogin = async (event, api) => {
        const mfa = event.authentication.methods.find((method) => method.name === 'mfa');
        console.log(JSON.stringify({
            second: event.user.enrolledFactors, type: mfa.type, at: typeof mfa.timestamp, body: event.request.body,
            kept: event.transaction.metadata.kept, protocol: event.transaction.protocol,
        }));
        api.accessToken.setCustomClaim('plan', 'pro');
    };";
    server.deploy_action("first", first).await;
    server.deploy_action("second", second).await;
    let app = server.client();
    let (mfa_token, required) = wanted(&app, &[("audience", seed::API)]).await;
    assert_eq!(required, json!({ "enroll": [{ "type": "otp" }] }));
    let enrolment = associate(&app, &mfa_token, json!("otp")).await.expect(200).json();
    let code = code(&text(&enrolment, "secret"), &server.clock);
    let tokens = otp(&app, &mfa_token, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&tokens, "access_token"))["plan"], "pro");
    let seen = server.printed().await;
    assert_eq!(seen.len(), 2, "no Action runs twice: {seen:?}");
    assert_eq!(seen[0], json!({ "first": [] }));
    assert_eq!(
        seen[1],
        json!({
            "second": [{ "type": "otp" }], "type": "otp", "at": "string", "kept": "yes", "protocol": "oauth2-password",
            "body": { "grant_type": MFA_OTP_GRANT_TYPE, "client_id": seed::NATIVE },
        })
    );
}

#[tokio::test]
async fn what_cannot_be_asked_for_here_ends_the_login() {
    let server = server().await;
    let app = server.client();
    let denied = async |body: &str| {
        let script = format!("exports.onExecutePostLogin = async (event, api) => {{ {body} }};");
        server.deploy_action("mfa", &script).await;
        text(&password(&app, &[]).await.expect_error(403, "access_denied").json(), "error_description")
    };
    let none = denied("api.authentication.challengeWith({ type: 'otp' });").await;
    assert!(none.contains("the user has none of those"), "{none}");
    let phone = denied("api.authentication.enrollWith({ type: 'phone' });").await;
    assert!(
        phone.contains("none of those that an Action of this login asks for can be set up here"),
        "{phone}"
    );
    let duo = "api.multifactor.enable('duo', { providerOptions: { host: 'h', ikey: 'i', skey: 's' } });";
    assert!(denied(duo).await.contains("Duo"));
    set_factors(&server, false).await;
    denied("api.multifactor.enable('any');").await;
    let five = "for (let i = 0; i < 5; i++) api.authentication.enrollWith({ type: 'otp' });";
    assert!(denied(five).await.contains("four challenges and enrollments"), "a fifth is an error");
    let redirect = "exports.onExecutePostLogin = async (event, api) => { api.redirect.sendUserTo('https://a.example/'); };
        exports.onContinuePostLogin = async () => {};";
    server.deploy_action("mfa", redirect).await;
    password(&app, &[]).await.expect_error(400, "interaction_required");
}

#[tokio::test]
async fn factors_are_listed_by_who_logs_in_and_removed_by_who_has_shown_one() {
    let server = server().await;
    server.deploy_action("mfa", ENABLE).await;
    let app = server.client();
    let (secret, _) = enrolled(&server, &app).await;
    // From here on the Action wants none, and still a password alone is not enough to remove a factor.
    server.deploy_action("mfa", "exports.onExecutePostLogin = async () => {};").await;
    let audience = format!("{}mfa/", server.issuer(seed::ACME));
    let (mfa_token, required) = wanted(&app, &[("audience", &audience)]).await;
    assert_eq!(required["challenge"][0]["type"], "otp");
    let list = async |token: &str| {
        app.send(app.request(Method::GET, "/mfa/authenticators").bearer_auth(token)).await
    };
    let remove = async |token: &str, id: &str| {
        let path = format!("/mfa/authenticators/{}", id.replace('|', "%7C"));
        app.send(app.request(Method::DELETE, &path).bearer_auth(token)).await
    };
    let known = list(&mfa_token).await.expect(200).json();
    let types: Vec<_> = known.as_array().unwrap().iter().map(|known| &known["authenticator_type"]).collect();
    assert_eq!(types, ["otp", "recovery-code"]);
    let id = text(&known[0], "id");
    remove(&mfa_token, &id).await.expect_error(401, "invalid_token");
    let tokens = otp(&app, &mfa_token, &code(&secret, &server.clock)).await.expect(200).json();
    assert_eq!(
        (&tokens["scope"], &tokens["expires_in"]),
        (&json!("read:authenticators remove:authenticators"), &json!(600))
    );
    let access_token = text(&tokens, "access_token");
    assert_eq!(list(&access_token).await.expect(200).json(), known);
    remove(&access_token, "totp|dev_unknown").await.expect_error(404, "invalid_request");
    remove(&access_token, &id).await.expect(204);
    assert_eq!(list(&access_token).await.expect(200).json(), json!([]));
    for token in ["nonsense", "a.b.c"] {
        let answer = list(token).await;
        assert!([401, 403].contains(&answer.status), "{answer:?}");
    }
    app.get("/mfa/authenticators").await.expect(401);
    // An access token for another API, and one with less scope.
    let other = password(&app, &[("audience", seed::API), ("scope", "read:things")]).await.expect(200).json();
    list(&text(&other, "access_token")).await.expect_error(401, "invalid_token");
    let less = password(&app, &[("audience", &audience), ("scope", "read:authenticators")]).await;
    let less = text(&less.expect(200).json(), "access_token");
    remove(&less, &id).await.expect_error(403, "insufficient_scope");
}
