//! What becomes of consent after the page: in whose name it counts, and what it does to refresh tokens and codes when it is
//! withdrawn, or was never given because nobody was asked at the time.

use end_to_end::flow::{
    arrive_by_cookie, code_of, exchange_native, exchange_web, native_tokens, refresh, text, transfer,
};
use end_to_end::gate::Gate;
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::manage::{self, NewOrganization};
use model::{OrganizationId, OrganizationUsage};
use serde_json::{Value, json};

use crate::consent::{
    CONSENT, agreed, consent_page, grants, login, permissive, say, third_party, withdraw, words,
};
use crate::online;

const OFFLINE: &str = "openid offline_access read:things";
/// The text that SDKs compare.
const UNKNOWN: &str = "Unknown or invalid refresh token.";
/// An Action that waits where the request says so.
const WAITS: &str = "exports.onExecutePostLogin = async event => {
    if (event.request.query?.wait || event.request.body?.wait) await fetch('GATE');
};";

/// The token request of the web client with a refresh token.
async fn refresh_web(app: &RawClient, token: &str, more: &[(&str, &str)]) -> Response {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::WEB),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", token),
    ];
    app.post_form("/oauth/token", &[form.as_slice(), more].concat()).await
}

#[track_caller]
fn expect_unknown(answer: &Response) {
    assert_eq!(answer.expect_error(403, "invalid_grant").json()["error_description"], UNKNOWN);
}

async fn introspected(app: &RawClient, token: &str) -> Value {
    let form = [("client_id", seed::WEB), ("client_secret", seed::WEB_SECRET), ("token", token)];
    app.post_form("/oauth/introspect", &form).await.expect(200).json()
}

/// The refresh token that the web client has for a code.
async fn refresh_token(app: &RawClient, code: &str) -> String {
    text(&exchange_web(app, code).await.expect(200).json(), "refresh_token")
}

/// Whose client it is, as the Management API changes it.
async fn is_first_party(api: &Api, client: &str, value: bool) {
    let patch = match value {
        true => json!({ "is_first_party": true }),
        false => json!({ "is_first_party": false, "third_party_security_mode": "permissive" }),
    };
    api.patch(&format!("/clients/{client}"), &patch).await.expect_json(200);
}

async fn wait_where_asked(server: &TestServer) -> Gate {
    let gate = Gate::closed().await;
    server.deploy_action("waits", &WAITS.replace("GATE", &gate.url)).await;
    gate
}

/// An organization that Ada is a member of.
async fn organization(server: &TestServer, name: &str) -> OrganizationId {
    let (idp, acme) = (&server.idp, server.acme());
    let new = NewOrganization { name: name.to_owned(), ..NewOrganization::default() };
    let made = manage::create_organization(idp, &acme, new).await.unwrap();
    let ada = server.user_id(seed::ADA).await;
    manage::add_organization_members(idp, &acme, &made.id, &[ada], manage::Roles::Ids(&[])).await.unwrap();
    made.id
}

fn in_the_name_of(organization: &OrganizationId) -> Login {
    login(OFFLINE).with("organization", organization.as_str())
}

