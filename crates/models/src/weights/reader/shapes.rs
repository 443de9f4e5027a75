//! Shapes of stored tensors against those of parameters.

/// Returns the key of a configuration that states the rows of a table, if the rows are all that
/// does not fit, as the end of a message.
pub(super) fn likely_cause(
    name: &str,
    found: Option<&[usize]>,
    wanted: &[usize],
) -> Option<String> {
    const TABLES: [(&str, &str); 7] = [
        ("embed_tokens.weight", "vocab_size"),
        ("shared.weight", "vocab_size"),
        ("lm_head.weight", "vocab_size"),
        ("word_embeddings.weight", "vocab_size"),
        ("cls.bias", "vocab_size"),
        ("embed_positions.weight", "max_position_embeddings"),
        ("position_embeddings.weight", "max_position_embeddings"),
    ];
    let (rows, rest) = found?.split_first()?;
    let (_, key) = TABLES.iter().find(|(end, _)| name.ends_with(end))?;
    (wanted.get(1..) == Some(rest))
        .then(|| format!("; `{key}` is likely wrong: the file has {rows} rows"))
}

/// Returns a shape without its dimensions of 1, in which forms differ.
pub(super) fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&n| n != 1).collect()
}

/// Returns the shape of a third of the rows.
pub(super) fn third(shape: &[usize]) -> Option<Vec<usize>> {
    let (rows, rest) = shape.split_first()?;
    rows.is_multiple_of(3).then(|| [&[rows / 3], rest].concat())
}

/// Returns the side of the square grid in a position table of shape `found`, if it can be resized
/// to `wanted`: a class row and a square number of others in both, of one width.
pub(super) fn grid(found: &[usize], wanted: &[usize]) -> Option<usize> {
    let (found, wanted) = (squeezed(found), squeezed(wanted));
    let ([rows, width], [to, same]) = (&found[..], &wanted[..]) else { return None };
    let square =
        |rows: usize| rows.checked_sub(1).filter(|n| n.isqrt().pow(2) == *n).map(usize::isqrt);
    (width == same).then_some(())?;
    square(*to)?;
    square(*rows).filter(|&side| side > 0)
}
