//! Places of the pixels of a TIFF, and their encoding.

use crate::image::ifd::{Ifd, Order};

/// Compressions.
pub const PLAIN: u64 = 1;
pub const FAX3: u64 = 3;
pub const FAX4: u64 = 4;
pub const LZW: u64 = 5;
pub const JPEG: u64 = 7;
pub const DEFLATE: [u64; 2] = [8, 32_946];
pub const PACK_BITS: u64 = 32_773;

/// The most samples of a pixel; Pillow reads no more.
const MOST_SAMPLES: usize = 6;

/// Kind of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Photometry {
    /// Greys, 0 is white.
    WhiteIsZero,
    /// Greys, 0 is black.
    BlackIsZero,
    /// Red, green and blue.
    Rgb,
    /// Indices of a palette.
    Palette,
    /// Cyan, magenta, yellow and black.
    Inks,
    /// Light and two differences, here only in JPEG.
    YCbCr,
}

impl Photometry {
    /// Returns the number of samples of a pixel's colour, without extra samples.
    pub fn samples(self) -> usize {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Inks => 4,
        }
    }
}

/// The meaning of an extra sample, besides the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// An invisible sample.
    Other,
    /// Alpha that colours have been multiplied with.
    Premultiplied,
    /// Alpha.
    Alpha,
}

/// Form in which the pixels are written.
pub struct Layout {
    pub width: u32,
    pub height: u32,
    pub bits: usize,
    pub samples: usize,
    pub photometry: Photometry,
    pub extra: Option<Extra>,
    pub compression: u64,
    /// True if each sample has its own strips.
    pub planar: bool,
    /// True if samples are differences from their left neighbours.
    pub differences: bool,
    /// True if the lowest bit of a byte is the left pixel.
    pub lowest_first: bool,
    pub order: Order,
    /// The sides of a strip or tile.
    pub part_width: u32,
    pub part_height: u32,
    pub tiled: bool,
    /// Offsets and lengths of strips or tiles.
    pub parts: Vec<(usize, usize)>,
}

/// Reads the size of a picture.
pub fn size(ifd: &Ifd) -> Result<(u32, u32), String> {
    let side = |tag| ifd.unsigned(tag).and_then(|side| u32::try_from(side).ok());
    side(256).zip(side(257)).ok_or_else(|| "it has no size".to_owned())
}

impl Layout {
    /// Reads how pixels are written.
    ///
    /// # Errors
    /// If a tag is missing or of a kind that is not read.
    pub fn read(ifd: &Ifd) -> Result<Self, String> {
        let (width, height) = size(ifd)?;
        let tag = |tag, otherwise| ifd.unsigned(tag).unwrap_or(otherwise);
        let samples = tag(277, 1) as usize;
        let bits = bits(ifd)?;
        let photometry = photometry(tag(262, 0))?;
        if !(photometry.samples()..=MOST_SAMPLES).contains(&samples) {
            return Err(format!(
                "{samples} samples a pixel are too few or too many for {photometry:?}"
            ));
        }
        let compression = compression(tag(259, 1))?;
        if matches!(compression, FAX3 | FAX4) && (bits, samples) != (1, 1) {
            return Err("a fax in a TIFF has one bit a pixel".to_owned());
        }
        // Lines that are coded relative to the ones before, which only the fourth group is read with.
        if compression == FAX3 && tag(292, 0) & 1 == 1 {
            return Err(
                "a TIFF packed with two-dimensional codes of CCITT group 3 is not read".to_owned()
            );
        }
        let differences = match tag(317, 1) {
            1 => false,
            2 if bits >= 8 => true,
            other => {
                return Err(format!("a TIFF with predictor {other} at {bits} bits is not read"));
            }
        };
        let tiled = ifd.has(324);
        let (part_width, part_height) = match tiled {
            true => (tag(322, 0), tag(323, 0)),
            false => (u64::from(width), tag(278, u64::from(height)).min(u64::from(height))),
        };
        let fit = |side: u64| {
            u32::try_from(side).map_err(|_| "its strips or tiles are too large".to_owned())
        };
        let layout = Self {
            width,
            height,
            bits,
            samples,
            photometry,
            extra: extra(ifd, photometry, samples),
            compression,
            planar: tag(284, 1) == 2 && samples > 1,
            differences,
            lowest_first: tag(266, 1) == 2,
            order: ifd.order,
            part_width: fit(part_width)?,
            part_height: fit(part_height)?,
            tiled,
            parts: parts(ifd, tiled)?,
        };
        layout.check_parts()?;
        Ok(layout)
    }

