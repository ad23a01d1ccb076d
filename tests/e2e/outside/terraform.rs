//! Terraform, or OpenTofu, with the provider of Auth0.

use std::path::PathBuf;

use end_to_end::flow::{CHALLENGE, VERIFIER, code_of_url, text};
use end_to_end::jwt;
use end_to_end::key::Key;
use end_to_end::outside::Outside;
use idp::manage;
use model::ActionId;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const SECRET: &str = "a-secret-of-terraform-that-is-long-enough";
const PASSWORD: &str = "correct horse battery staple";
const EMAIL: &str = "ada@terraform.example";
const CALLBACK: &str = "http://127.0.0.1:8765/callback";
/// What is as it was before, once everything is destroyed. The tenant's settings are not among it: the provider leaves them.
const LISTS: [&str; 10] = [
    "actions/actions",
    "actions/triggers/post-login/bindings",
    "client-grants",
    "clients",
    "connections",
    "log-streams",
    "organizations",
    "resource-servers",
    "roles",
    "users",
];

/// A folder with a configuration and its state.
struct Terraform<'a> {
    outside: &'a Outside,
    program: String,
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Terraform<'a> {
    /// `configuration` is a folder in `tests/clients/terraform`.
    fn start(outside: &'a Outside, configuration: &str, variables: Vec<(&'static str, String)>) -> Self {
        let variable = |name: &str| {
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name}: `cargo xtask test` builds what is missing"))
        };
        let (program, provider) = (variable("TEST_TERRAFORM"), variable("TEST_TERRAFORM_PROVIDER"));
        let folder = tempfile::tempdir().unwrap();
        let source = Outside::scripts().join("terraform").join(configuration).join("main.tf");
        std::fs::copy(source, folder.path().join("main.tf")).unwrap();
        // No registry is asked.
        let provider = PathBuf::from(provider);
        let settings = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"auth0/auth0\" = {:?}\n  }}\n  direct {{}}\n}}\ndisable_checkpoint = true\n",
            provider.parent().unwrap()
        );
        std::fs::write(folder.path().join("cli.tfrc"), settings).unwrap();
        Self { outside, program, folder, variables }
    }

    /// The status with which it ended, and what it printed.
    async fn run(&self, arguments: &[&str], is_changed: bool) -> (i32, String) {
        let (client, outside) = (&self.outside.server.demo["management_client"], self.outside);
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).kill_on_drop(true);
        command.env("TF_CLI_CONFIG_FILE", self.folder.path().join("cli.tfrc")).env("TF_IN_AUTOMATION", "1");
        command.env("TF_VAR_changed", is_changed.to_string());
        command.envs(self.variables.iter().map(|(name, value)| (format!("TF_VAR_{name}"), value)));
        command.env("AUTH0_DOMAIN", format!("localhost:{}", outside.server.port));
        command.env("AUTH0_CLIENT_ID", text(client, "client_id"));
        command.env("AUTH0_CLIENT_SECRET", text(client, "client_secret"));
        command.env("SSL_CERT_FILE", outside.ca_file());
        let output = command.output().await.unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code().expect("no signal ended it"), said.concat())
    }

    async fn expect(&self, arguments: &[&str], is_changed: bool) {
        let (status, said) = self.run(arguments, is_changed).await;
        assert_eq!(status, 0, "{arguments:?}: {said}");
    }

    /// Makes the server as the configuration says, and plans again: nothing is left to do.
    async fn apply(&self, is_changed: bool) {
        self.expect(&["apply", "-auto-approve", "-input=false", "-no-color"], is_changed).await;
        self.expect_no_change(is_changed).await;
    }

    async fn expect_no_change(&self, is_changed: bool) {
        self.expect(&["plan", "-detailed-exitcode", "-input=false", "-no-color"], is_changed).await;
    }

    /// Forgets the resource and finds it again by its id.
    async fn import(&self, resource: &str, id: &str) {
        self.expect(&["state", "rm", resource], true).await;
        self.expect(&["import", "-input=false", "-no-color", resource, id], true).await;
    }

    async fn destroy(&self, is_changed: bool) {
        self.expect(&["destroy", "-auto-approve", "-input=false", "-no-color"], is_changed).await;
    }

    async fn output(&self, name: &str) -> Value {
        let (status, said) = self.run(&["output", "-json", name], true).await;
        assert_eq!(status, 0, "{said}");
        // After it come warnings.
        serde_json::Deserializer::from_str(&said).into_iter::<Value>().next().unwrap().unwrap()
    }
}

/// Calls beside the tool.
struct Beside<'a> {
    outside: &'a Outside,
    http: Client,
}

