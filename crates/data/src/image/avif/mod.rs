//! AVIF pictures: one AV1 frame, or a grid of them, in a file of boxes.

mod colours;
mod items;

use super::limits::check;
use super::refusal::Refusal;
use super::turn::{Blocks, UPRIGHT, has_exif_turn};
use ::image::metadata::Orientation;
use ::image::{DynamicImage, RgbImage, RgbaImage};
use colours::{Matrix, Sampling};
use items::{Item, Items, Reader};
use re_rav1d::dav1d::{Decoder, Picture, PixelLayout, PlanarImageComponent, Settings};
use std::borrow::Cow;

/// The samples of a picture, reduced to eight bits: light and two differences.
pub struct Planes {
    pub width: u32,
    pub height: u32,
    pub sampling: Sampling,
    pub samples: [Vec<u8>; 3],
}

impl Planes {
    fn blank(width: u32, height: u32, sampling: Sampling) -> Self {
        let mut planes = Self { width, height, sampling, samples: [vec![], vec![], vec![]] };
        let (across, down) = planes.chroma_size();
        planes.samples = [
            vec![0; width as usize * height as usize],
            vec![0; across * down],
            vec![0; across * down],
        ];
        planes
    }

    /// Returns width and height of the chroma planes.
    pub fn chroma_size(&self) -> (usize, usize) {
        let (width, height) = (self.width as usize, self.height as usize);
        match self.sampling {
            Sampling::Grey => (0, 0),
            Sampling::Quarter => (width.div_ceil(2), height.div_ceil(2)),
            Sampling::Half => (width.div_ceil(2), height),
            Sampling::Full => (width, height),
        }
    }

    /// Returns width and height of a plane.
    fn size(&self, plane: usize) -> (usize, usize) {
        if plane == 0 { (self.width as usize, self.height as usize) } else { self.chroma_size() }
    }

    /// Puts a cell of a grid in its place; what reaches beyond the picture is left out.
    fn put(&mut self, cell: &Self, column: usize, row: usize) {
        for plane in 0..3 {
            let ((width, height), (across, down)) = (self.size(plane), cell.size(plane));
            let (left, top) = (column * across, row * down);
            if left >= width || across == 0 {
                continue;
            }
            let count = across.min(width - left);
            for (y, line) in cell.samples[plane]
                .chunks_exact(across)
                .enumerate()
                .take(height.saturating_sub(top))
            {
                self.samples[plane][(top + y) * width + left..][..count]
                    .copy_from_slice(&line[..count]);
            }
        }
    }
}

/// Reads the size of an item.
fn extent(items: &Items, item: &Item) -> Result<(u32, u32), String> {
    let mut reader = items.property(item, b"ispe").ok_or("it has no size")?;
    let mut side =
        || reader.number(4).map(|side| side as u32).ok_or("the file is cut off in its header");
    side()?;
    Ok((side()?, side()?))
}

/// Reads the size of the picture.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let items = Items::read(bytes)?;
    extent(&items, items.get(items.primary)?)
}

/// Reads the turn, as Pillow does: what the file says counts before EXIF, whose turn is only looked
/// for to pass over XMP.
pub(super) fn turn(bytes: &[u8]) -> Orientation {
    let Ok(items) = Items::read(bytes) else { return UPRIGHT };
    let Ok(item) = items.get(items.primary) else { return UPRIGHT };
    let first = |name| items.property(item, name).and_then(|mut content: Reader| content.number(1));
    let quarters = first(b"irot").map_or(0, |angle| angle & 3);
    let mirror = first(b"imir").map(|axis| axis & 1);
    // Quarters are turned against the clock, then left and right (1) or top and bottom (0) are
    // swapped.
    let code = match (quarters, mirror) {
        (0, None) => 1,
        (1, None) => 8,
        (2, None) => 3,
        (_, None) => 6,
        (0, Some(1)) | (2, Some(0)) => 2,
        (0, Some(_)) | (2, Some(_)) => 4,
        (1, Some(1)) | (3, Some(0)) => 7,
        _ => 5,
    };
    if code != 1 {
        return Orientation::from_exif(code).unwrap_or(UPRIGHT);
    }
    let about = |wanted: fn(&Item) -> bool| {
        let mut found = items.naming(items.primary, b"cdsc").filter(|item| wanted(item));
        found.next().and_then(|item| items.data(item).ok())
    };
    // Four bytes say where the block begins.
    let exif = about(|item| &item.kind == b"Exif");
    let exif = exif.as_deref().and_then(|data| {
        let start = Reader(data).number(4)? as usize;
        data.get(4 + start..)
    });
    match exif.is_some_and(has_exif_turn) {
        true => UPRIGHT,
        false => Blocks { exif: None, xmp: about(|item| item.is_xmp).map(Cow::Owned) }.turn(),
    }
}

