//! HTTP: axum routes, what is read out of a request, cookies, headers, pages and the server itself.
//!
//! Nothing is decided here. Each endpoint parses its request, calls one use case of `idp` and writes its outcome.

mod body;
mod cookies;
mod cors;
mod error;
mod extract;
mod headers;
mod hosts;
mod management;
mod measure;
mod middleware;
mod oidc;
mod operator;
mod pages;
mod serve;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use idp::Idp;
use ipnet::IpNet;

pub use hosts::{Hosts, HostsError, Scheme};
pub use management::openapi;
pub use operator::metrics_router;
pub use serve::{ServeError, Tls, serve};

/// What every handler works with.
#[derive(Clone)]
pub struct AppState {
    /// The use cases.
    pub idp: Arc<Idp>,
    /// Which host names are ours and whose they are.
    pub hosts: Arc<Hosts>,
    /// The networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// `Secure` cookies with the `__Host-` prefix. Off only for development over plain HTTP on loopback.
    pub secure_cookies: bool,
    management_calls: Arc<management::RateLimits>,
    log_followers: Arc<management::Followers>,
}

impl AppState {
    /// Cookies are `Secure` when the outside sees https.
    #[must_use]
    pub fn new(idp: Arc<Idp>, hosts: Hosts, trusted_proxies: Vec<IpNet>) -> Self {
        let secure_cookies = hosts.scheme() == Scheme::Https;
        Self {
            idp,
            hosts: Arc::new(hosts),
            trusted_proxies: trusted_proxies.into(),
            secure_cookies,
            management_calls: Arc::default(),
            log_followers: Arc::default(),
        }
    }
}

/// All routes, with the layers that give every response its headers.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/authorize", get(oidc::authorize::get).post(oidc::authorize::post))
        .route("/u/login", get(pages::login::show).post(pages::login::submit))
        .route("/continue", get(pages::resume::get).post(pages::resume::post))
        .route("/u/consent", get(pages::consent::show).post(pages::consent::submit))
        .route("/u/mfa", get(pages::mfa::show).post(pages::mfa::submit))
        .route("/activate", get(pages::activate::show).post(pages::activate::submit))
        .route("/activate/confirm", post(pages::activate::confirm))
        .route("/activate/connected", get(pages::activate::connected))
        .route("/oauth/token", post(oidc::token::post).options(cors::preflight))
        .route("/oauth/revoke", post(oidc::revoke::post).options(cors::preflight))
        .route("/oauth/introspect", post(oidc::introspect::post))
        .route("/oauth/device/code", post(oidc::device::post).options(cors::preflight))
        .route("/oauth/par", post(oidc::par::post))
        .route("/userinfo", get(oidc::userinfo::get).post(oidc::userinfo::post).options(cors::preflight))
        .route("/mfa/challenge", post(oidc::mfa::challenge).options(cors::preflight))
        .route("/mfa/associate", post(oidc::mfa::associate).options(cors::preflight))
        .route("/mfa/authenticators", get(oidc::mfa::authenticators).options(cors::preflight))
        .route("/mfa/authenticators/{id}", delete(oidc::mfa::remove).options(cors::preflight))
        .route("/v2/logout", get(oidc::logout::v2))
        .route("/oidc/logout", get(oidc::logout::get).post(oidc::logout::post))
        .route("/.well-known/openid-configuration", get(oidc::discovery::get).options(cors::preflight_public))
        .route(
            "/.well-known/oauth-authorization-server",
            get(oidc::discovery::get).options(cors::preflight_public),
        )
        .route("/.well-known/jwks.json", get(oidc::jwks::get).options(cors::preflight_public))
        .route("/assets/postern.css", get(pages::stylesheet))
        .route("/assets/form-post.js", get(pages::form_post_script))
        .route("/assets/web-message.js", get(pages::web_message_script))
        .route("/healthz", get(pages::healthz))
        .merge(management::router(&state))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::method_not_allowed);
    middleware::wrap(routes, &state).with_state(state)
}
