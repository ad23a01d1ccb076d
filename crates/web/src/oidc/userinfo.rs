use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use idp::userinfo::userinfo;
use oauth::OAuthError;

use crate::error::{bad_request, bearer_refused};
use crate::extract::Caller;
use crate::{AppState, body, cors};

/// `GET /userinfo` (OpenID Connect Core §5.3).
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let token = bearer(query.as_deref(), &headers, None);
    answer(&state, &caller, &headers, token).await
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
    let token = in_form.and_then(|in_form| bearer(query.as_deref(), &headers, in_form));
    answer(&state, &caller, &headers, token).await
}

async fn answer(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    token: Result<Option<String>, OAuthError>,
) -> Response {
    let mut response = match token {
        Err(error) => bearer_refused(Some(error.into())),
        Ok(None) => bearer_refused(None),
        Ok(Some(token)) => match userinfo(&state.idp, &caller.context, &token).await {
            Ok(claims) => Json(claims).into_response(),
            Err(error) => bearer_refused(Some(error)),
        },
    };
    cors::allow_client(state, &caller.context.tenant.id, headers, None, &mut response).await;
    response
}

/// The one token of the request. In the query it is refused: logs and histories keep URLs (RFC 9700 §4.3.2).
fn bearer(
    query: Option<&str>,
    headers: &HeaderMap,
    in_form: Option<String>,
) -> Result<Option<String>, OAuthError> {
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
        (Some(value), None) => {
            let scheme_and_token = value.to_str().ok().and_then(|value| value.split_once(' '));
            match scheme_and_token {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Some(token.trim().to_owned())
                }
                _ => None,
            }
        }
    };
    match (in_header, in_form) {
        (Some(_), Some(_)) => refuse("The access token was sent in two ways"),
        (token, None) | (None, token) => Ok(token),
    }
}
