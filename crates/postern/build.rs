//! A template that is added or changed is inside of the program at the next build.

fn main() {
    for folder in ["actions/templates", "actions/sdk-rust", "wit"] {
        println!("cargo::rerun-if-changed=../../{folder}");
    }
}
