//! What C calls the capabilities by: a header and its source, made of the WIT package when a folder is made.

use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;
use wit_parser::Resolve;

const WORLD: &str = "post-login";

/// The files of the folder `bindings`, by their names. One of them is an object file, which says to the linker what the
/// module is to become.
///
/// # Errors
/// The package cannot be read: it and wit-bindgen do not fit.
pub fn c_bindings() -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut resolve = Resolve::default();
    let text = |error: &dyn std::fmt::Display| format!("the bindings of C: {error:#}");
    let package = resolve.push_str("post-login.wit", action_build::WIT).map_err(|error| text(&error))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| text(&error))?;
    let mut files = Files::default();
    Opts::default().build().generate(&mut resolve, world, &mut files).map_err(|error| text(&error))?;
    Ok(files.iter().map(|(name, content)| (name.to_owned(), content.to_vec())).collect())
}