impl<'a> Beside<'a> {
    fn new(outside: &'a Outside) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none());
        Self { outside, http: http.tls_certs_only([outside.server.ca().unwrap()]).build().unwrap() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.outside.issuer()))
    }

    async fn token(&self, form: &[(&str, &str)]) -> Value {
        let answer = self.request(Method::POST, "oauth/token").form(form).send().await.unwrap();
        let status = answer.status();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// What the Management API shows.
    async fn shown(&self, path: &str) -> Value {
        let (issuer, client) = (self.outside.issuer(), &self.outside.server.demo["management_client"]);
        let tokens = self
            .token(&[
                ("grant_type", "client_credentials"),
                ("client_id", &text(client, "client_id")),
                ("client_secret", &text(client, "client_secret")),
                ("audience", &format!("{issuer}api/v2/")),
            ])
            .await;
        let request = self.request(Method::GET, &format!("api/v2/{path}"));
        let answer = request.bearer_auth(text(&tokens, "access_token")).send().await.unwrap();
        let (status, shown) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, 200, "{path}: {shown}");
        shown
    }

    async fn lists(&self) -> Vec<Value> {
        let mut lists = Vec::new();
        for path in LISTS {
            lists.push(self.shown(path).await);
        }
        lists
    }

    /// Unbinds the Action that `postern dev` has: what Terraform manages is managed by nobody else.
    async fn unbind(&self) {
        let idp = self.outside.idp().await;
        manage::set_trigger_bindings(&idp, &Outside::tenant(), "post-login", &[]).await.unwrap();
    }

    /// The claims of the ID token of a login of the user that the configuration has made.
    async fn claims(&self, client: &str) -> Value {
        let issuer = self.outside.issuer();
        // A client has the tenant's first database as well.
        let start = format!(
            "{issuer}authorize?response_type=code&client_id={client}&redirect_uri={CALLBACK}&scope=openid+email\
             &connection=terraform-users&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let browser = self.outside.server.app().of_user(EMAIL, PASSWORD);
        let arrival = browser.walk(&start, CALLBACK).await.unwrap();
        let tokens = self
            .token(&[
                ("grant_type", "authorization_code"),
                ("client_id", client),
                ("redirect_uri", CALLBACK),
                ("code", &code_of_url(&arrival.url)),
                ("code_verifier", VERIFIER),
            ])
            .await;
        jwt::claims(&text(&tokens, "id_token"))
    }
}

#[tokio::test]
async fn terraform_sets_a_tenant_up_changes_it_and_takes_it_down() {
    let outside = Outside::start().await;
    let beside = Beside::new(&outside);
    beside.unbind().await;
    let before = beside.lists().await;
    let variables = vec![
        ("client_secret", SECRET.to_owned()),
        ("public_key", Key::rsa().pem()),
        ("user_password", PASSWORD.to_owned()),
    ];
    let terraform = Terraform::start(&outside, ".", variables);

    terraform.apply(false).await;
    let found = terraform.output("found").await;
    let user = terraform.output("user").await;
    let expected = json!({
        "client_method": "client_secret_post", "connection": true, "scopes": ["read:things", "write:things"],
        "role_permissions": ["read:things", "write:things"], "user_roles": 1, "user_permissions": ["read:things"],
        "members": [user], "tenant": "Tenant one", "signing_keys": 1,
    });
    assert_eq!(found, expected);
    let native = terraform.output("native").await.as_str().unwrap().to_owned();
    let claims = beside.claims(&native).await;
    assert_eq!((&claims["sub"], &claims["email"]), (&user, &json!(EMAIL)));
    assert_eq!(claims["https://app.example/number"], "one secret one");
    assert_eq!(claims["https://app.example/last"], "last");
    let web = terraform.output("web").await.as_str().unwrap().to_owned();
    let of_api = [
        ("grant_type", "client_credentials"),
        ("client_id", &web),
        ("client_secret", SECRET),
        ("audience", "https://things.example/"),
    ];
    assert_eq!(beside.token(&of_api).await["scope"], "read:things write:things");

    terraform.apply(true).await;
    let claims = beside.claims(&native).await;
    assert_eq!(claims["https://app.example/number"], "two secret two");
    assert_eq!(claims["https://app.example/last"], "claims", "they have changed places");
    let client = beside.shown(&format!("clients/{web}")).await;
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(client["client_metadata"], json!({ "team": "blue" }));
    assert_eq!((&client["name"], &client["organization_usage"]), (&json!("Web two"), &json!("allow")));
    let user = beside.shown(&format!("users/{}", user.as_str().unwrap().replace('|', "%7C"))).await;
    assert_eq!((&user["user_metadata"], &user["family_name"]), (&json!({ "plan": "gold" }), &json!("King")));

    for (resource, output) in [("auth0_role.writer", "role"), ("auth0_client.native", "native")] {
        terraform.import(resource, terraform.output(output).await.as_str().unwrap()).await;
    }
    terraform.expect_no_change(true).await;
    // What somebody else changed is put back.
    let action = terraform.output("action").await.as_str().unwrap().to_owned();
    let idp = outside.idp().await;
    let tenant = Outside::tenant();
    let change = manage::ActionChange { code: Some("// nothing".to_owned()), ..Default::default() };
    manage::update_action(&idp, &tenant, &ActionId::new(action), change).await.unwrap();
    terraform.apply(true).await;
    assert_eq!(beside.claims(&native).await["https://app.example/number"], "two secret two");

    terraform.destroy(true).await;
    assert_eq!(beside.lists().await, before);
}

#[tokio::test]
async fn terraform_adds_and_removes_one_by_one() {
    let outside = Outside::start().await;
    let beside = Beside::new(&outside);
    beside.unbind().await;
    let before = beside.lists().await;
    let terraform = Terraform::start(&outside, "one-by-one", Vec::new());
    terraform.apply(false).await;
    let bindings = beside.shown("actions/triggers/post-login/bindings").await;
    let names = |bindings: &Value| -> Vec<String> {
        bindings["bindings"].as_array().unwrap().iter().map(|it| text(it, "display_name")).collect()
    };
    assert_eq!(names(&bindings), ["First", "each-1"]);
    terraform.apply(true).await;
    let bindings = beside.shown("actions/triggers/post-login/bindings").await;
    assert_eq!(names(&bindings), ["The first one", "each-1"]);
    terraform.destroy(true).await;
    assert_eq!(beside.lists().await, before);
}
