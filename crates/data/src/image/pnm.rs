//! Portable pixmaps: PBM, PGM and PPM, as text and as bytes.

use ::image::{DynamicImage, GrayImage, ImageBuffer, RgbImage};

/// Contents of the header, and the bytes that follow it.
struct Header<'a> {
    /// The digit of `P1` to `P6`.
    kind: u8,
    width: u32,
    height: u32,
    /// The value of white.
    most: u32,
    rest: &'a [u8],
}

impl Header<'_> {
    /// Returns `true` if a pixel has one of two values.
    fn is_bilevel(&self) -> bool {
        matches!(self.kind, b'1' | b'4')
    }

    /// Returns `true` if pixels are written as text.
    fn is_text(&self) -> bool {
        self.kind <= b'3'
    }

    fn samples(&self) -> usize {
        let colours = if matches!(self.kind, b'3' | b'6') { 3 } else { 1 };
        self.width as usize * self.height as usize * colours
    }
}

/// Tells if a file begins as a pixmap does.
pub(super) fn is_magic(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'6', space, ..] if space.is_ascii_whitespace() || *space == b'#')
}

/// Takes the next word off; comments run from `#` to the end of a line.
fn word<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    loop {
        match *rest {
            [] => return None,
            [b'#', ..] => {
                let end =
                    rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
                *rest = &rest[end..];
            }
            [space, after @ ..] if space.is_ascii_whitespace() => *rest = after,
            bytes => {
                let end = bytes
                    .iter()
                    .position(|b| b.is_ascii_whitespace() || *b == b'#')
                    .unwrap_or(bytes.len());
                let (word, after) = bytes.split_at(end);
                *rest = after;
                return Some(word);
            }
        }
    }
}

/// Reads a whole number of up to ten digits.
fn number(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word)
        .ok()
        .filter(|word| word.len() <= 10 && !word.starts_with('+'))?
        .parse()
        .ok()
}

fn header(bytes: &[u8]) -> Result<Header<'_>, String> {
    let kind = *bytes.get(1).ok_or("the file is cut off in its header")?;
    let mut rest = &bytes[2..];
    let mut next = |name: &str| {
        let word = word(&mut rest).ok_or("the file is cut off in its header")?;
        number(word).ok_or_else(|| {
            format!(
                "its {name} is no number: {:?}",
                String::from_utf8_lossy(&word[..word.len().min(20)])
            )
        })
    };
    let (width, height) = (next("width")?, next("height")?);
    let most = if matches!(kind, b'1' | b'4') { 1 } else { next("largest value")? };
    if !(1..=65_535).contains(&most) {
        return Err(format!("its largest value is {most}"));
    }
    // Bytes follow behind one blank.
    let rest = if kind <= b'3' { rest } else { rest.get(1..).unwrap_or_default() };
    Ok(Header { kind, width, height, most, rest })
}

/// Reads the size from the header.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    header(bytes).map(|header| (header.width, header.height))
}

/// Decodes the picture. Greys above 255 keep their 16 bits, colours do not, as in Pillow.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let header = header(bytes)?;
    let (width, height) = (header.width, header.height);
    let wide_grey = header.most > 255 && matches!(header.kind, b'2' | b'5');
    let samples = samples(&header)?;
    let white = if wide_grey { 65_535.0 } else { 255.0 };
    // Halves are rounded to even, as Python does.
    let scaled = |value: u32| {
        (f64::from(value) / f64::from(header.most) * white).round_ties_even().min(white)
    };
    if wide_grey {
        let samples = samples
            .map(|value| value.map(|value| scaled(value) as u16))
            .collect::<Result<_, _>>()?;
        return ImageBuffer::from_raw(width, height, samples)
            .map(DynamicImage::ImageLuma16)
            .ok_or_else(unfit);
    }
    let samples = samples
        .map(|value| value.map(|value| scaled(value) as u8))
        .collect::<Result<_, String>>()?;
    let picture = match header.kind {
        b'3' | b'6' => RgbImage::from_raw(width, height, samples).map(Into::into),
        _ => GrayImage::from_raw(width, height, samples).map(Into::into),
    };
    picture.ok_or_else(unfit)
}

fn unfit() -> String {
    "pixels and size do not fit".to_owned()
}

/// Reads all samples, of two values with white as the larger one.
fn samples<'a>(
    header: &'a Header,
) -> Result<Box<dyn Iterator<Item = Result<u32, String>> + 'a>, String> {
    let len = header.samples();
    let cut = "the file is cut off: pixels are missing";
    if header.is_text() {
        // A digit and a blank a sample; of two values the blank may be left out.
        if header.rest.len() < len {
            return Err(cut.to_owned());
        }
        let mut rest = header.rest;
        let mut digits: &[u8] = &[];
        return Ok(Box::new((0..len).map(move |_| {
            if !header.is_bilevel() {
                let word = word(&mut rest).ok_or(cut)?;
                return number(word)
                    .filter(|value| *value <= header.most)
                    .ok_or_else(|| "a pixel is no number".to_owned());
            }
            if digits.is_empty() {
                digits = word(&mut rest).ok_or(cut)?;
            }
            let digit = digits[0];
            digits = &digits[1..];
            match digit {
                b'0' => Ok(1),
                b'1' => Ok(0),
                _ => Err("a pixel is neither 0 nor 1".to_owned()),
            }
        })));
    }
    let (width, height) = (header.width as usize, header.height as usize);
    let step = if header.most > 255 { 2 } else { 1 };
    let needed = if header.is_bilevel() { width.div_ceil(8) * height } else { len * step };
    let bytes = header.rest.get(..needed).ok_or(cut)?;
    Ok(match (header.is_bilevel(), step) {
        // Black is 1.
        (true, _) => Box::new(bytes.chunks_exact(width.div_ceil(8)).flat_map(move |row| {
            (0..width).map(move |x| Ok(u32::from(!row[x / 8] >> (7 - x % 8) & 1)))
        })),
        (_, 2) => Box::new(
            bytes.chunks_exact(2).map(|pair| Ok(u32::from(u16::from_be_bytes([pair[0], pair[1]])))),
        ),
        _ => Box::new(bytes.iter().map(|byte| Ok(u32::from(*byte)))),
    })
}
