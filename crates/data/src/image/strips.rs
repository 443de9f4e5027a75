//! Pixels of a PNG to RGB as its rows come.
//!
//! A row of 16 bits or with transparency takes up to eight bytes a pixel. The whole picture is only
//! held in RGB.

use super::alpha::Alpha;
use ::image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, RgbImage, RgbaImage};
use png::{BitDepth, ColorType, DecodingError, InterlaceInfo, Reader, expand_interlaced_row};
use std::io::Cursor;

/// Bytes of rows that are converted at once.
const STRIP: usize = 1 << 20;

/// Form of the rows of a PNG.
pub(super) struct Rows {
    colour: ColorType,
    depth: BitDepth,
    /// True for greys of 16 bits of which one is transparent: Pillow keeps them apart from greys
    /// with alpha, and cuts them off at 255.
    cut: bool,
    alpha: Alpha,
}

impl Rows {
    pub fn of(reader: &Reader<Cursor<&[u8]>>, alpha: Alpha) -> Self {
        let (colour, depth) = reader.output_color_type();
        let cut = reader.info().color_type == ColorType::Grayscale && alpha == Alpha::Drop;
        Self { colour, depth, cut, alpha }
    }

    /// Tells if rows that are converted early save memory, in a picture of `bytes` bytes.
    pub fn save_memory(&self, bytes: usize) -> bool {
        let small = self.depth == BitDepth::Eight
            && matches!(self.colour, ColorType::Grayscale | ColorType::Rgb);
        !small && bytes > STRIP
    }