// AZ15
#[tokio::test]
async fn what_is_agreed_to_in_the_name_of_an_organization_counts_for_that_one_alone() {
    let server = TestServer::start().await;
    let (globex, initech) = (organization(&server, "globex").await, organization(&server, "initech").await);
    let whoever = |client: &mut model::Client| {
        permissive(client, true);
        client.organization_usage = OrganizationUsage::Allow;
    };
    server.change_client(seed::WEB, whoever).await;
    let browser = server.client();
    let page = consent_page(&in_the_name_of(&globex).finish(&browser, seed::ADA).await);
    assert!(browser.get(&page).await.expect(200).body.contains("globex"), "the page says in whose name");
    let token = refresh_token(&browser, &code_of(&say(&browser, &page, "accept").await)).await;
    let known = grants(&server).await;
    assert_eq!((known.len(), known[0].organization_id.as_ref()), (1, Some(&globex)));

    // Not in another's name, nor in the user's own; silently neither.
    for other in [in_the_name_of(&initech), login(OFFLINE)] {
        consent_page(&other.begin(&browser).await);
        let silent = other.with("prompt", "none").begin(&browser).await;
        assert_eq!(silent.location_parameter("error").as_deref(), Some("consent_required"));
    }
    in_the_name_of(&globex).code_of_session(&browser).await;
    in_the_name_of(&globex).code(&server.client(), seed::ADA).await;
    let next = refresh_web(&browser, &token, &[]).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&next, "access_token"))["org_id"], globex.as_str());

    // What is agreed to in the user's own name says nothing of organizations, and each has its scopes.
    let page = consent_page(&login("openid write:things").begin(&browser).await);
    code_of(&say(&browser, &page, "accept").await);
    consent_page(&in_the_name_of(&initech).begin(&browser).await);
    consent_page(&in_the_name_of(&globex).with("scope", "openid write:things").begin(&browser).await);
    let mut known = grants(&server).await;
    known.sort_by_key(|grant| grant.organization_id.is_some());
    let scopes: Vec<_> = known.into_iter().map(|grant| (grant.organization_id, grant.scope)).collect();
    let of_globex = (Some(globex.clone()), words("offline_access openid read:things"));
    assert_eq!(scopes, [(None, words("openid write:things")), of_globex]);

    // One grant is deleted: the consents of its user, client and API go, in whoever's name.
    let api = Api::of(&server).await;
    let list = api.get("/grants").await.expect_json(200);
    let of_globex = list.as_array().unwrap().iter().find(|grant| grant["organization_id"] == globex.as_str());
    api.delete(&format!("/grants/{}", text(of_globex.unwrap(), "id"))).await.expect(204);
    assert_eq!(grants(&server).await, []);
    expect_unknown(&refresh_web(&browser, &token, &[]).await);
    consent_page(&in_the_name_of(&globex).begin(&browser).await);
}

// RT9
#[tokio::test]
async fn a_consent_that_is_withdrawn_while_the_actions_of_a_login_run_gives_no_code() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let (browser, _) = agreed(&server, OFFLINE).await;
    let gate = wait_where_asked(&server).await;
    let waiting = login(OFFLINE).with("wait", "1");
    let silent = waiting.clone().with("prompt", "none");
    let (tab, other_tab) =
        (server.client().with_cookies_of(&browser), server.client().with_cookies_of(&browser));
    let fresh = server.client();
    let withdrawn = async {
        gate.wait_for(3).await;
        withdraw(&server).await;
        gate.open();
    };
    let (asked, refused, after_password, ()) = tokio::join!(
        waiting.begin(&tab),
        silent.begin(&other_tab),
        waiting.finish(&fresh, seed::ADA),
        withdrawn
    );
    consent_page(&asked);
    consent_page(&after_password);
    assert_eq!(refused.location_parameter("error").as_deref(), Some("consent_required"));
    assert_eq!(refused.location_parameter("code"), None);
    assert_eq!(fresh.cookie("auth0"), None, "nobody is logged in before the answer");
    assert_eq!(grants(&server).await, []);
}

