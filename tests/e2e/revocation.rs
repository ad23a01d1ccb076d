//! What an event ends: the matrix of `native-to-web.md` section 3.8, each row and column, with the cascade on and off.

use end_to_end::flow::{
    TRANSFER_COOKIE, VERIFIER, asks_to_log_in, code_of, exchange_native, exchange_web, log_in, refresh, text,
    transfer,
};
use end_to_end::receiver::Receiver;
use end_to_end::{Login, RawClient, Response, TestServer, jwt, seed};
use idp::manage::{self, RefreshTokenSelector};
use model::{
    BackchannelLogoutInitiators, ClientId, InitiatorMode, LogoutInitiator, OidcLogout, RefreshTokenId,
    SessionId, SessionTransfer, UserId,
};
use reqwest::Method;
use serde_json::json;

/// What may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dead {
    /// The named refresh token, with its whole family.
    token: bool,
    /// Another of the same user, client and audience: the dialect's grant.
    grant: bool,
    /// One of another client of the user.
    other: bool,
    /// The browser session in which the named token was issued.
    session: bool,
    /// An online refresh token of that session.
    online: bool,
    /// The session that was made from the named token.
    child: bool,
    /// The refresh token that was issued in that session.
    child_token: bool,
}

const fn dead(columns: [u8; 7]) -> Dead {
    let [token, grant, other, session, online, child, child_token] = columns;
    Dead {
        token: token == 1,
        grant: grant == 1,
        other: other == 1,
        session: session == 1,
        online: online == 1,
        child: child == 1,
        child_token: child_token == 1,
    }
}

#[derive(Debug, Clone, Copy)]
enum Row {
    RevokeFlagOff,
    RevokeFlagOn,
    RevokeOnline,
    DeleteRefreshToken,
    RevokeTokensOfUser,
    RevokeTokensOfClient,
    DeleteGrant,
    DeleteGrantsOfUser,
    DeleteSession,
    RevokeSession,
    DeleteSessionsOfUser,
    RevokeAccess,
    RevokeAccessPreserving,
    RevokeAccessOfSession,
    V2Logout,
    OidcLogout,
    SessionIdleEnd,
    SessionAbsoluteEnd,
    ActionRevokes,
    ActionRevokesPreserving,
    Reuse,
    TokenIdleEnd,
    TokenAbsoluteEnd,
    TransferOfAnotherUser,
    PasswordChanged,
    AccountDeleted,
    GlobalRevocation,
}

