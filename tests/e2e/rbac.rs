//! Role-based access control of APIs: which scopes a user's access token has, and which permissions it shows.

use end_to_end::flow::{
    arrive_by_query, code_of, exchange_native, exchange_web, refresh, text, transfer_token,
};
use end_to_end::management::Api;
use end_to_end::{Login, RawClient, TestServer, jwt, seed};
use idp::hash_credential;
use idp::manage::{self, NewOrganization, Roles};
use model::{
    Client, ClientAuthorizationPolicy, ClientId, GroupScope, OrganizationUsage, Permission,
    RefreshTokenPolicy, RoleId, TokenDialect, UserAuthorizationPolicy, UserId,
};
use serde_json::{Value, json};
use storage::PermissionHolder;

use crate::{device, password_grant};

const SCOPE: &str = "openid profile offline_access read:things write:things";

fn permissions(names: &[&str]) -> Vec<Permission> {
    let permission = |name: &&str| Permission {
        resource_server_identifier: seed::API.to_owned(),
        permission_name: (*name).to_owned(),
    };
    names.iter().map(permission).collect()
}

/// A server whose API asks for permissions, with a role `reader` that Ada has.
struct World {
    server: TestServer,
    ada: UserId,
    reader: RoleId,
}

impl World {
    async fn new() -> Self {
        Self::of(TestServer::start().await).await
    }

    async fn of(server: TestServer) -> Self {
        server.change_api(|api| api.enforce_policies = true).await;
        let reader = manage::create_role(&server.idp, &server.acme(), "reader", None).await.unwrap().id;
        let world = Self { ada: server.user_id(seed::ADA).await, reader, server };
        world.permit(PermissionHolder::Role(&world.reader), &["read:things"]).await;
        world.assign().await;
        world
    }

    async fn permit(&self, holder: PermissionHolder<'_>, names: &[&str]) {
        let (idp, acme) = (&self.server.idp, self.server.acme());
        manage::add_permissions(idp, &acme, holder, &permissions(names)).await.unwrap();
    }

    async fn forbid(&self, holder: PermissionHolder<'_>, names: &[&str]) {
        let (idp, acme) = (&self.server.idp, self.server.acme());
        manage::remove_permissions(idp, &acme, holder, &permissions(names)).await.unwrap();
    }

    async fn assign(&self) {
        let roles = [self.reader.clone()];
        let (idp, acme) = (&self.server.idp, self.server.acme());
        manage::assign_roles(idp, &acme, &self.ada, Roles::Ids(&roles)).await.unwrap();
    }

    async fn take_away(&self) {
        let roles = [self.reader.clone()];
        let (idp, acme) = (&self.server.idp, self.server.acme());
        manage::remove_roles(idp, &acme, &self.ada, Roles::Ids(&roles)).await.unwrap();
    }
}

fn for_api(login: Login) -> Login {
    login.with("audience", seed::API).with("scope", SCOPE)
}

async fn web_tokens(browser: &RawClient, user: &str) -> Value {
    let code = for_api(Login::web()).code(browser, user).await;
    exchange_web(browser, &code).await.expect(200).json()
}

async fn native_tokens(app: &RawClient, login: Login) -> Value {
    let code = for_api(login).code(app, seed::ADA).await;
    exchange_native(app, &code).await.expect(200).json()
}

async fn machine_tokens(app: &RawClient, scope: &str) -> Value {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
        ("scope", scope),
    ];
    app.post_form("/oauth/token", &form).await.expect(200).json()
}

/// The scope and the permissions of the access token. The scope is that of the answer, too.
#[track_caller]
fn granted(tokens: &Value) -> (String, Value) {
    let claims = jwt::claims(&text(tokens, "access_token"));
    assert_eq!(claims["scope"], tokens["scope"], "{claims}");
    (text(&claims, "scope"), claims.get("permissions").cloned().unwrap_or_default())
}

