//! `include_dir!` notices changed files but not new ones; cargo watches the folder instead.

fn main() {
    println!("cargo::rerun-if-changed=../../registry");
}
