//! Section 3.1: what `setExpiresAt` and `setIdleExpiresAt` take, of sessions and of refresh tokens.

use super::{answers, refuses};

/// The four methods, with the names of their arguments.
const METHODS: [(&str, &str); 4] = [
    ("session.setExpiresAt", "absolute"),
    ("session.setIdleExpiresAt", "inactivity"),
    ("refreshToken.setExpiresAt", "absolute"),
    ("refreshToken.setIdleExpiresAt", "inactivity"),
];

#[test]
fn s3_1_not_a_number_a_string_or_infinity() {
    for (method, argument) in METHODS {
        for value in ["'1900000000000'", "Infinity", "-Infinity", "new Date()", "[1]", "true", "1n"] {
            let thrown = format!("TypeError: api.{method}: `{argument}` must be a finite number");
            refuses(&format!("{method}({value})"), &thrown);
        }
    }
}

#[test]
fn s3_1_undefined_null_zero_nan_or_empty() {
    for (method, _) in METHODS {
        for value in ["", "undefined", "null", "0", "NaN", "''"] {
            refuses(&format!("{method}({value})"), &format!("Error: api.{method}: a value must be given"));
        }
    }
}

#[test]
fn s3_1_negative_number() {
    for (method, argument) in METHODS {
        answers(&format!("{method}(-1)"), "undefined", &format!(r#"{{"{argument}":-1.0}}"#));
        answers(&format!("{method}(-1.5)"), "undefined", &format!(r#"{{"{argument}":-1.5}}"#));
    }
}