#[tokio::test]
async fn scopes_of_an_api_that_enforces_policies_are_those_that_the_user_has_the_permission_for() {
    let world = World::new().await;
    let server = &world.server;
    let scope_of = async |user: &str| granted(&web_tokens(&server.client(), user).await).0;
    assert_eq!(scope_of(seed::ADA).await, "openid profile offline_access read:things");
    assert_eq!(scope_of(seed::BOB).await, "openid profile offline_access");

    // By themselves, too; and not for what the API has no more.
    let bob = server.user_id(seed::BOB).await;
    world.permit(PermissionHolder::User(&bob), &["write:things"]).await;
    assert_eq!(scope_of(seed::BOB).await, "openid profile offline_access write:things");
    server
        .change_api(|api| {
            api.enforce_policies = true;
            api.scopes.retain(|scope| scope != "write:things");
        })
        .await;
    assert_eq!(scope_of(seed::BOB).await, "openid profile offline_access");

    // Without enforcement, permissions are beside the point.
    server.change_api(|_| {}).await;
    assert_eq!(scope_of(seed::BOB).await, SCOPE);
}

#[tokio::test]
async fn access_tokens_of_the_authz_dialects_show_all_permissions() {
    let world = World::new().await;
    let server = &world.server;
    world.permit(PermissionHolder::User(&world.ada), &["write:things"]).await;
    let all = json!(["read:things", "write:things"]);
    for (dialect, typ, shows) in [
        (TokenDialect::AccessToken, "JWT", false),
        (TokenDialect::AccessTokenAuthz, "JWT", true),
        (TokenDialect::Rfc9068Profile, "at+jwt", false),
        (TokenDialect::Rfc9068ProfileAuthz, "at+jwt", true),
    ] {
        for enforces in [true, false] {
            server
                .change_api(|api| {
                    api.token_dialect = dialect;
                    api.enforce_policies = enforces;
                })
                .await;
            let shown =
                |permissions: &Value| if shows && enforces { permissions.clone() } else { Value::Null };
            let browser = server.client();
            let login = Login::web().with("audience", seed::API).with("scope", "openid");
            let code = login.code(&browser, seed::ADA).await;
            let tokens = exchange_web(&browser, &code).await.expect(200).json();
            assert_eq!(jwt::header(&text(&tokens, "access_token"))["typ"], typ);
            assert_eq!(granted(&tokens), ("openid".to_owned(), shown(&all)), "{dialect:?} {enforces}");
            let id_token = jwt::claims(&text(&tokens, "id_token"));
            assert_eq!(id_token.get("permissions"), None);
            // A client has what its grant says, whatever it asks for.
            for (asked, scope) in [("", "read:things"), ("read:things", "read:things"), ("unknown", "")] {
                let machine = granted(&machine_tokens(&server.client(), asked).await);
                assert_eq!(
                    machine,
                    (scope.to_owned(), shown(&json!(["read:things"]))),
                    "{dialect:?} {enforces}"
                );
            }
        }
    }
    // Nobody's permissions are an empty list.
    server
        .change_api(|api| {
            api.token_dialect = TokenDialect::AccessTokenAuthz;
            api.enforce_policies = true;
        })
        .await;
    let tokens = web_tokens(&server.client(), seed::BOB).await;
    assert_eq!(granted(&tokens), ("openid profile offline_access".to_owned(), json!([])));
    // No Action makes any.
    let sets = "exports.onExecutePostLogin = async (event, api) => \
        api.accessToken.setCustomClaim('permissions', ['write:things']);";
    server.deploy_action("sets", sets).await;
    assert_eq!(granted(&web_tokens(&server.client(), seed::BOB).await).1, json!([]));
}

#[tokio::test]
async fn a_refresh_has_the_permissions_of_its_moment() {
    let world = World::new().await;
    let server = &world.server;
    server
        .change_api(|api| {
            api.enforce_policies = true;
            api.token_dialect = TokenDialect::AccessTokenAuthz;
        })
        .await;
    let app = server.client();
    let mut tokens = native_tokens(&app, Login::native()).await;
    let with = ("openid profile offline_access read:things".to_owned(), json!(["read:things"]));
    let without = ("openid profile offline_access".to_owned(), json!([]));
    assert_eq!(granted(&tokens), with);

    world.take_away().await;
    tokens = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&tokens), without);
    // Back again; and what was not granted at the login is not granted later (RFC 6749 §6), but is shown.
    world.assign().await;
    world.permit(PermissionHolder::Role(&world.reader), &["write:things"]).await;
    tokens = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&tokens), (with.0, json!(["read:things", "write:things"])));
    world.forbid(PermissionHolder::Role(&world.reader), &["read:things", "write:things"]).await;
    tokens = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&tokens), without);

    // An API that enforces policies only now.
    server.change_api(|_| {}).await;
    let browser = server.client();
    let all = native_tokens(&browser, Login::native()).await;
    assert_eq!(granted(&all), (SCOPE.to_owned(), Value::Null));
    server.change_api(|api| api.enforce_policies = true).await;
    let again = refresh(&app, seed::NATIVE, &text(&all, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&again), ("openid profile offline_access".to_owned(), Value::Null));
}

