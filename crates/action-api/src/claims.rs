//! Rules for custom claims (`reference/post-login.md` section 4.1).

/// Names that a token never takes from an Action.
const RESERVED: &[&str] = &[
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "ath",
    "attest",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "cty",
    "dest",
    "entitlements",
    "events",
    "exp",
    "groups",
    "gty",
    "htm",
    "htu",
    "iat",
    "internalService",
    "iss",
    "jcard",
    "jku",
    "jti",
    "jwe",
    "jwk",
    "kid",
    "may_act",
    "mky",
    "nbf",
    "nonce",
    "object_id",
    "org_id",
    "org_name",
    "orig",
    "origid",
    "permissions",
    "roles",
    "rph",
    "s_hash",
    "scope",
    "sid",
    "sip_callid",
    "sip_cseq_num",
    "sip_date",
    "sip_from_tag",
    "sip_via_branch",
    "sub",
    "sub_jwk",
    "toe",
    "txn",
    "typ",
    "uuid",
    "vot",
    "vtm",
    "x5t#S256",
];

/// Claims of OIDC Core §5.1 that an Action may set, each kept only when the scope that asks for it was granted.
pub const PROFILE_CLAIMS: &[&str] = &[
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

/// Why a custom claim is left out of a token. It never fails the login; the run's report tells the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefused {
    /// A protocol claim, in any spelling of upper and lower case.
    #[error("the name is reserved")]
    Reserved,
    /// A namespace of the vendor of the dialect.
    #[error("the namespace is not allowed")]
    Namespace,
    /// Empty, longer than 255 bytes, or with control characters.
    #[error("the name is not a claim name")]
    Malformed,
}

/// Decides whether an Action may set this claim.
///
/// # Errors
/// [`ClaimRefused`] with the reason. A reserved name is refused in any case: verifiers that fold case exist.
pub fn check_claim_name(key: &str) -> Result<(), ClaimRefused> {
    if key.is_empty() || key.len() > 255 || key.chars().any(char::is_control) {
        return Err(ClaimRefused::Malformed);
    }
    if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(key)) {
        return Err(ClaimRefused::Reserved);
    }
    let lower = key.to_ascii_lowercase();
    let host = lower
        .strip_prefix("https://")
        .or_else(|| lower.strip_prefix("http://"))
        .map(|rest| rest.split(['/', ':', '?', '#']).next().unwrap_or(rest));
    let vendor = |host: &str| {
        ["auth0.com", "webtask.io", "webtask.run"]
            .iter()
            .any(|name| host == *name || host.strip_suffix(name).is_some_and(|sub| sub.ends_with('.')))
    };
    if host.is_some_and(vendor) || lower == "urn:auth0" || lower.starts_with("urn:auth0:") {
        return Err(ClaimRefused::Namespace);
    }
    Ok(())
}

/// The scope that must be granted for a profile claim to stay in a token (OIDC Core §5.4); `None` for other claims.
#[must_use]
pub fn scope_of_profile_claim(key: &str) -> Option<&'static str> {
    match key {
        "email" | "email_verified" => Some("email"),
        "phone_number" | "phone_number_verified" => Some("phone"),
        "address" => Some("address"),
        _ if PROFILE_CLAIMS.contains(&key) => Some("profile"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_claims_are_refused_in_any_case() {
        for key in ["sub", "SUB", "Iss", "aud", "x5t#s256", "roles", "scope"] {
            assert_eq!(check_claim_name(key), Err(ClaimRefused::Reserved), "{key}");
        }
        assert_eq!(check_claim_name("sub\0"), Err(ClaimRefused::Malformed));
        assert_eq!(check_claim_name("https://sub.auth0.com/x"), Err(ClaimRefused::Namespace));
        assert_eq!(check_claim_name("urn:auth0:x"), Err(ClaimRefused::Namespace));
        for key in ["plan", "https://notauth0.com/x", "https://acme.example/roles", "email"] {
            assert_eq!(check_claim_name(key), Ok(()), "{key}");
        }
    }
}
