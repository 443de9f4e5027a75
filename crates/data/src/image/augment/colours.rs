//! Operations on colours, with the bytes of Pillow.
//!
//! LAVIS has functions of its own, with NumPy and OpenCV. They give the bytes of Pillow's
//! `ImageOps` and `ImageEnhance`, as their comments say, but for two faults that are not taken over:
//!
//! - `autocontrast_func` negates a byte, which overflows: a channel without a value of 0 becomes
//!   white.
//! - `sharpness_func` lets values beyond 0 and 255 wrap, above level 5.

/// Applies a table to each channel of RGB pixels, made from how often each value occurs.
fn by_channel(pixels: &mut [u8], table: impl Fn(&[u32; 256]) -> Option<[u8; 256]>) {
    let mut counts = [[0; 256]; 3];
    for pixel in pixels.as_chunks::<3>().0 {
        for channel in 0..3 {
            counts[channel][usize::from(pixel[channel])] += 1;
        }
    }
    for (channel, counts) in counts.iter().enumerate() {
        if let Some(table) = table(counts) {
            for pixel in pixels.as_chunks_mut::<3>().0 {
                pixel[channel] = table[usize::from(pixel[channel])];
            }
        }
    }
}

/// Stretches each channel to the values from 0 to 255.
pub(super) fn auto_contrast(pixels: &mut [u8]) {
    by_channel(pixels, |counts| {
        let low = counts.iter().position(|&count| count > 0)?;
        let high = counts.iter().rposition(|&count| count > 0)?;
        let scale = (high > low).then(|| 255.0 / (high - low) as f64)?;
        let offset = -(low as f64) * scale;
        Some(std::array::from_fn(|value| (value as f64 * scale + offset) as u8))
    });
}

/// Gives each channel about as many pixels of each value.
pub(super) fn equalize(pixels: &mut [u8]) {
    by_channel(pixels, |counts| {
        let highest = counts.iter().rposition(|&count| count > 0)?;
        let step = counts[..highest].iter().sum::<u32>() / 255;
        let mut below = (step > 0).then_some(step / 2)?;
        Some(std::array::from_fn(|value| {
            let to = (below / step).min(255) as u8;
            below += counts[value];
            to
        }))
    });
}

/// Multiplies all values.
pub(super) fn brightness(pixels: &mut [u8], factor: f32) {
    let table: [u8; 256] = std::array::from_fn(|value| (value as f32 * factor) as u8);
    for value in pixels {
        *value = table[usize::from(*value)];
    }
}

/// Blends a square picture with a smoothed one; factor 0 is smooth, 1 as before, more is sharper.
/// The outermost pixels stay as they are.
pub(super) fn sharpness(pixels: &mut [u8], side: usize, factor: f32) {
    let stride = 3 * side;
    if factor == 1.0 || side < 3 {
        return;
    }
    let before = pixels.to_vec();
    let inner = stride - 6;
    for y in 1..side - 1 {
        let [above, row, below] = [y - 1, y, y + 1].map(|y| &before[y * stride..][..stride]);
        let three = |row: &[u8], at: usize| {
            u32::from(row[at]) + u32::from(row[at + 3]) + u32::from(row[at + 6])
        };
        for (at, out) in pixels[y * stride + 3..][..inner].iter_mut().enumerate() {
            // The weights are 1 for each neighbour and 5 for the pixel, of 13.
            let value = u32::from(row[at + 3]);
            let sum = three(above, at) + three(row, at) + three(below, at) + 4 * value;
            let smooth = ((2 * sum + 13) / 26) as f32;
            *out = (smooth + factor * (value as f32 - smooth)) as u8;
        }
    }
}