// RT9
#[tokio::test]
async fn a_consent_that_is_withdrawn_while_the_actions_of_a_refresh_run_gives_no_tokens() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let (browser, code) = agreed(&server, OFFLINE).await;
    let token = refresh_token(&browser, &code).await;
    let online = "openid online_access";
    let page = consent_page(&login(online).begin(&browser).await);
    let code = code_of(&say(&browser, &page, "accept").await);
    let of_session = refresh_token(&browser, &code).await;
    online::refresh(&browser, &of_session).await.expect(200);
    // The native client's, which may become a session transfer token as well.
    server.change_client(seed::NATIVE, |client| permissive(client, true)).await;
    let app = server.client();
    let page = consent_page(&Login::native().finish(&app, seed::ADA).await);
    let code = code_of(&say(&app, &page, "accept").await);
    let native = text(&exchange_native(&app, &code).await.expect(200).json(), "refresh_token");

    let gate = wait_where_asked(&server).await;
    let wait = [("wait", "1")];
    let to_transfer = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::NATIVE),
        ("refresh_token", &native),
        ("audience", "urn:acme.localhost:session_transfer"),
        ("wait", "1"),
    ];
    let withdrawn = async {
        gate.wait_for(3).await;
        withdraw(&server).await;
        gate.open();
    };
    let (refreshed, of_session_refreshed, transferred, ()) = tokio::join!(
        refresh_web(&browser, &token, &wait),
        refresh_web(&browser, &of_session, &wait),
        app.post_form("/oauth/token", &to_transfer),
        withdrawn
    );
    for answer in [refreshed, of_session_refreshed, transferred] {
        expect_unknown(&answer);
    }
    expect_unknown(&refresh(&app, seed::NATIVE, &native).await);
    let codes = server.log_codes().await;
    assert_eq!(codes[..5], ["fertft", "fertft", "fertft", "fertft", "srrt"], "nothing was issued since");
}

// RT9
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_that_meets_the_withdrawal_leaves_nothing_alive() {
    let server = TestServer::start().await;
    third_party(&server).await;
    let browser = server.client();
    let page = consent_page(&login(OFFLINE).finish(&browser, seed::ADA).await);
    let mut code = code_of(&say(&browser, &page, "accept").await);
    for _ in 0..10 {
        let mut token = refresh_token(&browser, &code).await;
        for _ in 0..3 {
            token = text(&refresh_web(&browser, &token, &[]).await.expect(200).json(), "refresh_token");
        }
        let (answer, ()) = tokio::join!(refresh_web(&browser, &token, &[]), withdraw(&server));
        if answer.status == 200 {
            token = text(&answer.json(), "refresh_token");
        }
        expect_unknown(&refresh_web(&browser, &token, &[]).await);
        let page = consent_page(&login(OFFLINE).begin(&browser).await);
        code = code_of(&say(&browser, &page, "accept").await);
    }
}

// AZ15 RT9
#[tokio::test]
async fn a_client_that_becomes_a_third_partys_has_no_tokens_until_its_users_agree() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let browser = server.client();
    let code = login("openid offline_access read:things write:things").code(&browser, seed::ADA).await;
    let mut token = refresh_token(&browser, &code).await;
    let late = login(OFFLINE).code_of_session(&browser).await;
    is_first_party(&api, seed::WEB, false).await;
    expect_unknown(&refresh_web(&browser, &token, &[]).await);
    let why = "The user of the refresh token has not agreed to what it is for";
    assert!(server.logs().await.iter().any(|entry| entry.code == "w" && entry.description == why));
    assert_eq!(introspected(&browser, &token).await, json!({ "active": false }));
    // A code that nobody was asked about is worth nothing, either.
    exchange_web(&browser, &late).await.expect_error(403, "invalid_grant");
    // It is not the token's end: it is good again where nobody is asked.
    is_first_party(&api, seed::WEB, true).await;
    let all = refresh_web(&browser, &token, &[]).await.expect(200).json();
    assert_eq!(all["scope"], "openid offline_access read:things write:things");
    token = text(&all, "refresh_token");
    is_first_party(&api, seed::WEB, false).await;

    // Who agreed to a login has not agreed to access when they are not there, nor whoever agreed for another API.
    for other in [login("openid read:things"), Login::web().with("scope", OFFLINE)] {
        let page = consent_page(&other.begin(&browser).await);
        code_of(&say(&browser, &page, "accept").await);
        expect_unknown(&refresh_web(&browser, &token, &[]).await);
    }
    let page = consent_page(&login(OFFLINE).begin(&browser).await);
    code_of(&say(&browser, &page, "accept").await);
    // No more than what was agreed to, whatever the token was issued with, the client asks for, or an Action adds.
    let some = refresh_web(&browser, &token, &[]).await.expect(200).json();
    assert_eq!(some["scope"], OFFLINE);
    token = text(&some, "refresh_token");
    assert_eq!(jwt::claims(&text(&some, "access_token"))["scope"], OFFLINE);
    let more = [("scope", "write:things")];
    refresh_web(&browser, &token, &more).await.expect_error(400, "invalid_scope");
    assert_eq!(introspected(&browser, &token).await["scope"], OFFLINE);
    let adds = "exports.onExecutePostLogin = async (event, api) => api.accessToken.addScope('write:things');";
    server.deploy_action("adds", adds).await;
    let some = refresh_web(&browser, &token, &[]).await.expect(200).json();
    assert_eq!(some["scope"], OFFLINE);
    token = text(&some, "refresh_token");
    withdraw(&server).await;
    is_first_party(&api, seed::WEB, true).await;
    expect_unknown(&refresh_web(&browser, &token, &[]).await);
}

