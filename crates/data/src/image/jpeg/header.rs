//! Headers of a JPEG, up to its first scan: size, coding, sampling and colours.
//!
//! Follows ITU-T T.81, annex B.2. No memory is taken for pixels, so that a size can be refused
//! first.

use super::segments::{CUT, Segments, pair};

const HEIGHT_LATER: &str =
    "the height is 0: it is told after the pixels (DNL), which is not supported";

/// Everything that comes before the first scan and decides how samples become pixels.
#[derive(Debug)]
pub(super) struct Header {
    pub width: usize,
    pub height: usize,
    pub components: Vec<Component>,
    pub colour: Colour,
    /// Adobe's marker says that no colours were converted.
    pub unconverted: bool,
    pub coding: Coding,
    /// The first scan has fewer components than the frame.
    pub several_scans: bool,
    /// Place of the frame header's content in the file.
    pub frame_at: usize,
    /// Fewest bits that the first scan can have, counted from its blocks; 0 where there is no such
    /// bound.
    pub least_bits: u64,
    /// Bytes behind the header of the first scan.
    pub scan_bytes: usize,
}

/// A colour channel of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub id: u8,
    /// Samples across in each unit of the frame, 1 to 4.
    pub across: usize,
    /// Samples down in each unit of the frame, 1 to 4.
    pub down: usize,
    /// Number of its quantisation table.
    pub quant: usize,
}

/// Meaning of the components, by the rules of libjpeg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

/// Ways in which blocks become bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Sequential,
    Progressive,
    Arithmetic,
    ArithmeticProgressive,
}

/// Frame header as it stands in the file.
struct Frame {
    coding: Coding,
    width: usize,
    height: usize,
    components: Vec<Component>,
}

/// Reads width and height from the frame header, for every coding.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let mut segments = Segments::new(bytes);
    loop {
        match segments.early()? {
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, content) => {
                let (height, width) = (pair(content, 1).ok_or(CUT)?, pair(content, 3).ok_or(CUT)?);
                return if height == 0 {
                    Err(HEIGHT_LATER.to_owned())
                } else {
                    Ok((width.into(), height.into()))
                };
            }
            (0xda, _) => return Err("there is no frame header before the first scan".to_owned()),
            _ => {}
        }
    }
}

impl Header {
    /// Reads all segments up to the first scan.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(&[0xff, 0xd8]) {
            return Err("the file does not begin as a JPEG".to_owned());
        }
        let mut segments = Segments::new(bytes);
        let (mut frame, mut jfif, mut adobe, mut frame_at) = (None, false, None, 0);
        let scan = loop {
            let (marker, content) = segments.early()?;
            match marker {
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    if frame.replace(Frame::read(marker, content)?).is_some() {
                        return Err("there are two frame headers".to_owned());
                    }
                    frame_at = segments.at - content.len();
                }
                // libjpeg looks at these two only if they are as long as their kind needs.
                0xe0 => jfif |= content.len() >= 14 && content.starts_with(b"JFIF\0"),
                0xee if content.len() >= 12 && content.starts_with(b"Adobe") => {
                    adobe = Some(content[11])
                }
                0xda => break content,
                _ => {}
            }
        };
        let frame = frame.ok_or("there is no frame header before the first scan")?;
        let mut header = Self {
            width: frame.width,
            height: frame.height,
            colour: frame.colour(jfif, adobe),
            unconverted: adobe == Some(0),
            coding: frame.coding,
            several_scans: scan
                .first()
                .is_some_and(|&count| usize::from(count) < frame.components.len()),
            components: frame.components,
            frame_at,
            least_bits: 0,
            scan_bytes: bytes.len().saturating_sub(segments.at),
        };
        header.least_bits = header.least_bits(scan)?;
        Ok(header)
    }

    /// Returns the largest sampling across and down of all components.
    pub fn most(&self) -> (usize, usize) {
        self.components
            .iter()
            .fold((1, 1), |(across, down), c| (across.max(c.across), down.max(c.down)))
    }

    /// Counts the units of the picture, across and down: the blocks that lie on the same place, of
    /// all components.
    pub fn units(&self) -> (usize, usize) {
        let (across, down) = self.most();
        (self.width.div_ceil(8 * across), self.height.div_ceil(8 * down))
    }

    /// Counts the blocks that the samples of a component need, across and down.
    pub fn blocks(&self, component: &Component) -> (usize, usize) {
        let (across, down) = self.most();
        (
            (self.width * component.across).div_ceil(8 * across),
            (self.height * component.down).div_ceil(8 * down),
        )
    }

    /// Counts the fewest bits of the first scan: a Huffman code has at least one, and a block has a
    /// code for its mean; where it comes at once, another for the rest. Arithmetic coding has no
    /// such bound.
    fn least_bits(&self, scan: &[u8]) -> Result<u64, String> {
        let count = usize::from(*scan.first().ok_or(CUT)?);
        let start = *scan.get(1 + 2 * count).ok_or(CUT)?;
        let codes = match self.coding {
            Coding::Sequential => 2,
            Coding::Progressive if start == 0 => 1,
            _ => return Ok(0),
        };
        let listed = |c: &&Component| (0..count).any(|n| scan.get(1 + 2 * n) == Some(&c.id));
        let blocks = self.components.iter().filter(listed).map(|c| self.blocks(c));
        Ok(blocks.map(|(across, down)| codes * across as u64 * down as u64).sum())
    }
}

