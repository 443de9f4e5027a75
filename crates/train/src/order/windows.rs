//! One pass over rows that are best read block by block.
//!
//! Rows are cut into blocks of neighbours, whatever files they lie in: the order is the same for
//! any split of them over shards. The blocks are shuffled, and each run of some blocks is a window.
//! The rows of a window are then shuffled together, as in the shuffle buffer of a data loader.

use std::ops::Range;
use toolkit_core::Stream;

/// Rows of a block.
pub(super) const BLOCK: usize = 256;

/// The windows of one pass.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    samples: usize,
    /// Blocks of a window.
    width: usize,
    /// Blocks in the order of this pass.
    blocks: Vec<u32>,
    /// Window of the last block of the rows, which may be shorter than the others.
    short: usize,
}

impl Windows {
    /// Shuffles the blocks of `samples` rows. A window has `width` of them.
    pub fn new(mut draw: Stream, samples: usize, width: usize) -> Self {
        let mut blocks: Vec<u32> = (0..samples.div_ceil(BLOCK) as u32).collect();
        draw.shuffle(&mut blocks);
        let last = blocks.len().saturating_sub(1) as u32;
        let short = blocks.iter().position(|&block| block == last).unwrap_or_default() / width;
        Self { samples, width, blocks, short }
    }

    /// Returns the window of a position of the pass, and the position in the window.
    pub fn locate(&self, position: usize) -> (usize, usize) {
        let length = self.width * BLOCK;
        let missing = self.blocks.len() * BLOCK - self.samples;
        let window = match position < (self.short + 1) * length - missing {
            true => position / length,
            false => (position + missing) / length,
        };
        let start = window * length - if window > self.short { missing } else { 0 };
        (window, position - start)
    }

    /// Returns the rows of a window, shuffled.
    pub fn rows(&self, window: usize, mut draw: Stream) -> Vec<usize> {
        let blocks = self.blocks.iter().skip(window * self.width).take(self.width);
        let mut rows: Vec<usize> = blocks.flat_map(|&block| self.block(block as usize)).collect();
        draw.shuffle(&mut rows);
        rows
    }

    fn block(&self, block: usize) -> Range<usize> {
        block * BLOCK..((block + 1) * BLOCK).min(self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn windows_have_all_rows_once_and_few_blocks() {
        for samples in [1, 255, 256, 257, 1000, 1024, 5000] {
            for width in [1, 2, 3, 7, 100] {
                let windows = Windows::new(Stream::new(1, "blocks", 0), samples, width);
                let count = samples.div_ceil(BLOCK).div_ceil(width);
                let (mut seen, mut position) = (BTreeSet::new(), 0);
                for window in 0..count {
                    let rows = windows.rows(window, Stream::new(1, "rows", window as u64));
                    let blocks: BTreeSet<usize> = rows.iter().map(|row| row / BLOCK).collect();
                    assert!(blocks.len() <= width);
                    for within in 0..rows.len() {
                        assert_eq!(windows.locate(position), (window, within));
                        position += 1;
                    }
                    seen.extend(rows);
                }
                assert_eq!(position, samples);
                assert!(seen.into_iter().eq(0..samples));
            }
        }
    }
}
