//! GIF pictures; of an animation the first one, on its screen.

use super::bytes::{array, le16};
use super::limits::can_hold;
use super::lzw;
use super::palette::Palette;
use ::image::{DynamicImage, RgbImage, RgbaImage};
use weezl::BitOrder;
use weezl::decode::Decoder;

/// The first picture of a file, and the screen that it lies on.
struct Frame<'a> {
    screen: (u32, u32),
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    interlaced: bool,
    /// The index without a colour.
    clear: Option<u8>,
    palette: Palette,
    /// The width of the codes at the beginning, then blocks of them.
    codes: &'a [u8],
}

/// Reads a table of colours of a packed size, if there is one.
fn colours(bytes: &[u8], at: &mut usize, flags: u8) -> Result<Option<Palette>, String> {
    if flags & 0x80 == 0 {
        return Ok(None);
    }
    let len = 3 << ((flags & 7) + 1);
    let table = bytes.get(*at..*at + len).ok_or("the file is cut off in its colours")?;
    *at += len;
    Ok(Some(Palette::of_rgb(table.chunks_exact(3).map(|c| [c[0], c[1], c[2]]))))
}

/// Walks over blocks of bytes, each behind its length, up to an empty one or the end of the file.
fn blocks(bytes: &[u8], start: usize) -> impl Iterator<Item = &[u8]> {
    let mut at = start;
    std::iter::from_fn(move || {
        let len = usize::from(*bytes.get(at)?);
        let block = bytes.get(at + 1..(at + 1 + len).min(bytes.len()))?;
        at += 1 + len;
        (len > 0).then_some(block)
    })
}

/// Reads everything before the codes of the first picture.
fn first(bytes: &[u8]) -> Result<Frame<'_>, String> {
    let screen = (u32::from(le16(bytes, 6)?), u32::from(le16(bytes, 8)?));
    let [flags] = array(bytes, 10)?;
    let mut at = 13;
    let global = colours(bytes, &mut at, flags)?;
    let mut clear = None;
    loop {
        let [kind] = array(bytes, at)?;
        match kind {
            b',' => break,
            b'!' => {
                let [label] = array(bytes, at + 1)?;
                if let (0xf9, Some(&[flags, _, _, index, ..])) =
                    (label, blocks(bytes, at + 2).next())
                {
                    clear = if flags & 1 == 1 { Some(index) } else { clear };
                }
                at += 2 + blocks(bytes, at + 2).map(|block| 1 + block.len()).sum::<usize>() + 1;
            }
            b';' => return Err("there is no picture in it".to_owned()),
            // Junk between blocks is passed over.
            _ => at += 1,
        }
    }
    let part = |offset: usize| le16(bytes, at + offset).map(u32::from);
    let (left, top, width, height) = (part(1)?, part(3)?, part(5)?, part(7)?);
    let [flags] = array(bytes, at + 9)?;
    at += 10;
    let palette = colours(bytes, &mut at, flags)?.or(global).unwrap_or_default();
    let codes = bytes.get(at..).unwrap_or_default();
    let screen = (screen.0.max(left + width), screen.1.max(top + height));
    Ok(Frame {
        screen,
        left,
        top,
        width,
        height,
        interlaced: flags & 0x40 != 0,
        clear,
        palette,
        codes,
    })
}

/// Reads the size of the screen, or of what reaches beyond it.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    first(bytes).map(|frame| frame.screen)
}

/// Unpacks the indices of a picture, row by row as they are stored.
fn indices(frame: &Frame) -> Result<Vec<u8>, String> {
    let [bits] = array(frame.codes, 0)?;
    if !(1..=11).contains(&bits) {
        return Err(format!("its codes begin with {bits} bits"));
    }
    let len = frame.width as usize * frame.height as usize;
    can_hold(frame.codes.len() as u64, lzw::MOST, len as u64)?;
    let codes: Vec<u8> = blocks(frame.codes, 1).flatten().copied().collect();
    let mut indices = vec![0; len];
    match lzw::fill(Decoder::new(BitOrder::Lsb, bits), &codes, &mut indices)? {
        done if done == len => Ok(indices),
        done => Err(format!("the file is cut off: {done} of {len} pixels are there")),
    }
}

/// Returns where the rows of an interlaced picture belong, in the order in which they are stored.
fn interlaced(height: usize) -> impl Iterator<Item = usize> {
    [(0, 8), (4, 8), (2, 4), (1, 2)]
        .into_iter()
        .flat_map(move |(from, step)| (from..height).step_by(step))
}

/// Decodes the first picture. What it leaves of the screen is transparent, or of the first colour
/// if it has no transparent one.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let frame = first(bytes)?;
    let stored = indices(&frame)?;
    let (width, height) = frame.screen;
    let mut screen = vec![frame.clear.unwrap_or(0); width as usize * height as usize];
    let places: Vec<usize> = match frame.interlaced {
        true => interlaced(frame.height as usize).collect(),
        false => (0..frame.height as usize).collect(),
    };
    // `max`: a picture without pixels has no rows.
    for (row, y) in stored.chunks_exact((frame.width as usize).max(1)).zip(places) {
        let start = (frame.top as usize + y) * width as usize + frame.left as usize;
        screen[start..start + row.len()].copy_from_slice(row);
    }
    let colour = |index: &u8| frame.palette.rgb(*index);
    let picture = match frame.clear {
        Some(clear) => {
            let alpha = |index: &u8| if *index == clear { 0 } else { 255 };
            let pixels = screen.iter().flat_map(|index| {
                let [r, g, b] = colour(index);
                [r, g, b, alpha(index)]
            });
            RgbaImage::from_raw(width, height, pixels.collect()).map(Into::into)
        }
        None => RgbImage::from_raw(width, height, screen.iter().flat_map(colour).collect())
            .map(Into::into),
    };
    picture.ok_or_else(|| "pixels and size do not fit".to_owned())
}
