//! A contact sheet: pictures of a data set with their texts, at a glance.

mod font;

use crate::image::resize;
use crate::{DataError, Dataset};
use font::{ADVANCE, draw, wrap};
use image::{Rgb, RgbImage};

/// Side of a picture on the sheet, of its cell and of the margins.
const PICTURE: u32 = 192;
const MARGIN: u32 = 10;
const LINE: u32 = 11;
const CAPTION_LINES: u32 = 3;
const QUESTION_LINES: u32 = 3;

/// Draws a grid of `count` pictures, spread over the data set, each with a caption and one question
/// with its answer.
///
/// # Errors
/// If a picture cannot be decoded.
pub fn contact_sheet(dataset: &dyn Dataset, count: usize) -> Result<RgbImage, DataError> {
    let count = count.clamp(1, 400).min(dataset.len().max(1));
    let columns = (1..=count).find(|c| c * c * 4 >= count * 5).unwrap_or(count) as u32;
    let rows = (count as u32).div_ceil(columns);
    let width = PICTURE + MARGIN;
    let height = PICTURE + MARGIN + (CAPTION_LINES + QUESTION_LINES) * LINE + 6;
    let mut sheet = RgbImage::from_pixel(
        columns * width + MARGIN,
        rows * height + MARGIN,
        Rgb([252, 252, 250]),
    );
    let letters = (PICTURE / ADVANCE) as usize;
    for at in 0..count.min(dataset.len()) {
        // Spread, because groups of a data set follow one another.
        let index = at * dataset.len() / count;
        let (x, y) = (MARGIN + at as u32 % columns * width, MARGIN + at as u32 / columns * height);
        put(&mut sheet, &dataset.image(index)?, x, y);
        let item = dataset.item(index);
        let caption = item.captions.first().map_or("(no caption)", String::as_str);
        let mut below = y + PICTURE + 4;
        for line in wrap(caption, letters, CAPTION_LINES as usize) {
            draw(&mut sheet, x, below, &line, [20, 20, 20]);
            below += LINE;
        }
        if !item.questions.is_empty() {
            let question = &item.questions[at % item.questions.len()];
            let text = format!("{} {}", question.text, question.answers.join(" | "));
            for line in wrap(&text, letters, QUESTION_LINES as usize) {
                draw(&mut sheet, x, below, &line, [30, 70, 170]);
                below += LINE;
            }
        }
    }
    Ok(sheet)
}

/// Puts a picture into a cell, as large as fits.
fn put(sheet: &mut RgbImage, picture: &RgbImage, x0: u32, y0: u32) {
    let (width, height) = (picture.width().max(1), picture.height().max(1));
    let longest = width.max(height);
    let fit = |side: u32| (side * PICTURE / longest).max(1);
    let (to_width, to_height) = (fit(width), fit(height));
    let at = |x: u32, y: u32| (y as usize * to_width as usize + x as usize) * 3;
    let small = longest * 2 <= PICTURE;
    let scaled = if small {
        Vec::new()
    } else {
        resize::<3>(
            picture,
            (width as usize, height as usize),
            (to_width as usize, to_height as usize),
        )
    };
    for y in 0..to_height {
        for x in 0..to_width {
            // Small pictures are enlarged without interpolation: the model sees these pixels.
            let pixel = if small {
                *picture.get_pixel(x * width / to_width, y * height / to_height)
            } else {
                Rgb([scaled[at(x, y)], scaled[at(x, y) + 1], scaled[at(x, y) + 2]])
            };
            sheet.put_pixel(x0 + x, y0 + y, pixel);
        }
    }
}