#[tokio::test]
async fn a_device_a_password_and_a_handed_over_session_get_no_more() {
    let world = World::of(password_grant::server().await).await;
    let server = &world.server;
    server
        .change_api(|api| {
            api.enforce_policies = true;
            api.token_dialect = TokenDialect::Rfc9068ProfileAuthz;
        })
        .await;
    let shown = json!(["read:things"]);

    let (tv, browser) = (server.client(), server.client());
    let codes = device::ask(&tv).await;
    device::connect_and_log_in(&browser, &codes).await.expect(303);
    let tokens = device::poll(&tv, &codes).await.expect(200).json();
    assert_eq!(granted(&tokens), ("openid profile offline_access read:things".to_owned(), shown.clone()));
    world.take_away().await;
    let tokens = refresh(&tv, seed::TV, &text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&tokens), ("openid profile offline_access".to_owned(), json!([])));
    world.assign().await;

    // Without a scope, a password asks for all that the API has.
    let app = server.client();
    for (asked, scope) in [
        (&[("audience", seed::API)][..], "read:things"),
        (&[("audience", seed::API), ("scope", "openid write:things")], "openid"),
    ] {
        let tokens = password_grant::log_in(&app, asked).await.expect(200).json();
        assert_eq!(granted(&tokens), (scope.to_owned(), shown.clone()));
    }

    let tokens = native_tokens(&server.client(), Login::native()).await;
    let (token, _) = transfer_token(&app, &tokens).await;
    let other = server.client();
    arrive_by_query(&other, &token).await;
    let code = for_api(Login::web()).code_of_session(&other).await;
    let handed_over = exchange_web(&other, &code).await.expect(200).json();
    assert_eq!(granted(&handed_over), ("openid profile read:things".to_owned(), shown));
}

#[tokio::test]
async fn each_api_of_a_refresh_token_asks_for_its_own_permissions() {
    const BILLING: &str = "https://billing.acme.example/";
    let world = World::new().await;
    let server = &world.server;
    let billing = model::ResourceServer {
        identifier: BILLING.to_owned(),
        scopes: vec!["read:things".into(), "read:bills".into(), "pay:bills".into()],
        enforce_policies: true,
        token_dialect: TokenDialect::AccessTokenAuthz,
        ..seed::api()
    };
    manage::put_resource_server(&server.idp, &server.acme(), &billing).await.unwrap();
    let mut of_billing = permissions(&["read:bills"]);
    of_billing[0].resource_server_identifier = BILLING.to_owned();
    let holder = PermissionHolder::User(&world.ada);
    manage::add_permissions(&server.idp, &server.acme(), holder, &of_billing).await.unwrap();
    server
        .change_client(seed::NATIVE, |client| {
            client.refresh_token.policies =
                vec![RefreshTokenPolicy { audience: BILLING.to_owned(), scope: billing.scopes.clone() }];
        })
        .await;
    let app = server.client();
    let tokens = native_tokens(&app, Login::native()).await;
    let refresh_token = text(&tokens, "refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::NATIVE),
        ("refresh_token", &refresh_token),
        ("audience", BILLING),
    ];
    let tokens = app.post_form("/oauth/token", &form).await.expect(200).json();
    let expected = ("openid profile offline_access read:bills".to_owned(), json!(["read:bills"]));
    assert_eq!(granted(&tokens), expected);
}

