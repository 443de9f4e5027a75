//! WebP pictures; of an animation the first one, on its canvas.

use super::bytes::{array, le16, le24, le32};
use super::limits::check;
use super::refusal::Refusal;
use super::turn::Blocks;
use ::image::{DynamicImage, RgbImage, RgbaImage};
use image_webp::WebPDecoder;
use std::borrow::Cow;
use std::io::Cursor;

/// Flags of the extended header: which chunks there are.
const ALPHA: u8 = 0x10;
const EXIF: u8 = 0x08;
const XMP: u8 = 0x04;
const ANIMATION: u8 = 0x02;
/// Offset of the flags.
const FLAGS: usize = 20;

/// Walks over the chunks of `bytes` from a place on: their kinds and where their data begin and
/// end.
fn chunks(bytes: &[u8], start: usize) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut at = start;
    std::iter::from_fn(move || {
        let kind = array(bytes, at).ok()?;
        let len = le32(bytes, at + 4).ok()? as usize;
        let from = at + 8;
        let end = from.saturating_add(len);
        at = end.saturating_add(len % 2);
        Some((kind, &bytes[from..end.min(bytes.len())]))
    })
}

/// Reads the size of a bitstream.
fn of_stream(kind: [u8; 4], data: &[u8]) -> Result<Option<(u32, u32)>, String> {
    match &kind {
        // Fourteen bits each; the upper two are a scale that nobody uses.
        b"VP8 " => {
            Ok(Some((u32::from(le16(data, 6)? & 0x3fff), u32::from(le16(data, 8)? & 0x3fff))))
        }
        b"VP8L" => {
            let sides = le32(data, 1)?;
            Ok(Some((1 + (sides & 0x3fff), 1 + (sides >> 14 & 0x3fff))))
        }
        _ => Ok(None),
    }
}

/// Reads the size of the canvas from the header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let (kind, data) = chunks(bytes, 12).next().ok_or("the file is cut off in its header")?;
    match &kind {
        b"VP8X" => Ok((1 + le24(data, 4)?, 1 + le24(data, 7)?)),
        _ => {
            of_stream(kind, data)?.ok_or_else(|| "it holds no picture at its beginning".to_owned())
        }
    }
}

/// Returns the flags of the extended header; none in simple files.
fn flags(bytes: &[u8]) -> u8 {
    match bytes.get(12..16) {
        Some(b"VP8X") => bytes.get(FLAGS).copied().unwrap_or(0),
        _ => 0,
    }
}

/// Collects EXIF and XMP where the flags say that they are there.
pub(super) fn blocks(bytes: &[u8]) -> Blocks<'_> {
    let flags = flags(bytes);
    if flags & (EXIF | XMP) == 0 {
        return Blocks::default();
    }
    let find = |flag: u8, kind: &[u8; 4]| {
        let mut found = chunks(bytes, 12).filter(|_| flags & flag != 0).filter(|(k, _)| k == kind);
        found.next().map(|(_, data)| Cow::Borrowed(data))
    };
    Blocks { exif: find(EXIF, b"EXIF"), xmp: find(XMP, b"XMP ") }
}

/// Compares each size in the file with the header's: the decoder takes memory for any of them.
fn measure(bytes: &[u8], most: u64) -> Result<(), Refusal> {
    let canvas = size(bytes)?;
    let fit = |(width, height): (u32, u32), (most_x, most_y): (u32, u32)| {
        width <= most_x && height <= most_y
    };
    for (kind, data) in chunks(bytes, 12) {
        if let Some(stream) = of_stream(kind, data)?
            && stream != canvas
        {
            check(stream.0, stream.1, most)?;
            return Err(format!(
                "its pixels are {} x {}, its header says {} x {}",
                stream.0, stream.1, canvas.0, canvas.1
            )
            .into());
        }
        if &kind == b"ANMF" {
            let frame = (1 + le24(data, 6)?, 1 + le24(data, 9)?);
            let inner = data.get(16..).unwrap_or_default();
            for (kind, data) in chunks(inner, 0) {
                if of_stream(kind, data)?.is_some_and(|stream| stream != frame)
                    || !fit(frame, canvas)
                {
                    return Err("a frame of the animation is not as large as it says".into());
                }
            }
            // Only the first frame is decoded.
            break;
        }
    }
    Ok(())
}

/// Clears the flags of chunks that are not there: libwebp goes by the chunks, the decoder here
/// insists.
fn with_true_flags(bytes: &[u8]) -> Cow<'_, [u8]> {
    let flags = flags(bytes);
    let missing =
        |flag: u8, kind: &[u8; 4]| flags & flag != 0 && chunks(bytes, 12).all(|(k, _)| k != *kind);
    let lossy = chunks(bytes, 12).any(|(kind, _)| &kind == b"VP8 ");
    let mut wrong = 0;
    for (flag, kind) in [(EXIF, b"EXIF"), (XMP, b"XMP ")] {
        wrong |= if missing(flag, kind) { flag } else { 0 };
    }
    if flags & ANIMATION == 0 && lossy && missing(ALPHA, b"ALPH") {
        wrong |= ALPHA;
    }
    match wrong {
        0 => Cow::Borrowed(bytes),
        wrong => {
            let mut copy = bytes.to_vec();
            copy[FLAGS] &= !wrong;
            Cow::Owned(copy)
        }
    }
}

/// Decodes the picture.
pub(super) fn decode(bytes: &[u8], most: u64) -> Result<DynamicImage, Refusal> {
    measure(bytes, most)?;
    let bytes = match flags(bytes) {
        0 => Cow::Borrowed(bytes),
        _ => with_true_flags(bytes),
    };
    let fail = |error: image_webp::DecodingError| error.to_string();
    let mut decoder = WebPDecoder::new(Cursor::new(&*bytes)).map_err(fail)?;
    let (width, height) = decoder.dimensions();
    let mut pixels =
        vec![0; decoder.output_buffer_size().ok_or("it is too large for this machine")?];
    decoder.read_image(&mut pixels).map_err(fail)?;
    let picture = match decoder.has_alpha() {
        true => RgbaImage::from_raw(width, height, pixels).map(Into::into),
        false => RgbImage::from_raw(width, height, pixels).map(Into::into),
    };
    picture.ok_or_else(|| "pixels and size do not fit".into())
}
