//! Components through the server, the templates of each language, and what `postern action inspect` says of them.

#[path = "../../../crates/action-build/tests/common/c_component.rs"]
#[allow(dead_code, reason = "only whole components are built here")]
mod c_component;

mod c;
mod inspect;
mod logins;
mod python;
mod rust;
mod template;

use std::path::Path;

use action_build::Source;

/// The component made of a file in `guests/`.
pub(crate) fn guest(name: &str) -> Source {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/components/guests").join(name);
    Source::component("action.wasm", c_component::build(&file))
}
