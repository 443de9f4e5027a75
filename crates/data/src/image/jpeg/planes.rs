//! Planes of a JPEG's components brought to the size of the picture, row by row, as libjpeg-turbo
//! does it.

use super::header::Header;

/// Samples of a component and the way they are spread over the picture.
pub(super) struct Plane {
    samples: Vec<u8>,
    stride: usize,
    /// Samples of the picture; the plane has more, up to whole blocks.
    width: usize,
    height: usize,
    spread: Spread,
}

/// Ways to make more pixels of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// Repeats each sample, so many times across and down.
    Repeat(usize, usize),
    /// Doubles the width, three parts of the nearer sample and one of the farther.
    Across,
    /// Doubles the height, likewise.
    Down,
    /// Doubles both, likewise.
    Both,
}

impl Spread {
    /// Chooses as `jdsample.c` does; libjpeg does not read other relations.
    fn of(across: (usize, usize), down: (usize, usize), width: usize) -> Option<Self> {
        if !across.1.is_multiple_of(across.0) || !down.1.is_multiple_of(down.0) {
            return None;
        }
        Some(match (across.1 / across.0, down.1 / down.0) {
            // Narrow planes are repeated across, but mixed down.
            (2, 1) if width > 2 => Self::Across,
            (1, 2) => Self::Down,
            (2, 2) if width > 2 => Self::Both,
            (across, down) => Self::Repeat(across, down),
        })
    }
}

impl Plane {
    /// Takes component `at` of a picture; its samples may end with rows and columns that fill the
    /// last block.
    pub fn new(
        header: &Header,
        at: usize,
        samples: Vec<u8>,
        stride: usize,
    ) -> Result<Self, String> {
        let own = header.components.get(at).ok_or("a component is missing")?;
        let most = header.most();
        let width = (header.width * own.across).div_ceil(most.0);
        let height = (header.height * own.down).div_ceil(most.1);
        if width > stride || samples.len() < stride * height {
            return Err(format!("component {at} has too few samples"));
        }
        let spread =
            Spread::of((own.across, most.0), (own.down, most.1), width).ok_or_else(|| {
                format!(
                    "component {at} is sampled {} x {} of {} x {}, which is no whole part and not \
                supported",
                    own.across, own.down, most.0, most.1
                )
            })?;
        Ok(Self { samples, stride, width, height, spread })
    }

    /// Returns the length of the rows that [`Plane::row`] writes, at least the picture's width.
    pub fn row_length(&self) -> usize {
        match self.spread {
            Spread::Repeat(across, _) => self.width * across,
            Spread::Across | Spread::Both => self.width * 2,
            Spread::Down => self.width,
        }
    }

    /// Returns row `y` of the plane; beyond its end, the last one.
    fn source(&self, y: usize) -> &[u8] {
        &self.samples[y.min(self.height - 1) * self.stride..][..self.width]
    }

    /// Returns the nearer row and the farther one for row `y` of a picture twice as high.
    fn nearer_and_farther(&self, y: usize) -> (&[u8], &[u8]) {
        let farther = if y.is_multiple_of(2) { (y / 2).saturating_sub(1) } else { y / 2 + 1 };
        (self.source(y / 2), self.source(farther))
    }

    /// Writes row `y` of the picture.
    pub fn row(&self, y: usize, out: &mut [u8]) {
        match self.spread {
            Spread::Repeat(1, down) => out.copy_from_slice(self.source(y / down)),
            Spread::Repeat(across, down) => {
                for (pixels, &sample) in out.chunks_exact_mut(across).zip(self.source(y / down)) {
                    pixels.fill(sample);
                }
            }
            Spread::Across => across(self.source(y), out),
            Spread::Down => {
                let (near, far) = self.nearer_and_farther(y);
                // Halves are rounded up in every second row only, so that the mean stays.
                let half = 1 + (y % 2) as u16;
                for ((out, &near), &far) in out.iter_mut().zip(near).zip(far) {
                    *out = ((3 * u16::from(near) + u16::from(far) + half) >> 2) as u8;
                }
            }
            Spread::Both => {
                let (near, far) = self.nearer_and_farther(y);
                both(near, far, out);
            }
        }
    }
}

/// Doubles a row of at least two samples. Halves are rounded up in every second pixel only.
fn across(row: &[u8], out: &mut [u8]) {
    let last = row.len() - 1;
    let mixed = |near: usize, far: usize, half: u16| {
        ((3 * u16::from(row[near]) + u16::from(row[far]) + half) >> 2) as u8
    };
    out[0] = row[0];
    out[1] = mixed(0, 1, 2);
    for x in 1..last {
        out[2 * x] = mixed(x, x - 1, 1);
        out[2 * x + 1] = mixed(x, x + 1, 2);
    }
    out[2 * last] = mixed(last, last - 1, 1);
    out[2 * last + 1] = row[last];
}

/// Doubles a row of at least two samples, mixed with a farther row first; rounded once, at the end.
fn both(near: &[u8], far: &[u8], out: &mut [u8]) {
    let last = near.len() - 1;
    let sum = |x: usize| 3 * u16::from(near[x]) + u16::from(far[x]);
    let mixed = |near: u16, far: u16, half: u16| ((3 * near + far + half) >> 4) as u8;
    let (mut before, mut here) = (sum(0), sum(0));
    for x in 0..=last {
        let after = sum((x + 1).min(last));
        out[2 * x] = mixed(here, before, 8);
        out[2 * x + 1] = mixed(here, after, 7);
        (before, here) = (here, after);
    }
}
