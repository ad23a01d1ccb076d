//! The pages of second factors.

use std::fmt::Write;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use idp::mfa::browser::{Asks, FactorInput, FactorOutcome, FactorPage, page, submit as submit_factor};
use model::FactorType;
use qrcode::{Color, EcLevel, QrCode};

use crate::AppState;
use crate::error::{PageFailure, retry_after};
use crate::extract::{Caller, OwnForm, QueryParameters};
use crate::pages::resume::go_on;

#[derive(Template)]
#[template(path = "mfa-otp.html")]
struct Otp<'a> {
    page: &'a FactorPage,
    or_recovery_code: bool,
}

#[derive(Template)]
#[template(path = "mfa-recovery-code.html")]
struct RecoveryCode<'a> {
    page: &'a FactorPage,
    or_otp: bool,
}

#[derive(Template)]
#[template(path = "mfa-enroll.html")]
struct Enroll<'a> {
    page: &'a FactorPage,
    /// In groups of four characters.
    secret: String,
    uri: &'a str,
    picture: Option<Picture>,
}

#[derive(Template)]
#[template(path = "mfa-keep-recovery-code.html")]
struct KeepRecoveryCode<'a> {
    page: &'a FactorPage,
    code: Option<String>,
}

/// A QR code as a path of squares, with its quiet zone.
struct Picture {
    width: usize,
    path: String,
}

/// `GET /u/mfa`: the page that is due in a login under way.
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    QueryParameters(parameters): QueryParameters,
) -> Result<Response, PageFailure> {
    let handle = parameters.require("state")?;
    let factor = parameters.get("factor").and_then(FactorType::named);
    let browser = caller.cookies.browser.as_deref();
    let page = page(&state.idp, &caller.context, handle, factor, browser).await?;
    Ok(render(&page))
}

/// `POST /u/mfa`: a code.
pub(crate) async fn submit(
    State(state): State<AppState>,
    OwnForm(caller, parameters): OwnForm,
) -> Result<Response, PageFailure> {
    let input = FactorInput {
        handle: parameters.require("state")?,
        csrf: parameters.get("csrf").unwrap_or_default(),
        factor: parameters.get("factor").and_then(FactorType::named),
        code: parameters.get("code").unwrap_or_default(),
        browser_cookie: caller.cookies.browser.as_deref(),
    };
    match submit_factor(&state.idp, &caller.context, input).await? {
        FactorOutcome::Page(page) => Ok(render(&page)),
        FactorOutcome::Login(outcome) => go_on(&state, &caller, outcome),
    }
}

fn render(page: &FactorPage) -> Response {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::BAD_REQUEST);
    let targets = [page.redirect_uri.as_str()];
    let mut response = match &page.asks {
        Asks::Otp { or_recovery_code } => {
            super::page(status, &Otp { page, or_recovery_code: *or_recovery_code }, &targets)
        }
        Asks::RecoveryCode { or_otp } => {
            super::page(status, &RecoveryCode { page, or_otp: *or_otp }, &targets)
        }
        Asks::Enrollment { secret, uri } => {
            let form = Enroll { page, secret: in_groups(secret, 4), uri, picture: picture(uri) };
            super::page(status, &form, &targets)
        }
        Asks::KeepRecoveryCode { code } => {
            let code = code.as_deref().map(|code| in_groups(code, 6));
            super::page(status, &KeepRecoveryCode { page, code }, &targets)
        }
    };
    retry_after(&mut response, page.retry_after_secs);
    response
}

/// As people read and type it.
fn in_groups(text: &str, size: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = characters.chunks(size).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// `None`: the text is too long for a picture; it can still be typed.
fn picture(uri: &str) -> Option<Picture> {
    const QUIET: usize = 4;
    let code = QrCode::with_error_correction_level(uri, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let _ = write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
        }
    }
    Some(Picture { width: width + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_shown_in_groups() {
        assert_eq!(in_groups("ABCDEFGHIJ", 4), "ABCD EFGH IJ");
        assert_eq!(in_groups("", 4), "");
    }

    #[test]
    fn a_picture_has_the_three_corners_of_a_qr_code_and_a_quiet_zone() {
        let picture = picture("otpauth://totp/A:b?secret=GEZDGNBV").unwrap();
        let last = picture.width - 4 - 1;
        for (x, y) in [(4, 4), (last, 4), (4, last)] {
            assert!(picture.path.contains(&format!("M{x} {y}h1v1h-1z")), "{x} {y}");
        }
        assert!(!picture.path.contains("M3 ") && !picture.path.contains(&format!("M{} ", last + 1)));
        assert!(super::picture(&"a".repeat(5000)).is_none());
    }
}
