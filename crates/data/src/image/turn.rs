//! Rules by which a picture is turned upright.
//!
//! Cameras keep the pixels as the sensor saw them and write down how they were held. The rules are
//! those of Pillow's `ImageOps.exif_transpose`, by which transformers' processors go: EXIF first,
//! whatever it says; XMP if EXIF says nothing. Values that are no turn, and blocks that are
//! damaged, leave the picture as it is.

use super::ifd::Ifd;
use image::metadata::Orientation;
use std::borrow::Cow;

/// The EXIF and TIFF tag with the turn.
const TAG: u16 = 274;
/// First bytes of a block of EXIF outside of TIFF files; some writers put them twice.
const PREFIX: &[u8] = b"Exif\0\0";

/// The blocks of a file that can tell a turn.
#[derive(Default)]
pub(super) struct Blocks<'a> {
    pub exif: Option<Cow<'a, [u8]>>,
    pub xmp: Option<Cow<'a, [u8]>>,
}

impl Blocks<'_> {
    /// Returns how to turn the picture.
    pub fn turn(&self) -> Orientation {
        self.exif
            .as_deref()
            .and_then(of_exif)
            .or_else(|| self.xmp.as_deref().and_then(of_xmp))
            .unwrap_or(UPRIGHT)
    }
}

/// No turn.
pub(super) const UPRIGHT: Orientation = Orientation::NoTransforms;

/// Reads the turn of an EXIF block; none if the tag is missing.
fn of_exif(block: &[u8]) -> Option<Orientation> {
    let mut block = block;
    for _ in 0..2 {
        block = block.strip_prefix(PREFIX).unwrap_or(block);
    }
    of_ifd(&Ifd::first(block)?)
}

/// Returns `true` if an EXIF block has an orientation of any value.
pub(super) fn has_exif_turn(block: &[u8]) -> bool {
    of_exif(block).is_some()
}

/// Reads the turn of a directory; none if the tag is missing. Numbers of all types count, bytes do
/// not.
pub(super) fn of_ifd(ifd: &Ifd) -> Option<Orientation> {
    if !ifd.has(TAG) {
        return None;
    }
    let value = ifd.number(TAG).filter(|value| value.fract() == 0.0 && (1.0..=8.0).contains(value));
    Some(value.and_then(|value| Orientation::from_exif(value as u8)).unwrap_or(UPRIGHT))
}

/// Reads the turn of an XMP packet: `tiff:Orientation` as an attribute or an element.
pub(super) fn of_xmp(packet: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let places = packet.windows(NAME.len()).enumerate().filter(|(_, part)| *part == NAME);
    let digit = places.map(|(at, _)| &packet[at + NAME.len()..]).find_map(|rest| {
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        value.first().filter(|byte| byte.is_ascii_digit())
    })?;
    Some(Orientation::from_exif(digit - b'0').unwrap_or(UPRIGHT))
}

/// Collects EXIF and XMP of the segments before the first scan of a JPEG.
pub(super) fn in_jpeg(bytes: &[u8]) -> Blocks<'_> {
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    let mut blocks = Blocks::default();
    let mut at = 2;
    // Junk before a marker is passed over, as are markers without a length.
    while let Some(&[mark, code]) = bytes.get(at..at + 2) {
        if mark != 0xff || matches!(code, 0x00 | 0x01 | 0xd0..=0xd9 | 0xff) {
            at += 1;
            continue;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { break };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        let Some(segment) = bytes.get(at + 4..end).filter(|_| code != 0xda) else { break };
        if code == 0xe1 && segment.starts_with(PREFIX) {
            match &mut blocks.exif {
                // Blocks above 64 KB go on in another segment.
                Some(exif) => exif.to_mut().extend_from_slice(&segment[PREFIX.len()..]),
                none => *none = Some(Cow::Borrowed(segment)),
            }
        } else if let (0xe1, Some(packet)) = (code, segment.strip_prefix(XMP)) {
            blocks.xmp = Some(Cow::Borrowed(packet));
        }
        at = end;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes an EXIF block of one tag 274 of a type, with the bytes of its value.
    fn exif(big: bool, kind: u16, value: &[u8]) -> Vec<u8> {
        let two = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let four = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut block = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        block.extend(four(8));
        block.extend(two(1));
        block.extend(two(TAG));
        block.extend(two(kind));
        block.extend(four(1));
        match value.len() {
            0..=4 => block.extend(value.iter().chain([0; 4].iter()).take(4)),
            _ => block.extend(four(26)),
        }
        block.extend(four(0));
        block.extend(value.iter().filter(|_| value.len() > 4));
        block
    }

    // The right values are those of Pillow 13.
    #[test]
    fn numbers_of_every_type_turn_and_bytes_do_not() {
        for (kind, value) in [
            (3, vec![6, 0]),
            (4, vec![6, 0, 0, 0]),
            (6, vec![6]),
            (8, vec![6, 0]),
            (9, vec![6, 0, 0, 0]),
            (13, vec![6, 0, 0, 0]),
            (11, 6.0f32.to_le_bytes().to_vec()),
            (12, 6.0f64.to_le_bytes().to_vec()),
            (5, vec![12, 0, 0, 0, 2, 0, 0, 0]),
            (10, vec![6, 0, 0, 0, 1, 0, 0, 0]),
            (16, vec![6, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(
                of_exif(&exif(false, kind, &value)),
                Some(Orientation::Rotate90),
                "type {kind}"
            );
        }
        for kind in [1, 2, 7] {
            assert_eq!(of_exif(&exif(false, kind, &[6])), Some(UPRIGHT), "type {kind}");
        }
        assert_eq!(of_exif(&exif(true, 3, &[0, 6])), Some(Orientation::Rotate90));
        assert_eq!(of_exif(&exif(true, 4, &[0, 0, 0, 6])), Some(Orientation::Rotate90));
        assert_eq!(of_exif(&exif(false, 99, &[6, 0])), None);
    }

    #[test]
    fn exif_goes_before_xmp_and_damage_is_passed_over() {
        let packet = b"<x tiff:Orientation=\"\" tiff:Orientation=\"8\"/>".as_slice();
        let of = |exif: Option<Vec<u8>>| {
            Blocks { exif: exif.map(Cow::Owned), xmp: Some(Cow::Borrowed(packet)) }.turn()
        };
        assert_eq!(of(None), Orientation::Rotate270);
        assert_eq!(of(Some(exif(false, 3, &[1, 0]))), UPRIGHT);
        assert_eq!(of(Some(exif(false, 3, &[9, 0]))), UPRIGHT);
        let twice = [PREFIX, PREFIX, &exif(false, 3, &[3, 0])].concat();
        assert_eq!(of(Some(twice)), Orientation::Rotate180);
        for cut in 0..26 {
            let _ = of_exif(&exif(false, 5, &[6; 8])[..cut]);
        }
        assert_eq!(of(Some(b"Exif\0\0II*\0\xff\xff\xff\xff".to_vec())), Orientation::Rotate270);
        assert_eq!(
            of_xmp(b"<tiff:Orientation>5</tiff:Orientation>"),
            Some(Orientation::Rotate90FlipH)
        );
        assert_eq!(of_xmp(b"<tiff:Orientation>"), None);
    }
}
