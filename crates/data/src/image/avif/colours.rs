//! Light and two differences to RGB, with the arithmetic of libyuv, which Pillow decodes AVIF with.

use super::Planes;

/// Spacing of the differences of a picture (chroma subsampling).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Only light.
    Grey,
    /// A sample for two by two pixels.
    Quarter,
    /// A sample for two neighbouring pixels of a row.
    Half,
    /// A sample for each pixel.
    Full,
}

/// Meaning of the numbers of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Code of ITU-T H.273.
    pub code: u16,
    /// True if light goes from 0 to 255, not from 16 to 235.
    pub full: bool,
}

/// Factors, in sixty-fourths: light, its offset, blue by U, green by U and V, red by V.
struct Factors {
    light: i32,
    offset: i32,
    blue: i32,
    green: [i32; 2],
    red: i32,
}

impl Matrix {
    /// Returns the factors of libyuv.
    fn factors(self) -> Result<Factors, String> {
        let factors =
            |light, offset, blue, green, red| Ok(Factors { light, offset, blue, green, red });
        match (self.code, self.full) {
            (1, true) => factors(16320, 32, 119, [12, 30], 101),
            (1, false) => factors(18997, -1160, 128, [14, 34], 115),
            // An unspecified matrix counts as BT.601.
            (2 | 5 | 6, true) => factors(16320, 32, 113, [22, 46], 90),
            (2 | 5 | 6, false) => factors(18997, -1160, 128, [25, 52], 102),
            (9, true) => factors(16320, 32, 120, [11, 37], 94),
            (9, false) => factors(19003, -1160, 128, [12, 42], 107),
            (code, _) => Err(format!("colours by matrix {code} are not read in an AVIF")),
        }
    }
}

impl Factors {
    fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let light = (((u32::from(y) * 0x0101) * self.light as u32) >> 16) as i32 + self.offset;
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let green = light - (u * self.green[0] + v * self.green[1]);
        // Sums are of sixteen bits, as in vector registers.
        [light + v * self.red, green, light + u * self.blue]
            .map(|c| (c.clamp(-32768, 32767) >> 6).clamp(0, 255) as u8)
    }
}

/// Makes RGB of planes; `transparent` pictures of grey go another way through libavif.
pub fn rgb(planes: &Planes, matrix: Matrix, transparent: bool) -> Result<Vec<u8>, String> {
    let (width, height) = (planes.width as usize, planes.height as usize);
    let [light, u, v] = &planes.samples;
    if planes.sampling == Sampling::Grey && !transparent {
        return Ok(light.iter().flat_map(|&y| [grey(y, matrix.full); 3]).collect());
    }
    if matrix.code == 0 {
        // Green, blue and red as they are.
        return match planes.sampling {
            Sampling::Full if matrix.full => {
                Ok((0..light.len()).flat_map(|i| [v[i], light[i], u[i]]).collect())
            }
            _ => Err("colours without a matrix are only read in full in an AVIF".to_owned()),
        };
    }
    let factors = matrix.factors()?;
    let mut out = Vec::with_capacity(3 * width * height);
    let mut row = |y: usize, u: &dyn Fn(usize) -> u8, v: &dyn Fn(usize) -> u8| {
        let light = &light[y * width..][..width];
        out.extend(light.iter().enumerate().flat_map(|(x, &light)| factors.rgb(light, u(x), v(x))));
    };
    let stride = planes.chroma_size().0;
    let mut lines = [vec![0; width], vec![0; width]];
    for y in 0..height {
        match planes.sampling {
            Sampling::Grey => row(y, &|_| 128, &|_| 128),
            Sampling::Full => row(y, &|x| u[y * width + x], &|x| v[y * width + x]),
            Sampling::Half | Sampling::Quarter => {
                for (line, plane) in lines.iter_mut().zip([u, v]) {
                    let line_of = |row: usize| &plane[row * stride..][..stride];
                    match planes.sampling {
                        Sampling::Half => widen(line_of(y), line),
                        _ => match neighbours(y, height) {
                            (near, far) if near == far => widen(line_of(near), line),
                            (near, far) => widen_between(line_of(near), line_of(far), line),
                        },
                    }
                }
                row(y, &|x| lines[0][x], &|x| lines[1][x]);
            }
        }
    }
    Ok(out)
}

/// Converts luma alone, by the floating-point path of libavif.
fn grey(y: u8, full: bool) -> u8 {
    match full {
        true => y,
        false => (0.5 + ((f32::from(y) - 16.0) / 219.0).clamp(0.0, 1.0) * 255.0) as u8,
    }
}

/// Returns the rows of chroma that row `y` lies between, the nearer one first; outer rows have only
/// one.
fn neighbours(y: usize, height: usize) -> (usize, usize) {
    let near = y / 2;
    if y == 0 || y % 2 == 1 && y + 1 == height {
        return (near, near);
    }
    (near, if y % 2 == 1 { near + 1 } else { near - 1 })
}

/// Doubles a row: three parts of the nearer sample, one of the other.
fn widen(row: &[u8], out: &mut [u8]) {
    let mix = |near: u8, far: u8| ((u16::from(near) * 3 + u16::from(far) + 2) >> 2) as u8;
    double(out, |at| row[at], |near, far| mix(row[near], row[far]));
}

/// Doubles a row between two others, by nine, three, three and one parts.
fn widen_between(near: &[u8], far: &[u8], out: &mut [u8]) {
    let column = |at: usize| ((u16::from(near[at]) * 3 + u16::from(far[at]) + 2) >> 2) as u8;
    let mix = |a: usize, b: usize| {
        let sum = u16::from(near[a]) * 9
            + u16::from(near[b]) * 3
            + u16::from(far[a]) * 3
            + u16::from(far[b]);
        ((sum + 8) >> 4) as u8
    };
    double(out, column, mix);
}

/// Fills a row of double width: its ends from one sample, the others from a near and a far one.
fn double(out: &mut [u8], end: impl Fn(usize) -> u8, mix: impl Fn(usize, usize) -> u8) {
    let last = out.len() - 1;
    for (x, place) in out.iter_mut().enumerate() {
        let near = x / 2;
        *place = match x {
            x if x == 0 || x == last => end(near),
            x if x % 2 == 1 => mix(near, near + 1),
            _ => mix(near, near - 1),
        };
    }
}