    /// Makes a picture of rows as they are stored.
    pub fn picture(&self, width: u32, height: u32, bytes: Vec<u8>) -> Result<DynamicImage, String> {
        use BitDepth::{Eight, Sixteen};
        use ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
        let wide = |bytes: &[u8]| {
            bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        let picture =
            match (self.colour, self.depth) {
                (Grayscale, Eight) => GrayImage::from_raw(width, height, bytes).map(Into::into),
                (GrayscaleAlpha, Eight) => {
                    GrayAlphaImage::from_raw(width, height, bytes).map(Into::into)
                }
                (Rgb, Eight) => RgbImage::from_raw(width, height, bytes).map(Into::into),
                (Rgba, Eight) => RgbaImage::from_raw(width, height, bytes).map(Into::into),
                (Grayscale, Sixteen) => ImageBuffer::from_raw(width, height, wide(&bytes))
                    .map(DynamicImage::ImageLuma16),
                (GrayscaleAlpha, Sixteen) if self.cut => {
                    let greys = bytes
                        .chunks_exact(4)
                        .map(|four| u16::from_be_bytes([four[0], four[1]]))
                        .collect();
                    ImageBuffer::from_raw(width, height, greys).map(DynamicImage::ImageLuma16)
                }
                (GrayscaleAlpha, Sixteen) => ImageBuffer::from_raw(width, height, wide(&bytes))
                    .map(DynamicImage::ImageLumaA16),
                (Rgb, Sixteen) => {
                    ImageBuffer::from_raw(width, height, wide(&bytes)).map(DynamicImage::ImageRgb16)
                }
                (Rgba, Sixteen) => ImageBuffer::from_raw(width, height, wide(&bytes))
                    .map(DynamicImage::ImageRgba16),
                _ => None,
            };
        picture.ok_or_else(|| format!("its pixels are {:?} of {:?} bits", self.colour, self.depth))
    }

    /// Decodes the rows to RGB.
    pub fn rgb(&self, reader: &mut Reader<Cursor<&[u8]>>) -> Result<DynamicImage, String> {
        let (width, height) = reader.info().size();
        let line = reader
            .output_line_size(width)
            .filter(|&line| line > 0)
            .ok_or("it is too large for this machine")?;
        let all = match reader.info().interlaced {
            true => self.interlaced(reader, (width, height), line)?,
            false => self.in_turn(reader, (width, height), line)?,
        };
        let picture = RgbImage::from_raw(width, height, all).map(DynamicImage::ImageRgb8);
        picture.ok_or_else(|| "pixels and size do not fit".to_owned())
    }

    /// Converts rows that come from top to bottom, some at once.
    fn in_turn(
        &self,
        reader: &mut Reader<Cursor<&[u8]>>,
        (width, height): (u32, u32),
        line: usize,
    ) -> Result<Vec<u8>, String> {
        let mut all = Vec::with_capacity(3 * width as usize * height as usize);
        let most = (STRIP / line).max(1);
        let mut left = height as usize;
        while left > 0 {
            let mut strip = vec![0; most.min(left) * line];
            let mut count = 0;
            for row in strip.chunks_exact_mut(line) {
                count += usize::from(reader.read_row(row).map_err(fail)?.is_some());
            }
            if count * line < strip.len() {
                return Err("it has fewer rows than its header says".to_owned());
            }
            all.extend_from_slice(&self.converted(width, count as u32, strip)?);
            left -= count;
        }
        // Behind the last row, for the end of the pixels.
        reader.next_row().map_err(fail)?;
        Ok(all)
    }

    /// Converts rows that come in passes, each with some pixels of a line.
    fn interlaced(
        &self,
        reader: &mut Reader<Cursor<&[u8]>>,
        (width, height): (u32, u32),
        line: usize,
    ) -> Result<Vec<u8>, String> {
        let stride = 3 * width as usize;
        let mut all = vec![0; stride * height as usize];
        let pixel = (line / width as usize).max(1);
        while let Some(row) = reader.next_interlaced_row().map_err(fail)? {
            let InterlaceInfo::Adam7(place) = row.interlace() else { continue };
            let rgb = self.converted((row.data().len() / pixel) as u32, 1, row.data().to_vec())?;
            expand_interlaced_row(&mut all, stride, &rgb, place, 24);
        }
        Ok(all)
    }

    fn converted(&self, width: u32, height: u32, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        Ok(self.alpha.apply(self.picture(width, height, bytes)?).into_raw())
    }
}

fn fail(error: DecodingError) -> String {
    error.to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::image::png::checksum;
    use png::{Decoder, Encoder, Transformations};

    /// Makes a PNG of noise.
    fn noise(
        (colour, depth, clear): (ColorType, BitDepth, bool),
        width: u32,
        height: u32,
    ) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, width, height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if clear {
            encoder.set_trns(vec![0; 2 * colour.samples()]);
        }
        let len = width as usize * height as usize * colour.samples() * (depth as usize / 8);
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Zeros too, so that some pixels are the transparent colour.
            (seed >> 24) as u8 & if seed >> 20 & 3 == 0 { 0 } else { 0xff }
        };
        let bytes: Vec<u8> = (0..len).map(|_| next()).collect();
        encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
        file
    }

    fn reader(file: &[u8]) -> Reader<Cursor<&[u8]>> {
        let mut decoder = Decoder::new(Cursor::new(file));
        decoder.set_transformations(Transformations::EXPAND);
        decoder.read_info().unwrap()
    }

    /// Returns the same picture with its lines in the order of Adam7, each behind the filter that
    /// changes nothing.
    fn interlaced(file: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; decoder.output_buffer_size().unwrap()];
        let found = decoder.next_frame(&mut bytes).unwrap();
        let pixel = found.line_size / found.width as usize;
        let mut lines = Vec::new();
        let passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        for (left, top, across, down) in passes {
            for y in
                (top..found.height as usize).step_by(down).filter(|_| left < found.width as usize)
            {
                lines.push(0);
                let line = &bytes[y * found.line_size..][..found.line_size];
                line.chunks_exact(pixel)
                    .skip(left)
                    .step_by(across)
                    .for_each(|pixel| lines.extend(pixel));
            }
        }
        let mut out = file[..8].to_vec();
        let mut put = |kind: &[u8], data: &[u8]| {
            out.extend((data.len() as u32).to_be_bytes());
            out.extend([kind, data, &checksum(kind, data).to_be_bytes()].concat());
        };
        let mut header = file[16..29].to_vec();
        header[12] = 1;
        put(b"IHDR", &header);
        if decoder.info().trns.is_some() {
            put(b"tRNS", &vec![0; 2 * found.color_type.samples()]);
        }
        put(b"IDAT", &miniz_oxide::deflate::compress_to_vec_zlib(&lines, 1));
        put(b"IEND", &[]);
        out
    }

    #[test]
    fn pixels_are_those_of_the_whole_picture_converted_at_once() {
        use BitDepth::{Eight, Sixteen};
        use ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
        let mut forms = vec![];
        for depth in [Eight, Sixteen] {
            forms.extend(
                [Grayscale, GrayscaleAlpha, Rgb, Rgba].map(|colour| (colour, depth, false)),
            );
            forms.extend([Grayscale, Rgb].map(|colour| (colour, depth, true)));
        }
        // The second has more rows than one strip.
        for (form, (width, height)) in
            forms.iter().flat_map(|form| [(form, (13, 11)), (form, (900, 700))])
        {
            let plain = noise(*form, width, height);
            for alpha in [Alpha::OnWhite, Alpha::Drop] {
                let rows = Rows::of(&reader(&plain), alpha);
                let mut bytes = vec![0; reader(&plain).output_buffer_size().unwrap()];
                reader(&plain).next_frame(&mut bytes).unwrap();
                let right = alpha.apply(rows.picture(width, height, bytes).unwrap());
                assert!(right.as_raw().iter().any(|&value| value != right.as_raw()[0]));
                let found = rows.rgb(&mut reader(&plain)).unwrap().into_rgb8();
                assert!(found == right, "{form:?} {alpha:?} {width}");
                let found = rows.rgb(&mut reader(&interlaced(&plain))).unwrap().into_rgb8();
                assert!(found == right, "{form:?} {alpha:?} {width} interlaced");
            }
        }
    }
}
