//! The demo tenant of `postern dev`: two clients, an API, a user and a deployed Action.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use action_build::Source;
use action_runtime::Runtime;
use idp::manage::{self, Deployment, NewUser};
use idp::management_api::STORED_AUDIENCE;
use idp::{Idp, hash_credential};
use model::{
    AppType, Client, ClientId, DeviceBinding, ResourceServer, SessionSettings, SessionTransfer,
    SubjectTypeAuthorization, Tenant, TenantFlags, TenantId, TokenDialect, TokenEndpointAuthMethod,
    TransferMethod, random_token,
};
use serde::{Deserialize, Serialize};

use super::action::build;
use crate::config::Config;
use crate::encryption::write_private;
use crate::exit_code::{ExitCode, Failure, OrExit};

/// Its name.
pub const TENANT: &str = "demo";
const AUDIENCE: &str = "https://api.demo.example";
const EMAIL: &str = "ada@example.com";
const ACTION_NAME: &str = "limit-transferred-session";
const ACTION: &str = include_str!("../../../../samples/actions/limit-transferred-session/action.js");
/// The credentials, in the folder of `postern dev`.
const FILE: &str = "demo.json";

/// All that the sample applications need. Printed by `--print-json` and kept in the folder, mode 0600.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Demo {
    pub tenant: String,
    pub issuer: String,
    pub audience: String,
    pub native_client: NativeClient,
    pub web_client: WebClient,
    pub management_client: ManagementClient,
    pub user: DemoUser,
    pub action: String,
}

/// The native application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NativeClient {
    pub client_id: String,
    /// At any port (RFC 8252 §7.3).
    pub redirect_uri: String,
}

/// The web application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebClient {
    pub client_id: String,
    pub client_secret: String,
    pub url: String,
}

/// By which tools manage the tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManagementClient {
    pub client_id: String,
    pub client_secret: String,
    pub audience: String,
}

/// The person who logs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DemoUser {
    pub email: String,
    pub password: String,
}

