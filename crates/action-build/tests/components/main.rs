//! x
#![allow(missing_docs)]
#[path = "../common/c_component.rs"]
mod c_component;
#[test]
fn dump() {
    c_component::dump(std::path::Path::new("/tmp/comp-tools/cbind"));
}
