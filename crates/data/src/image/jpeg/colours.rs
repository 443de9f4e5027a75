//! Colours of a JPEG to RGB, as libjpeg-turbo and Pillow convert them.

use super::header::Colour;

/// Converts one row of three or four components to RGB.
pub(super) fn row(colour: Colour, from: &[Vec<u8>], out: &mut [u8]) -> Result<(), String> {
    match (colour, from) {
        (Colour::Rgb, [r, g, b]) => each(out, [r, g, b, r], |[r, g, b, _]| [r, g, b]),
        (Colour::YCbCr, [y, cb, cr]) => {
            each(out, [y, cb, cr, y], |[y, cb, cr, _]| light_to_rgb([y, cb, cr]))
        }
        (Colour::Cmyk, [c, m, y, k]) => each(out, [c, m, y, k], ink_to_rgb),
        (Colour::Ycck, [y, cb, cr, k]) => each(out, [y, cb, cr, k], |[y, cb, cr, k]| {
            let [c, m, y] = light_to_rgb([y, cb, cr]).map(|light| 255 - light);
            ink_to_rgb([c, m, y, k])
        }),
        _ => return Err("colours and components do not fit".to_owned()),
    }
    Ok(())
}

/// Converts each pixel of a row.
fn each(out: &mut [u8], from: [&Vec<u8>; 4], to_rgb: impl Fn([u8; 4]) -> [u8; 3]) {
    let (pixels, _) = out.as_chunks_mut::<3>();
    // Cut to one length, so that it is compared once for the row.
    let [a, b, c, d] = from.map(|row| &row[..pixels.len()]);
    for (x, pixel) in pixels.iter_mut().enumerate() {
        *pixel = to_rgb([a[x], b[x], c[x], d[x]]);
    }
}

/// Converts with libjpeg's numbers: 16 bits behind the point, each product rounded by itself but
/// for green.
fn light_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    let red = y + ((91_881 * cr + 32_768) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + 32_768) >> 16);
    let blue = y + ((116_130 * cb + 32_768) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

/// Converts inks, given as what is left of the paper's white, as Pillow does. It takes all files
/// for such, with Adobe's marker or without.
fn ink_to_rgb([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    [c, m, y].map(|left| {
        // `white - ink * white / 255`, rounded as Pillow rounds.
        let product = u16::from(255 - left) * u16::from(k) + 128;
        k.saturating_sub((((product >> 8) + product) >> 8) as u8)
    })
}