#[tokio::test]
async fn actions_see_what_was_asked_for_and_have_the_last_word() {
    let world = World::new().await;
    let server = &world.server;
    let changes = "exports.onExecutePostLogin = async (event, api) => {
        console.log(JSON.stringify(event.transaction.requested_scopes));
        api.accessToken.addScope('write:things');
        api.accessToken.removeScope('read:things');
    };";
    server.deploy_action("changes", changes).await;
    let app = server.client();
    let tokens = native_tokens(&app, Login::native()).await;
    let again = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    for tokens in [&tokens, &again] {
        assert_eq!(granted(tokens).0, "openid profile offline_access write:things");
    }
    let asked: Vec<_> = SCOPE.split(' ').collect();
    assert_eq!(server.printed().await[0], json!(asked));
    // The refresh token has what the Action left of it.
    assert_eq!(server.printed().await[1], json!(["openid", "profile", "offline_access", "write:things"]));
    // What an Action does not add any more goes with the next refresh.
    server.deploy_action("changes", "exports.onExecutePostLogin = async () => {};").await;
    let last = refresh(&app, seed::NATIVE, &text(&again, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&last).0, "openid profile offline_access");
}

#[tokio::test]
async fn in_an_organization_the_roles_there_count_alone() {
    let world = World::new().await;
    let (server, ada) = (&world.server, &world.ada);
    let (idp, acme) = (&server.idp, server.acme());
    server
        .change_api(|api| {
            api.enforce_policies = true;
            api.token_dialect = TokenDialect::AccessTokenAuthz;
        })
        .await;
    server.change_client(seed::NATIVE, |client| client.organization_usage = OrganizationUsage::Allow).await;
    let globex = NewOrganization { name: "globex".to_owned(), ..NewOrganization::default() };
    let globex = manage::create_organization(idp, &acme, globex).await.unwrap().id;
    let writer = manage::create_role(idp, &acme, "writer", None).await.unwrap().id;
    world.permit(PermissionHolder::Role(&writer), &["write:things"]).await;
    manage::add_organization_members(idp, &acme, &globex, std::slice::from_ref(ada), Roles::Ids(&[]))
        .await
        .unwrap();
    let in_globex = || Login::native().with("organization", globex.as_str());
    let tokens = native_tokens(&server.client(), in_globex()).await;
    assert_eq!(granted(&tokens), ("openid profile offline_access".to_owned(), json!([])));

    manage::add_organization_roles(idp, &acme, &globex, ada, Roles::Ids(std::slice::from_ref(&writer)))
        .await
        .unwrap();
    let tokens = native_tokens(&server.client(), in_globex()).await;
    let writes = ("openid profile offline_access write:things".to_owned(), json!(["write:things"]));
    assert_eq!(granted(&tokens), writes);
    let plain = native_tokens(&server.client(), Login::native()).await;
    let reads = ("openid profile offline_access read:things".to_owned(), json!(["read:things"]));
    assert_eq!(granted(&plain), reads);
    // Also at the next refresh of each.
    manage::remove_organization_roles(idp, &acme, &globex, ada, Roles::Ids(&[writer])).await.unwrap();
    let app = server.client();
    let again = refresh(&app, seed::NATIVE, &text(&tokens, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&again), ("openid profile offline_access".to_owned(), json!([])));
    let again = refresh(&app, seed::NATIVE, &text(&plain, "refresh_token")).await.expect(200).json();
    assert_eq!(granted(&again), reads);
    // A group of the organization gives its roles there, and nowhere else.
    let scope = GroupScope::Organization { organization_id: globex.clone() };
    let group = manage::create_group(idp, &acme, "staff", None, scope).await.unwrap();
    let roles = ["writer".to_owned()];
    manage::add_to_group(idp, &acme, &group.id, std::slice::from_ref(ada), Roles::Named(&roles))
        .await
        .unwrap();
    assert_eq!(granted(&native_tokens(&server.client(), in_globex()).await), writes);
    assert_eq!(granted(&native_tokens(&server.client(), Login::native()).await), reads);
}

