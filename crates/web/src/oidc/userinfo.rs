use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::userinfo::{Presented, userinfo};
use oauth::{ErrorCode, OAuthError};

use crate::error::{Scheme, bad_request, resource_refused};
use crate::extract::Caller;
use crate::oidc::{add_dpop_nonce, dpop_proof};
use crate::{AppState, body, cors};

/// `GET /userinfo` (OpenID Connect Core §5.3).
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let token = access_token(query.as_deref(), &headers, None);
    answer(&state, &caller, &Method::GET, &headers, token).await
}

/// `POST /userinfo`, with the token in the header or in a form (RFC 6750 §2.1, §2.2).
pub(crate) async fn post(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let in_form = match body::media_type(&headers).as_deref() {
        Some("application/x-www-form-urlencoded") => {
            let form = body::from_form_post(None, &headers, body).await;
            form.map(|form| form.get("access_token").map(str::to_owned))
        }
        _ => Ok(None),
    };
    let token = in_form.and_then(|in_form| access_token(query.as_deref(), &headers, in_form));
    answer(&state, &caller, &Method::POST, &headers, token).await
}

async fn answer(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    headers: &HeaderMap,
    token: Result<Option<(Scheme, String)>, OAuthError>,
) -> Response {
    let mut response = match token {
        Err(error) => resource_refused(Some(error.into()), Scheme::Bearer),
        Ok(None) => resource_refused(None, Scheme::Bearer),
        Ok(Some((scheme, token))) => {
            let mut response = show(state, caller, method, headers, scheme, &token).await;
            if scheme == Scheme::Dpop {
                add_dpop_nonce(state, caller, &mut response);
            }
            response
        }
    };
    cors::allow_client(state, &caller.context.tenant.id, headers, None, &mut response).await;
    response
}

async fn show(
    state: &AppState,
    caller: &Caller,
    method: &Method,
    headers: &HeaderMap,
    scheme: Scheme,
    token: &str,
) -> Response {
    let proof = match (scheme, dpop_proof(headers)) {
        (Scheme::Bearer, _) => None,
        (Scheme::Dpop, Ok(Some(proof))) => Some(proof),
        (Scheme::Dpop, Ok(None)) => {
            let error = OAuthError::new(ErrorCode::InvalidDpopProof, "The DPoP proof is missing.");
            return resource_refused(Some(error.into()), scheme);
        }
        (Scheme::Dpop, Err(error)) => return resource_refused(Some(error.into()), scheme),
    };
    let presented = match &proof {
        None => Presented::Bearer(token),
        Some(proof) => Presented::Dpop { token, proof, method: method.as_str() },
    };
    match userinfo(&state.idp, &caller.context, presented).await {
        Ok(claims) => Json(claims).into_response(),
        Err(error) => resource_refused(Some(error), scheme),
    }
}

/// The one token of the request. In the query it is refused: logs and histories keep URLs (RFC 9700 §4.3.2).
fn access_token(
    query: Option<&str>,
    headers: &HeaderMap,
    in_form: Option<String>,
) -> Result<Option<(Scheme, String)>, OAuthError> {
    let refuse = |description| Err(bad_request(StatusCode::BAD_REQUEST, description));
    let in_query =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(key, _)| key == "access_token");
    if in_query {
        return refuse("The access token must not be in the URL");
    }
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let in_header = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(_), Some(_)) => return refuse("The access token was sent in two ways"),
        (Some(value), None) => value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .and_then(|(scheme, token)| Some((Scheme::named(scheme)?, token.trim().to_owned()))),
    };
    match (in_header, in_form) {
        (Some(_), Some(_)) => refuse("The access token was sent in two ways"),
        (Some(sent), None) => Ok(Some(sent)),
        (None, in_form) => Ok(in_form.map(|token| (Scheme::Bearer, token))),
    }
}
