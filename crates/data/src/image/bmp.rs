//! BMP pictures: with a palette, of 16, 24 or 32 bits, run-length packed, upside down or not.

use super::bytes::{le16, le32};
use super::palette::Palette;
use ::image::{DynamicImage, RgbImage, RgbaImage};

/// The length of the file header; pictures in icons have none.
const FILE_HEADER: usize = 14;

/// Contents of the header.
struct Header {
    width: u32,
    height: u32,
    /// Rows from top to bottom; most files have them the other way round.
    top_down: bool,
    bits: u16,
    compression: u32,
    /// Places of red, green, blue and alpha in a pixel of 16 or 32 bits.
    masks: [u32; 4],
    palette: Palette,
    /// Offset of the pixels.
    pixels: usize,
}

impl Header {
    /// Reads the header at `at`; the pixels are at `pixels`, or behind the header if that is 0.
    fn read(bytes: &[u8], at: usize, pixels: usize) -> Result<Self, String> {
        let len = le32(bytes, at)? as usize;
        let mut header = Self {
            width: 0,
            height: 0,
            top_down: false,
            bits: 0,
            compression: 0,
            masks: [0; 4],
            palette: Palette::default(),
            pixels,
        };
        let mut colours = 0;
        let mut end = at + len;
        match len {
            12 => {
                (header.width, header.height) =
                    (le16(bytes, at + 4)?.into(), le16(bytes, at + 6)?.into());
                header.bits = le16(bytes, at + 10)?;
            }
            40 | 52 | 56 | 64 | 108 | 124 => {
                (header.width, header.height) = (le32(bytes, at + 4)?, le32(bytes, at + 8)?);
                // A negative height.
                header.top_down = header.height >= 0xff00_0000;
                if header.top_down {
                    header.height = header.height.wrapping_neg();
                }
                header.bits = le16(bytes, at + 14)?;
                header.compression = le32(bytes, at + 16)?;
                colours = le32(bytes, at + 32)? as usize;
                if header.compression == 3 {
                    let masks = if len >= 56 { 4 } else { 3 };
                    for (i, mask) in header.masks[..masks].iter_mut().enumerate() {
                        *mask = le32(bytes, at + 40 + 4 * i)?;
                    }
                    // The shortest header has them behind it.
                    end += if len == 40 { 12 } else { 0 };
                }
            }
            other => return Err(format!("a BMP header of {other} bytes is unknown")),
        }
        if !matches!(header.bits, 1 | 4 | 8 | 16 | 24 | 32) {
            return Err(format!("{} bits a pixel are not read in a BMP", header.bits));
        }
        if header.bits <= 8 {
            let colours = if colours == 0 { 1 << header.bits } else { colours };
            header.read_palette(bytes, end, colours, if len == 12 { 3 } else { 4 })?;
        } else if header.pixels == 0 {
            header.pixels = end;
        }
        Ok(header)
    }

    fn read_palette(
        &mut self,
        bytes: &[u8],
        at: usize,
        colours: usize,
        step: usize,
    ) -> Result<(), String> {
        if colours > 1 << 16 {
            return Err(format!("it claims a palette of {colours} colours"));
        }
        let table =
            bytes.get(at..at + step * colours).ok_or("the file is cut off in its colours")?;
        self.palette = Palette::of_rgb(table.chunks_exact(step).map(|c| [c[2], c[1], c[0]]));
        // Some writers forget the palette when they say where pixels begin.
        if self.pixels == 0 || self.pixels == at {
            self.pixels = at + table.len();
        }
        Ok(())
    }

    /// Bytes of a row, filled up to a multiple of four.
    fn stride(&self) -> usize {
        (self.width as usize * usize::from(self.bits)).div_ceil(32) * 4
    }

    /// Returns the row of the file that row `y` of the picture is.
    fn stored(&self, y: usize) -> usize {
        if self.top_down { y } else { self.height as usize - 1 - y }
    }

