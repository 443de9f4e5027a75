//! The first rows of a source, by a rule that depends on nothing but their number.

use toolkit_seed::Stream;

/// Neighbours that are chosen together from data that are best read block by block.
const BLOCK: usize = 256;

/// Chooses `limit` of `len` rows, sorted. A larger limit contains a smaller one.
///
/// Whole blocks of neighbours are chosen from data in large files, so that reading them is cheap.
pub(super) fn limited(len: usize, limit: usize, is_sequential: bool) -> Vec<usize> {
    let block = if is_sequential { BLOCK } else { 1 };
    let mut blocks: Vec<(u64, usize)> = (0..len.div_ceil(block)).map(|at| (draw(at), at)).collect();
    blocks.sort_unstable();
    let rows = blocks.into_iter().flat_map(|(_, at)| at * block..((at + 1) * block).min(len));
    let mut chosen: Vec<usize> = rows.take(limit).collect();
    chosen.sort_unstable();
    chosen
}

/// Draws the rank of a block. It depends on its number alone.
fn draw(block: usize) -> u64 {
    Stream::new(0, "mixture/limit", block as u64).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_limit_contains_a_smaller_one() {
        for is_sequential in [false, true] {
            for len in [1, 100, 1000, 2000] {
                let mut before = Vec::new();
                for limit in [0, 1, 10, 255, 256, 257, 900, 5000] {
                    let chosen = limited(len, limit, is_sequential);
                    assert_eq!(chosen.len(), limit.min(len));
                    assert!(chosen.is_sorted() && chosen.iter().all(|&row| row < len));
                    assert!(before.iter().all(|row| chosen.binary_search(row).is_ok()));
                    before = chosen;
                }
                assert!(before.iter().copied().eq(0..len));
            }
        }
    }

    #[test]
    fn rows_are_from_everywhere_and_blocks_of_large_files_stay_whole() {
        let rows = limited(10_000, 100, false);
        assert!(rows[20] > 1000 && rows[80] > 6000, "{rows:?}");
        let rows = limited(100_000, 512, true);
        assert_eq!(rows.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count(), 510);
    }
}
