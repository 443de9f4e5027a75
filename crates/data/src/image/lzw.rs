//! LZW, by which GIF and TIFF are packed.

use weezl::LzwStatus;
use weezl::decode::Decoder;

/// The most bytes that are packed into one: 4,096 into a code of twelve bits.
pub(super) const MOST: u64 = 2731;

/// Unpacks codes until `out` is full or they end, and returns how many bytes there were.
pub(super) fn fill(mut decoder: Decoder, codes: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let (mut read, mut done) = (0, 0);
    while done < out.len() {
        let step = decoder.decode_bytes(&codes[read..], &mut out[done..]);
        read += step.consumed_in;
        done += step.consumed_out;
        let status = step.status.map_err(|error| error.to_string())?;
        if matches!(status, LzwStatus::Done) || step.consumed_in + step.consumed_out == 0 {
            break;
        }
    }
    Ok(done)
}