    /// Returns `true` if pixels have an alpha of their own.
    fn has_alpha(&self) -> bool {
        self.bits == 32 && self.compression == 3 && (self.masks[3] != 0 || self.masks == [0; 4])
    }
}

/// Reads the size of a file.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let header = Header::read(bytes, FILE_HEADER, le32(bytes, 10)? as usize)?;
    Ok((header.width, header.height))
}

/// Decodes a file.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    pixels(bytes, &Header::read(bytes, FILE_HEADER, le32(bytes, 10)? as usize)?)
}

/// Reads the size of a picture without a file header, in an icon. It is half as high as it says: a
/// mask of what is transparent follows.
pub(super) fn icon_size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let header = Header::read(bytes, 0, 0)?;
    Ok((header.width, header.height / 2))
}

/// Decodes a picture in an icon, with its mask.
pub(super) fn decode_icon(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut header = Header::read(bytes, 0, 0)?;
    header.height /= 2;
    let mut picture = pixels(bytes, &header)?.into_rgba8();
    if header.bits == 32 {
        // The fourth byte, which files of their own do not use.
        for (y, row) in picture.rows_mut().enumerate() {
            let start = header.pixels + header.stored(y) * header.stride() + 3;
            row.enumerate().for_each(|(x, pixel)| pixel.0[3] = bytes[start + 4 * x]);
        }
        return Ok(picture.into());
    }
    let stride = (header.width as usize).div_ceil(32) * 4;
    let end = header.pixels + header.stride() * header.height as usize;
    if let Some(mask) = bytes.get(end..end + stride * header.height as usize) {
        for (y, row) in picture.rows_mut().enumerate() {
            let mask = &mask[header.stored(y) * stride..];
            row.enumerate().for_each(|(x, pixel)| {
                pixel.0[3] = if mask[x / 8] << (x % 8) & 0x80 == 0 { 255 } else { 0 }
            });
        }
    }
    Ok(picture.into())
}

fn pixels(bytes: &[u8], header: &Header) -> Result<DynamicImage, String> {
    if matches!((header.compression, header.bits), (1, 8) | (2, 4)) {
        return packed(bytes, header);
    }
    if !matches!((header.compression, header.bits), (0, _) | (3, 16 | 24 | 32)) {
        return Err(format!(
            "a BMP of {} bits with compression {} is not read",
            header.bits, header.compression
        ));
    }
    let (stride, height) = (header.stride(), header.height as usize);
    let rows = stride
        .checked_mul(height)
        .and_then(|len| bytes.get(header.pixels..header.pixels.checked_add(len)?));
    let rows = rows.ok_or("the file is cut off: rows are missing")?;
    let reader = pixel_reader(header)?;
    let samples = if header.has_alpha() { 4 } else { 3 };
    let mut out = Vec::with_capacity(header.width as usize * height * samples);
    for y in 0..height {
        let row = &rows[header.stored(y) * stride..][..stride];
        (0..header.width as usize).for_each(|x| out.extend(&reader(row, x)[..samples]));
    }
    let picture = match header.has_alpha() {
        true => RgbaImage::from_raw(header.width, header.height, out).map(Into::into),
        false => RgbImage::from_raw(header.width, header.height, out).map(Into::into),
    };
    picture.ok_or_else(|| "pixels and size do not fit".to_owned())
}

/// Reads the pixel of a row at a place.
type PixelReader<'a> = Box<dyn Fn(&[u8], usize) -> [u8; 4] + 'a>;

