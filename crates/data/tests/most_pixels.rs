//! The limit in pixels. It holds for the whole process, so this test has one to itself.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;
use toolkit_data::{decode, most_pixels, set_most_pixels};

#[test]
fn the_limit_can_be_set_and_is_told() {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/plain.png"].iter().collect();
    let picture = decode(&file).unwrap();
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    assert_eq!(most_pixels(), 200_000_000);
    set_most_pixels(pixels - 1);
    let error = decode(&file).unwrap_err().to_string();
    let said = format!(
        "{} x {} pixels are more than the limit of {}; hint: `--most-pixels {pixels}` reads it",
        picture.width(),
        picture.height(),
        pixels - 1
    );
    assert!(error.contains(&said), "{error}");
    set_most_pixels(pixels);
    assert!(decode(&file).is_ok());
    set_most_pixels(0);
    assert_eq!(most_pixels(), 200_000_000);
}
