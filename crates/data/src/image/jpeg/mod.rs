//! JPEG pixels to the byte as libjpeg-turbo decodes them, which Pillow and so every published
//! processor does; other decoders round the transform and the upsampling of colours differently.
//!
//! - [`segments`] and [`header`]: size, sampling and colours, read before anything is decoded.
//! - Crate `libjpeg-turbo-rs` undoes the entropy coding and the transform, and makes the pixels of
//!   common pictures: grey, and YCbCr with one of four samplings.
//! - [`ends`]: how it is made to notice that a file is cut off.
//! - [`scans`] and [`bits`]: sequential pictures that the crate does not read, in several scans or
//!   damaged.
//! - [`planes`] and [`colours`] make the pixels of all others, where the crate is wrong or panics
//!   (`docs/upstream.md`).

mod bits;
mod colours;
mod ends;
mod header;
mod planes;
mod scans;
mod segments;

use ends::with_marked_end;
use header::{Coding, Colour, Header};
use image::{DynamicImage, GrayImage, RgbImage};
use libjpeg_turbo_rs::{Decoder, JpegError, PixelFormat};
use planes::Plane;
use scans::Samples;
use segments::Segments;

/// Reads width and height from the frame header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    header::size(bytes)
}

/// Decodes to grey or RGB.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let header = Header::read(bytes)?;
    let (width, height) = (header.width, header.height);
    if header.scan_bytes as u64 * 8 < header.least_bits {
        return Err(format!(
            "the file is cut off: {} bytes cannot hold {width} x {height} pixels",
            bytes.len()
        ));
    }
    refuse_many_scans(bytes, &header)?;
    if is_common(&header) {
        match common(bytes, &header) {
            // A damaged file is read again, as libjpeg reads it.
            Err(_) if header.coding == Coding::Sequential => {}
            read => return read,
        }
    }
    let planes = samples(bytes, &header)?.into_iter().enumerate();
    let planes = planes.map(|(at, (samples, stride))| Plane::new(&header, at, samples, stride));
    let planes = planes.collect::<Result<Vec<_>, _>>()?;
    let fits = "pixels and size do not fit";
    Ok(match &planes[..] {
        [grey] => {
            let mut pixels = vec![0; width * height];
            pixels.chunks_exact_mut(width).enumerate().for_each(|(y, row)| grey.row(y, row));
            DynamicImage::ImageLuma8(
                GrayImage::from_raw(width as u32, height as u32, pixels).ok_or(fits)?,
            )
        }
        _ => {
            let pixels = to_rgb(&header, &planes)?;
            DynamicImage::ImageRgb8(
                RgbImage::from_raw(width as u32, height as u32, pixels).ok_or(fits)?,
            )
        }
    })
}

/// Refuses files whose scans would take minutes: each goes over the whole picture, however short it
/// is.
fn refuse_many_scans(bytes: &[u8], header: &Header) -> Result<(), String> {
    // Programs write 10 for three components and 18 for four.
    const USUAL: u64 = 24;
    // About ten seconds for the slowest kind of scan.
    const MOST_PIXELS: u64 = 2_000_000_000;
    // Counting is spared where few bytes hold few scans, and for small pictures: the crate stops at
    // 8,192 scans.
    const SHORTEST: u64 = 10;
    const UNCOUNTED: u64 = 4_096;
    let pixels = header.width as u64 * header.height as u64;
    let most = USUAL.max(MOST_PIXELS / pixels);
    let single =
        !header.several_scans && matches!(header.coding, Coding::Sequential | Coding::Arithmetic);
    if single || most >= UNCOUNTED || bytes.len() as u64 / SHORTEST <= most {
        return Ok(());
    }
    let (mut segments, mut scans) = (Segments::new(bytes), 0);
    while let Ok(Some((marker, _))) = segments.take() {
        scans += u64::from(marker == 0xda);
    }
    match scans <= most {
        true => Ok(()),
        false => Err(format!(
            "{} x {} pixels in {scans} scans, at most {most} are decoded at that size",
            header.width, header.height
        )),
    }
}

