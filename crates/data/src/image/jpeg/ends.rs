//! Files that end early, so that crate `libjpeg-turbo-rs` notices it.

use super::header::{Coding, Header};
use super::segments::Segments;
use libjpeg_turbo_rs::JpegError;
use std::cell::Cell;

thread_local! {
    /// Memory of [`with_marked_end`]: taken anew for each file, it would cost a thirtieth of the
    /// decoding.
    static MARKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Decodes a copy of the file with bits behind its last scan that are no Huffman code, so that
/// missing bits are an error. The crate reads zeros where bits are missing before a marker, and
/// makes noise of them; and it takes a file without a marker at its end for cut off too early.
pub(super) fn with_marked_end<T>(
    bytes: &[u8],
    header: &Header,
    decode: impl Fn(&[u8]) -> Result<T, JpegError>,
) -> Result<T, JpegError> {
    // Twice as many bytes as the crate reads ahead, each with the zero that tells it from a marker.
    const BYTES: usize = 16;
    // The memory of larger files is given back.
    const KEPT: usize = 4 << 20;
    let start = bytes.len() - header.scan_bytes;
    let scan = &bytes[start..];
    let end = start + scan.windows(2).rposition(|pair| pair == [0xff, 0xd9]).unwrap_or(scan.len());
    let mut marked = MARKED.take();
    marked.clear();
    marked.extend_from_slice(&bytes[..end]);
    marked.extend([[0xff, 0]; BYTES].as_flattened());
    if header.coding == Coding::Progressive {
        // Only here the crate looks for it.
        marked.extend(&bytes[end..(end + 2).min(bytes.len())]);
    }
    let decoded = decode(&marked);
    if marked.len() <= KEPT {
        MARKED.set(marked);
    }
    // Behind a segment that is no scan, the bits stand where a marker should be.
    match decoded {
        Err(_) if header.coding == Coding::Progressive && !ends_with_scan(bytes) => decode(bytes),
        decoded => decoded,
    }
}

fn ends_with_scan(bytes: &[u8]) -> bool {
    let (mut segments, mut last) = (Segments::new(bytes), 0);
    while let Ok(Some((marker, _))) = segments.take() {
        last = marker;
    }
    last == 0xda
}
