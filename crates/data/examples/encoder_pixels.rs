//! Hashes the pixels that an encoder gets from picture files, for `benches/peers/pixels.py`.
//!
//! `cargo run -p toolkit-data --example encoder_pixels -- FOLDER` reads, decodes and resizes every
//! picture of the folder to 224 x 224 and prints the SHA-256 of all of them.

use sha2::{Digest, Sha256};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use toolkit_data::{decode, resize};

const SIDE: usize = 224;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the first argument is a folder of pictures")?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        let picture = decode(file)?;
        let from = (picture.width() as usize, picture.height() as usize);
        hash.update(resize::<3>(&picture, from, (SIDE, SIDE)));
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    std::io::stdout().write_all(format!("{digest}\n").as_bytes())?;
    Ok(())
}
