//! Logins in the name of an organization.

use end_to_end::database::Database;
use end_to_end::flow::{
    asks_to_log_in, code_of, exchange_native, exchange_web, refresh, text, transfer_token,
};
use end_to_end::operator::Operator;
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::manage::{self, NewOrganization};
use model::{Organization, OrganizationUsage, TenantId};
use serde_json::{Value, json};

const PRINTS: &str = "exports.onExecutePostLogin = async event => \
    console.log(JSON.stringify(event.organization === undefined ? 'none' : event.organization));";

fn named(name: &str, display_name: Option<&str>) -> NewOrganization {
    let display_name = display_name.map(str::to_owned);
    NewOrganization { name: name.to_owned(), display_name, ..NewOrganization::default() }
}

/// A server whose clients may name an organization, with one that Ada is a member of.
async fn with_globex() -> (TestServer, Organization) {
    let server = TestServer::start().await;
    for client in [seed::NATIVE, seed::WEB] {
        server.change_client(client, |client| client.organization_usage = OrganizationUsage::Allow).await;
    }
    let acme = server.acme();
    let made =
        manage::create_organization(&server.idp, &acme, named("globex", Some("Globex, Inc."))).await.unwrap();
    let changes = serde_json::from_value(json!({ "metadata": { "tier": "gold" } })).unwrap();
    let globex = manage::update_organization(&server.idp, &acme, &made.id, changes).await.unwrap();
    let ada = server.user_id(seed::ADA).await;
    manage::add_organization_members(&server.idp, &acme, &globex.id, &[ada], manage::Roles::Ids(&[]))
        .await
        .unwrap();
    (server, globex)
}

async fn remove_ada(server: &TestServer, from: &Organization) {
    let ada = server.user_id(seed::ADA).await;
    manage::remove_organization_members(&server.idp, &server.acme(), &from.id, &[ada]).await.unwrap();
}

async fn native_tokens(server: &TestServer, organization: &str) -> Value {
    let app = server.client();
    let login = Login::native().with("organization", organization).with("audience", seed::API);
    let code = login.code(&app, seed::ADA).await;
    exchange_native(&app, &code).await.expect(200).json()
}

/// The error that the client gets, with its description.
#[track_caller]
fn refusal(response: &Response) -> (String, String) {
    let parameter =
        |name| response.location_parameter(name).unwrap_or_else(|| panic!("{name}: {response:?}"));
    (parameter("error"), parameter("error_description"))
}

#[tokio::test]
async fn the_organization_of_a_login_is_in_its_tokens_and_events_and_in_those_of_its_refreshes() {
    let (server, globex) = with_globex().await;
    server.deploy_action("prints", PRINTS).await;
    let tokens = native_tokens(&server, globex.id.as_str()).await;
    let again = refresh(&server.client(), seed::NATIVE, &text(&tokens, "refresh_token")).await;
    for tokens in [&tokens, &again.expect(200).json()] {
        for token in ["id_token", "access_token"] {
            let claims = jwt::claims(&text(tokens, token));
            assert_eq!(claims["org_id"], globex.id.as_str(), "{claims}");
            assert_eq!(claims.get("org_name"), None, "{claims}");
        }
    }
    // The organization is the login's, not the session's.
    let browser = server.client();
    Login::web().with("organization", globex.id.as_str()).code(&browser, seed::ADA).await;
    let code = Login::web().code_of_session(&browser).await;
    let plain = exchange_web(&browser, &code).await.expect(200).json();
    assert_eq!(jwt::claims(&text(&plain, "id_token")).get("org_id"), None);
    let shown = json!({
        "id": globex.id, "name": "globex", "display_name": "Globex, Inc.", "metadata": { "tier": "gold" },
    });
    let events = server.printed().await;
    assert_eq!(events, [shown.clone(), shown.clone(), shown, json!("none")]);
    let logged = server.logs().await.into_iter().find(|entry| entry.details.get("organization_id").is_some());
    assert_eq!(logged.expect("a login").details["organization_name"], "globex");
}

#[tokio::test]
async fn names_of_organizations_count_where_the_tenant_says_so() {
    let (server, globex) = with_globex().await;
    let app = server.client();
    let by_name = Login::native().with("organization", "globex");
    let refused = refusal(&by_name.begin(&app).await);
    assert_eq!(refused, ("invalid_request".into(), "parameter organization is invalid".into()));
    let patch = json!({ "allow_organization_name_in_authentication_api": true });
    let patch = patch.as_object().unwrap().clone();
    manage::update_tenant(&server.idp, &server.acme(), &patch).await.unwrap();
    let tokens = native_tokens(&server, "globex").await;
    for token in ["id_token", "access_token"] {
        let claims = jwt::claims(&text(&tokens, token));
        assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(globex.id), &json!("globex")));
    }
}

