//! Picture files to what an encoder takes.

use super::{BenchSetup, BenchWork, Timing, time};
use crate::{LabError, plan::preprocess::preprocess};
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use toolkit_core::Stream;
use toolkit_data::{Augment, Preprocess, decode, is_picture};
use toolkit_registry::Kind;
use toolkit_system::problem::Problem;

/// Pictures that are made up, and the side of the larger dimension of a photograph on the web.
const MADE_UP: usize = 32;

pub(super) fn data(setup: &BenchSetup<'_>) -> Result<Timing, LabError> {
    let mut preprocess: Preprocess =
        preprocess(&setup.registry.card(Kind::Vision, &setup.vision)?)?;
    preprocess.size = setup.size.unwrap_or(preprocess.size);
    let made = tempfile::tempdir().map_err(|e| LabError::io(Path::new("temporary folder"), &e))?;
    let files = match &setup.images {
        Some(folder) => pictures(folder)?,
        None => make(made.path())?,
    };
    let seconds = time(setup.rounds, || {
        let one = |(sample, file): (usize, &PathBuf)| {
            let draws = &mut Augment::draws(1, sample as u64, 0);
            let pixels = preprocess.apply_augmented(&decode(file)?, &setup.augment, draws);
            Ok(pixels.iter().sum::<f32>())
        };
        let all: Result<Vec<f32>, LabError> = files.par_iter().enumerate().map(one).collect();
        all.map(drop)
    })?;
    let side = preprocess.size;
    let of = format!("{} pictures to {side} x {side}", files.len());
    Ok(Timing::new(BenchWork::Data, of, seconds, files.len() as f64, "images"))
}

/// The picture files of a folder, by name.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let entries = std::fs::read_dir(folder).map_err(|e| LabError::io(folder, &e))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| is_picture(p)).collect();
    files.sort();
    if files.is_empty() {
        let hint = "give a folder with picture files";
        return Err(Problem::new(format_args!(
            "{}: no picture is in this folder",
            folder.display()
        ))
        .hint(hint)
        .into());
    }
    Ok(files)
}

/// Smooth colours with some noise, 640 x 480, quality 90: about as many bytes as a photograph.
fn make(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let one = |index: usize| {
        let mut stream = Stream::new(1, "bench/picture", index as u64);
        let waves: [f32; 6] = std::array::from_fn(|_| 0.005 + 0.03 * stream.unit() as f32);
        let picture = RgbImage::from_fn(640, 480, |x, y| {
            let noise = (stream.next_u64() & 15) as f32;
            Rgb(std::array::from_fn(|c| {
                let wave = libm::sinf(x as f32 * waves[c]) + libm::cosf(y as f32 * waves[c + 3]);
                (120.0 + 55.0 * wave + noise) as u8
            }))
        });
        let path = folder.join(format!("{index:03}.jpg"));
        let file = std::fs::File::create(&path).map_err(|e| LabError::io(&path, &e))?;
        JpegEncoder::new_with_quality(std::io::BufWriter::new(file), 90)
            .encode_image(&picture)
            .map_err(|e| {
                LabError::from(
                    Problem::new(format_args!("{}: {e}", path.display()))
                        .hint("see that the disk has room"),
                )
            })?;
        Ok(path)
    };
    (0..MADE_UP).map(one).collect()
}
