//! Opens a published checkpoint and captions a picture.
//!
//! `cargo run --example caption -- tests/fixtures/hub-opt tests/fixtures/hub-opt/small.png`
#![allow(clippy::print_stdout, reason = "an example")]

use burn::tensor::Device;
use toolkit::{Decoding, Loading, open};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, picture] = &arguments[..] else {
        return Err("give the folder of a checkpoint and a picture file".into());
    };
    // The encoder and the language model are frozen, on a device that records no gradients.
    let vlm = open(model, Loading::on(&Device::flex()))?;
    let picture = vlm.picture(picture)?;
    let captions = vlm.caption(&[picture], "", &Decoding::published_caption())?;
    for text in captions.iter().flatten() {
        println!("{}", text.text);
    }
    Ok(())
}
