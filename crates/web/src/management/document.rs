//! What the OpenAPI document says of all operations alike.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, PathItem, Ref, RefOr, Response, Responses};
use utoipa::{OpenApi, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::error::Refusal;
use super::limits;
use crate::AppState;

#[derive(OpenApi)]
#[openapi(info(
    title = "Postern Management API",
    description = "What a tenant has set up, and what happened in it. Each operation needs an access token of the grant \
                   `client_credentials` for the audience `https://{host}/api/v2/`, with the scopes that it names: entries of `security` \
                   are alternatives, the scopes of one entry are all needed."
))]
struct Document;

/// What any operation may answer, where it has no words of its own.
const REFUSALS: [(&str, &str); 5] = [
    ("400", "The path, the query or the body is not what the operation takes."),
    ("401", "There is no access token, or it is not valid here."),
    ("403", "The access token lacks the scope."),
    ("429", "Too many calls. `x-ratelimit-reset` says when there may be more."),
    ("default", "Any other refusal, or a failure."),
];

/// What the document says before its operations are added.
pub(super) fn begun() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// The document with what its operations need: how calls are authenticated, and how they are refused.
pub(super) fn finished(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let token =
        SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", token);
    components.schemas.insert(Refusal::name().into_owned(), Refusal::schema());
    for item in document.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        for operation in [get, put, post, delete, patch].into_iter().flatten() {
            describe_refusals(&mut operation.responses);
        }
    }
    limits::add(&mut document);
    document
}

fn describe_refusals(responses: &mut Responses) {
    for (status, description) in REFUSALS {
        let known = responses.responses.entry(status.to_owned());
        known.or_insert_with(|| RefOr::T(Response::new(description)));
    }
    for (status, response) in &mut responses.responses {
        let is_refusal = status.starts_with(['4', '5']) || status == "default";
        if let RefOr::T(response) = response
            && is_refusal
            && response.content.is_empty()
        {
            let schema = Ref::from_schema_name(Refusal::name());
            response.content.insert("application/json".to_owned(), Content::new(Some(schema)).into());
        }
    }
}