impl Frame {
    /// Reads a frame header, refusing by name what is no picture of 8 bits.
    fn read(marker: u8, content: &[u8]) -> Result<Self, String> {
        let coding = match marker {
            0xc0 | 0xc1 => Coding::Sequential,
            0xc2 => Coding::Progressive,
            0xc9 => Coding::Arithmetic,
            0xca => Coding::ArithmeticProgressive,
            0xc3 | 0xcb => return Err("lossless JPEG (SOF3, SOF11) is not supported".to_owned()),
            _ => return Err(format!("hierarchical JPEG (SOF{}) is not supported", marker & 15)),
        };
        let [bits, h0, h1, w0, w1, count, ref list @ ..] = *content else {
            return Err(CUT.to_owned());
        };
        if bits != 8 {
            return Err(format!("JPEG with {bits} bits in a sample is not supported, only with 8"));
        }
        let [width, height] =
            [[w0, w1], [h0, h1]].map(|pair| usize::from(u16::from_be_bytes(pair)));
        if height == 0 {
            return Err(HEIGHT_LATER.to_owned());
        }
        if width == 0 {
            return Err("a side is 0 pixels long".to_owned());
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(format!(
                "JPEG with {count} components is not supported, only with 1, 3 and 4"
            ));
        }
        if list.len() != 3 * usize::from(count) {
            return Err(format!(
                "the frame header has {} bytes for {count} components",
                list.len()
            ));
        }
        let components = list.chunks_exact(3).map(|c| {
            let (across, down) = (usize::from(c[1] >> 4), usize::from(c[1] & 15));
            match (1..=4).contains(&across) && (1..=4).contains(&down) {
                true => Ok(Component { id: c[0], across, down, quant: c[2].into() }),
                false => {
                    Err(format!("component {} is sampled {across} x {down}, not 1 to 4", c[0]))
                }
            }
        });
        Ok(Self { coding, width, height, components: components.collect::<Result<_, _>>()? })
    }

    /// Tells what the components mean from their number, the two markers and their names, as
    /// `jdapimin.c` does.
    fn colour(&self, jfif: bool, adobe: Option<u8>) -> Colour {
        let names = || self.components.iter().map(|component| component.id).collect::<Vec<_>>();
        match (self.components.len(), adobe) {
            (1, _) => Colour::Grey,
            (3, _) if jfif => Colour::YCbCr,
            (3, Some(0)) => Colour::Rgb,
            (3, None) if names() == *b"RGB" => Colour::Rgb,
            (3, _) => Colour::YCbCr,
            (_, None | Some(0)) => Colour::Cmyk,
            _ => Colour::Ycck,
        }
    }
}
