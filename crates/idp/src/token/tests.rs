//! The token endpoint against a real database, with a clock that the test sets.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use action_api::{Artifact, Limits, RunReport};
use model::{
    AppType, AuthorizationCode, AuthorizationRequest, Client, ClientId, Clock, CookieMode, Device,
    ExpirationType, RefreshTokenChanges, RefreshTokenId, RefreshTokenSettings, RequestOrigin, ResourceServer,
    RotationType, Session, SessionId, SessionSettings, SessionTransfer, SubjectTypeAuthorization,
    SystemRandom, Tenant, TenantFlags, TenantId, Timestamp, TokenDialect, TokenEndpointAuthMethod, User,
    random_token,
};
use serde_json::{Map, Value};
use storage::Storage;
use tempfile::TempDir;

use super::*;
use crate::credential::hash_credential;
use crate::manage::{self, NewUser};
use crate::{
    ActionBuilder, ActionExecutor, ActionRun, BuildInput, BuildProblem, NoNetworkData, PasswordQueue,
    Settings, Vault, keys, revoke, userinfo,
};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const API: &str = "https://api.example/";
const TRANSFER: &str = "urn:acme.localhost:session_transfer";

/// No Action runs here.
const LIMITS: Limits = Limits {
    fuel: 0,
    wall_clock_ms: 0,
    memory_bytes: 0,
    stack_bytes: 0,
    event_bytes: 0,
    commands: 0,
    command_bytes: 0,
    console_bytes: 0,
    host_calls: 0,
    operations: 0,
    operation_bytes: 0,
    http_requests: 0,
    http_answer_bytes: 0,
};

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

struct NoActions;

impl ActionExecutor for NoActions {
    fn run<'a>(&'a self, _run: ActionRun) -> Pin<Box<dyn Future<Output = RunReport> + Send + 'a>> {
        panic!("no Action is bound")
    }
}

impl ActionBuilder for NoActions {
    fn build<'a>(
        &'a self,
        _tenant: &'a TenantId,
        _input: BuildInput,
    ) -> Pin<Box<dyn Future<Output = Result<Artifact, BuildProblem>> + Send + 'a>> {
        panic!("no Action is built")
    }
}

