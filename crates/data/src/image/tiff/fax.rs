//! Faxes of CCITT group 3 (in one dimension) and 4, in strips or tiles of a TIFF.

use super::layout::{FAX4, Layout};
use fax::Color;
use fax::decoder::{DecodeStatus, Group3Decoder, decode_g4, pels};
use std::convert::Infallible;

/// Unpacks lines; black is 1. Lines that are missing at the end are white, as some writers leave
/// those out.
///
/// # Errors
/// If there is no line, or the picture is wider than the decoder's numbers.
pub fn fill(part: &[u8], layout: &Layout, out: &mut [u8]) -> Result<usize, String> {
    let width = u16::try_from(layout.part_width)
        .map_err(|_| "a fax wider than 65535 pixels is not read".to_owned())?;
    let row_bytes = usize::from(width).div_ceil(8);
    let rows = out.len() / row_bytes;
    let mut lines = out.chunks_exact_mut(row_bytes);
    let mut count = 0;
    let mut line = |changes: &[u16]| {
        let Some(row) = lines.next() else { return };
        count += 1;
        let black = pels(changes, width).enumerate().filter(|(_, colour)| *colour == Color::Black);
        black.for_each(|(x, _)| row[x / 8] |= 0x80 >> (x % 8));
    };
    // A stream that ends early has still given the lines before; there is no other sign of a damaged fax.
    if layout.compression == FAX4 {
        let _ = decode_g4(part.iter().copied(), width, u16::try_from(rows).ok(), line);
    } else if let Ok(mut decoder) =
        Group3Decoder::new(part.iter().copied().map(Ok::<_, Infallible>))
    {
        loop {
            let status = decoder.advance();
            // Without a mark behind it, the last line is whole when it is as wide as the picture.
            if status.is_ok() || decoder.transitions().last().is_some_and(|end| *end >= width) {
                line(decoder.transitions());
            }
            if !matches!(status, Ok(DecodeStatus::Incomplete)) {
                break;
            }
        }
    }
    match count {
        0 => Err("its fax has no line".to_owned()),
        _ => Ok(out.len()),
    }
}
