//! A tool at the Management API.

use idp::{Idp, manage, management_api};
use model::{ClientGrant, ClientId, TenantId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{RawClient, Response, TestServer, answer_schema, seed};

/// Calls of one client with its access token.
pub struct Api {
    client: RawClient,
    tenant: String,
    token: String,
}

impl Api {
    /// At the tenant `acme`, with every scope.
    pub async fn of(server: &TestServer) -> Self {
        Self::of_tenant(server, seed::ACME).await
    }

    /// At this tenant, with every scope.
    pub async fn of_tenant(server: &TestServer, tenant: &str) -> Self {
        Self::connect(&server.idp, server.client(), tenant, None).await
    }

    /// At the tenant `acme`, with these scopes.
    pub async fn with_scopes(server: &TestServer, scopes: &[&str]) -> Self {
        Self::connect(&server.idp, server.client(), seed::ACME, Some(scopes)).await
    }

    pub(crate) async fn connect(idp: &Idp, client: RawClient, tenant: &str, scopes: Option<&[&str]>) -> Self {
        let id = TenantId::new(tenant);
        let made = manage::create_management_client(idp, &id, "A tool").await.unwrap();
        if let Some(scopes) = scopes {
            let scope = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let audience = management_api::STORED_AUDIENCE.to_owned();
            let grant = ClientGrant { client_id: Some(made.client_id.clone()), audience, scope };
            manage::put_client_grant(idp, &id, &grant).await.unwrap();
        }
        let token = token(&client, tenant, &made.client_id, &made.client_secret).await;
        Self { client, tenant: tenant.to_owned(), token }
    }

    /// The access token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same caller's token at another tenant.
    #[must_use]
    pub fn at(self, tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..self }
    }

    /// One call below `/api/v2`. The answer is as the OpenAPI document says.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let url = self.client.url_of(&self.tenant, &format!("/api/v2{path}"));
        let request = self.client.request(method.clone(), &url).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = self.client.send(request).await;
        answer_schema::check(&method, path, &response);
        response
    }

    pub async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Response {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Response {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.call(Method::DELETE, path, None).await
    }
}

async fn token(client: &RawClient, tenant: &str, id: &ClientId, secret: &str) -> String {
    let audience = client.url_of(tenant, "/api/v2/");
    let form = json!({
        "grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": audience,
    });
    let answer = client.post_json(&client.url_of(tenant, "/oauth/token"), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

impl Response {
    /// Checks an error of the Management API; the code is `""` where there is none.
    #[track_caller]
    pub fn expect_api_error(&self, status: u16, error_code: &str, message: &str) -> &Self {
        let body = self.json();
        let code = body["errorCode"].as_str().unwrap_or_default();
        assert_eq!((self.status, code), (status, error_code), "{self:?}");
        assert_eq!(body["statusCode"], status, "{self:?}");
        assert!(body["message"].as_str().unwrap().contains(message), "{message}: {self:?}");
        self
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    pub fn expect_json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}