struct World {
    idp: Idp,
    ctx: RequestContext,
    clock: Arc<TestClock>,
    user: User,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let storage = Storage::open(&format!("sqlite:{}", dir.path().join("t.db").display())).await.unwrap();
        storage.migrate().await.unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000)));
        let idp = Idp {
            settings: Settings::new(storage.clone()),
            storage,
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
            actions: Arc::new(NoActions),
            builder: Arc::new(NoActions),
            vault: Vault::new([9; 32]),
            passwords: PasswordQueue::new(2, 8),
            network: Arc::new(NoNetworkData),
            limits: LIMITS,
        };
        let tenant = Tenant {
            id: TenantId::new("acme"),
            friendly_name: "Acme".to_owned(),
            default_audience: None,
            allowed_logout_urls: Vec::new(),
            sessions: SessionSettings::default(),
            flags: TenantFlags { pushed_authorization_requests_supported: true, ..TenantFlags::default() },
            created_at: clock.now(),
            settings_version: 0,
        };
        manage::create_tenant(&idp, &tenant).await.unwrap();
        let issuer = "https://acme.localhost:8443/".to_owned();
        let origin = RequestOrigin { ip: "192.0.2.1".to_owned(), ..RequestOrigin::default() };
        let ctx = RequestContext {
            tenant,
            tenant_issuers: vec![issuer.clone()],
            issuer,
            custom_domain: None,
            origin,
            device: None,
        };
        let new = NewUser {
            email: "Ann@example.com".to_owned(),
            password: "correct horse".to_owned(),
            ..NewUser::default()
        };
        let user = manage::create_user(&idp, &ctx.tenant.id, new).await.unwrap();
        let world = Self { idp, ctx, clock, user, _dir: dir };
        let api = ResourceServer {
            identifier: API.to_owned(),
            name: "API".to_owned(),
            scopes: vec!["read:x".to_owned()],
            allow_offline_access: true,
            allow_online_access: false,
            allow_online_access_with_ephemeral_sessions: false,
            token_lifetime_secs: 600,
            token_dialect: TokenDialect::default(),
            signing_alg: None,
            proof_of_possession: None,
            enforce_policies: false,
            subject_type_authorization: SubjectTypeAuthorization::default(),
            token_encryption: None,
            consent_policy: None,
            authorization_policy: None,
            skip_consent_for_verifiable_first_party_clients: true,
        };
        manage::put_resource_server(&world.idp, &world.ctx.tenant.id, &api).await.unwrap();
        world.put(&client("native", None)).await;
        world.put(&client("other", None)).await;
        world.put(&client("web", Some("s3cret"))).await;
        world
    }

    /// As a request of this moment has it.
    async fn request(&self) -> RequestContext {
        let tenant = self.idp.storage.tenant(&self.ctx.tenant.id).await.unwrap().unwrap();
        RequestContext { tenant, ..self.ctx.clone() }
    }

    async fn put(&self, client: &Client) {
        manage::put_client(&self.idp, &self.ctx.tenant.id, client).await.unwrap();
    }

    fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    async fn session(&self, parent: Option<&str>) -> Session {
        let now = self.clock.now();
        let session = Session {
            id: SessionId::new(random_token(&SystemRandom, 20)),
            user_id: self.user.user_id.clone(),
            connection_id: self.user.connection_id.clone(),
            created_at: now,
            updated_at: now,
            authenticated_at: now,
            last_interacted_at: now,
            expires_at: now.plus_secs(100_000),
            idle_expires_at: now.plus_secs(100_000),
            revoked_at: None,
            methods: Vec::new(),
            device: Device::default(),
            clients: Vec::new(),
            parent_refresh_token: parent.map(RefreshTokenId::new),
            cookie_mode: CookieMode::Persistent,
            idle_lifetime_secs: 100_000,
            metadata: BTreeMap::new(),
        };
        let mut tx = self.idp.storage.begin(&self.ctx.tenant.id).await.unwrap();
        tx.insert_session(&session, session.id.as_str(), &self.ctx.issuer).await.unwrap();
        tx.commit().await.unwrap();
        session
    }

    async fn code(&self, client: &str, session: &Session, audience: Option<&str>) -> String {
        let now = self.clock.now();
        let secret = random_token(&SystemRandom, 43);
        let scope = ["openid", "email", "offline_access", "read:x"].map(str::to_owned).to_vec();
        let code = AuthorizationCode {
            client_id: ClientId::new(client),
            user_id: self.user.user_id.clone(),
            session_id: session.id.clone(),
            request: AuthorizationRequest {
                client_id: ClientId::new(client),
                device_code_hash: None,
                redirect_uri: "https://app.example/cb".to_owned(),
                redirect_uri_was_sent: true,
                audience: audience.map(str::to_owned),
                consented: None,
                requested_scopes: scope.clone(),
                scope,
                state: None,
                nonce: Some("n".to_owned()),
                code_challenge: Some(CHALLENGE.to_owned()),
                dpop_jkt: None,
                prompt: Vec::new(),
                max_age: None,
                login_hint: None,
                hinted_user: None,
                acr_values: Vec::new(),
                ui_locales: Vec::new(),
                correlation_id: None,
                organization_id: None,
                response_mode: None,
                query: Map::new(),
            },
            auth_time: now,
            id_token_claims: Map::from_iter([("plan".to_owned(), Value::from("pro"))]),
            access_token_claims: Map::new(),
            refresh_token_changes: RefreshTokenChanges::default(),
            created_at: now,
            expires_at: now.plus_secs(60),
            issued_refresh_token: None,
        };
        let mut tx = self.idp.storage.begin(&self.ctx.tenant.id).await.unwrap();
        tx.insert_code(&hash_credential(&secret), &code).await.unwrap();
        tx.commit().await.unwrap();
        secret
    }

    async fn token(&self, pairs: &[(&str, &str)]) -> Result<TokenResponse, (u16, String, String)> {
        let input = input(pairs);
        let ctx = self.request().await;
        let (_, looked_up) = look_up(&self.idp, &ctx.tenant.id, &input.parameters).await.unwrap();
        token(&self.idp, &ctx, input, looked_up).await.map_err(|error| match error {
            IdpError::OAuth(error) => (error.status(), error.code.as_str().to_owned(), error.description),
            IdpError::Server(error) => panic!("{error}"),
        })
    }

    async fn exchange(&self, client: &str, code: &str) -> Result<TokenResponse, (u16, String, String)> {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", "https://app.example/cb"),
            ("code_verifier", VERIFIER),
        ];
        if client == "web" {
            pairs.push(("client_secret", "s3cret"));
        }
        self.token(&pairs).await
    }

    async fn refresh(&self, secret: &str) -> Result<TokenResponse, (u16, String, String)> {
        self.token(&[("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", secret)])
            .await
    }

    async fn native_login(&self) -> TokenResponse {
        let session = self.session(None).await;
        let code = self.code("native", &session, None).await;
        self.exchange("native", &code).await.unwrap()
    }
}

