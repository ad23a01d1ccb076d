//! The crate `openidconnect`.

use end_to_end::flow::text;
use end_to_end::outside::{Outside, SECRET};
use openidconnect::core::{CoreClient, CoreProviderMetadata, CoreResponseType, CoreUserInfoClaims};
use openidconnect::http;
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};
use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;

const CALLBACK: &str = "https://app.example/callback";

async fn send(http: Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let response = http.execute(request.try_into()?).await?;
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes().await?.to_vec();
    Ok(answer)
}

#[tokio::test]
async fn openidconnect_logs_in_and_renews() {
    let outside = Outside::start().await;
    outside.add_client("outside-web", |client| client.callbacks = vec![CALLBACK.into()]).await;
    let client = Client::builder().no_proxy().redirect(Policy::none());
    let client = client.tls_certs_only([outside.server.ca().unwrap()]).build().unwrap();
    let http = move |request: HttpRequest| send(client.clone(), request);

    let issuer = IssuerUrl::new(outside.issuer()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.unwrap();
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new("outside-web".to_owned()),
        Some(ClientSecret::new(SECRET.to_owned())),
    )
    .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let code_flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let scopes = ["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned()));
    let request = client.authorize_url(code_flow, CsrfToken::new_random, Nonce::new_random);
    let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();

    let arrival = outside.server.app().walk(url.as_str(), CALLBACK).await.unwrap();
    let answer = Url::parse(&arrival.url).unwrap();
    let parameter = |name| answer.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
    assert_eq!(&parameter("state"), state.secret());
    let exchange = client.exchange_code(AuthorizationCode::new(parameter("code"))).unwrap();
    let tokens = exchange.set_pkce_verifier(verifier).request_async(&http).await.unwrap();
    let id_token = tokens.id_token().unwrap();
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).unwrap();
    assert_eq!(claims.email().unwrap().as_str(), text(&outside.server.demo["user"], "email"));
    let subject = Some(claims.subject().clone());
    let userinfo = client.user_info(tokens.access_token().clone(), subject).unwrap();
    let userinfo: CoreUserInfoClaims = userinfo.request_async(&http).await.unwrap();
    assert_eq!(userinfo.name().unwrap().get(None).unwrap().as_str(), "Ada Lovelace");
    let refresh = tokens.refresh_token().unwrap();
    let renewed = client.exchange_refresh_token(refresh).unwrap().request_async(&http).await.unwrap();
    let again = renewed.id_token().unwrap();
    again.claims(&client.id_token_verifier(), |_: Option<&Nonce>| Ok(())).unwrap();
    assert_ne!(renewed.refresh_token().unwrap().secret(), refresh.secret());
}
