//! Section 3: `api.samlResponse` checks and records. The server then says that it had no effect: there is no SAML.

use super::{answers, refuses};

#[test]
fn s3_api_saml_response_set_attribute() {
    answers(
        "samlResponse.setAttribute('a', ['x', 1, true])",
        "api",
        r#"{"setting":"setAttribute","value":{"attribute":"a","value":["x",1,true]}}"#,
    );
    answers(
        "samlResponse.setAttribute('a')",
        "api",
        r#"{"setting":"setAttribute","value":{"attribute":"a","value":null}}"#,
    );
    refuses(
        "samlResponse.setAttribute('a', { b: 1 })",
        "TypeError: api.samlResponse.setAttribute: `value` must be",
    );
    for value in ["'x'", "1.5", "true", "[]"] {
        let recorded = format!(
            r#"{{"setting":"setAttribute","value":{{"attribute":"a","value":{}}}}}"#,
            value.replace('\'', "\"")
        );
        answers(&format!("samlResponse.setAttribute('a', {value})"), "api", &recorded);
    }
    for bad in ["NaN", "[[1]]", "[null]"] {
        refuses(
            &format!("samlResponse.setAttribute('a', {bad})"),
            "TypeError: api.samlResponse.setAttribute: `value` must be",
        );
    }
}