#[tokio::test]
async fn introspection_shows_what_the_token_has() {
    const SECRET: &str = "back-end-secret-back-end-secret!";
    let world = World::new().await;
    let server = &world.server;
    server
        .change_api(|api| {
            api.enforce_policies = true;
            api.token_dialect = TokenDialect::Rfc9068ProfileAuthz;
        })
        .await;
    let back_end = Client {
        client_id: ClientId::new("back-end"),
        client_secret_hashes: vec![hash_credential(SECRET)],
        resource_server_identifier: Some(seed::API.to_owned()),
        ..seed::client(seed::MACHINE)
    };
    manage::put_client(&server.idp, &server.acme(), &back_end).await.unwrap();
    let app = server.client();
    let of_user = web_tokens(&server.client(), seed::ADA).await;
    let of_machine = machine_tokens(&app, "").await;
    for (tokens, scope) in
        [(of_user, "openid profile offline_access read:things"), (of_machine, "read:things")]
    {
        let token = text(&tokens, "access_token");
        let form = [("client_id", "back-end"), ("client_secret", SECRET), ("token", &token)];
        let answer = app.post_form("/oauth/introspect", &form).await.expect(200).json();
        assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!(scope)), "{answer}");
        assert_eq!(answer["permissions"], json!(["read:things"]), "{answer}");
    }
}

#[tokio::test]
async fn the_management_api_turns_it_on() {
    let server = TestServer::start().await;
    let api = Api::of(&server).await;
    let path = "/resource-servers/https%3A%2F%2Fapi.acme.example%2F";
    let change = json!({ "enforce_policies": true, "token_dialect": "access_token_authz" });
    let changed = api.patch(path, &change).await.expect_json(200);
    assert_eq!(
        (&changed["enforce_policies"], &changed["token_dialect"]),
        (&json!(true), &change["token_dialect"])
    );
    let ada = server.user_id(seed::ADA).await;
    let body = json!({ "permissions": [
        { "resource_server_identifier": seed::API, "permission_name": "write:things" },
    ] });
    let of_ada = format!("/users/{}/permissions", ada.as_str().replace('|', "%7C"));
    api.post(&of_ada, &body).await.expect(201);
    let tokens = web_tokens(&server.client(), seed::ADA).await;
    let expected = ("openid profile offline_access write:things".to_owned(), json!(["write:things"]));
    assert_eq!(granted(&tokens), expected);
    assert_eq!(
        api.patch(path, &json!({ "enforce_policies": null })).await.expect_json(200)["enforce_policies"],
        false
    );
    let tokens = web_tokens(&server.client(), seed::ADA).await;
    assert_eq!(granted(&tokens), (SCOPE.to_owned(), Value::Null));
}

#[tokio::test]
async fn an_api_may_be_closed_to_users_or_to_clients() {
    let server = TestServer::start().await;
    let (app, browser) = (server.client(), server.client());
    let tokens = native_tokens(&browser, Login::native()).await;
    let close_to_users = |api: &mut model::ResourceServer| {
        api.subject_type_authorization.user.policy = UserAuthorizationPolicy::DenyAll;
    };
    server.change_api(close_to_users).await;
    let refused = for_api(Login::web()).begin(&app).await;
    assert_eq!(refused.location_parameter("error").as_deref(), Some("access_denied"), "{refused:?}");
    let why = refused.location_parameter("error_description").unwrap();
    assert!(why.contains("not authorized to access resource server"), "{why}");
    let refresh_token = text(&tokens, "refresh_token");
    refresh(&app, seed::NATIVE, &refresh_token).await.expect_error(403, "access_denied");
    let form = [("client_id", seed::TV), ("scope", "openid"), ("audience", seed::API)];
    app.post_form("/oauth/device/code", &form).await.expect_error(403, "access_denied");
    assert_eq!(granted(&machine_tokens(&app, "").await).0, "read:things");
    // Other audiences are as open as before.
    code_of(&Login::web().begin(&browser).await);

    server
        .change_api(|api| api.subject_type_authorization.client.policy = ClientAuthorizationPolicy::DenyAll)
        .await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::MACHINE),
        ("client_secret", seed::MACHINE_SECRET),
        ("audience", seed::API),
    ];
    app.post_form("/oauth/token", &form).await.expect_error(403, "unauthorized_client");
    // Nothing was spent.
    let again = refresh(&app, seed::NATIVE, &refresh_token).await.expect(200).json();
    assert_eq!(granted(&again).0, SCOPE);
}