// AZ15
#[tokio::test]
async fn a_refresh_token_of_an_organization_needs_the_consent_in_its_name() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let globex = organization(&server, "globex").await;
    api.patch(&format!("/clients/{}", seed::WEB), &json!({ "organization_usage": "allow" }))
        .await
        .expect(200);
    let browser = server.client();
    let code = login(OFFLINE).code(&browser, seed::ADA).await;
    let own = refresh_token(&browser, &code).await;
    let code = in_the_name_of(&globex).code_of_session(&browser).await;
    let of_globex = refresh_token(&browser, &code).await;
    is_first_party(&api, seed::WEB, false).await;
    let page = consent_page(&in_the_name_of(&globex).begin(&browser).await);
    code_of(&say(&browser, &page, "accept").await);
    refresh_web(&browser, &of_globex, &[]).await.expect(200);
    expect_unknown(&refresh_web(&browser, &own, &[]).await);
}

// NW SX
#[tokio::test]
async fn a_native_client_that_becomes_a_third_partys_hands_over_no_login_until_its_users_agree() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let app = server.client();
    let token = text(&native_tokens(&app, seed::ADA).await, "refresh_token");
    is_first_party(&api, seed::NATIVE, false).await;
    expect_unknown(&transfer(&app, &token).await);
    let some = "openid offline_access";
    let page = consent_page(&Login::native().with("scope", some).begin(&app).await);
    code_of(&say(&app, &page, "accept").await);
    let handed_over = transfer(&app, &token).await.expect(200).json();
    assert_eq!(handed_over["scope"], some);
    let claims = jwt::claims(&text(&handed_over, "id_token"));
    assert!(claims["sub"].is_string() && claims.get("email").is_none(), "{claims}");
    code_of(&arrive_by_cookie(&server.client(), &text(&handed_over, "access_token")).await);
}

#[tokio::test]
async fn an_api_that_begins_to_want_consent_has_its_refreshes_wait_for_it() {
    let server = TestServer::start().await;
    let browser = server.client();
    let token = refresh_token(&browser, &login(OFFLINE).code(&browser, seed::ADA).await).await;
    let code = Login::web().with("scope", OFFLINE).code_of_session(&browser).await;
    let for_none = refresh_token(&browser, &code).await;
    server.change_api(|api| api.skip_consent_for_verifiable_first_party_clients = false).await;
    expect_unknown(&refresh_web(&browser, &token, &[]).await);
    // It is about this API alone.
    refresh_web(&browser, &for_none, &[]).await.expect(200);
    let asked = login(OFFLINE).begin(&browser).await;
    assert!(asked.location().starts_with(CONSENT), "{asked:?}");
    code_of(&say(&browser, &consent_page(&asked), "accept").await);
    refresh_web(&browser, &token, &[]).await.expect(200);
}
