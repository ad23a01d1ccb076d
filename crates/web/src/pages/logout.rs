use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

#[derive(Template)]
#[template(path = "logged-out.html")]
struct LoggedOut<'a> {
    tenant_name: &'a str,
}

/// After a logout that leads nowhere else.
pub(crate) fn logged_out(tenant_name: &str) -> Response {
    super::page(StatusCode::OK, &LoggedOut { tenant_name }, &[])
}

#[derive(Template)]
#[template(path = "confirm-logout.html")]
struct ConfirmLogout<'a> {
    tenant_name: &'a str,
    csrf: &'a str,
    parameters: &'a [(String, String)],
}

/// Asks before a logout that nothing proves to be the user's wish. The redirect that follows is checked again when the
/// form comes back; here it only tells the browser where the form may end.
pub(crate) fn confirm(tenant_name: &str, csrf: &str, parameters: &[(String, String)]) -> Response {
    let target = parameters.iter().find(|(name, _)| name == "post_logout_redirect_uri");
    let targets: Vec<&str> = target.iter().map(|(_, uri)| uri.as_str()).collect();
    super::page(StatusCode::OK, &ConfirmLogout { tenant_name, csrf, parameters }, &targets)
}
