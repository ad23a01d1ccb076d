//! Text from bytes (WHATWG Encoding). Of the encodings there are UTF-8, UTF-16LE and windows-1252, which is what `latin1`
//! and `ascii` mean there.

use super::{Inputs, Result};

/// What bytes 0x80 to 0x9f are in windows-1252.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// `decode(bytes, encoding, fatal)`: an error where `fatal` is given and the bytes are not of the encoding.
pub(super) fn decode(inputs: &Inputs<'_>) -> Result<String> {
    let (bytes, fatal) = (inputs.bytes(0), inputs.given(2));
    let wrong = || Err("The encoded data was not valid".to_owned());
    match inputs.text(1)? {
        "utf-8" => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) if fatal => wrong(),
            Err(_) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        },
        "utf-16le" => {
            let (pairs, odd) = bytes.as_chunks::<2>();
            let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
            let mut text = String::with_capacity(bytes.len());
            for character in char::decode_utf16(units) {
                match character {
                    Ok(character) => text.push(character),
                    Err(_) if fatal => return wrong(),
                    Err(_) => text.push(char::REPLACEMENT_CHARACTER),
                }
            }
            match odd.is_empty() {
                true => Ok(text),
                false if fatal => wrong(),
                false => Ok(text + "\u{fffd}"),
            }
        }
        "windows-1252" => Ok(bytes
            .iter()
            .map(|byte| match byte {
                0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
                _ => char::from(*byte),
            })
            .collect()),
        encoding => Err(format!("no encoding {encoding}")),
    }
}
