//! Numbers at places of a file that may be too short to have them.

/// Reads the `N` bytes at `at`.
///
/// # Errors
/// If the file ends before.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], String> {
    let found =
        at.checked_add(N).and_then(|end| bytes.get(at..end)).and_then(|part| part.try_into().ok());
    found.ok_or_else(|| "the file is cut off in its header".to_owned())
}

/// Reads two bytes at `at`, the lower one first.
pub(super) fn le16(bytes: &[u8], at: usize) -> Result<u16, String> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// Reads three bytes at `at`, the lowest one first.
pub(super) fn le24(bytes: &[u8], at: usize) -> Result<u32, String> {
    array(bytes, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

/// Reads four bytes at `at`, the lowest one first.
pub(super) fn le32(bytes: &[u8], at: usize) -> Result<u32, String> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// Reads four bytes at `at`, the highest one first.
pub(super) fn be32(bytes: &[u8], at: usize) -> Result<u32, String> {
    array(bytes, at).map(u32::from_be_bytes)
}
