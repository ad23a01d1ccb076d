//! Two tenants with clients, an API and users.

use idp::{Idp, device, hash_credential, manage};
use model::{
    AppType, Client, ClientGrant, ClientId, ResourceServer, SessionSettings, SessionTransfer,
    SubjectTypeAuthorization, Tenant, TenantFlags, TenantId, TokenDialect, TokenEndpointAuthMethod,
    TransferMethod,
};

pub const ACME: &str = "acme";
pub const OTHER: &str = "other";
pub const PASSWORD: &str = "correct horse battery staple";
pub const ADA: &str = "ada@example.com";
pub const BOB: &str = "bob@example.com";
pub const API: &str = "https://api.acme.example/";

pub const NATIVE: &str = "native-app";
pub const NATIVE_CALLBACK: &str = "com.example.native:/callback";
pub const WEB: &str = "web-app";
pub const WEB_CALLBACK: &str = "https://web.example/callback?kept=1";
pub const WEB_SECRET: &str = "web-secret-web-secret-web-secret";
/// Authenticates with HTTP Basic; the secret has what RFC 6749 §2.3.1 wants encoded. No PKCE of its own accord.
pub const BASIC: &str = "basic-app";
pub const BASIC_CALLBACK: &str = "https://basic.example/callback";
pub const BASIC_SECRET: &str = "s:e%c+r e&t-\u{20ac}-and-some-more-of-it";
pub const SPA: &str = "spa-app";
pub const SPA_CALLBACK: &str = "https://spa.example/callback";
/// Has the device flow and, to be confused with it, the code flow.
pub const TV: &str = "tv-app";
pub const MACHINE: &str = "machine-app";
pub const MACHINE_SECRET: &str = "machine-secret-machine-secret-ma";
/// Accepts a session transfer token by cookie alone, and may keep refresh tokens.
pub const COOKIE_WEB: &str = "cookie-web-app";
pub const COOKIE_WEB_CALLBACK: &str = "https://cookie-web.example/callback";
pub const LOGOUT_URL: &str = "https://web.example/bye";
pub const TENANT_LOGOUT_URL: &str = "https://acme.example/bye";

/// Where Actions of the tests send the browser.
pub const ACTION_SITES: [&str; 2] = ["https://profile.example/form", "https://a.example/"];

/// Without their queries: where a `Location` may lead.
pub const REGISTERED: [&str; 7] = [
    NATIVE_CALLBACK,
    "https://web.example/callback",
    BASIC_CALLBACK,
    SPA_CALLBACK,
    COOKIE_WEB_CALLBACK,
    LOGOUT_URL,
    TENANT_LOGOUT_URL,
];

fn new_client(id: &str, app_type: AppType, method: TokenEndpointAuthMethod, callbacks: &[&str]) -> Client {
    Client {
        callbacks: callbacks.iter().map(|uri| (*uri).to_owned()).collect(),
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        ..Client::new(ClientId::new(id), format!("The {id}"), app_type, method)
    }
}

