//! As much DER (ITU-T X.690) and PEM (RFC 7468) as telling keys apart needs. aws-lc reads the keys themselves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
/// A certificate's version.
const CONTEXT_0: u8 = 0xa0;

/// Reads one value after the other.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next value, with its header and without.
    fn next(&mut self, tag: u8) -> Option<(&'a [u8], &'a [u8])> {
        let (found, first) = (*self.0.first()?, *self.0.get(1)?);
        if found != tag {
            return None;
        }
        let (length, header) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let count = usize::from(first & 0x7f);
            let bytes = self.0.get(2..2 + count).filter(|bytes| (1..=4).contains(&bytes.len()))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + count)
        };
        let whole = self.0.get(..header.checked_add(length)?)?;
        self.0 = &self.0[whole.len()..];
        Some((whole, &whole[header..]))
    }

    /// What the next value holds, when it has this tag.
    pub(super) fn inside(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next(tag).map(|(_, inside)| inside)
    }

    /// A positive number without leading zeros.
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let bytes = self.inside(INTEGER)?;
        Some(&bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())..])
    }
}

/// The subject's public key in a certificate (RFC 5280 §4.1).
pub(super) fn key_of_certificate(der: &[u8]) -> Option<&[u8]> {
    let mut certificate = Reader(Reader(der).inside(SEQUENCE)?);
    let mut body = Reader(certificate.inside(SEQUENCE)?);
    let _version = body.next(CONTEXT_0);
    body.next(INTEGER)?;
    for _algorithm_issuer_validity_subject in 0..4 {
        body.next(SEQUENCE)?;
    }
    body.next(SEQUENCE).map(|(whole, _)| whole)
}

/// The first PEM block's label and content.
pub(super) fn pem(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    rest.strip_prefix(label)?.strip_prefix("-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    Some((label, STANDARD.decode(body).ok()?))
}
