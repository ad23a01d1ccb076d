//! Where two values differ, for people.

use serde_json::Value;

use super::same;

/// One text for each place where `actual` is not as `expected`; empty when there is none. What is expected to be absent may be
/// `null`: TOML cannot write it.
pub fn differences(place: &str, expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(place, expected, actual, &mut found);
    found
}

fn collect(place: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(there)) => {
            let missing = Value::Null;
            for (name, value) in wanted {
                collect(&format!("{place}.{name}"), value, there.get(name).unwrap_or(&missing), found);
            }
            for (name, value) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                collect(&format!("{place}.{name}"), &missing, value, found);
            }
        }
        // Lists of one length are compared entry by entry, others by which entries came and went.
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => {
            for (index, (wanted, there)) in wanted.iter().zip(there).enumerate() {
                collect(&format!("{place}[{index}]"), wanted, there, found);
            }
        }
        (Value::Array(wanted), Value::Array(there)) => found.push(list(place, wanted, there)),
        _ if same(expected, actual) => {}
        _ => found.push(format!("{place}\n  - {}\n  + {}", shown(expected), shown(actual))),
    }
}

/// The lists below one another, by a longest common part.
fn list(place: &str, wanted: &[Value], there: &[Value]) -> String {
    // `common[i][j]`: how long the common part of what follows is.
    let mut common = vec![vec![0_usize; there.len() + 1]; wanted.len() + 1];
    for (i, one) in wanted.iter().enumerate().rev() {
        for (j, other) in there.iter().enumerate().rev() {
            common[i][j] = if same(one, other) {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut text = place.to_owned();
    let (mut i, mut j) = (0, 0);
    while i < wanted.len() || j < there.len() {
        let (sign, value) = match (wanted.get(i), there.get(j)) {
            (Some(one), Some(other)) if same(one, other) => {
                (i, j) = (i + 1, j + 1);
                (' ', one)
            }
            (Some(one), other) if other.is_none() || common[i + 1][j] >= common[i][j + 1] => {
                i += 1;
                ('-', one)
            }
            (_, Some(other)) => {
                j += 1;
                ('+', other)
            }
            _ => break,
        };
        text += &format!("\n  {sign} {}", shown(value));
    }
    text
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named_by_its_place() {
        let expected = json!([{ "a": 1, "b": { "c": [1, 2] } }]);
        assert!(
            differences("x", &expected, &json!([{ "a": 1.0, "b": { "c": [1, 2] }, "d": null }])).is_empty()
        );
        let found = differences("x", &expected, &json!([{ "a": 2, "b": { "c": [1, 3] }, "d": true }]));
        assert_eq!(
            found,
            ["x[0].a\n  - 1\n  + 2", "x[0].b.c[1]\n  - 2\n  + 3", "x[0].d\n  - nothing\n  + true"]
        );
    }

    #[test]
    fn lists_of_other_lengths_show_what_came_and_went() {
        let found = differences("x", &json!([1, 2, 3]), &json!([1, 3, 4, 5]));
        assert_eq!(found, ["x\n    1\n  - 2\n    3\n  + 4\n  + 5"]);
        assert_eq!(differences("x", &json!([1]), &json!([])), ["x\n  - 1"]);
    }
}
