use serde::Deserialize;
use serde_json::Value;

/// The ways to a token in which this server runs the trigger: they differ in what the event has (`docs/event.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// A browser at `/authorize`: a form, single sign-on, or `prompt=none`.
    Login,
    /// A browser at `/authorize` that redeems a session transfer token.
    Transfer,
    /// A browser that approves a device.
    Device,
    /// The password grant.
    Password,
    /// The exchange of an offline refresh token, for a session transfer token too.
    Refresh,
    /// The exchange of an online refresh token.
    OnlineRefresh,
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Login, Self::Transfer, Self::Device, Self::Password, Self::Refresh, Self::OnlineRefresh];

    /// Its name in the table of the dialect.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Transfer => "transfer",
            Self::Device => "device",
            Self::Password => "password",
            Self::Refresh => "refresh",
            Self::OnlineRefresh => "online-refresh",
        }
    }

    /// What it is, after "in".
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Login => "a login in the browser",
            Self::Transfer => "the redemption of a session transfer token",
            Self::Device => "the approval of a device",
            Self::Password => "the password grant",
            Self::Refresh => "the exchange of an offline refresh token",
            Self::OnlineRefresh => "the exchange of an online refresh token",
        }
    }

    /// Its `event.transaction.protocol` here.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Login | Self::Transfer => "oidc-basic-profile",
            Self::Device => "oauth2-device-code",
            Self::Password => "oauth2-password",
            Self::Refresh | Self::OnlineRefresh => "oauth2-refresh-token",
        }
    }

    /// The flow that an event is of; `None` for one that this server does not have.
    #[must_use]
    pub fn of(event: &Value) -> Option<Self> {
        let has = |name: &str| event.get(name).is_some_and(|value| !value.is_null());
        match event["transaction"]["protocol"].as_str()? {
            "oidc-basic-profile" if has("session_transfer_token") => Some(Self::Transfer),
            "oidc-basic-profile" => Some(Self::Login),
            "oauth2-device-code" => Some(Self::Device),
            "oauth2-password" => Some(Self::Password),
            "oauth2-refresh-token" if has("session") => Some(Self::OnlineRefresh),
            "oauth2-refresh-token" => Some(Self::Refresh),
            _ => None,
        }
    }
}
