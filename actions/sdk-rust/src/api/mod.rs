//! The capabilities.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "capabilities" });
}

mod ask;
mod decide;

pub use ask::*;
pub use decide::*;
