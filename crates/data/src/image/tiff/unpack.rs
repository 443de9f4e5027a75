//! Strips and tiles of a TIFF to samples.

use super::Raster;
use super::fax;
use super::layout::{DEFLATE, FAX3, FAX4, LZW, Layout, PACK_BITS, PLAIN, Photometry};
use crate::image::ifd::{Ifd, Order};
use crate::image::jpeg;
use crate::image::limits::can_hold;
use crate::image::lzw;
use ::image::DynamicImage;
use std::borrow::Cow;
use std::ops::Range;
use weezl::BitOrder;
use weezl::decode::Decoder;

/// A place of a strip or tile in the picture.
struct Part {
    x: usize,
    y: usize,
    /// The sample that it holds, where each has its own; else 0.
    plane: usize,
}

/// Returns the places of strips or tiles, in the order of the file.
fn places(layout: &Layout) -> impl Iterator<Item = Part> + '_ {
    let (across, down) = layout.grid();
    (0..across * down * if layout.planar { layout.samples } else { 1 }).map(move |i| {
        let (plane, i) = (i / (across * down), i % (across * down));
        Part {
            x: i % across * layout.part_width as usize,
            y: i / across * layout.part_height as usize,
            plane,
        }
    })
}

/// Returns the bytes of a strip or tile, the highest bit of each first.
fn packed<'a>(
    bytes: &'a [u8],
    (offset, length): (usize, usize),
    reverse: bool,
) -> Result<Cow<'a, [u8]>, String> {
    let part: &[u8] =
        bytes.get(offset..offset.saturating_add(length).min(bytes.len())).unwrap_or_default();
    match part.is_empty() {
        true => Err("the file is cut off: its pixels lie beyond its end".to_owned()),
        false if reverse => Ok(Cow::Owned(part.iter().map(|byte| byte.reverse_bits()).collect())),
        false => Ok(Cow::Borrowed(part)),
    }
}

/// Unpacks all strips or tiles.
pub fn samples(bytes: &[u8], layout: &Layout) -> Result<Raster, String> {
    if layout.photometry == Photometry::YCbCr {
        return Err("a TIFF in YCbCr is only read when its pixels are JPEG".to_owned());
    }
    let (width, height) = (layout.width as usize, layout.height as usize);
    let each = if layout.planar { 1 } else { layout.samples };
    let row_bytes = (layout.part_width as usize * each * layout.bits).div_ceil(8);
    check_held(bytes, layout, row_bytes)?;
    let mut raster = match layout.bits {
        16 => Raster::Sixteen(vec![0; width * height * layout.samples]),
        _ => Raster::Eight(vec![0; width * height * layout.samples]),
    };
    for (part, place) in places(layout).zip(&layout.parts) {
        // Strips end with the picture; tiles are whole, their surplus is passed over.
        let rows = layout.part_height as usize;
        let rows = if layout.tiled { rows } else { rows.min(height - part.y) };
        let mut unpacked =
            unpack(&packed(bytes, *place, layout.lowest_first)?, layout, rows * row_bytes)?;
        if layout.differences {
            unpacked.chunks_exact_mut(row_bytes).for_each(|row| add_up(row, each, layout));
        }
        let columns = part.x * each..(part.x + layout.part_width as usize).min(width) * each;
        for (y, row) in unpacked.chunks_exact(row_bytes).enumerate().take(height - part.y) {
            let start = (part.y + y) * width * layout.samples;
            match &mut raster {
                Raster::Eight(all) => {
                    spread(&mut all[start..], row, layout, &part, columns.clone(), sample)
                }
                Raster::Sixteen(all) => {
                    spread(&mut all[start..], row, layout, &part, columns.clone(), wide)
                }
                Raster::Rgb(_) => {}
            }
        }
    }
    Ok(raster)
}

/// Refuses a file too short for its pixels, before memory is taken for them.
fn check_held(bytes: &[u8], layout: &Layout, row_bytes: usize) -> Result<(), String> {
    let times = match layout.compression {
        PLAIN => 1,
        PACK_BITS => 64,
        LZW => lzw::MOST,
        // A bit for a line like the one before.
        FAX3 | FAX4 => u64::from(layout.part_width),
        _ => 1032,
    };
    let compressed = layout
        .parts
        .iter()
        .map(|&(offset, length)| length.min(bytes.len().saturating_sub(offset)) as u64)
        .sum();
    let (across, _) = layout.grid();
    let planes = if layout.planar { layout.samples } else { 1 };
    can_hold(
        compressed,
        times,
        row_bytes as u64 * across as u64 * u64::from(layout.height) * planes as u64,
    )
}

/// Reads sample `i` of a row of up to eight bits.
fn sample(row: &[u8], i: usize, layout: &Layout) -> u8 {
    let bits = layout.bits;
    let at = i * bits;
    let shift = 8 - bits - at % 8;
    (row[at / 8] >> shift) & (0xff >> (8 - bits))
}

/// Reads sample `i` of a row of sixteen bits.
fn wide(row: &[u8], i: usize, layout: &Layout) -> u16 {
    layout.order.unsigned(&row[2 * i..2 * i + 2]) as u16
}

/// Puts samples of a row where they belong: side by side, or each pixel's apart.
fn spread<T>(
    all: &mut [T],
    row: &[u8],
    layout: &Layout,
    part: &Part,
    columns: Range<usize>,
    read: fn(&[u8], usize, &Layout) -> T,
) {
    let (start, step) = if layout.planar {
        (columns.start * layout.samples + part.plane, layout.samples)
    } else {
        (columns.start, 1)
    };
    for (i, place) in all[start..].iter_mut().step_by(step).take(columns.len()).enumerate() {
        *place = read(row, i, layout);
    }
}