/// The rows in the order of the reference: why the sessions end, as their clients are told (back-channel logout), what is
/// dead with the cascade on, and with it off. Access tokens in JWT form end by expiry alone; that is looked at in each
/// row.
const MATRIX: [(Row, LogoutInitiator, Dead, Dead); 27] = {
    use LogoutInitiator as To;
    use Row::*;
    [
        // token, grant, other, session, online, child, child_token
        (RevokeFlagOff, To::SessionRevoked, dead([1, 0, 0, 0, 0, 1, 1]), dead([1, 0, 0, 0, 0, 0, 0])),
        (RevokeFlagOn, To::SessionRevoked, dead([1, 1, 0, 0, 0, 1, 1]), dead([1, 1, 0, 0, 0, 0, 0])),
        (RevokeOnline, To::SessionRevoked, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (DeleteRefreshToken, To::SessionRevoked, dead([1, 0, 0, 0, 0, 1, 1]), dead([1, 0, 0, 0, 0, 0, 0])),
        (RevokeTokensOfUser, To::SessionRevoked, dead([1, 1, 1, 0, 0, 1, 1]), dead([1, 1, 1, 0, 0, 0, 1])),
        (RevokeTokensOfClient, To::SessionRevoked, dead([1, 1, 0, 0, 0, 1, 1]), dead([1, 1, 0, 0, 0, 0, 0])),
        (DeleteGrant, To::SessionRevoked, dead([1, 1, 0, 0, 0, 1, 1]), dead([1, 1, 0, 0, 0, 0, 0])),
        (DeleteGrantsOfUser, To::SessionRevoked, dead([1, 1, 1, 0, 1, 1, 1]), dead([1, 1, 1, 0, 1, 0, 1])),
        (DeleteSession, To::SessionRevoked, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (RevokeSession, To::SessionRevoked, dead([1, 0, 0, 1, 1, 1, 1]), dead([1, 0, 0, 1, 1, 0, 0])),
        // The child is a session of the user, too.
        (DeleteSessionsOfUser, To::SessionRevoked, dead([0, 0, 0, 1, 1, 1, 1]), dead([0, 0, 0, 1, 1, 1, 1])),
        (RevokeAccess, To::SessionRevoked, dead([1, 1, 1, 1, 1, 1, 1]), dead([1, 1, 1, 1, 1, 1, 1])),
        (
            RevokeAccessPreserving,
            To::SessionRevoked,
            dead([0, 0, 0, 1, 1, 1, 1]),
            dead([0, 0, 0, 1, 1, 1, 1]),
        ),
        (RevokeAccessOfSession, To::SessionRevoked, dead([1, 0, 0, 1, 1, 1, 1]), dead([1, 0, 0, 1, 1, 0, 0])),
        (V2Logout, To::RpLogout, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (OidcLogout, To::RpLogout, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (SessionIdleEnd, To::SessionExpired, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (SessionAbsoluteEnd, To::SessionExpired, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (ActionRevokes, To::SessionRevoked, dead([1, 0, 0, 1, 1, 1, 1]), dead([1, 0, 0, 1, 1, 0, 0])),
        (
            ActionRevokesPreserving,
            To::SessionRevoked,
            dead([0, 0, 0, 1, 1, 0, 0]),
            dead([0, 0, 0, 1, 1, 0, 0]),
        ),
        (Reuse, To::SessionRevoked, dead([1, 0, 0, 0, 0, 1, 1]), dead([1, 0, 0, 0, 0, 0, 0])),
        // To expire is not to be revoked: what was made lives on.
        (TokenIdleEnd, To::SessionRevoked, dead([1, 0, 0, 0, 0, 0, 0]), dead([1, 0, 0, 0, 0, 0, 0])),
        (TokenAbsoluteEnd, To::SessionRevoked, dead([1, 0, 0, 0, 0, 0, 0]), dead([1, 0, 0, 0, 0, 0, 0])),
        (TransferOfAnotherUser, To::SessionRevoked, dead([0, 0, 0, 1, 1, 0, 0]), dead([0, 0, 0, 1, 1, 0, 0])),
        (PasswordChanged, To::PasswordChanged, dead([1, 1, 1, 1, 1, 1, 1]), dead([1, 1, 1, 1, 1, 1, 1])),
        (AccountDeleted, To::AccountDeleted, dead([1, 1, 1, 1, 1, 1, 1]), dead([1, 1, 1, 1, 1, 1, 1])),
        (GlobalRevocation, To::IdpLogout, dead([1, 1, 1, 1, 1, 1, 1]), dead([1, 1, 1, 1, 1, 1, 1])),
    ]
};

#[tokio::test]
async fn each_event_ends_what_the_matrix_says() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    let mut wrong = Vec::new();
    for cascade in [true, false] {
        for (row, initiator, with_cascade, without) in MATRIX {
            // The web clients want to hear of this row's end of sessions, the native one of all others.
            for client in [seed::WEB, seed::COOKIE_WEB] {
                let settings = told_of(&receiver, |other| other == initiator);
                server.change_client(client, |client| client.oidc_logout = Some(settings)).await;
            }
            server
                .change_client(seed::NATIVE, |client| {
                    client.session_transfer = Some(SessionTransfer {
                        can_create_session_transfer_token: true,
                        enforce_cascade_revocation: cascade,
                        ..SessionTransfer::default()
                    });
                    client.oidc_logout = Some(told_of(&receiver, |other| other != initiator));
                })
                .await;
            // Out of the last row's window of login attempts.
            server.clock.advance_secs(900);
            let world = World::make(&server, &format!("{row:?}-{cascade}@example.com").to_lowercase()).await;
            assert_eq!(world.dead().await, dead([0; 7]), "before {row:?}");
            world.happen(row).await;
            let (expected, found) = (if cascade { with_cascade } else { without }, world.dead().await);
            if found != expected {
                wrong.push(format!("{row:?}, cascade {cascade}: {found:?} instead of {expected:?}"));
            }
            // A token that is under way dies with its parent, whatever the cascade.
            let carried = world.carry(&world.transfer_token).await;
            assert_eq!(asks_to_log_in(&carried), expected.token, "{row:?}, cascade {cascade}: {carried:?}");
            let bearer = server.client().request(Method::GET, "/userinfo").bearer_auth(&world.access_token);
            let gone = matches!(row, Row::AccountDeleted);
            let userinfo = server.client().send(bearer).await;
            assert_eq!(userinfo.status, if gone { 401 } else { 200 }, "{row:?}: {userinfo:?}");
            // The end of a session by time is told a minute later.
            server.clock.advance_secs(60);
            server.deliver().await;
            let (expected, found) = (world.to_be_told(expected, initiator), world.told(&receiver));
            if found != expected {
                wrong
                    .push(format!("{row:?}, cascade {cascade}: {found:?} were told instead of {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A client that is told at the receiver of these ends of sessions, and of those that every client is told of.
fn told_of(receiver: &Receiver, is_told: impl Fn(LogoutInitiator) -> bool) -> OidcLogout {
    let is_told =
        |initiator: &LogoutInitiator| LogoutInitiator::REQUIRED.contains(initiator) || is_told(*initiator);
    OidcLogout {
        backchannel_logout_urls: vec![receiver.url()],
        backchannel_logout_initiators: Some(BackchannelLogoutInitiators {
            mode: InitiatorMode::Custom,
            selected_initiators: LogoutInitiator::ALL.into_iter().filter(is_told).collect(),
        }),
    }
}

/// A user with all that an event may end.
struct World<'a> {
    server: &'a TestServer,
    email: String,
    user: UserId,
    /// The browser of the session.
    browser: RawClient,
    session: SessionId,
    /// The named token's secrets: spent, and current.
    spent: String,
    token: std::sync::Mutex<String>,
    /// In JWT form.
    access_token: String,
    grant: std::sync::Mutex<String>,
    other: std::sync::Mutex<String>,
    online: String,
    child: RawClient,
    child_session: SessionId,
    child_token: std::sync::Mutex<String>,
    /// Made from the named token, and not redeemed.
    transfer_token: String,
}

impl<'a> World<'a> {
    async fn make(server: &'a TestServer, email: &str) -> Self {
        let new = manage::NewUser {
            email: email.to_owned(),
            password: seed::PASSWORD.to_owned(),
            ..manage::NewUser::default()
        };
        let user = manage::create_user(&server.idp, &server.acme(), new).await.unwrap();
        let browser = server.client();
        let native = Login::native().with("audience", seed::API).with("scope", "openid offline_access");
        let tokens = exchange_native(&browser, &native.code(&browser, email).await).await.expect(200).json();
        let session = SessionId::new(text(&jwt::claims(&text(&tokens, "id_token")), "sid"));
        let spent = text(&tokens, "refresh_token");
        let rotated = refresh(&browser, seed::NATIVE, &spent).await.expect(200).json();

        let online = Login::web().with("scope", "openid online_access");
        let code = online.code_of_session(&browser).await;
        let online = text(&exchange_web(&browser, &code).await.expect(200).json(), "refresh_token");

        let second = server.client();
        let code = native.code(&second, email).await;
        let grant = text(&exchange_native(&second, &code).await.expect(200).json(), "refresh_token");

        let third = server.client();
        let spa = Login::of(seed::SPA, seed::SPA_CALLBACK).with("scope", "openid offline_access");
        let code = spa.code(&third, email).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", seed::SPA),
            ("code", &code),
            ("redirect_uri", seed::SPA_CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let other = text(&third.post_form("/oauth/token", &form).await.expect(200).json(), "refresh_token");

        let handed = transfer(&browser, &text(&rotated, "refresh_token")).await.expect(200).json();
        let child = server.client();
        child.set_cookie(TRANSFER_COOKIE, &text(&handed, "access_token"));
        let arrived = child_login().begin(&child).await;
        let child_tokens = exchange_child(&child, &code_of(&arrived)).await.expect(200).json();
        let handed = transfer(&browser, &text(&handed, "refresh_token")).await.expect(200).json();
        Self {
            server,
            email: email.to_owned(),
            user: user.user_id,
            browser,
            session,
            spent,
            token: text(&handed, "refresh_token").into(),
            access_token: text(&rotated, "access_token"),
            grant: grant.into(),
            other: other.into(),
            online,
            child,
            child_session: SessionId::new(text(&jwt::claims(&text(&child_tokens, "id_token")), "sid")),
            child_token: text(&child_tokens, "refresh_token").into(),
            transfer_token: text(&handed, "access_token"),
        }
    }

    /// Looks at each by using it.
    async fn dead(&self) -> Dead {
        let app = self.server.client();
        Dead {
            token: self.is_dead(&self.token, async |token| refresh(&app, seed::NATIVE, token).await).await,
            grant: self.is_dead(&self.grant, async |token| refresh(&app, seed::NATIVE, token).await).await,
            other: self.is_dead(&self.other, async |token| refresh(&app, seed::SPA, token).await).await,
            session: is_dead_session(&self.browser, &Login::web()).await,
            online: refresh_as(&app, seed::WEB, &self.online).await.status != 200,
            child: is_dead_session(&self.child, &child_login()).await,
            child_token: self
                .is_dead(&self.child_token, async |token| refresh_child(&app, token).await)
                .await,
        }
    }

    /// The clients that are to get a logout token, each with the session: once.
    fn to_be_told(&self, dead: Dead, initiator: LogoutInitiator) -> Vec<(&str, String)> {
        let mut told = Vec::new();
        if dead.session {
            told.push(("session", seed::WEB.to_owned()));
            let is_required = LogoutInitiator::REQUIRED.contains(&initiator);
            told.extend(is_required.then(|| ("session", seed::NATIVE.to_owned())));
        }
        told.extend(dead.child.then(|| ("child", seed::COOKIE_WEB.to_owned())));
        told.sort();
        told
    }

    /// Those that got one.
    fn told(&self, receiver: &Receiver) -> Vec<(&str, String)> {
        let mut told = Vec::new();
        for token in receiver.tokens() {
            let claims = jwt::claims(&token);
            let (sid, client) = (text(&claims, "sid"), text(&claims, "aud"));
            // The user's other sessions are nobody's concern here.
            told.extend((sid == self.session.as_str()).then(|| ("session", client.clone())));
            told.extend((sid == self.child_session.as_str()).then_some(("child", client)));
        }
        told.sort();
        told
    }

    /// Uses a rotating token, and keeps the next one.
    async fn is_dead(
        &self,
        token: &std::sync::Mutex<String>,
        refresh: impl AsyncFn(&str) -> Response,
    ) -> bool {
        let secret = token.lock().unwrap().clone();
        let answer = refresh(&secret).await;
        if answer.status == 200 {
            *token.lock().unwrap() = text(&answer.json(), "refresh_token");
            return false;
        }
        answer.expect_error(403, "invalid_grant");
        true
    }

    /// Brings a session transfer token to a browser without a session.
    async fn carry(&self, token: &str) -> Response {
        let browser = self.server.client();
        browser.set_cookie(TRANSFER_COOKIE, token);
        Login::web().begin(&browser).await
    }

    async fn happen(&self, row: Row) {
        let (idp, tenant, user) = (&self.server.idp, self.server.acme(), &self.user);
        let native = ClientId::new(seed::NATIVE);
        let client = seed::NATIVE;
        match row {
            // By the spent secret: the family is meant, not the string.
            Row::RevokeFlagOff => self.revoke(client, &self.spent).await,
            Row::RevokeFlagOn => {
                self.set_grant_flag(true).await;
                let token = self.token.lock().unwrap().clone();
                self.revoke(client, &token).await;
                self.set_grant_flag(false).await;
            }
            Row::RevokeOnline => self.revoke(seed::WEB, &self.online).await,
            Row::DeleteRefreshToken => {
                let which = RefreshTokenSelector::Ids(vec![self.token_id().await]);
                manage::revoke_refresh_tokens(idp, &tenant, &which).await.unwrap();
            }
            Row::RevokeTokensOfUser => {
                let which = RefreshTokenSelector::User(user.clone());
                manage::revoke_refresh_tokens(idp, &tenant, &which).await.unwrap();
            }
            Row::RevokeTokensOfClient => {
                let which = RefreshTokenSelector::Client(user.clone(), native);
                manage::revoke_refresh_tokens(idp, &tenant, &which).await.unwrap();
            }
            Row::DeleteGrant => {
                let which = RefreshTokenSelector::Grant(user.clone(), native, Some(seed::API.to_owned()));
                manage::revoke_refresh_tokens(idp, &tenant, &which).await.unwrap();
            }
            Row::DeleteGrantsOfUser => {
                manage::delete_grants_of_user(idp, &tenant, user).await.unwrap();
            }
            Row::DeleteSession => drop(manage::delete_session(idp, &tenant, &self.session).await.unwrap()),
            Row::RevokeSession => drop(manage::revoke_session(idp, &tenant, &self.session).await.unwrap()),
            Row::DeleteSessionsOfUser => {
                manage::delete_sessions_of_user(idp, &tenant, user).await.unwrap();
            }
            Row::RevokeAccess => {
                manage::revoke_access(idp, &tenant, user, None, false).await.unwrap();
            }
            Row::RevokeAccessPreserving => {
                manage::revoke_access(idp, &tenant, user, None, true).await.unwrap();
            }
            Row::RevokeAccessOfSession => {
                manage::revoke_access(idp, &tenant, user, Some(&self.session), false).await.unwrap();
            }
            Row::V2Logout => drop(self.copy_of_browser().get("/v2/logout").await.expect(200)),
            Row::OidcLogout => {
                let path = format!("/oidc/logout?logout_hint={}", self.session);
                self.copy_of_browser().get(&path).await.expect(200);
            }
            Row::SessionIdleEnd | Row::SessionAbsoluteEnd => self.end_session_by_time(row).await,
            Row::ActionRevokes | Row::ActionRevokesPreserving => {
                let preserve = matches!(row, Row::ActionRevokesPreserving);
                let code = format!(
                    "exports.onExecutePostLogin = async (event, api) => {{
                        if (event.request.query.login_hint === 'revoke')
                            api.session.revoke('enough', {{ preserveRefreshTokens: {preserve} }}); }};"
                );
                self.server.deploy_action("revoke", &code).await;
                let browser = self.copy_of_browser();
                let denied = Login::web().with("login_hint", "revoke").begin(&browser).await;
                assert_eq!(denied.location_parameter("error").as_deref(), Some("access_denied"));
            }
            Row::Reuse => {
                refresh(&self.server.client(), client, &self.spent).await.expect_error(403, "invalid_grant");
            }
            Row::TokenIdleEnd | Row::TokenAbsoluteEnd => self.end_token_by_time(row).await,
            Row::TransferOfAnotherUser => {
                let app = self.server.client();
                let theirs = end_to_end::flow::native_tokens(&app, seed::BOB).await;
                let handed = transfer(&app, &text(&theirs, "refresh_token")).await.expect(200).json();
                let browser = self.copy_of_browser();
                browser.set_cookie(TRANSFER_COOKIE, &text(&handed, "access_token"));
                assert!(asks_to_log_in(&Login::web().begin(&browser).await));
            }
            Row::PasswordChanged => {
                let password = Some("another good password".to_owned());
                let changes = manage::UserChanges { password, ..Default::default() };
                manage::update_user(idp, &tenant, user, changes).await.unwrap();
                let browser = self.server.client();
                let page = Login::web().begin(&browser).await;
                let old = log_in(&browser, page.location(), &self.email, seed::PASSWORD).await;
                old.expect(400);
            }
            Row::AccountDeleted => drop(manage::delete_user(idp, &tenant, user).await.unwrap()),
            Row::GlobalRevocation => drop(manage::revoke_all_tokens(idp, &tenant, user).await.unwrap()),
        }
    }

    async fn revoke(&self, client: &str, token: &str) {
        let mut form = vec![("client_id", client), ("token", token)];
        form.extend(Some(("client_secret", seed::WEB_SECRET)).filter(|_| client == seed::WEB));
        self.server.client().post_form("/oauth/revoke", &form).await.expect(200);
    }

    async fn set_grant_flag(&self, on: bool) {
        let patch = json!({ "flags": { "revoke_refresh_token_grant": on } });
        let patch = patch.as_object().unwrap();
        manage::update_tenant(&self.server.idp, &self.server.acme(), patch).await.unwrap();
    }

    async fn token_id(&self) -> RefreshTokenId {
        let hash = idp::hash_credential(&self.token.lock().unwrap());
        let mut tx = self.server.idp.storage.begin_read(&self.server.acme()).await.unwrap();
        tx.refresh_token_use(&hash, self.server.idp.now()).await.unwrap().unwrap().token.id
    }

    /// Another program with the same cookies: what the server takes away from it, the browser still has.
    fn copy_of_browser(&self) -> RawClient {
        let copy = self.server.client();
        copy.set_cookie("auth0", &self.browser.cookie("auth0").unwrap());
        copy
    }

    async fn end_session_by_time(&self, row: Row) {
        let now = self.server.idp.now();
        let mut tx = self.server.idp.storage.begin(&self.server.acme()).await.unwrap();
        let mut session = tx.session(&self.session).await.unwrap().unwrap();
        session.idle_expires_at = now;
        if let Row::SessionAbsoluteEnd = row {
            // It is never before the idle end.
            session.expires_at = now;
        }
        assert!(tx.update_session(&session, None, now).await.unwrap());
        tx.commit().await.unwrap();
    }

    async fn end_token_by_time(&self, row: Row) {
        let now = self.server.idp.now();
        let id = self.token_id().await;
        let mut tx = self.server.idp.storage.begin(&self.server.acme()).await.unwrap();
        let mut token = tx.refresh_token(&id).await.unwrap().unwrap();
        match row {
            Row::TokenIdleEnd => token.idle_expires_at = Some(now),
            _ => token.expires_at = Some(now),
        }
        assert!(tx.record_exchange(&token, true, now).await.unwrap());
        tx.commit().await.unwrap();
    }
}

fn child_login() -> Login {
    Login::of(seed::COOKIE_WEB, seed::COOKIE_WEB_CALLBACK).with("scope", "openid offline_access")
}

async fn exchange_child(app: &RawClient, code: &str) -> Response {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::COOKIE_WEB),
        ("client_secret", seed::WEB_SECRET),
        ("code", code),
        ("redirect_uri", seed::COOKIE_WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    app.post_form("/oauth/token", &form).await
}

async fn refresh_child(app: &RawClient, token: &str) -> Response {
    refresh_as(app, seed::COOKIE_WEB, token).await
}

async fn refresh_as(app: &RawClient, client: &str, token: &str) -> Response {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("client_secret", seed::WEB_SECRET),
        ("refresh_token", token),
    ];
    app.post_form("/oauth/token", &form).await
}

/// Whether a silent login fails.
async fn is_dead_session(browser: &RawClient, login: &Login) -> bool {
    let answer = login.clone().with("prompt", "none").begin(browser).await;
    match answer.location_parameter("error") {
        None => drop(code_of(&answer)),
        Some(error) => assert_eq!(error, "login_required"),
    }
    answer.location_parameter("error").is_some()
}
