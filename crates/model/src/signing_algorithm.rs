use serde::{Deserialize, Serialize};

use crate::profile::values;

values! {
    /// How tokens are signed (RFC 7518 §3.1): `signing_alg` of an API, `jwt_configuration.alg` of a client.
    pub enum SigningAlgorithm("UPPERCASE") {
        Hs256,
        Rs256,
        Rs512,
        Ps256,
    }
}