fn input(pairs: &[(&str, &str)]) -> TokenInput {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    TokenInput {
        parameters: Parameters::from_pairs(pairs).unwrap(),
        authorization: None,
        dpop: None,
        forwarded_for: None,
    }
}

fn client(id: &str, secret: Option<&str>) -> Client {
    let method = match secret {
        Some(_) => TokenEndpointAuthMethod::ClientSecretPost,
        None => TokenEndpointAuthMethod::None,
    };
    Client {
        client_secret_hashes: secret.map(hash_credential).into_iter().collect(),
        callbacks: vec!["https://app.example/cb".to_owned()],
        grant_types: ["authorization_code", "refresh_token"].map(str::to_owned).to_vec(),
        session_transfer: Some(SessionTransfer {
            can_create_session_transfer_token: id == "native",
            allow_refresh_token: id == "web",
            ..SessionTransfer::default()
        }),
        ..Client::new(ClientId::new(id), id, AppType::Native, method)
    }
}

fn claims(jwt: &str) -> Value {
    use base64::Engine;
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap())
        .unwrap()
}

async fn show(world: &World, token: &str) -> Result<Map<String, Value>, IdpError> {
    userinfo::userinfo(&world.idp, &world.request().await, userinfo::Presented::Bearer(token)).await
}

