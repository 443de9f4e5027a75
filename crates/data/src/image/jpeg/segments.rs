//! Segments that a JPEG is made of (ITU-T T.81, annex B.1).

pub(super) const CUT: &str = "the file is cut off inside its headers";

/// Segments of the file from its start: marker and content. The coded bytes of scans are passed
/// over.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    /// Place behind the last segment.
    pub at: usize,
}

impl<'a> Segments<'a> {
    /// Starts behind the two bytes that every JPEG begins with.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 2 }
    }

    /// Takes the next segment that has a length; there is none behind the end of the picture.
    pub fn take(&mut self) -> Result<Option<(u8, &'a [u8])>, String> {
        loop {
            // Bytes before a marker are passed over and a marker may have fill bytes, as in
            // libjpeg.
            let rest = self.bytes.get(self.at..).ok_or(CUT)?;
            self.at += first_ff(rest).ok_or(CUT)?;
            let rest = self.bytes.get(self.at..).ok_or(CUT)?;
            self.at += rest.iter().position(|&byte| byte != 0xff).ok_or(CUT)?;
            let marker = *self.bytes.get(self.at).ok_or(CUT)?;
            self.at += 1;
            match marker {
                0x00 | 0x01 | 0xd0..=0xd8 => continue, // stand alone, without a length
                0xd9 => return Ok(None),
                _ => {}
            }
            let rest = self.bytes.get(self.at..).ok_or(CUT)?;
            let mut length = usize::from(pair(rest, 0).ok_or(CUT)?);
            if matches!(marker, 0xe0..=0xef | 0xfe) {
                length = length.max(2); // libjpeg takes notes without a length for empty ones
            }
            if length < 2 {
                return Err(format!("segment {marker:#04x} says it has {length} bytes"));
            }
            let content = rest.get(2..length).ok_or(CUT)?;
            self.at += length;
            return Ok(Some((marker, content)));
        }
    }

    /// Takes the next segment before the first scan.
    pub fn early(&mut self) -> Result<(u8, &'a [u8]), String> {
        self.take()?
            .ok_or_else(|| "the file ends before its first scan, it has no picture".to_owned())
    }
}

/// Finds the first byte 0xff, most of the way by whole words.
fn first_ff(bytes: &[u8]) -> Option<usize> {
    let passed = 64 * bytes.chunks(64).take_while(|chunk| !chunk.contains(&0xff)).count();
    Some(passed + bytes.get(passed..)?.iter().position(|&byte| byte == 0xff)?)
}

pub(super) fn pair(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}