/// A decoded frame, and what its numbers mean.
struct Frame {
    planes: Planes,
    matrix: Matrix,
}

/// Decodes the frame of an item of pixels.
fn frame(items: &Items, item: &Item, most: u64) -> Result<Frame, Refusal> {
    if &item.kind != b"av01" {
        return Err(format!(
            "a picture of kind {:?} is not read in an AVIF",
            String::from_utf8_lossy(&item.kind)
        )
        .into());
    }
    let (width, height) = extent(items, item)?;
    check(width, height, most)?;
    let fail = |error: re_rav1d::dav1d::Error| format!("its frame does not decode: {error}");
    let data = items.data(item)?;
    if data.is_empty() {
        return Err("the file is cut off: its pixels are missing".into());
    }
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(
        u32::try_from(u64::from(width) * u64::from(height)).unwrap_or(u32::MAX),
    );
    let mut decoder = Decoder::with_settings(&settings).map_err(fail)?;
    decoder.send_data(data, None, None, None).map_err(fail)?;
    let picture = decoder.get_picture().map_err(fail)?;
    if (picture.width(), picture.height()) != (width, height) {
        return Err(format!(
            "its frame is {} x {}, its header says {width} x {height}",
            picture.width(),
            picture.height()
        )
        .into());
    }
    let planes = planes(&picture);
    let matrix = matrix_of(items, item).unwrap_or_else(|| Matrix {
        code: picture.matrix_coefficients() as u16,
        full: picture.color_range() == re_rav1d::dav1d::pixel::YUVRange::Full,
    });
    Ok(Frame { planes, matrix })
}

/// Copies the planes of a decoded frame, without the padding around the picture.
fn planes(picture: &Picture) -> Planes {
    let sampling = match picture.pixel_layout() {
        PixelLayout::I400 => Sampling::Grey,
        PixelLayout::I420 => Sampling::Quarter,
        PixelLayout::I422 => Sampling::Half,
        PixelLayout::I444 => Sampling::Full,
    };
    let shift = picture.bit_depth().saturating_sub(8);
    let mut planes = Planes::blank(picture.width(), picture.height(), sampling);
    for (i, component) in
        [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V]
            .into_iter()
            .enumerate()
    {
        let (across, _) = planes.size(i);
        if across == 0 {
            continue;
        }
        let (plane, stride) = (picture.plane(component), picture.stride(component) as usize);
        for (to, from) in planes.samples[i].chunks_exact_mut(across).zip(plane.chunks(stride)) {
            match shift {
                0 => to.copy_from_slice(&from[..across]),
                _ => to.iter_mut().zip(from.chunks_exact(2)).for_each(|(to, pair)| {
                    *to = reduced(u16::from_ne_bytes([pair[0], pair[1]]), shift, sampling);
                }),
            }
        }
    }
    planes
}

/// Reduces a sample to eight bits as libavif does: light alone is rounded, with colours the lower
/// bits are dropped.
fn reduced(sample: u16, shift: usize, sampling: Sampling) -> u8 {
    match sampling {
        Sampling::Grey => {
            let most = (256u32 << shift) - 1;
            ((u32::from(sample) * 255 + most / 2) / most).min(255) as u8
        }
        _ => (sample >> shift).min(255) as u8,
    }
}