#[tokio::test]
async fn what_a_client_may_not_ask_for_goes_back_to_it() {
    let (server, globex) = with_globex().await;
    let other = TenantId::new(seed::OTHER);
    let theirs = manage::create_organization(&server.idp, &other, named("initech", None)).await.unwrap();
    let browser = server.client();
    let refused = async |login: Login| refusal(&login.begin(&browser).await).1;
    for unknown in ["org_unknown", "globex", theirs.id.as_str()] {
        let answer = refused(Login::web().with("organization", unknown)).await;
        assert_eq!(answer, "parameter organization is invalid", "{unknown}");
    }
    let answer = refused(Login::web().with("invitation", "ticket")).await;
    assert_eq!(answer, "invitation is not supported");
    server.change_client(seed::WEB, |client| client.organization_usage = OrganizationUsage::Deny).await;
    let answer = refused(Login::web().with("organization", globex.id.as_str())).await;
    assert_eq!(answer, "parameter organization is not allowed for this client");
    server.change_client(seed::WEB, |client| client.organization_usage = OrganizationUsage::Require).await;
    assert_eq!(refused(Login::web()).await, "parameter organization is required for this client");
    Login::web().with("organization", globex.id.as_str()).code(&browser, seed::ADA).await;
    // A device asks at an address of its own.
    server.change_client(seed::TV, |client| client.organization_usage = OrganizationUsage::Require).await;
    let device = server.client().post_form("/oauth/device/code", &[("client_id", seed::TV)]).await;
    device.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn a_user_who_is_no_member_is_refused_before_any_action_runs() {
    let (server, globex) = with_globex().await;
    server.deploy_action("prints", PRINTS).await;
    let browser = server.client();
    let login = Login::web().with("organization", globex.id.as_str());
    let bob = server.user_id(seed::BOB).await;
    let refused = refusal(&login.finish(&browser, seed::BOB).await);
    assert_eq!(
        refused,
        ("access_denied".into(), format!("user {bob} is not part of the {} organization", globex.id))
    );
    assert_eq!(browser.cookie("auth0"), None);
    assert!(server.printed().await.is_empty());
    assert_eq!(server.log_codes().await[0], "f");
    // A session goes on, for what it is good for.
    Login::web().code(&browser, seed::BOB).await;
    assert_eq!(refusal(&login.begin(&browser).await).0, "access_denied");
    Login::web().code_of_session(&browser).await;
}

#[tokio::test]
async fn the_end_of_a_membership_ends_what_was_granted_in_the_name_of_the_organization() {
    let (server, globex) = with_globex().await;
    let app = server.client();
    let tokens = native_tokens(&server, globex.id.as_str()).await;
    let refresh_token = text(&tokens, "refresh_token");
    let login = Login::web().with("organization", globex.id.as_str());
    let code = login.code(&app, seed::ADA).await;
    remove_ada(&server, &globex).await;
    exchange_web(&app, &code).await.expect_error(403, "access_denied");
    let refused = refresh(&app, seed::NATIVE, &refresh_token).await;
    refused.expect_error(403, "access_denied");
    assert_eq!(refusal(&login.begin(&app).await).0, "access_denied");
    // Nothing was spent: a member again, the user goes on.
    let ada = server.user_id(seed::ADA).await;
    let acme = server.acme();
    manage::add_organization_members(&server.idp, &acme, &globex.id, &[ada], manage::Roles::Ids(&[]))
        .await
        .unwrap();
    let again = refresh(&app, seed::NATIVE, &refresh_token).await.expect(200).json();
    manage::delete_organization(&server.idp, &acme, &globex.id).await.unwrap();
    refresh(&app, seed::NATIVE, &text(&again, "refresh_token")).await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn a_transferred_login_is_in_the_name_of_the_same_organization() {
    let (server, globex) = with_globex().await;
    let acme = server.acme();
    let initech = manage::create_organization(&server.idp, &acme, named("initech", None)).await.unwrap();
    let ada = server.user_id(seed::ADA).await;
    manage::add_organization_members(&server.idp, &acme, &initech.id, &[ada], manage::Roles::Ids(&[]))
        .await
        .unwrap();
    let app = server.client();
    let with = native_tokens(&server, globex.id.as_str()).await;
    let code = Login::native().code(&app, seed::ADA).await;
    let without = exchange_native(&app, &code).await.expect(200).json();
    let arrive = async |browser: &RawClient, token: &str, organization: Option<&str>| {
        let login = Login::web().with("session_transfer_token", token);
        match organization {
            None => login.begin(browser).await,
            Some(id) => login.with("organization", id).begin(browser).await,
        }
    };
    let mut with = with;
    for (asked, fits) in [(None, false), (Some(initech.id.as_str()), false), (Some(globex.id.as_str()), true)]
    {
        let (token, next) = transfer_token(&app, &with).await;
        with["refresh_token"] = json!(next);
        let browser = server.client();
        let arrived = arrive(&browser, &token, asked).await;
        assert_eq!(asks_to_log_in(&arrived), !fits, "{asked:?}: {arrived:?}");
        if fits {
            let tokens = exchange_web(&browser, &code_of(&arrived)).await.expect(200).json();
            assert_eq!(jwt::claims(&text(&tokens, "id_token"))["org_id"], globex.id.as_str());
        } else {
            let warning = &server.logs().await[0];
            assert_eq!(warning.code, "w", "{asked:?}");
            assert!(warning.description.contains("organization"), "{}", warning.description);
        }
    }
    let (token, _) = transfer_token(&app, &without).await;
    assert!(asks_to_log_in(&arrive(&server.client(), &token, Some(globex.id.as_str())).await));
}

#[tokio::test]
async fn organizations_groups_and_roles_are_set_up_from_the_command_line() {
    let database = Database::fresh().await;
    let operator = Operator::of(&database);
    let command = async |line: &str, more: &[&str]| {
        let words: Vec<&str> =
            line.split(' ').chain(more.iter().copied()).chain(["--tenant", "acme"]).collect();
        operator.run(&words).await
    };
    operator.run(&["tenant", "create", "acme"]).await.expect(0);
    let made = command("organization create globex --display-name", &["Globex, Inc."]).await.expect(0).json();
    let id = text(&made, "id");
    assert!(id.starts_with("org_"), "{made}");
    assert!(command("organization create globex", &[]).await.expect(1).stderr.contains("already"));
    assert!(command("organization create Globex", &[]).await.expect(1).stderr.contains("a-z"));
    let patch = json!({ "metadata": { "tier": "gold" }, "display_name": null }).to_string();
    let changed = command("organization update", &[&id, &patch]).await.expect(0).json();
    assert_eq!((&changed["display_name"], &changed["metadata"]["tier"]), (&json!("globex"), &json!("gold")));
    let refused = command("organization update", &[&id, "{\"nmae\":1}"]).await;
    assert!(refused.expect(2).stderr.contains("nmae"), "{refused:?}");
    assert!(command("organization list", &[]).await.expect(0).stdout.contains(&id));
    let nobody = command("organization member add", &[&id, "auth0|nobody"]).await;
    assert!(nobody.expect(1).stderr.contains("The user does not exist"), "{nobody:?}");

    let role = command("role create admin", &[]).await.expect(0).json();
    assert!(text(&role, "id").starts_with("rol_"), "{role}");
    assert!(command("role list", &[]).await.expect(0).stdout.contains("admin"));
    let role = text(&role, "id");
    let ann =
        json!({ "email": "ann@acme.test", "password": "a good password", "user_id": "ann" }).to_string();
    assert_eq!(command("user create", &[&ann]).await.expect(0).json()["user_id"], "auth0|ann");
    assert!(command("user create", &[&ann]).await.expect(1).stderr.contains("already exists"));
    command("user update", &["auth0|ann", "{\"app_metadata\":{\"plan\":\"gold\"}}"]).await.expect(0);
    let listed = command("user list --search", &["app_metadata.plan:gold"]).await;
    assert!(listed.expect(0).stdout.contains("ann@acme.test"), "{listed:?}");
    assert!(command("user list --search", &["ann"]).await.expect(1).stderr.contains("needs a field"));
    assert_eq!(command("user show", &["auth0|ann"]).await.expect(0).json()["app_metadata"]["plan"], "gold");
    command("role assign auth0|ann admin", &[]).await.expect(0);
    command("user delete auth0|ann", &[]).await.expect(0);
    command("user show auth0|ann", &[]).await.expect(1);
    let unknown = command("role permit", &[&role, "read", "--api", "https://nowhere.example/"]).await;
    assert!(unknown.expect(1).stderr.contains("No permission found"), "{unknown:?}");
    assert_eq!(command("role permissions", &[&role]).await.expect(0).stdout, "");
    command("role create spare --description", &["for nobody"]).await.expect(0);
    let group = command("group create staff --organization", &[&id]).await.expect(0).json();
    assert_eq!((&group["type"], &group["organization_id"]), (&json!("organization"), &json!(id)));
    let group_id = text(&group, "id");
    command("group add", &[&group_id, "--role", "admin"]).await.expect(0);
    let unknown = command("group add", &[&group_id, "--role", "nobody"]).await;
    assert!(unknown.expect(1).stderr.contains("there is no role nobody"), "{unknown:?}");
    assert_eq!(command("group show", &[&group_id]).await.expect(0).json()["members"], json!([]));
    command("role delete", &[&role]).await.expect(0);
    command("role delete", &[&role]).await.expect(1);
    command("organization delete", &[&id]).await.expect(0);
    command("group show", &[&group_id]).await.expect(1);
    command("organization show", &[&id]).await.expect(1);
}