/// The clients of both tenants, by what they are for.
pub fn clients() -> Vec<Client> {
    use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost, None};
    let accepts = |methods: &[TransferMethod]| SessionTransfer {
        allowed_authentication_methods: methods.to_vec(),
        ..SessionTransfer::default()
    };
    vec![
        Client {
            session_transfer: Some(SessionTransfer {
                can_create_session_transfer_token: true,
                ..SessionTransfer::default()
            }),
            ..new_client(NATIVE, AppType::Native, None, &[NATIVE_CALLBACK, "http://127.0.0.1/callback"])
        },
        Client {
            client_secret_hashes: vec![hash_credential(WEB_SECRET)],
            allowed_logout_urls: vec![LOGOUT_URL.to_owned()],
            session_transfer: Some(accepts(&[TransferMethod::Cookie, TransferMethod::Query])),
            ..new_client(WEB, AppType::RegularWeb, ClientSecretPost, &[WEB_CALLBACK])
        },
        Client {
            client_secret_hashes: vec![hash_credential(BASIC_SECRET)],
            ..new_client(BASIC, AppType::RegularWeb, ClientSecretBasic, &[BASIC_CALLBACK])
        },
        new_client(SPA, AppType::Spa, None, &[SPA_CALLBACK]),
        Client {
            grant_types: ["authorization_code", "refresh_token", device::GRANT_TYPE].map(Into::into).into(),
            ..new_client(TV, AppType::Native, None, &[])
        },
        Client {
            client_secret_hashes: vec![hash_credential(MACHINE_SECRET)],
            grant_types: vec!["client_credentials".into()],
            ..new_client(MACHINE, AppType::NonInteractive, ClientSecretPost, &[])
        },
        Client {
            client_secret_hashes: vec![hash_credential(WEB_SECRET)],
            session_transfer: Some(SessionTransfer {
                allow_refresh_token: true,
                ..accepts(&[TransferMethod::Cookie])
            }),
            ..new_client(COOKIE_WEB, AppType::RegularWeb, ClientSecretPost, &[COOKIE_WEB_CALLBACK])
        },
    ]
}

/// The client of that id.
pub fn client(id: &str) -> Client {
    clients().into_iter().find(|client| client.client_id.as_str() == id).expect("a client")
}

/// Puts a client of `acme`, changed.
pub async fn change_client(idp: &Idp, id: &str, change: impl FnOnce(&mut Client)) {
    let mut client = client(id);
    change(&mut client);
    manage::put_client(idp, &TenantId::new(ACME), &client).await.expect("a client");
}

/// The one API of both tenants.
pub fn api() -> ResourceServer {
    ResourceServer {
        identifier: API.to_owned(),
        name: "The API".to_owned(),
        scopes: vec!["read:things".into(), "write:things".into()],
        allow_offline_access: true,
        allow_online_access: true,
        allow_online_access_with_ephemeral_sessions: false,
        token_lifetime_secs: 3600,
        token_dialect: TokenDialect::default(),
        signing_alg: None,
        proof_of_possession: None,
        enforce_policies: false,
        subject_type_authorization: SubjectTypeAuthorization::default(),
        token_encryption: None,
        consent_policy: None,
        authorization_policy: None,
        skip_consent_for_verifiable_first_party_clients: true,
    }
}

/// Makes both tenants alike, so that only the tenant keeps their things apart.
pub async fn seed(idp: &Idp) {
    for name in [ACME, OTHER] {
        let id = TenantId::new(name);
        let tenant = Tenant {
            id: id.clone(),
            friendly_name: format!("The {name} tenant"),
            default_audience: None,
            allowed_logout_urls: vec![TENANT_LOGOUT_URL.to_owned()],
            sessions: SessionSettings::default(),
            flags: TenantFlags { pushed_authorization_requests_supported: true, ..TenantFlags::default() },
            created_at: idp.now(),
            settings_version: 0,
        };
        manage::create_tenant(idp, &tenant).await.expect("a tenant");
        manage::put_resource_server(idp, &id, &api()).await.expect("an API");
        for client in clients() {
            manage::put_client(idp, &id, &client).await.expect("a client");
        }
        let grant = ClientGrant {
            client_id: Some(ClientId::new(MACHINE)),
            audience: API.to_owned(),
            scope: vec!["read:things".into()],
        };
        manage::put_client_grant(idp, &id, &grant).await.expect("a grant");
        for (email, name) in [(ADA, "Ada"), (BOB, "Bob")] {
            let user = manage::NewUser {
                email: email.to_owned(),
                email_verified: true,
                name: Some(name.to_owned()),
                password: PASSWORD.to_owned(),
                ..manage::NewUser::default()
            };
            manage::create_user(idp, &id, user).await.expect("a user");
        }
    }
}