/// Undoes the coding and the transform.
fn samples(bytes: &[u8], header: &Header) -> Result<Vec<Samples>, String> {
    let decode = libjpeg_turbo_rs::decompress_raw;
    let raw = match header.coding {
        Coding::Sequential if header.several_scans => return scans::decode(bytes, header),
        Coding::Sequential => match with_marked_end(bytes, header, decode) {
            // A damaged file is read again, as libjpeg reads it.
            Err(_) => return scans::decode(bytes, header),
            read => read,
        },
        Coding::Progressive => with_marked_end(bytes, header, decode),
        _ if header.components.len() == 1 => {
            // The sampling of a single component has no meaning; the crate gives it one.
            let mut plain = bytes.to_vec();
            *plain.get_mut(header.frame_at + 7).ok_or("there is no component")? = 0x11;
            decode(&plain)
        }
        _ => decode(bytes),
    };
    let raw = raw.map_err(damaged)?;
    if raw.planes.len() != header.components.len() || raw.plane_widths.len() != raw.planes.len() {
        return Err("planes and components do not fit".to_owned());
    }
    Ok(raw.planes.into_iter().zip(raw.plane_widths).collect())
}

fn damaged(error: JpegError) -> String {
    format!("the file is damaged or cut off ({error})")
}

/// Tells pictures that the crate makes as libjpeg-turbo does, with its fast code: compared in
/// `tests/fixtures/jpeg`.
fn is_common(header: &Header) -> bool {
    let sampling = |at: usize| header.components.get(at).map(|c| (c.across, c.down));
    match header.colour {
        Colour::Grey => {
            sampling(0) == Some((1, 1))
                || matches!(header.coding, Coding::Sequential | Coding::Progressive)
        }
        // The crate looks at Adobe's marker first, libjpeg at JFIF's.
        Colour::YCbCr if header.unconverted => false,
        Colour::YCbCr if header.several_scans && header.coding == Coding::Sequential => false,
        Colour::YCbCr => {
            matches!(sampling(0), Some((1 | 2, 1 | 2)))
                && sampling(1) == Some((1, 1))
                && sampling(2) == Some((1, 1))
        }
        _ => false,
    }
}

/// Decodes with the crate alone.
fn common(bytes: &[u8], header: &Header) -> Result<DynamicImage, String> {
    let decode = |bytes: &[u8]| {
        let mut decoder = Decoder::new(bytes)?;
        // Makes a difference where a progressive picture ends before its last scan.
        decoder.set_block_smoothing(true);
        decoder.decode_image()
    };
    let picture = match header.coding {
        Coding::Sequential | Coding::Progressive => with_marked_end(bytes, header, decode),
        _ => decode(bytes),
    };
    let picture = picture.map_err(damaged)?;
    let (width, height) = (picture.width as u32, picture.height as u32);
    let fits = "pixels and size do not fit";
    Ok(match picture.pixel_format {
        PixelFormat::Rgb => {
            DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, picture.data).ok_or(fits)?)
        }
        PixelFormat::Grayscale => {
            DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, picture.data).ok_or(fits)?)
        }
        other => return Err(format!("pixels are {other:?}")),
    })
}

/// Spreads the planes over the picture and converts their colours, row by row.
fn to_rgb(header: &Header, planes: &[Plane]) -> Result<Vec<u8>, String> {
    let mut rows: Vec<Vec<u8>> = planes.iter().map(|plane| vec![0; plane.row_length()]).collect();
    let mut rgb = vec![0; 3 * header.width * header.height];
    for (y, out) in rgb.chunks_exact_mut(3 * header.width).enumerate() {
        for (plane, row) in planes.iter().zip(&mut rows) {
            plane.row(y, row);
        }
        colours::row(header.colour, &rows, out)?;
    }
    Ok(rgb)
}