#[test]
fn s3_api_saml_response_set_audience() {
    answers("samlResponse.setAudience('a')", "api", r#"{"setting":"setAudience","value":"a"}"#);
    refuses(
        "samlResponse.setAudience(1)",
        "TypeError: api.samlResponse.setAudience: `value` must be a string",
    );
    refuses(
        "samlResponse.setAudience('a'.repeat(2049))",
        "Error: api.samlResponse.setAudience: `value` must have at most 2048",
    );
}

#[test]
fn s3_api_saml_response_set_recipient() {
    answers("samlResponse.setRecipient('a')", "api", r#"{"setting":"setRecipient","value":"a"}"#);
    refuses(
        "samlResponse.setRecipient(1)",
        "TypeError: api.samlResponse.setRecipient: `value` must be a string",
    );
    refuses(
        "samlResponse.setRecipient('a'.repeat(2049))",
        "Error: api.samlResponse.setRecipient: `value` must have at most 2048",
    );
}

#[test]
fn s3_api_saml_response_set_destination() {
    answers("samlResponse.setDestination('a')", "api", r#"{"setting":"setDestination","value":"a"}"#);
    refuses(
        "samlResponse.setDestination(1)",
        "TypeError: api.samlResponse.setDestination: `value` must be a string",
    );
    refuses(
        "samlResponse.setDestination('a'.repeat(2049))",
        "Error: api.samlResponse.setDestination: `value` must have at most 2048",
    );
}

#[test]
fn s3_api_saml_response_set_issuer() {
    answers("samlResponse.setIssuer('a')", "api", r#"{"setting":"setIssuer","value":"a"}"#);
    refuses("samlResponse.setIssuer(1)", "TypeError: api.samlResponse.setIssuer: `value` must be a string");
    refuses(
        "samlResponse.setIssuer('a'.repeat(513))",
        "Error: api.samlResponse.setIssuer: `value` must have at most 512",
    );
}

#[test]
fn s3_api_saml_response_set_relay_state() {
    answers("samlResponse.setRelayState('a')", "api", r#"{"setting":"setRelayState","value":"a"}"#);
    refuses(
        "samlResponse.setRelayState(1)",
        "TypeError: api.samlResponse.setRelayState: `value` must be a string",
    );
    refuses(
        "samlResponse.setRelayState('a'.repeat(513))",
        "Error: api.samlResponse.setRelayState: `value` must have at most 512",
    );
}

#[test]
fn s3_api_saml_response_set_create_upn_claim() {
    answers("samlResponse.setCreateUpnClaim(true)", "api", r#"{"setting":"setCreateUpnClaim","value":true}"#);
    refuses(
        "samlResponse.setCreateUpnClaim('yes')",
        "TypeError: api.samlResponse.setCreateUpnClaim: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_passthrough_claims_with_no_mapping() {
    answers(
        "samlResponse.setPassthroughClaimsWithNoMapping(true)",
        "api",
        r#"{"setting":"setPassthroughClaimsWithNoMapping","value":true}"#,
    );
    refuses(
        "samlResponse.setPassthroughClaimsWithNoMapping('yes')",
        "TypeError: api.samlResponse.setPassthroughClaimsWithNoMapping: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_map_unknown_claims_as_is() {
    answers(
        "samlResponse.setMapUnknownClaimsAsIs(true)",
        "api",
        r#"{"setting":"setMapUnknownClaimsAsIs","value":true}"#,
    );
    refuses(
        "samlResponse.setMapUnknownClaimsAsIs('yes')",
        "TypeError: api.samlResponse.setMapUnknownClaimsAsIs: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_map_identities() {
    answers("samlResponse.setMapIdentities(false)", "api", r#"{"setting":"setMapIdentities","value":false}"#);
    refuses(
        "samlResponse.setMapIdentities('yes')",
        "TypeError: api.samlResponse.setMapIdentities: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_signature_algorithm() {
    answers(
        "samlResponse.setSignatureAlgorithm('rsa-sha256')",
        "api",
        r#"{"setting":"setSignatureAlgorithm","value":"rsa-sha256"}"#,
    );
    answers(
        "samlResponse.setSignatureAlgorithm('rsa-sha1')",
        "api",
        r#"{"setting":"setSignatureAlgorithm","value":"rsa-sha1"}"#,
    );
    refuses(
        "samlResponse.setSignatureAlgorithm('md5')",
        "Error: api.samlResponse.setSignatureAlgorithm: `value` must be one of",
    );
}

#[test]
fn s3_api_saml_response_set_digest_algorithm() {
    answers(
        "samlResponse.setDigestAlgorithm('sha1')",
        "api",
        r#"{"setting":"setDigestAlgorithm","value":"sha1"}"#,
    );
    answers(
        "samlResponse.setDigestAlgorithm('sha256')",
        "api",
        r#"{"setting":"setDigestAlgorithm","value":"sha256"}"#,
    );
    refuses(
        "samlResponse.setDigestAlgorithm('md5')",
        "Error: api.samlResponse.setDigestAlgorithm: `value` must be one of",
    );
}

#[test]
fn s3_api_saml_response_set_encryption_algorithm() {
    answers(
        "samlResponse.setEncryptionAlgorithm('aes256-gcm')",
        "api",
        r#"{"setting":"setEncryptionAlgorithm","value":"aes256-gcm"}"#,
    );
    answers(
        "samlResponse.setEncryptionAlgorithm('aes256-cbc')",
        "api",
        r#"{"setting":"setEncryptionAlgorithm","value":"aes256-cbc"}"#,
    );
    refuses(
        "samlResponse.setEncryptionAlgorithm('md5')",
        "Error: api.samlResponse.setEncryptionAlgorithm: `value` must be one of",
    );
}

#[test]
fn s3_api_saml_response_set_lifetime_in_seconds() {
    answers(
        "samlResponse.setLifetimeInSeconds(60)",
        "api",
        r#"{"setting":"setLifetimeInSeconds","value":60}"#,
    );
    refuses(
        "samlResponse.setLifetimeInSeconds('1')",
        "TypeError: api.samlResponse.setLifetimeInSeconds: `seconds` must be",
    );
    refuses(
        "samlResponse.setLifetimeInSeconds(Infinity)",
        "TypeError: api.samlResponse.setLifetimeInSeconds: `seconds` must be a finite number",
    );
}

#[test]
fn s3_api_saml_response_set_sign_response() {
    answers("samlResponse.setSignResponse(true)", "api", r#"{"setting":"setSignResponse","value":true}"#);
    refuses(
        "samlResponse.setSignResponse('yes')",
        "TypeError: api.samlResponse.setSignResponse: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_name_identifier_format() {
    answers(
        "samlResponse.setNameIdentifierFormat()",
        "api",
        r#"{"setting":"setNameIdentifierFormat","value":null}"#,
    );
    answers(
        "samlResponse.setNameIdentifierFormat('a')",
        "api",
        r#"{"setting":"setNameIdentifierFormat","value":"a"}"#,
    );
    refuses(
        "samlResponse.setNameIdentifierFormat('a'.repeat(513))",
        "Error: api.samlResponse.setNameIdentifierFormat: `format` must have at most 512",
    );
}

#[test]
fn s3_api_saml_response_set_name_identifier_probes() {
    answers(
        "samlResponse.setNameIdentifierProbes(['a'])",
        "api",
        r#"{"setting":"setNameIdentifierProbes","value":["a"]}"#,
    );
    refuses(
        "samlResponse.setNameIdentifierProbes(Array(11).fill('a'))",
        "Error: api.samlResponse.setNameIdentifierProbes: there may be at most 10",
    );
    refuses(
        "samlResponse.setNameIdentifierProbes('a')",
        "TypeError: api.samlResponse.setNameIdentifierProbes: `probes` must be an array",
    );
    refuses(
        "samlResponse.setNameIdentifierProbes(['a'.repeat(513)])",
        "Error: api.samlResponse.setNameIdentifierProbes: `probes[0]` must have at most 512",
    );
}

#[test]
fn s3_api_saml_response_set_authn_context_class_ref() {
    answers(
        "samlResponse.setAuthnContextClassRef('a')",
        "api",
        r#"{"setting":"setAuthnContextClassRef","value":"a"}"#,
    );
    refuses(
        "samlResponse.setAuthnContextClassRef(1)",
        "TypeError: api.samlResponse.setAuthnContextClassRef: `value` must be a string",
    );
    refuses(
        "samlResponse.setAuthnContextClassRef('a'.repeat(513))",
        "Error: api.samlResponse.setAuthnContextClassRef: `value` must have at most 512",
    );
}

#[test]
fn s3_api_saml_response_set_signing_cert() {
    answers("samlResponse.setSigningCert('a')", "api", r#"{"setting":"setSigningCert","value":"a"}"#);
    refuses(
        "samlResponse.setSigningCert(1)",
        "TypeError: api.samlResponse.setSigningCert: `value` must be a string",
    );
    refuses(
        "samlResponse.setSigningCert('a'.repeat(4097))",
        "Error: api.samlResponse.setSigningCert: `value` must have at most 4096",
    );
}

#[test]
fn s3_api_saml_response_set_include_attribute_name_format() {
    answers(
        "samlResponse.setIncludeAttributeNameFormat(true)",
        "api",
        r#"{"setting":"setIncludeAttributeNameFormat","value":true}"#,
    );
    refuses(
        "samlResponse.setIncludeAttributeNameFormat('yes')",
        "TypeError: api.samlResponse.setIncludeAttributeNameFormat: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_typed_attributes() {
    answers(
        "samlResponse.setTypedAttributes(true)",
        "api",
        r#"{"setting":"setTypedAttributes","value":true}"#,
    );
    refuses(
        "samlResponse.setTypedAttributes('yes')",
        "TypeError: api.samlResponse.setTypedAttributes: `value` must be a boolean",
    );
}

#[test]
fn s3_api_saml_response_set_encryption_cert() {
    answers("samlResponse.setEncryptionCert('a')", "api", r#"{"setting":"setEncryptionCert","value":"a"}"#);
    refuses(
        "samlResponse.setEncryptionCert(1)",
        "TypeError: api.samlResponse.setEncryptionCert: `value` must be a string",
    );
    refuses(
        "samlResponse.setEncryptionCert('a'.repeat(4097))",
        "Error: api.samlResponse.setEncryptionCert: `value` must have at most 4096",
    );
}

#[test]
fn s3_api_saml_response_set_encryption_public_key() {
    answers(
        "samlResponse.setEncryptionPublicKey('a')",
        "api",
        r#"{"setting":"setEncryptionPublicKey","value":"a"}"#,
    );
    refuses(
        "samlResponse.setEncryptionPublicKey(1)",
        "TypeError: api.samlResponse.setEncryptionPublicKey: `value` must be a string",
    );
    refuses(
        "samlResponse.setEncryptionPublicKey('a'.repeat(4097))",
        "Error: api.samlResponse.setEncryptionPublicKey: `value` must have at most 4096",
    );
}

#[test]
fn s3_api_saml_response_set_cert() {
    answers("samlResponse.setCert('a')", "api", r#"{"setting":"setCert","value":"a"}"#);
    refuses("samlResponse.setCert(1)", "TypeError: api.samlResponse.setCert: `value` must be a string");
    refuses(
        "samlResponse.setCert('a'.repeat(4097))",
        "Error: api.samlResponse.setCert: `value` must have at most 4096",
    );
}

#[test]
fn s3_api_saml_response_set_key() {
    answers("samlResponse.setKey('secret')", "api", r#"{"setting":"setKey","value":"(a key)"}"#);
    refuses("samlResponse.setKey(1)", "TypeError: api.samlResponse.setKey: `key` must be a string");
    refuses(
        "samlResponse.setKey('a'.repeat(4097))",
        "Error: api.samlResponse.setKey: `key` must have at most 4096",
    );
}