/// Turns differences into values, along a row.
fn add_up(row: &mut [u8], each: usize, layout: &Layout) {
    if layout.bits == 8 {
        for i in each..row.len() {
            row[i] = row[i].wrapping_add(row[i - each]);
        }
        return;
    }
    let read = |row: &[u8], i: usize| layout.order.unsigned(&row[2 * i..2 * i + 2]) as u16;
    for i in each..row.len() / 2 {
        let sum = read(row, i).wrapping_add(read(row, i - each));
        let pair =
            if layout.order == Order::Little { sum.to_le_bytes() } else { sum.to_be_bytes() };
        row[2 * i..2 * i + 2].copy_from_slice(&pair);
    }
}

/// Unpacks a strip or tile to `len` bytes.
fn unpack(part: &[u8], layout: &Layout, len: usize) -> Result<Vec<u8>, String> {
    let mut out = vec![0; len];
    let done = match layout.compression {
        FAX3 | FAX4 => fax::fill(part, layout, &mut out)?,
        PLAIN => {
            let done = len.min(part.len());
            out[..done].copy_from_slice(&part[..done]);
            done
        }
        LZW => lzw::fill(Decoder::with_tiff_size_switch(BitOrder::Msb, 8), part, &mut out)?,
        PACK_BITS => of_pack_bits(part, &mut out),
        code if DEFLATE.contains(&code) => {
            use miniz_oxide::inflate::{TINFLStatus, decompress_slice_iter_to_slice};
            match decompress_slice_iter_to_slice(&mut out, std::iter::once(part), true, true) {
                Ok(done) => done,
                // More than the picture has.
                Err(TINFLStatus::HasMoreOutput) => len,
                Err(error) => return Err(format!("its pixels do not unpack: {error:?}")),
            }
        }
        other => return Err(format!("a TIFF with compression {other} is not read")),
    };
    match done == len {
        true => Ok(out),
        false => {
            Err(format!("the file is cut off: {done} of {len} bytes of a strip or tile are there"))
        }
    }
}

fn of_pack_bits(part: &[u8], out: &mut [u8]) -> usize {
    let (mut at, mut done) = (0, 0);
    while let (Some(&code), true) = (part.get(at), done < out.len()) {
        at += 1;
        let room = out.len() - done;
        match code as i8 {
            -128 => {}
            code @ 0.. => {
                let from = &part[at..(at + 1 + code as usize).min(part.len())];
                let count = from.len().min(room);
                out[done..done + count].copy_from_slice(&from[..count]);
                (at, done) = (at + from.len(), done + count);
            }
            code => {
                let Some(&byte) = part.get(at) else { break };
                let count = (1 - isize::from(code)) as usize;
                let count = count.min(room);
                out[done..done + count].fill(byte);
                (at, done) = (at + 1, done + count);
            }
        }
    }
    done
}

/// Decodes strips or tiles that are JPEGs, with tables that they share.
pub fn jpegs(bytes: &[u8], ifd: &Ifd, layout: &Layout) -> Result<Raster, String> {
    let grey = layout.samples == 1 && layout.photometry != Photometry::Palette;
    if layout.planar
        || layout.bits != 8
        || !(grey || layout.photometry.samples() == 3 && layout.samples == 3)
    {
        return Err("a TIFF whose JPEGs are neither grey nor RGB is not read".to_owned());
    }
    let (width, height) = (layout.width as usize, layout.height as usize);
    let each = if grey { 1 } else { 3 };
    let mut all = vec![0; width * height * each];
    for (part, place) in places(layout).zip(&layout.parts) {
        let stream = stream(&packed(bytes, *place, false)?, ifd.bytes(347), layout.photometry);
        let (part_width, part_height) = jpeg::size(&stream)?;
        if part_width > layout.part_width || part_height > layout.part_height {
            return Err(format!(
                "a strip or tile is {part_width} x {part_height}, larger than the file says"
            ));
        }
        let pixels = match (jpeg::decode(&stream)?, grey) {
            (DynamicImage::ImageLuma8(pixels), true) => pixels.into_raw(),
            (picture, true) => picture.into_luma8().into_raw(),
            (picture, false) => picture.into_rgb8().into_raw(),
        };
        let stride = part_width as usize * each;
        let take = stride.min((width - part.x) * each);
        for (y, row) in pixels.chunks_exact(stride.max(1)).enumerate().take(height - part.y) {
            let start = ((part.y + y) * width + part.x) * each;
            all[start..start + take].copy_from_slice(&row[..take]);
        }
    }
    Ok(if grey { Raster::Eight(all) } else { Raster::Rgb(all) })
}

/// Puts the shared tables into a JPEG, and a mark that says what its colours are: that is in the
/// TIFF's tags.
fn stream(part: &[u8], tables: Option<&[u8]>, photometry: Photometry) -> Vec<u8> {
    let transform = u8::from(photometry == Photometry::YCbCr);
    let mut out = vec![0xff, 0xd8, 0xff, 0xee, 0, 14];
    out.extend(b"Adobe\0\x64\0\0\0\0");
    out.push(transform);
    let tables = tables.unwrap_or_default();
    let tables = tables.strip_prefix(&[0xff, 0xd8]).unwrap_or(tables);
    out.extend(tables.strip_suffix(&[0xff, 0xd9]).unwrap_or(tables));
    out.extend(part.strip_prefix(&[0xff, 0xd8]).unwrap_or(part));
    out
}