/// Returns how to read a pixel.
fn pixel_reader(header: &Header) -> Result<PixelReader<'_>, String> {
    let indexed = |index: u8| {
        let [r, g, b] = header.palette.rgb(index);
        [r, g, b, 255]
    };
    let masks = match (header.compression, header.masks) {
        (0, _) if header.bits == 16 => [0x7c00, 0x3e0, 0x1f, 0],
        (0, _) => [0xff_0000, 0xff00, 0xff, 0],
        // None at all: as if there were alpha in the usual place.
        (_, [0, 0, 0, 0]) if header.bits == 32 => [0xff_0000, 0xff00, 0xff, 0xff00_0000],
        (_, masks) => masks,
    };
    let [red, green, blue, alpha] = masks.map(Field::new);
    if header.bits > 8 && [red, green, blue].iter().any(|field| !(1..=8).contains(&field.bits)) {
        return Err(format!("colours at {masks:x?} of a pixel are not read"));
    }
    let fields = move |pixel: u32| {
        let alpha = if alpha.bits == 0 { 255 } else { alpha.of(pixel) };
        [red.of(pixel), green.of(pixel), blue.of(pixel), alpha]
    };
    Ok(match header.bits {
        1 => Box::new(move |row, x| indexed(row[x / 8] >> (7 - x % 8) & 1)),
        4 => Box::new(move |row, x| indexed(row[x / 2] >> (4 - 4 * (x % 2)) & 15)),
        8 => Box::new(move |row, x| indexed(row[x])),
        16 => Box::new(move |row, x| {
            fields(u32::from(u16::from_le_bytes([row[2 * x], row[2 * x + 1]])))
        }),
        24 => Box::new(move |row, x| {
            fields(u32::from_le_bytes([row[3 * x], row[3 * x + 1], row[3 * x + 2], 0]))
        }),
        _ => Box::new(move |row, x| {
            fields(u32::from_le_bytes([row[4 * x], row[4 * x + 1], row[4 * x + 2], row[4 * x + 3]]))
        }),
    })
}

/// The bits of a colour in a pixel.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    fn new(mask: u32) -> Self {
        let shift = if mask == 0 { 0 } else { mask.trailing_zeros() };
        // Up to the first bit that is not set, which is all of them in sound files.
        Self { shift, bits: (mask >> shift).trailing_ones() }
    }

    /// Returns the colour, of 255.
    fn of(self, pixel: u32) -> u8 {
        let most = (1u32 << self.bits) - 1;
        ((pixel >> self.shift & most) * 255 / most) as u8
    }
}

/// Unpacks runs of indices. Rows that a file ends before are of the first colour.
fn packed(bytes: &[u8], header: &Header) -> Result<DynamicImage, String> {
    let (width, four) = (header.width as usize, header.bits == 4);
    let len = width * header.height as usize;
    let mut indices = Vec::new();
    let mut codes = bytes.get(header.pixels..).unwrap_or_default();
    let mut x = 0;
    while let (true, [count, code, rest @ ..]) = (indices.len() < len, codes) {
        codes = rest;
        match (*count, *code) {
            (0, 0) => {
                indices.resize(indices.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let Some((&[right, up], rest)) = codes.split_first_chunk() else { break };
                codes = rest;
                let skip = usize::from(right) + usize::from(up) * width;
                indices.resize(indices.len() + skip.min(len - indices.len()), 0);
                x = indices.len() % width;
            }
            (0, count) => {
                let count = usize::from(count).min(len - indices.len());
                let bytes = if four { count.div_ceil(2) } else { count };
                let Some(literal) = codes.get(..bytes) else { break };
                match four {
                    true => indices
                        .extend(literal.iter().flat_map(|pair| [pair >> 4, pair & 15]).take(count)),
                    false => indices.extend(literal),
                }
                // Filled up to an even number of bytes.
                codes = codes.get(bytes + bytes % 2..).unwrap_or_default();
                x += count;
            }
            (count, code) => {
                let count = usize::from(count).min(width.saturating_sub(x));
                let pair = if four { [code >> 4, code & 15] } else { [code; 2] };
                indices.extend(pair.iter().cycle().take(count));
                x += count;
            }
        }
    }
    indices.resize(len, 0);
    let rows =
        (0..header.height as usize).flat_map(|y| &indices[header.stored(y) * width..][..width]);
    let rgb = rows.flat_map(|&index| header.palette.rgb(index)).collect();
    let picture = RgbImage::from_raw(header.width, header.height, rgb);
    picture.map(Into::into).ok_or_else(|| "pixels and size do not fit".to_owned())
}
