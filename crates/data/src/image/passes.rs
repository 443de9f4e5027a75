//! The two passes of a resize.

use super::lanes::{Lanes, PRECISION, Sixteen, Work};
use super::view::View;

/// For each output place: the first input place and the fixed-point weights from there.
pub(crate) struct Taps {
    /// First input place and number of weights.
    pub(crate) places: Vec<(usize, usize)>,
    /// The weights of all places, one place after the other.
    pub(crate) weights: Vec<i32>,
}

impl Taps {
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let mut rest = &self.weights[..];
        self.places.iter().map(move |&(first, count)| {
            let (weights, after) = rest.split_at(count);
            rest = after;
            (first, weights)
        })
    }
}

/// Half of the last bit that is kept, so that cutting off rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// Rows of pixels to rows of as many pixels as there are taps.
pub(crate) struct Horizontal<'a, const CHANNELS: usize> {
    /// Rows of input.
    pub(crate) rows: View<'a>,
    pub(crate) taps: &'a Taps,
    /// Rows of output.
    pub(crate) out: &'a mut [u8],
}

impl<const CHANNELS: usize> Work for Horizontal<'_, CHANNELS> {
    /// Sixteen rows at a time, turned on their side: the weights of a place are the same for all of
    /// them.
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let View { values, stride, width, .. } = self.rows;
        let to_stride = self.taps.places.len() * CHANNELS;
        let mut columns = vec![[[0; 8]; 2]; width.next_multiple_of(16)];
        let mut results = vec![lanes.clip(lanes.splat(0)); to_stride.next_multiple_of(16)];
        let blocks = values.chunks(16 * stride).zip(self.out.chunks_mut(16 * to_stride));
        for (rows, out) in blocks {
            for (at, columns) in columns.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let mut square = [lanes.load([[0; 8]; 2]); 16];
                for (line, row) in square.iter_mut().zip(rows.chunks(stride)) {
                    *line = lanes.load(load(&row[16 * at..]));
                }
                *columns = lanes.store(lanes.transpose(square));
            }
            let pixels = columns.as_chunks::<CHANNELS>().0;
            for ((first, weights), result) in
                self.taps.iter().zip(results.as_chunks_mut::<CHANNELS>().0)
            {
                let mut sums = [lanes.splat(HALF); CHANNELS];
                for (pixel, &weight) in pixels[first..first + weights.len()].iter().zip(weights) {
                    let weight = lanes.splat(weight);
                    for channel in 0..CHANNELS {
                        sums[channel] = lanes.add(sums[channel], &pixel[channel], weight);
                    }
                }
                for channel in 0..CHANNELS {
                    result[channel] = lanes.clip(sums[channel]);
                }
            }
            for (at, square) in results.as_chunks::<16>().0.iter().enumerate() {
                let square = lanes.store(lanes.transpose(*square));
                for (line, row) in square.iter().zip(out.chunks_exact_mut(to_stride)) {
                    store(line, &mut row[16 * at..]);
                }
            }
        }
    }
}

/// Rows to as many rows as there are taps.
pub(crate) struct Vertical<'a> {
    /// Rows of input.
    pub(crate) rows: View<'a>,
    pub(crate) taps: &'a Taps,
    /// Rows of output.
    pub(crate) out: &'a mut [u8],
}

impl Work for Vertical<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let View { values, stride, width, .. } = self.rows;
        for ((first, weights), out) in self.taps.iter().zip(self.out.chunks_exact_mut(width)) {
            let rows = &values[first * stride..];
            let (blocks, rest) = out.as_chunks_mut::<64>();
            for (at, out) in blocks.iter_mut().enumerate() {
                column::<L, 4>(lanes, rows, stride, weights, 64 * at, out);
            }
            let done = 64 * blocks.len();
            for (at, out) in rest.chunks_mut(16).enumerate() {
                column::<L, 1>(lanes, rows, stride, weights, done + 16 * at, out);
            }
        }
    }
}

/// Weighs `N` times sixteen values from `at` on in each of the rows; what `out` has no place for is
/// left out.
#[inline(always)]
fn column<L: Lanes, const N: usize>(
    lanes: L,
    rows: &[u8],
    stride: usize,
    weights: &[i32],
    at: usize,
    out: &mut [u8],
) {
    let mut sums = [lanes.splat(HALF); N];
    for (row, &weight) in rows.chunks(stride).zip(weights) {
        let weight = lanes.splat(weight);
        let row = &row[at..at + out.len()];
        for i in 0..N {
            sums[i] = lanes.add(sums[i], &load(&row[16 * i..]), weight);
        }
    }
    for i in 0..N {
        store(&lanes.bytes(lanes.clip(sums[i])), &mut out[16 * i..]);
    }
}

/// The first sixteen, or all there are and zeros.
#[inline(always)]
fn load(from: &[u8]) -> Sixteen {
    if let Some((first, rest)) = from.split_first_chunk()
        && let Some(second) = rest.first_chunk()
    {
        return [*first, *second];
    }
    let mut values = [[0; 8]; 2];
    values.as_flattened_mut()[..from.len()].copy_from_slice(from);
    values
}

/// The first sixteen places, or all there are, take the values.
#[inline(always)]
fn store(values: &Sixteen, to: &mut [u8]) {
    let values = values.as_flattened();
    if let Some(whole) = to.first_chunk_mut::<16>() {
        whole.copy_from_slice(values);
    } else {
        to.copy_from_slice(&values[..to.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::lanes::{Baseline, vectorised};

    /// Makes taps: each place weighs the three from it on; the weights sum to one, and two are
    /// negative or above one.
    fn taps(places: usize) -> Taps {
        let one = 1 << PRECISION;
        let weights = [one / 2 - 77, one / 2 + one / 4 + 99, -one / 4 - 22];
        Taps { places: (0..places).map(|at| (at, 3)).collect(), weights: weights.repeat(places) }
    }

    #[test]
    fn instruction_sets_agree() {
        let values: Vec<u8> =
            (0..40_u32 * 200).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
        for places in 1..60 {
            let taps = &taps(places);
            let rows = View::of(&values, (places + 2) * 3, 20);
            let mut outs = [vec![0; 20 * places * 3], vec![1; 20 * places * 3]];
            let [lanes, plain] = &mut outs;
            vectorised(Horizontal::<3> { rows, taps, out: lanes });
            Horizontal::<3> { rows, taps, out: plain }.run(Baseline);
            assert!(lanes == plain, "across, {places} places");
            let rows = View::of(&values, places * 2, places + 2);
            let mut outs = [vec![0; places * places * 2], vec![1; places * places * 2]];
            let [lanes, plain] = &mut outs;
            vectorised(Vertical { rows, taps, out: lanes });
            Vertical { rows, taps, out: plain }.run(Baseline);
            assert!(lanes == plain, "down, {places} places");
        }
    }
}
