//! A template that is added or changed is inside of the program at the next build.

fn main() {
    println!("cargo::rerun-if-changed=../../actions/templates");
}
