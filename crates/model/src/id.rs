//! One type for each kind of id, so that one cannot be given for another.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug,
            Clone,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            serde::Serialize,
            serde::Deserialize,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an id that came from the outside or the database.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A tenant's name, as `acme`: the first label of its host name.
    TenantId,
    /// An OAuth client (RFC 6749 §2.2).
    ClientId,
    /// A user, as `auth0|...`: the `sub` of tokens.
    UserId,
    /// A connection, as `con_...`.
    ConnectionId,
    /// A role, as `rol_...`.
    RoleId,
    /// An organization, as `org_...`.
    OrganizationId,
    /// A group of users, as `grp_...`.
    GroupId,
    /// A browser session: the `sid` of ID tokens.
    SessionId,
    /// A refresh token with all its rotations, as `rt_...`. Not the secret.
    RefreshTokenId,
    /// A login under way.
    PendingAuthorizationId,
    /// A second factor of a user, as `totp|dev_...`.
    AuthenticatorId,
    /// An Action: a UUID.
    ActionId,
    /// An `actions:` module: a UUID.
    ActionModuleId,
}
