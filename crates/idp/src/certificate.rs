//! Certificates of signing keys, for whoever cannot read a JWKS. They are made when they are asked for: all that is in one
//! comes from the key, so that it is the same each time.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData};
use der::asn1::{ObjectIdentifier, SetOfVec};
use der::{Any, Decode, Encode};
use model::{SigningKey, TenantId};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rcgen::{DnValue, date_time_ymd};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::ServerError;

/// `id-data` and `id-signedData` (RFC 5652 §4, §5.1).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// A certificate in the forms that the Management API shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// PEM (RFC 7468 §5).
    pub pem: String,
    /// The same in a PKCS #7 bundle of certificates (RFC 7468 §8).
    pub pkcs7: String,
    /// SHA-1 of it in hexadecimal capitals.
    pub thumbprint: String,
}

impl Certificate {
    /// The thumbprint with a colon between two bytes.
    pub(crate) fn fingerprint(&self) -> String {
        let bytes: Vec<&str> =
            (0..self.thumbprint.len()).step_by(2).filter_map(|at| self.thumbprint.get(at..at + 2)).collect();
        bytes.join(":")
    }
}

/// The certificate of a key, signed by itself, in the name of its tenant.
///
/// # Errors
/// [`ServerError::Crypto`].
pub(crate) fn of_key(
    tenant: &TenantId,
    key: &SigningKey,
    private_key: &[u8],
) -> Result<Certificate, ServerError> {
    let failed = |error: &dyn std::fmt::Display| {
        ServerError::Crypto(format!("the certificate of key {}: {error}", key.kid))
    };
    let pair =
        KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(private_key), &PKCS_RSA_SHA256)
            .map_err(|error| failed(&error))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(tenant.to_string()));
    let hash = digest(&SHA256, key.kid.as_bytes());
    let mut serial = hash.as_ref().get(..16).unwrap_or_default().to_vec();
    // Positive, and without a leading zero (RFC 5280 §4.1.2.2).
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from(serial));
    // The key's own end is that it leaves the JWKS, which no certificate knows beforehand.
    params.not_before = date_time_ymd(1970, 1, 1)
        + std::time::Duration::from_secs(u64::try_from(key.created_at.as_secs()).unwrap_or(0));
    params.not_after = date_time_ymd(9999, 12, 31);
    let der = params.self_signed(&pair).map_err(|error| failed(&error))?.der().to_vec();
    Ok(Certificate {
        pem: pem("CERTIFICATE", &der),
        pkcs7: pem("PKCS7", &bundle(&der).map_err(|error| failed(&error))?),
        thumbprint: digest(&SHA1_FOR_LEGACY_USE_ONLY, &der)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect(),
    })
}

/// Signed data without data and signatures: certificates alone (RFC 5652 §5.1).
fn bundle(certificate: &[u8]) -> Result<Vec<u8>, der::Error> {
    let certificate = x509_cert::Certificate::from_der(certificate)?;
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo { econtent_type: DATA, econtent: None },
        certificates: Some(SetOfVec::try_from(vec![CertificateChoices::Certificate(certificate)])?.into()),
        crls: None,
        signer_infos: SetOfVec::new().into(),
    };
    ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? }.to_der()
}

/// With lines of 64 characters (RFC 7468 §2).
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).filter_map(|at| text.get(at..(at + 64).min(text.len()))).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use model::{SigningKeyState, Timestamp};

    use super::*;

    fn der_of(pem: &str) -> Vec<u8> {
        let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(lines).unwrap()
    }

    #[test]
    fn a_certificate_is_of_its_key_signed_with_it_the_same_each_time_and_alone_in_its_bundle() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = SigningKey {
            kid: "a-kid".to_owned(),
            state: SigningKeyState::Current,
            sealed_private_key: String::new(),
            modulus: String::new(),
            exponent: String::new(),
            created_at: Timestamp::from_ms(1_700_000_000_000),
            current_since: None,
            current_until: None,
            revoked_at: None,
        };
        let tenant = TenantId::new("acme");
        let made = of_key(&tenant, &key, private.as_ref()).unwrap();
        assert_eq!(of_key(&tenant, &key, private.as_ref()).unwrap(), made);
        assert_eq!(made.fingerprint().split(':').count(), 20);
        let certificate = x509_cert::Certificate::from_der(&der_of(&made.pem)).unwrap();
        let tbs = &certificate.tbs_certificate;
        assert_eq!(tbs.subject.to_string(), "CN=acme");
        assert_eq!(tbs.issuer, tbs.subject);
        assert_eq!(tbs.validity.not_before.to_unix_duration().as_secs(), 1_700_000_000);
        let public = tbs.subject_public_key_info.subject_public_key.raw_bytes();
        assert_eq!(public, pair.public_key().as_ref());
        let signed = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        signed.verify(&tbs.to_der().unwrap(), certificate.signature.raw_bytes()).unwrap();

        let bundle = ContentInfo::from_der(&der_of(&made.pkcs7)).unwrap();
        let bundle: SignedData = bundle.content.decode_as().unwrap();
        let inside: Vec<_> = bundle.certificates.unwrap().0.into_vec();
        assert_eq!(inside, [CertificateChoices::Certificate(certificate)]);
        assert_eq!(bundle.signer_infos.0.len(), 0);
    }
}
