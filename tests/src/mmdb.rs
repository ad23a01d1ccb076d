//! A small file in MaxMind's format (the MaxMind DB File Format Specification 2.0), made of known addresses.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

const SEPARATOR: usize = 16;
// Types of values.
const TEXT: u8 = 2;
const DOUBLE: u8 = 3;
const U16: u8 = 5;
const U32: u8 = 6;
const MAP: u8 = 7;
const U64: u8 = 9;
const ARRAY: u8 = 11;

/// The file in which these addresses have these records.
pub fn file(database_type: &str, records: &[(Ipv4Addr, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    // Where each side of a node leads. A record's place is told apart from a node by its sign.
    let mut nodes: Vec<[Option<i64>; 2]> = vec![[None; 2]];
    for (address, record) in records {
        let place = -1 - i64::try_from(data.len()).unwrap();
        encode(record, &mut data);
        let mut node = 0;
        for bit in (0..32).rev() {
            let side = (u32::from(*address) >> bit & 1) as usize;
            if bit == 0 {
                nodes[node][side] = Some(place);
                break;
            }
            node = match nodes[node][side] {
                Some(next) => usize::try_from(next).unwrap(),
                None => {
                    nodes.push([None; 2]);
                    let made = nodes.len() - 1;
                    nodes[node][side] = Some(made as i64);
                    made
                }
            };
        }
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for side in nodes.iter().flatten() {
        let value = match side {
            None => count,
            Some(place) if *place < 0 => count + SEPARATOR + (-1 - place) as usize,
            Some(node) => *node as usize,
        };
        file.extend(u32::try_from(value).unwrap().to_be_bytes());
    }
    file.extend([0; SEPARATOR]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    control(MAP, 9, &mut file);
    for (name, kind, number) in [
        ("node_count", U32, count as u64),
        ("record_size", U16, 32),
        ("ip_version", U16, 4),
        ("binary_format_major_version", U16, 2),
        ("binary_format_minor_version", U16, 0),
        ("build_epoch", U64, 1_700_000_000),
    ] {
        encode(&json!(name), &mut file);
        unsigned(kind, number, &mut file);
    }
    for (name, value) in [
        ("database_type", json!(database_type)),
        ("languages", json!(["en"])),
        ("description", json!({ "en": "A test" })),
    ] {
        encode(&json!(name), &mut file);
        encode(&value, &mut file);
    }
    file
}

/// The record of a place in a City file.
pub fn city(place: (&str, &str, &str), at: (f64, f64), subdivision: (&str, &str), time_zone: &str) -> Value {
    let (city, country_code, country) = place;
    json!({
        "city": { "names": { "en": city, "de": "Stadt" } },
        "continent": { "code": "EU", "names": { "en": "Europe" } },
        "country": { "iso_code": country_code, "names": { "en": country } },
        "location": { "latitude": at.0, "longitude": at.1, "time_zone": time_zone },
        "subdivisions": [{ "iso_code": subdivision.0, "names": { "en": subdivision.1 } }],
    })
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            control(MAP, map.len(), out);
            for (key, value) in map {
                encode(&json!(key), out);
                encode(value, out);
            }
        }
        Value::Array(list) => {
            control(ARRAY, list.len(), out);
            list.iter().for_each(|value| encode(value, out));
        }
        Value::String(text) => {
            control(TEXT, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Number(number) => match number.as_u64() {
            Some(whole) => unsigned(U32, whole, out),
            None => {
                control(DOUBLE, 8, out);
                out.extend(number.as_f64().unwrap().to_be_bytes());
            }
        },
        other => panic!("no such value in these files: {other}"),
    }
}

/// A whole number, in as many bytes as its type has.
fn unsigned(kind: u8, number: u64, out: &mut Vec<u8>) {
    let size = match kind {
        U16 => 2,
        U32 => 4,
        _ => 8,
    };
    control(kind, size, out);
    out.extend(&number.to_be_bytes()[8 - size..]);
}

/// The type and the size, which are short here.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let short = u8::try_from(size).ok().filter(|size| *size < 29).expect("a short value");
    match kind {
        1..=MAP => out.push(kind << 5 | short),
        _ => out.extend([short, kind - MAP]),
    }
}
