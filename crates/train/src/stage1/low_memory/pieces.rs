//! Rows of a batch in pieces of texts of about one length.

/// Tokens of a piece, about.
///
/// Large enough for products at full speed, small enough that the activations are a fraction of the
/// parameters' size where models are large (BERT-base: 0.3 GB).
pub const PIECE_TOKENS: usize = 512;

/// Splits rows `0..lengths.len()` into pieces of nearly equal size, in order of length.
///
/// `queries` tokens stand before each text. The order of rows does not matter to a sum, and hardly
/// any padding is computed.
pub(super) fn by_length(lengths: &[usize], queries: usize) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| lengths[row]);
    let tokens: usize = lengths.iter().map(|length| queries + length).sum();
    let pieces = tokens.div_ceil(PIECE_TOKENS).clamp(1, rows.len().max(1));
    rows.chunks(rows.len().div_ceil(pieces).max(1)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::by_length;

    #[test]
    fn pieces_hold_every_row_once_and_like_lengths() {
        let lengths: Vec<usize> = (0..100).map(|i| 5 + (i * 37) % 19).collect();
        let pieces = by_length(&lengths, 32);
        assert_eq!(pieces.len(), 10, "a little more than nine times 512 tokens");
        let mut all = pieces.concat();
        assert!(all.is_sorted_by_key(|&row| lengths[row]));
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(by_length(&[3, 1, 2], 8), [[1, 2, 0]]);
        assert_eq!(by_length(&[10_000, 9_000], 0), [[1], [0]]);
        assert_eq!(by_length(&[], 8).len(), 0);
    }
}
