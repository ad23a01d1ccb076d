//! Pure functions of the host that the prelude calls (`host.call(name, ...inputs)` in `actions/js-engine/prelude/`).
//!
//! Each is a function of its inputs alone: no clock, no randomness, nothing of the machine. So a run that calls them needs
//! no record of what they answered. What they cost is charged as fuel, before ([`price`]) and by what they answer, and that
//! is their limit: they do not count as host calls.

mod cipher;
mod date;
mod der;
mod digest;
mod key;
mod number;
mod random;
mod text;
mod url;

pub(crate) use random::Randomness;

/// The most bytes that all inputs, and the answer, of a call may have.
const MAX_BYTES: usize = 16 << 20;
/// Fuel of any call.
const BASE_PRICE: u64 = 1_000;
/// Fuel for a round of a key derivation: two hashes.
const PRICE_OF_ROUND: u64 = 1_000;

/// What a call gets: bytes, or text as UTF-8; `None` for `undefined`.
pub(crate) struct Inputs<'a>(pub(crate) [Option<&'a [u8]>; 8]);

/// What a call answers. The shim has the kind of each (`enum answer_kind`).
enum Output {
    /// A string.
    Text(String),
    /// A `Uint8Array`.
    Bytes(Vec<u8>),
}

/// A text for the author: the function throws.
type Result<T, E = String> = std::result::Result<T, E>;

/// What `call` answers, as the shim numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text of an error.
    Error = 0,
    /// A string.
    Text = 1,
    /// A `Uint8Array`.
    Bytes = 2,
}

/// Fuel of a call, without what its answer costs.
pub(crate) fn price(name: &str, inputs: &Inputs<'_>) -> u64 {
    let bytes: usize = inputs.0.iter().flatten().map(|input| input.len()).sum();
    let work = match name {
        "pbkdf2" => digest::rounds(inputs).saturating_mul(PRICE_OF_ROUND),
        // Measured: about a nanosecond for each.
        "sign" => 2_000_000,
        "verify" => 200_000,
        "key" => 500_000,
        "format_date" | "format_number" => 50_000,
        "parse_url" | "set_url" | "url_parts" => 2_000,
        _ => 0,
    };
    BASE_PRICE.saturating_add(work).saturating_add(bytes as u64)
}

/// Calls a function.
pub(crate) fn call(name: &str, inputs: &Inputs<'_>) -> (Kind, Vec<u8>) {
    let bytes: usize = inputs.0.iter().flatten().map(|input| input.len()).sum();
    let answer =
        if bytes > MAX_BYTES { Err(format!("more than {MAX_BYTES} bytes")) } else { dispatch(name, inputs) };
    match answer {
        Ok(Output::Text(text)) if text.len() <= MAX_BYTES => (Kind::Text, text.into_bytes()),
        Ok(Output::Bytes(bytes)) if bytes.len() <= MAX_BYTES => (Kind::Bytes, bytes),
        Ok(_) => (Kind::Error, format!("an answer of more than {MAX_BYTES} bytes").into_bytes()),
        Err(message) => (Kind::Error, message.into_bytes()),
    }
}

fn dispatch(name: &str, inputs: &Inputs<'_>) -> Result<Output> {
    match name {
        "encode_utf8" => Ok(Output::Bytes(inputs.lossy(0).into_owned().into_bytes())),
        "decode" => text::decode(inputs).map(Output::Text),
        "parse_url" => url::parse(inputs).map(Output::Text),
        "set_url" => url::set(inputs).map(Output::Text),
        "url_parts" => url::parts(inputs).map(Output::Text),
        "parse_form" => url::parse_form(inputs).map(Output::Text),
        "digest" => digest::digest(inputs).map(Output::Bytes),
        "hmac" => digest::hmac(inputs).map(Output::Bytes),
        "pbkdf2" => digest::pbkdf2(inputs).map(Output::Bytes),
        "hkdf" => digest::hkdf(inputs).map(Output::Bytes),
        "cipher" => cipher::cipher(inputs).map(Output::Bytes),
        "key" => key::read(inputs).map(Output::Text),
        "sign" => key::sign(inputs).map(Output::Bytes),
        "verify" => key::verify(inputs).map(Output::Text),
        "format_date" => date::format(inputs).map(Output::Text),
        "time_zone" => date::time_zone(inputs).map(Output::Text),
        "format_number" => number::format(inputs).map(Output::Text),
        _ => Err(format!("no function {name}")),
    }
}

impl Inputs<'_> {
    fn bytes(&self, at: usize) -> &[u8] {
        self.0.get(at).copied().flatten().unwrap_or_default()
    }

    fn given(&self, at: usize) -> bool {
        self.0.get(at).is_some_and(Option::is_some)
    }

    /// Text. What is no UTF-8 becomes U+FFFD.
    fn lossy(&self, at: usize) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(at))
    }

    fn text(&self, at: usize) -> Result<&str> {
        std::str::from_utf8(self.bytes(at)).map_err(|_| "the text is not well-formed".into())
    }

    fn number(&self, at: usize) -> Result<u32> {
        self.text(at)?.parse().map_err(|_| "a whole number is needed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls a function on texts.
    pub(super) fn called(name: &str, given: &[&[u8]]) -> Result<Vec<u8>> {
        let mut inputs = [None; 8];
        for (input, bytes) in inputs.iter_mut().zip(given) {
            *input = Some(*bytes);
        }
        match call(name, &Inputs(inputs)) {
            (Kind::Error, message) => Err(String::from_utf8_lossy(&message).into_owned()),
            (_, bytes) => Ok(bytes),
        }
    }

    #[test]
    fn what_no_function_can_take_is_an_error_and_no_panic() {
        let names = [
            "encode_utf8",
            "decode",
            "parse_url",
            "set_url",
            "url_parts",
            "parse_form",
            "digest",
            "hmac",
            "pbkdf2",
            "hkdf",
            "cipher",
            "key",
            "sign",
            "verify",
            "format_date",
            "time_zone",
            "format_number",
            "none",
        ];
        for name in names {
            for input in [&b""[..], b"\xff\xfe", b"0", b"-1", b"{}", b"[1]", b"sha256", b"pkcs8"] {
                for count in 0..=8 {
                    let _ = called(name, &vec![input; count]);
                }
            }
        }
        assert!(called("none", &[]).is_err());
        assert!(called("encode_utf8", &[&vec![b'a'; MAX_BYTES + 1]]).is_err());
    }

    #[test]
    fn a_key_derivation_costs_by_its_rounds() {
        let of = |rounds: &[u8]| {
            price(
                "pbkdf2",
                &Inputs([
                    Some(b"sha256"),
                    Some(b"p"),
                    Some(b"s"),
                    Some(rounds),
                    Some(b"32"),
                    None,
                    None,
                    None,
                ]),
            )
        };
        assert!(of(b"100000") > of(b"1") + 90_000_000);
        assert!(
            of(b"99999999999999") >= u64::MAX / 4
                || called("pbkdf2", &[b"sha256", b"p", b"s", b"99999999999999", b"32"]).is_err()
        );
    }
}
