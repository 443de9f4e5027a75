//! From picture files to what an encoder takes, in pieces and together.
//! `cargo bench --profile dev -p toolkit-data --bench images`; with `-- --write FOLDER` the JPEG
//! files are written there instead, for `benches/peers/pixels.py`.

use criterion::{Criterion, criterion_group};
use image::{ImageFormat, RgbImage};
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
use rayon::prelude::*;
use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;
use toolkit_data::{
    Augment, AugmentDraw, Operation, OperationName, Preprocess, decode_bytes, resize,
};

const SIZE: (u32, u32) = (640, 480);
const SIDE: usize = 224;

/// Noise between -1 and 1 that is smooth between whole places.
fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let at = |x: i32, y: i32| {
        let mut h =
            (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77) ^ seed;
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
        (h >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let (left, top) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - left), ease(y - top));
    let (left, top) = (left as i32, top as i32);
    let row = |y| at(left, y) * (1.0 - u) + at(left + 1, y) * u;
    row(top) * (1.0 - v) + row(top + 1) * v
}

/// A picture with about the spectrum of photographs: each octave of detail has a little less
/// contrast than the one before.
fn picture(seed: u32) -> RgbImage {
    let octaves = |x: u32, y: u32, seed: u32| -> f32 {
        (0..8)
            .map(|octave| {
                let size = (256 >> octave) as f32;
                noise(x as f32 / size, y as f32 / size, seed ^ (octave << 16))
                    * 12.0
                    * libm::powf(size, 0.25)
            })
            .sum()
    };
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let light = octaves(x, y, seed);
        image::Rgb([1, 2, 3].map(|c| {
            (128.0 + light + 0.4 * octaves(x, y, seed ^ (c << 24))).clamp(0.0, 255.0) as u8
        }))
    })
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    compress(picture, width, height, PixelFormat::Rgb, 90, Subsampling::S420).expect("encodes")
}

fn file(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    (0..16).try_for_each(|seed| {
        std::fs::write(folder.join(format!("{seed:02}.jpg")), jpeg(&picture(seed)))
    })
}

fn images(c: &mut Criterion) {
    let name = Path::new("picture");
    let pictures: Vec<RgbImage> = (0..16).map(picture).collect();
    let files: Vec<Vec<u8>> = pictures.iter().map(jpeg).collect();
    let (mean, std) =
        ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]);
    let preprocess = Preprocess::square(SIDE as u32, mean, std);
    let all = |bytes: &Vec<u8>| preprocess.apply(&decode_bytes(bytes, name).expect("decodes"));

    let mut at = 0;
    let mut next = || {
        at = (at + 1) % files.len();
        at
    };
    c.bench_function("images/decode jpeg", |b| {
        b.iter(|| decode_bytes(&files[next()], name).expect("decodes"))
    });
    // `image` writes lossless WebP only.
    for (label, format) in [("png", ImageFormat::Png), ("lossless webp", ImageFormat::WebP)] {
        let bytes = file(&pictures[0], format);
        c.bench_function(&format!("images/decode {label}"), |b| {
            b.iter(|| decode_bytes(black_box(&bytes), name).expect("decodes"))
        });
    }
    let from = (SIZE.0 as usize, SIZE.1 as usize);
    c.bench_function("images/resize", |b| {
        b.iter(|| resize::<3>(&pictures[next()], from, (SIDE, SIDE)))
    });
    let small =
        RgbImage::from_raw(SIDE as u32, SIDE as u32, resize::<3>(&pictures[0], from, (SIDE, SIDE)));
    let small = small.expect("fits");
    c.bench_function("images/normalise", |b| b.iter(|| preprocess.apply(black_box(&small))));
    c.bench_function("images/resize and normalise", |b| {
        b.iter(|| preprocess.apply(&pictures[next()]))
    });
    augment(c, &preprocess, &pictures);
    c.bench_function("images/all, 1 thread", |b| b.iter(|| all(&files[next()])));
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads start");
    c.bench_function("images/all, 16 pictures on 2 threads", |b| {
        b.iter(|| threads.install(|| files.par_iter().map(all).collect::<Vec<_>>()))
    });
}

/// A crop with a flip, and each operation that is not trivial, with normalisation.
fn augment(c: &mut Criterion, preprocess: &Preprocess, pictures: &[RgbImage]) {
    let settings = Augment::preset("blip2_image_train").expect("is a preset");
    let mut sample = 0;
    c.bench_function("images/crop, flip and normalise", |b| {
        b.iter(|| {
            sample += 1;
            let picture = &pictures[sample as usize % pictures.len()];
            preprocess.apply_augmented(picture, &settings, &mut Augment::draws(1, sample, 0))
        })
    });
    let size = (SIZE.0 as usize, SIZE.1 as usize);
    let small = resize::<3>(&pictures[0], size, (SIDE, SIDE));
    let small = RgbImage::from_raw(SIDE as u32, SIDE as u32, small).expect("fits");
    for name in OperationName::ALL {
        let operations = vec![Operation { name, level: 6, negative: false }];
        let drawn = AugmentDraw { operations, ..AugmentDraw::default() };
        c.bench_function(&format!("images/{name:?} and normalise"), |b| {
            b.iter(|| preprocess.apply_drawn(black_box(&small), &drawn))
        });
    }
}

criterion_group!(benches, images);

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--write") {
        return write(Path::new(args.get(at + 1).map_or(".", String::as_str)));
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    Ok(())
}
