//! What an Action's author has besides the server: a folder with settings, events, and cases, and the server's own engine to run
//! them.

pub mod c_bindings;
pub mod case;
pub mod check;
pub mod coverage;
pub mod diff;
pub mod event;
pub mod formats;
pub mod frame;
pub mod hints;
pub mod project;
pub mod real_world;
pub mod runner;
pub mod script_cases;
pub mod show;
pub mod stand_ins;
pub mod suite;
pub mod template;
pub mod update;

use serde_json::Value;

/// Whether two values are the same for JSON, which has one kind of number.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|there| same(value, there)))
        }
        _ => one == other,
    }
}