/// Makes the demo tenant, or brings the one of an earlier start to these ports.
pub async fn seed(
    idp: &Idp,
    runtime: &Arc<Runtime>,
    config: &Config,
    folder: &Path,
    web_app_port: u16,
) -> Result<Demo, Failure> {
    let id = TenantId::new(TENANT);
    let failed = ExitCode::Failed;
    let file = folder.join(FILE);
    let there =
        idp.storage.tenant(&id).await.or_exit(ExitCode::Database, "cannot read the tenants")?.is_some();
    let before: Option<Demo> = match std::fs::read(&file) {
        Ok(bytes) => {
            Some(serde_json::from_slice(&bytes).or_exit(failed, format!("{} is damaged", file.display()))?)
        }
        Err(_) => None,
    };
    if there != before.is_some() {
        let text = format!(
            "{} and its database do not belong together: remove the folder and start again",
            file.display()
        );
        return Err(Failure::new(failed, text));
    }
    let mut demo = before.unwrap_or_else(|| new_demo(idp));
    demo.issuer = super::tenant::issuer(config, &id);
    demo.management_client.audience = format!("{}{STORED_AUDIENCE}", demo.issuer);
    demo.web_client.url = format!("http://127.0.0.1:{web_app_port}");
    if !there {
        write_private(
            &file,
            serde_json::to_string_pretty(&demo).or_exit(failed, "the demo's credentials")?.as_bytes(),
        )
        .or_exit(failed, format!("cannot write {}", file.display()))?;
        manage::create_tenant(idp, &tenant(idp, &demo)).await.or_exit(failed, "the demo tenant")?;
    }
    let api = ResourceServer {
        identifier: AUDIENCE.to_owned(),
        name: "Demo API".to_owned(),
        scopes: vec!["read:notes".to_owned(), "write:notes".to_owned()],
        allow_offline_access: true,
        allow_online_access: true,
        allow_online_access_with_ephemeral_sessions: true,
        token_lifetime_secs: 3_600,
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
    manage::put_resource_server(idp, &id, &api).await.or_exit(failed, "the demo API")?;
    for client in [native_client(&demo), web_client(&demo)] {
        manage::put_client(idp, &id, &client).await.or_exit(failed, "a client of the demo")?;
    }
    let management = &demo.management_client;
    let management_id = ClientId::new(management.client_id.as_str());
    manage::put_management_client(idp, &id, "Demo management", &management_id, &management.client_secret)
        .await
        .or_exit(failed, "the management client of the demo")?;
    if !there {
        let user = NewUser {
            email: EMAIL.to_owned(),
            password: demo.user.password.clone(),
            name: Some("Ada Lovelace".to_owned()),
            ..NewUser::default()
        };
        manage::create_user(idp, &id, user).await.or_exit(failed, "the demo user")?;
        let source = Source::script("limit-transferred-session.js", ACTION);
        let kept = postern::rebuild::kept(&source);
        let artifact = build(runtime, source, config).await?.or_exit(ExitCode::Action, "the demo Action")?;
        let none = BTreeMap::new();
        let deployment =
            Deployment { source: &kept, artifact: &artifact, secrets: &none, hosts: None, modules: None };
        manage::deploy_action(idp, &id, ACTION_NAME, deployment)
            .await
            .or_exit(failed, "the demo Action was not deployed")?;
    }
    Ok(demo)
}

/// No credential is the same on two machines.
fn new_demo(idp: &Idp) -> Demo {
    let random = |length| random_token(idp.random.as_ref(), length);
    Demo {
        tenant: TENANT.to_owned(),
        issuer: String::new(),
        audience: AUDIENCE.to_owned(),
        native_client: NativeClient {
            client_id: "demo-native".to_owned(),
            redirect_uri: "http://127.0.0.1/callback".to_owned(),
        },
        web_client: WebClient {
            client_id: "demo-web".to_owned(),
            client_secret: random(43),
            url: String::new(),
        },
        management_client: ManagementClient {
            client_id: "demo-management".to_owned(),
            client_secret: random(64),
            audience: String::new(),
        },
        user: DemoUser { email: EMAIL.to_owned(), password: random(20) },
        action: ACTION_NAME.to_owned(),
    }
}

fn tenant(idp: &Idp, demo: &Demo) -> Tenant {
    Tenant {
        id: TenantId::new(TENANT),
        friendly_name: "Postern demo".to_owned(),
        default_audience: None,
        allowed_logout_urls: vec![format!("{}/", demo.web_client.url)],
        sessions: SessionSettings::default(),
        flags: TenantFlags { pushed_authorization_requests_supported: true, ..TenantFlags::default() },
        created_at: idp.now(),
        settings_version: 0,
    }
}

fn native_client(demo: &Demo) -> Client {
    let client_id = ClientId::new(demo.native_client.client_id.as_str());
    Client {
        callbacks: vec![demo.native_client.redirect_uri.clone()],
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        session_transfer: Some(SessionTransfer {
            can_create_session_transfer_token: true,
            ..SessionTransfer::default()
        }),
        ..Client::new(client_id, "Demo native app", AppType::Native, TokenEndpointAuthMethod::None)
    }
}

fn web_client(demo: &Demo) -> Client {
    let url = &demo.web_client.url;
    let client_id = ClientId::new(demo.web_client.client_id.as_str());
    let method = TokenEndpointAuthMethod::ClientSecretBasic;
    Client {
        client_secret_hashes: vec![hash_credential(&demo.web_client.client_secret)],
        callbacks: vec![format!("{url}/callback")],
        allowed_logout_urls: vec![format!("{url}/")],
        grant_types: vec!["authorization_code".to_owned()],
        session_transfer: Some(SessionTransfer {
            allowed_authentication_methods: vec![TransferMethod::Cookie, TransferMethod::Query],
            enforce_device_binding: DeviceBinding::Ip,
            ..SessionTransfer::default()
        }),
        ..Client::new(client_id, "Demo web app", AppType::RegularWeb, method)
    }
}