fn unknown() -> (u16, String, String) {
    (403, "invalid_grant".to_owned(), "Unknown or invalid refresh token.".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_works_once_for_its_client_and_verifier() {
    let world = World::new().await;
    let session = world.session(None).await;
    let code = world.code("native", &session, Some(API)).await;
    assert_eq!(world.exchange("other", &code).await.unwrap_err().0, 403, "another client");
    let wrong = world
        .token(&[
            ("grant_type", "authorization_code"),
            ("client_id", "native"),
            ("code", &code),
            ("redirect_uri", "https://app.example/cb"),
        ])
        .await;
    assert_eq!(wrong.unwrap_err().2, "Failed to verify code verifier");
    let tokens = world.exchange("native", &code).await.unwrap();
    let id = claims(tokens.id_token.as_deref().unwrap());
    assert_eq!(id["iss"], "https://acme.localhost:8443/");
    assert_eq!(
        (&id["aud"], &id["nonce"], &id["email"]),
        (&"native".into(), &"n".into(), &"Ann@example.com".into())
    );
    assert_eq!((&id["plan"], &id["sid"]), (&"pro".into(), &session.id.as_str().into()));
    assert!(id["auth_time"].is_i64() && id.get("name").is_none());
    let access = claims(&tokens.access_token);
    assert_eq!(access["aud"], serde_json::json!([API, "https://acme.localhost:8443/userinfo"]));
    assert!(show(&world, &tokens.access_token).await.is_ok());
    assert!(show(&world, tokens.id_token.as_deref().unwrap()).await.is_err());

    let replay = world.exchange("native", &code).await.unwrap_err();
    assert_eq!(replay, (403, "invalid_grant".to_owned(), "Invalid authorization code".to_owned()));
    assert_eq!(world.refresh(&tokens.refresh_token.unwrap()).await.unwrap_err(), unknown());

    let late = world.code("native", &session, None).await;
    world.pass(60);
    assert_eq!(world.exchange("native", &late).await.unwrap_err().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn reuse_ends_the_family_and_what_descends_from_it() {
    let world = World::new().await;
    let first = world.native_login().await.refresh_token.unwrap();
    let parent = {
        let mut tx = world.idp.storage.begin_read(&world.ctx.tenant.id).await.unwrap();
        tx.refresh_token_use(&hash_credential(&first), world.idp.now()).await.unwrap().unwrap().token.id
    };
    let transfer = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "native"),
            ("refresh_token", &first),
            ("audience", TRANSFER),
        ])
        .await
        .unwrap();
    assert_eq!((transfer.token_type, transfer.expires_in), ("N_A", 60));
    assert!(transfer.id_token.is_some());
    let second = transfer.refresh_token.unwrap();

    let child = world.session(Some(parent.as_str())).await;
    let code = world.code("web", &child, None).await;
    let web = world.exchange("web", &code).await.unwrap();
    assert!(show(&world, &web.access_token).await.is_ok());
    let pending = world.code("web", &child, None).await;

    assert_eq!(world.refresh(&first).await.unwrap_err(), unknown(), "reuse");
    assert_eq!(world.refresh(&second).await.unwrap_err(), unknown(), "the newest one, too");
    assert_eq!(world.exchange("web", &pending).await.unwrap_err().0, 403, "codes of the child session");
    assert!(show(&world, &web.access_token).await.is_err());
    let web_refresh = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "web"),
            ("client_secret", "s3cret"),
            ("refresh_token", &web.refresh_token.unwrap()),
        ])
        .await;
    assert_eq!(web_refresh.unwrap_err(), unknown());
    let mut tx = world.idp.storage.begin_read(&world.ctx.tenant.id).await.unwrap();
    assert!(tx.session(&child.id).await.unwrap().unwrap().revoked_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_uses_of_one_secret_give_one_success() {
    let world = Arc::new(World::new().await);
    let secret = world.native_login().await.refresh_token.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (world, secret) = (Arc::clone(&world), secret.clone());
            tokio::spawn(async move { world.refresh(&secret).await.is_ok() })
        })
        .collect();
    let mut successes = 0;
    for task in tasks {
        successes += usize::from(task.await.unwrap());
    }
    assert_eq!(successes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn leeway_lets_the_previous_secret_through_without_forking_the_family() {
    let world = World::new().await;
    let leeway = RefreshTokenSettings { leeway: 10, ..RefreshTokenSettings::default() };
    world.put(&Client { refresh_token: leeway, ..client("native", None) }).await;
    let first = world.native_login().await.refresh_token.unwrap();
    let second = world.refresh(&first).await.unwrap().refresh_token.unwrap();
    world.pass(9);
    assert_eq!(world.refresh(&first).await.unwrap().refresh_token.unwrap(), second, "the same successor");
    let third = world.refresh(&second).await.unwrap().refresh_token.unwrap();
    world.pass(10);
    assert_eq!(world.refresh(&second).await.unwrap_err(), unknown(), "after the leeway");
    assert_eq!(world.refresh(&third).await.unwrap_err(), unknown(), "the family has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_is_refused_where_it_must_be() {
    let world = World::new().await;
    let secret = world.native_login().await.refresh_token.unwrap();
    let ask = |client: &'static str, secret: String, audience: &'static str| {
        let world = &world;
        async move {
            let mut pairs = vec![
                ("grant_type", "refresh_token"),
                ("client_id", client),
                ("refresh_token", secret.as_str()),
                ("audience", audience),
            ];
            if client == "web" {
                pairs.push(("client_secret", "s3cret"));
            }
            world.token(&pairs).await
        }
    };
    assert_eq!(ask("native", secret.clone(), "urn:evil.example:session_transfer").await.unwrap_err().0, 400);
    assert_eq!(ask("native", secret.clone(), "https://other.example/").await.unwrap_err().0, 400);
    let session = world.session(None).await;
    let web = world.exchange("web", &world.code("web", &session, None).await).await.unwrap();
    assert_eq!(ask("web", web.refresh_token.unwrap(), TRANSFER).await.unwrap_err().1, "invalid_request");
    assert!(ask("native", secret, "urn:acme.localhost:8443:session_transfer").await.is_ok(), "not spent");
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_and_rotation_of_keys() {
    let world = World::new().await;
    let tokens = world.native_login().await;
    let secret = tokens.refresh_token.unwrap();
    let foreign = revoke::revoke(
        &world.idp,
        &world.request().await,
        input(&[("client_id", "other"), ("token", &secret)]),
    )
    .await;
    assert!(foreign.is_err());
    let kid = keys::rotate(&world.idp, &world.ctx.tenant.id).await.unwrap().signing_kid;
    let again = world.refresh(&secret).await.unwrap();
    let id_token = again.id_token.unwrap();
    assert_eq!(jsonwebtoken::decode_header(&id_token).unwrap().kid.unwrap(), kid);
    assert_eq!(claims(&id_token).get("nonce"), None);
    let jwks = keys::jwks(&world.idp, &world.request().await.tenant).await.unwrap();
    // Three keys, with three algorithms.
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 9);
    assert!(jwks["keys"][0].get("d").is_none());
    let own = || input(&[("client_id", "native"), ("token", again.refresh_token.as_deref().unwrap())]);
    revoke::revoke(&world.idp, &world.request().await, own()).await.unwrap();
    revoke::revoke(&world.idp, &world.request().await, own()).await.unwrap();
    assert_eq!(world.refresh(again.refresh_token.as_deref().unwrap()).await.unwrap_err(), unknown());
    assert!(show(&world, &again.access_token).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_authentication_takes_the_registered_method_only() {
    let world = World::new().await;
    let ask = async |pairs: &[(&str, &str)]| {
        let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", "x")];
        all.extend(pairs);
        world.token(&all).await.unwrap_err()
    };
    let wrong = ask(&[("client_id", "web"), ("client_secret", "wrong")]).await;
    assert_eq!(wrong.0, 401);
    assert_eq!(ask(&[("client_id", "nobody"), ("client_secret", "wrong")]).await, wrong);
    assert_eq!(ask(&[("client_id", "web")]).await, wrong);
    assert_eq!(ask(&[("client_id", "native"), ("client_secret", "x")]).await, wrong);
    assert_eq!(ask(&[("client_id", "web"), ("client_secret", "s3cret")]).await, unknown());
    for _ in 0..20 {
        ask(&[("client_id", "web"), ("client_secret", "wrong")]).await;
    }
    assert_eq!(ask(&[("client_id", "web"), ("client_secret", "wrong")]).await.0, 429);
    assert_eq!(ask(&[("client_id", "web"), ("client_secret", "s3cret")]).await, unknown(), "no lock-out");
}

#[tokio::test]
async fn a_refresh_token_that_gets_an_end_at_an_exchange_is_removed_after_it() {
    const DAY: i64 = 86_400;
    let world = World::new().await;
    let endless = RefreshTokenSettings {
        rotation_type: RotationType::NonRotating,
        expiration_type: ExpirationType::NonExpiring,
        ..RefreshTokenSettings::default()
    };
    world.put(&Client { refresh_token: endless, ..client("native", None) }).await;
    let first = world.native_login().await.refresh_token.unwrap();
    world.put(&client("native", None)).await;
    let second = world.refresh(&first).await.unwrap().refresh_token.unwrap();
    let hash = hash_credential(&second);
    let mut found = Vec::new();
    for days in [29, 2] {
        world.pass(days * DAY);
        let now = world.clock.now();
        let mut sweep = world.idp.storage.sweep(now, 365 * DAY, 10);
        while sweep.next().await.unwrap().is_some() {}
        let mut tx = world.idp.storage.begin_read(&world.ctx.tenant.id).await.unwrap();
        found.push(tx.refresh_token_use(&hash, now).await.unwrap().is_some());
    }
    assert_eq!(found, [true, false]);
}

#[tokio::test]
async fn the_201st_refresh_token_of_user_and_client_ends_the_oldest_one() {
    let world = World::new().await;
    let oldest = world.native_login().await.refresh_token.unwrap();
    let mut tx = world.idp.storage.begin(&world.ctx.tenant.id).await.unwrap();
    let found = tx.refresh_token_use(&hash_credential(&oldest), world.clock.now()).await.unwrap();
    let mut token = found.unwrap().token;
    world.pass(1);
    token.created_at = world.clock.now();
    for number in 2..=199 {
        token.id = RefreshTokenId::new(format!("rt_{number}"));
        tx.insert_refresh_token(&token, &format!("hash {number}")).await.unwrap();
    }
    tx.commit().await.unwrap();
    let newest = world.native_login().await.refresh_token.unwrap();
    let oldest = world.refresh(&oldest).await.unwrap().refresh_token.unwrap();
    world.native_login().await;
    assert_eq!(world.refresh(&oldest).await.unwrap_err(), unknown());
    world.refresh(&newest).await.unwrap();
}