/// Reads what the file says of the meaning of an item's numbers.
fn matrix_of(items: &Items, item: &Item) -> Option<Matrix> {
    let mut reader =
        items.property(item, b"colr").filter(|content| content.0.starts_with(b"nclx"))?;
    reader.take(8)?;
    Some(Matrix { code: reader.number(2)? as u16, full: reader.number(1)? & 0x80 != 0 })
}

/// Decodes an item: a frame, or a grid of them.
fn assembled(items: &Items, item: &Item, most: u64) -> Result<Frame, Refusal> {
    if &item.kind != b"grid" {
        return frame(items, item, most);
    }
    let data = items.data(item)?;
    let mut reader = Reader(&data);
    let cut = "the file is cut off in its grid";
    let (flags, rows, columns) = (
        reader.number(2).ok_or(cut)?,
        reader.number(1).ok_or(cut)? + 1,
        reader.number(1).ok_or(cut)? + 1,
    );
    let side = if flags & 1 == 0 { 2 } else { 4 };
    let (width, height) =
        (reader.number(side).ok_or(cut)? as u32, reader.number(side).ok_or(cut)? as u32);
    check(width, height, most)?;
    let cells = items.named_by(item.id, b"dimg");
    if cells.len() as u64 != rows * columns {
        return Err(format!("its grid of {rows} x {columns} has {} cells", cells.len()).into());
    }
    let mut whole: Option<Frame> = None;
    let mut of_cells = None;
    for (i, cell) in cells.iter().enumerate() {
        let cell = items.get(*cell)?;
        let (across, down) = extent(items, cell)?;
        let covers = |side: u32, count: u64, all: u32| {
            (u64::from(side) * count >= u64::from(all))
                && u64::from(side) * (count - 1) < u64::from(all)
        };
        let like_first = *of_cells.get_or_insert((across, down)) == (across, down);
        if !like_first || !covers(across, columns, width) || !covers(down, rows, height) {
            return Err("the cells of its grid do not fit".into());
        }
        let Frame { planes, matrix } = frame(items, cell, most)?;
        let matrix = matrix_of(items, item).unwrap_or(matrix);
        let whole = whole.get_or_insert_with(|| Frame {
            planes: Planes::blank(width, height, planes.sampling),
            matrix,
        });
        if whole.planes.sampling != planes.sampling {
            return Err("the cells of its grid are of several kinds".into());
        }
        whole.planes.put(&planes, i % columns as usize, i / columns as usize);
    }
    whole.ok_or_else(|| "its grid has no cells".into())
}

/// Decodes the picture.
pub(super) fn decode(bytes: &[u8], most: u64) -> Result<DynamicImage, Refusal> {
    let items = Items::read(bytes)?;
    let item = items.get(items.primary)?;
    let is_alpha = |item: &&Item| {
        items
            .property(item, b"auxC")
            .is_some_and(|content| content.0.windows(5).any(|part| part == b"alpha"))
    };
    let alpha = items.naming(item.id, b"auxl").find(is_alpha);
    if alpha.is_some_and(|alpha| items.named_by(item.id, b"prem").contains(&alpha.id)) {
        return Err("an AVIF whose colours were multiplied with alpha is not read".into());
    }
    let Frame { planes, matrix } = assembled(&items, item, most)?;
    let rgb = colours::rgb(&planes, matrix, alpha.is_some())?;
    let unfit = || Refusal::new("pixels and size do not fit");
    let Some(alpha) = alpha else {
        return RgbImage::from_raw(planes.width, planes.height, rgb)
            .map(Into::into)
            .ok_or_else(unfit);
    };
    let alpha = assembled(&items, alpha, most)?.planes;
    if (alpha.width, alpha.height) != (planes.width, planes.height) {
        return Err("its transparency has another size than its colours".into());
    }
    let rgba = rgb
        .chunks_exact(3)
        .zip(&alpha.samples[0])
        .flat_map(|(c, &a)| [c[0], c[1], c[2], a])
        .collect();
    RgbaImage::from_raw(planes.width, planes.height, rgba).map(Into::into).ok_or_else(unfit)
}
