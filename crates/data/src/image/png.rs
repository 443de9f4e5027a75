//! PNG pictures, and what is wrong with them that readers put up with.

use super::alpha::Alpha;
use super::bytes::{array, be32};
use super::limits::can_hold;
use super::strips::Rows;
use super::turn::Blocks;
use ::image::DynamicImage;
use png::{DecodeOptions, Decoder, Limits, Transformations};
use std::borrow::Cow;
use std::io::Cursor;

/// First bytes of every PNG.
pub(super) const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The longest that a compressed text may be, and all of them together.
const MOST_TEXT: usize = 1 << 20;
const MOST_TEXTS: usize = 1 << 26;
/// The keyword of EXIF as ImageMagick writes it.
const PROFILE: &[u8] = b"Raw profile type exif";
/// The keyword of XMP.
const XMP: &[u8] = b"XML:com.adobe.xmp";

/// A part of the file.
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// True if data and check sum are there to the end.
    whole: bool,
}

/// Walks over the chunks, up to the end of the picture or of the file.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut at = MAGIC.len();
    let mut ended = false;
    std::iter::from_fn(move || {
        let len = be32(bytes, at).ok().filter(|_| !ended)? as usize;
        let kind = array(bytes, at + 4).ok()?;
        let from = at + 8;
        let end = from.saturating_add(len);
        at = end.saturating_add(4);
        ended = &kind == b"IEND";
        Some(Chunk { kind, data: &bytes[from..end.min(bytes.len())], whole: at <= bytes.len() })
    })
}

/// Reads the size from the header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    match &array(bytes, 12)? {
        b"IHDR" => Ok((be32(bytes, 16)?, be32(bytes, 20)?)),
        b"CgBI" => {
            Err("it is a PNG as iPhone programs pack it, which is none by the standard".to_owned())
        }
        _ => Err("a PNG begins with its header, this one does not".to_owned()),
    }
}

/// Collects EXIF and XMP of all chunks, of those behind the pixels too; the last of each counts.
pub(super) fn blocks(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    let (mut profile, mut room) = (None, MOST_TEXTS);
    for Chunk { kind, data, .. } in chunks(bytes) {
        if &kind == b"eXIf" {
            blocks.exif = Some(Cow::Borrowed(data));
        } else if let Some((keyword, text)) = text(kind, data).filter(|_| room > 0) {
            room = room.saturating_sub(text.len());
            match keyword {
                b"exif" => blocks.exif = Some(text),
                PROFILE => profile = unhex(&text),
                _ => blocks.xmp = Some(text),
            }
        }
    }
    blocks.exif = blocks.exif.or(profile.map(Cow::Owned));
    blocks
}

/// Returns keyword and text of a text chunk that can tell a turn.
fn text<'a>(kind: [u8; 4], data: &'a [u8]) -> Option<(&'a [u8], Cow<'a, [u8]>)> {
    let split =
        |data: &'a [u8]| data.iter().position(|&b| b == 0).map(|at| (&data[..at], &data[at + 1..]));
    if !matches!(&kind, b"tEXt" | b"zTXt" | b"iTXt") {
        return None;
    }
    let (keyword, rest) =
        split(data).filter(|(keyword, _)| [b"exif", PROFILE, XMP].contains(keyword))?;
    let (packed, text) = match &kind {
        b"tEXt" => (false, rest),
        b"zTXt" => (true, rest.strip_prefix(&[0])?),
        _ => {
            // Flag, method, then language and translated keyword, each ended by a zero.
            let (packed, rest) = (*rest.first()? != 0, rest.get(2..)?);
            (packed, split(split(rest)?.1)?.1)
        }
    };
    Some((
        keyword,
        match packed {
            false => Cow::Borrowed(text),
            true => Cow::Owned(
                miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(text, MOST_TEXT).ok()?,
            ),
        },
    ))
}

/// Reads a profile as ImageMagick writes it: a blank line, its name, its length, then hexadecimal
/// digits.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .split(|&b| b == b'\n')
        .skip(3)
        .flatten()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Decodes the picture, of an animation the first one.
///
/// A missing end, damage outside the pixels and wrong check sums are put up with while all pixels
/// are there.
pub(super) fn decode(bytes: &[u8], alpha: Alpha) -> Result<DynamicImage, String> {
    let (mut compressed, mut whole) = (0, false);
    for chunk in chunks(bytes) {
        match &chunk.kind {
            b"IDAT" => compressed += chunk.data.len() as u64,
            b"IEND" => whole = chunk.whole,
            _ => {}
        }
    }
    let (width, height) = size(bytes)?;
    let [depth, colour] = array(bytes, 24)?;
    let samples = [1, 0, 3, 1, 2, 0, 4].get(usize::from(colour)).copied().unwrap_or(0);
    let bits = u64::from(width) * u64::from(height) * samples * u64::from(depth);
    // Deflate packs at most 1032 bytes into one.
    can_hold(compressed, 1032, bits / 8)?;
    match whole {
        true => read(bytes, alpha, false)
            .or_else(|error| read(&mended(bytes), alpha, true).map_err(|_| error)),
        false => read(&mended(bytes), alpha, true),
    }
}

fn read(bytes: &[u8], alpha: Alpha, check_pixels: bool) -> Result<DynamicImage, String> {
    let fail = |error: png::DecodingError| error.to_string();
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    // The check sum of the unpacked pixels; chunks have their own, so it is only needed where those
    // were wrong.
    options.set_ignore_adler32(!check_pixels);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    // For chunks other than pixels, and for a few rows: those are as long as the header says, which
    // was compared with the limit.
    decoder.set_limits(Limits { bytes: (64 << 20) + 64 * size(bytes)?.0 as usize });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(fail)?;
    let (width, height) = reader.info().size();
    let rows = Rows::of(&reader, alpha);
    let bytes = reader.output_buffer_size().ok_or("it is too large for this machine")?;
    if rows.save_memory(bytes) {
        return rows.rgb(&mut reader);
    }
    let mut pixels = vec![0; bytes];
    reader.next_frame(&mut pixels).map_err(fail)?;
    rows.picture(width, height, pixels)
}

/// Writes the file anew with what pixels are made of: header, palette, transparency and the pixels,
/// as far as they are there, with their check sums and an end.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut push = |kind: &[u8; 4], data: &[u8], sum: u32| {
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(data);
        out.extend(sum.to_be_bytes());
    };
    let mut at = MAGIC.len();
    for Chunk { kind, data, whole } in chunks(bytes) {
        at += 8 + data.len();
        match &kind {
            b"IDAT" => push(&kind, data, checksum(&kind, data)),
            b"IHDR" | b"PLTE" | b"tRNS" if whole => push(&kind, data, be32(bytes, at).unwrap_or(0)),
            _ => {}
        }
        at += 4;
    }
    push(b"IEND", &[], checksum(b"IEND", &[]));
    out
}

/// Computes the check sum of a chunk: CRC-32 of its kind and its data.
pub(super) fn checksum(kind: &[u8], data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut sum = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                sum = if sum & 1 == 1 { 0xedb8_8320 ^ sum >> 1 } else { sum >> 1 };
                bit += 1;
            }
            table[byte] = sum;
            byte += 1;
        }
        table
    };
    !kind.iter().chain(data).fold(!0, |sum, byte| TABLE[(sum as u8 ^ byte) as usize] ^ sum >> 8)
}
