//! Times what stands between picture files and an encoder, for `benches/peers/images.py`:
//! `cargo run -p toolkit-data --example encoder_pixels -- FOLDER [TIMES] [THREADS]` reads, decodes, resizes to
//! 224 x 224 and normalises every picture of the folder, TIMES times over, and prints seconds for one pass and the
//! SHA-256 of all resized pixels.

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toolkit_data::{DataError, Preprocess, decode, resize};

const SIDE: usize = 224;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = args.first().ok_or("the first argument is a folder of pictures")?;
    let times: usize = args.get(1).map_or(Ok(10), |arg| arg.parse())?;
    let threads = args.get(2).map_or(Ok(2), |arg| arg.parse())?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.sort();

    let mut hash = Sha256::new();
    for file in &files {
        let picture = decode(file)?;
        let from = (picture.width() as usize, picture.height() as usize);
        hash.update(resize::<3>(&picture, from, (SIDE, SIDE)));
    }
    let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();

    let preprocess = Preprocess {
        size: SIDE as u32,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
    };
    let one = |file: &Path| -> Result<f32, DataError> { Ok(black_box(preprocess.apply(&decode(file)?))[0]) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let all: Vec<&PathBuf> = files.iter().cycle().take(files.len() * times).collect();
    let start = Instant::now();
    pool.install(|| all.par_iter().try_for_each(|file| one(file).map(drop)))?;
    let seconds = start.elapsed().as_secs_f64() / times as f64;
    std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("{{\"seconds\": {seconds}, \"pictures\": {}, \"sha256\": \"{sha256}\"}}\n", files.len()).as_bytes(),
    )?;
    Ok(())
}
