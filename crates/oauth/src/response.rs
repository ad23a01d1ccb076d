use form_urlencoded::Serializer;

use crate::OAuthError;
use crate::redirect::redirect_with;

/// How the answer of the authorization endpoint travels to the client (OAuth 2.0 Multiple Response Type Encoding Practices
/// §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a redirect. The default of `response_type=code`.
    Query,
    /// In the fragment of a redirect.
    Fragment,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
    /// In a message to the page that has the answer in a frame (the dialect).
    WebMessage,
}

impl ResponseMode {
    /// All, as the metadata lists them.
    pub const ALL: [Self; 4] = [Self::Query, Self::Fragment, Self::FormPost, Self::WebMessage];

    /// The value of `response_mode`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::WebMessage => "web_message",
        }
    }

    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// The answer to an authorization request whose redirect URI is trusted: a code or an error (RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    /// Of the client.
    pub redirect_uri: String,
    /// How it travels.
    pub mode: ResponseMode,
    /// Names and values, not encoded.
    pub parameters: Vec<(&'static str, String)>,
    /// An error that the client does not hear of: the user sees it on a page of the server, and the browser is sent nowhere
    /// (RFC 9700 §4.11.2).
    pub kept_here: Option<Box<OAuthError>>,
}

impl AuthorizationResponse {
    /// Where a redirect leads; `None`: the answer travels in no redirect.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        if self.kept_here.is_some() {
            return None;
        }
        let parameters: Vec<_> =
            self.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.mode {
            ResponseMode::Query => Some(redirect_with(&self.redirect_uri, &parameters)),
            ResponseMode::Fragment => {
                let mut location = redirect_with(&self.redirect_uri, &[]);
                // Redirect URIs have none of their own (RFC 6749 §3.1.2).
                location.truncate(location.find('#').unwrap_or(location.len()));
                let fragment = Serializer::new(String::new()).extend_pairs(parameters).finish();
                Some(format!("{location}#{fragment}"))
            }
            ResponseMode::FormPost | ResponseMode::WebMessage => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_travels_in_the_query_the_fragment_or_in_no_redirect_and_what_is_kept_here_nowhere() {
        let answer = |mode, kept_here| AuthorizationResponse {
            kept_here,
            redirect_uri: "https://a.example/cb?x=1".to_owned(),
            mode,
            parameters: vec![("code", "c".to_owned()), ("state", "a b&\r\n".to_owned())],
        };
        for (name, location) in [
            ("query", Some("https://a.example/cb?x=1&code=c&state=a+b%26%0D%0A")),
            ("fragment", Some("https://a.example/cb?x=1#code=c&state=a+b%26%0D%0A")),
            ("form_post", None),
            ("web_message", None),
        ] {
            let mode = ResponseMode::named(name).unwrap();
            assert_eq!(answer(mode, None).location().as_deref(), location, "{name}");
            let kept = answer(mode, Some(OAuthError::invalid_request("no").into()));
            assert_eq!(kept.location(), None, "{name}");
        }
        assert_eq!(ResponseMode::named("jwt"), None);
    }
}