    /// Columns and rows of strips or tiles.
    pub fn grid(&self) -> (usize, usize) {
        (
            self.width.div_ceil(self.part_width) as usize,
            self.height.div_ceil(self.part_height) as usize,
        )
    }

    fn check_parts(&self) -> Result<(), String> {
        if self.part_width == 0 || self.part_height == 0 {
            return Err("its strips or tiles have no size".to_owned());
        }
        let (across, down) = self.grid();
        let needed = across * down * if self.planar { self.samples } else { 1 };
        match self.parts.len() >= needed {
            true => Ok(()),
            false => Err(format!(
                "the file is cut off: it has {} of {needed} strips or tiles",
                self.parts.len()
            )),
        }
    }
}

fn bits(ifd: &Ifd) -> Result<usize, String> {
    let bits = ifd.unsigneds(258).unwrap_or_else(|| vec![1]);
    let format = ifd.unsigneds(339).unwrap_or_default();
    if bits.iter().any(|b| *b != bits[0]) {
        return Err(format!("samples of different bits are not read: {bits:?}"));
    }
    // Bytes with signs are read as others are, as in Pillow.
    if let Some(format) = format.iter().find(|f| **f != 1 && !(**f == 2 && bits[0] == 8)) {
        let kind = match format {
            2 => "whole numbers with signs",
            3 => "floats",
            5 | 6 => "complex numbers",
            // Written where nobody knows what they are.
            _ => "unknown samples",
        };
        return Err(format!(
            "{kind} of {} bits are not read in a TIFF",
            bits.first().unwrap_or(&0)
        ));
    }
    match bits.first() {
        Some(&bits @ (1 | 2 | 4 | 8 | 16)) => Ok(bits as usize),
        bits => {
            Err(format!("samples of {} bits are not read in a TIFF", bits.copied().unwrap_or(0)))
        }
    }
}

fn photometry(code: u64) -> Result<Photometry, String> {
    Ok(match code {
        0 => Photometry::WhiteIsZero,
        1 => Photometry::BlackIsZero,
        2 => Photometry::Rgb,
        3 => Photometry::Palette,
        5 => Photometry::Inks,
        6 => Photometry::YCbCr,
        8 => return Err("a TIFF in CIE Lab is not read".to_owned()),
        other => return Err(format!("a TIFF of photometry {other} is not read")),
    })
}

fn compression(code: u64) -> Result<u64, String> {
    let name = match code {
        PLAIN | FAX3 | FAX4 | LZW | JPEG | PACK_BITS => return Ok(code),
        _ if DEFLATE.contains(&code) => return Ok(code),
        2 => "Huffman codes of CCITT",
        6 => "the first kind of JPEG, which was withdrawn,",
        34_925 => "LZMA",
        50_000 => "Zstandard",
        50_001 => "WebP",
        other => return Err(format!("a TIFF with compression {other} is not read")),
    };
    Err(format!("a TIFF packed with {name} is not read"))
}

/// Returns the meaning of the first extra sample. A fourth one of RGB is alpha if nothing else is
/// said.
fn extra(ifd: &Ifd, photometry: Photometry, samples: usize) -> Option<Extra> {
    if samples == photometry.samples() {
        return None;
    }
    Some(match (ifd.unsigned(338), photometry) {
        (Some(1), _) => Extra::Premultiplied,
        (Some(2 | 999), _) | (None, Photometry::Rgb) => Extra::Alpha,
        _ => Extra::Other,
    })
}

fn parts(ifd: &Ifd, tiled: bool) -> Result<Vec<(usize, usize)>, String> {
    let (offsets, lengths) = if tiled { (324, 325) } else { (273, 279) };
    let offsets = ifd.unsigneds(offsets).ok_or("it does not say where its pixels are")?;
    // Where lengths are missing, each strip is taken to go on to the end of the file.
    let lengths =
        ifd.unsigneds(lengths).unwrap_or_else(|| vec![u64::from(u32::MAX); offsets.len()]);
    let fit = |number: u64| {
        usize::try_from(number).map_err(|_| "its pixels lie beyond its end".to_owned())
    };
    offsets
        .into_iter()
        .zip(lengths)
        .map(|(offset, length)| Ok((fit(offset)?, fit(length)?)))
        .collect()
}
