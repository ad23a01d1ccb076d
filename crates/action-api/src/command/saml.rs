use serde::{Deserialize, Serialize};

macro_rules! settings {
    ($($variant:ident = $name:literal,)*) => {
        /// The settings of `api.samlResponse`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is spelled as the dialect does")]
        pub enum SamlSetting {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl SamlSetting {
            /// The name of its method, after `api.`.
            #[must_use]
            pub fn method(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("samlResponse.", $name),)*
                }
            }
        }
    };
}

settings! {
    Attribute = "setAttribute",
    Audience = "setAudience",
    AuthnContextClassRef = "setAuthnContextClassRef",
    Cert = "setCert",
    CreateUpnClaim = "setCreateUpnClaim",
    Destination = "setDestination",
    DigestAlgorithm = "setDigestAlgorithm",
    EncryptionAlgorithm = "setEncryptionAlgorithm",
    EncryptionCert = "setEncryptionCert",
    EncryptionPublicKey = "setEncryptionPublicKey",
    IncludeAttributeNameFormat = "setIncludeAttributeNameFormat",
    Issuer = "setIssuer",
    Key = "setKey",
    LifetimeInSeconds = "setLifetimeInSeconds",
    MapIdentities = "setMapIdentities",
    MapUnknownClaimsAsIs = "setMapUnknownClaimsAsIs",
    NameIdentifierFormat = "setNameIdentifierFormat",
    NameIdentifierProbes = "setNameIdentifierProbes",
    PassthroughClaimsWithNoMapping = "setPassthroughClaimsWithNoMapping",
    Recipient = "setRecipient",
    RelayState = "setRelayState",
    SignResponse = "setSignResponse",
    SignatureAlgorithm = "setSignatureAlgorithm",
    SigningCert = "setSigningCert",
    TypedAttributes = "setTypedAttributes",
}
