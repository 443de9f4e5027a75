//! Huffman-coded blocks, read as libjpeg reads them where they are damaged or end early.

use libjpeg_turbo_rs::common::huffman_table::HuffmanTable;
use libjpeg_turbo_rs::common::quant_table::ZIGZAG_ORDER;

/// Bits of one scan, up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    /// Bits in the lower end of `buffer` that are not used yet.
    left: u32,
    /// Marker at which the bits end.
    marker: Option<u8>,
    /// More bits were asked for than there are; the rest up to the next restart is left out.
    short: bool,
    next_restart: u8,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, buffer: 0, left: 0, marker: None, short: false, next_restart: 0 }
    }

    /// Tells whether the bits ended early.
    pub fn are_short(&self) -> bool {
        self.short
    }

    /// Tells whether the file itself ended early: no marker is behind the bits.
    pub fn are_cut(&self) -> bool {
        self.short && self.marker.is_none()
    }

    /// Takes whole bytes, up to a marker.
    fn fill(&mut self) {
        while self.left <= 48 && self.marker.is_none() {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            self.at += 1;
            if byte == 0xff && self.meets_marker() {
                return;
            }
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.left += 8;
        }
    }

    /// Reads on behind a byte 0xff: with a zero it is data.
    fn meets_marker(&mut self) -> bool {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                0xff => {}
                0 => return false,
                marker => {
                    self.marker = Some(marker);
                    return true;
                }
            }
        }
        true
    }

    /// Drops bits; behind the end there are zeros, and it is noted.
    fn drop(&mut self, count: u32) {
        if count > self.left {
            (self.short, self.buffer, self.left) = (true, 0, 56);
        }
        self.left -= count;
    }

    /// Returns the next bits without taking them; behind the end there are zeros.
    fn look(&self, count: u32) -> u32 {
        let bits = match self.left >= count {
            true => self.buffer >> (self.left - count),
            false => self.buffer << (count - self.left),
        };
        (bits & ((1 << count) - 1)) as u32
    }

    /// Reads one code.
    fn symbol(&mut self, table: &HuffmanTable) -> u8 {
        if self.left < 17 {
            self.fill();
        }
        // libjpeg takes 17 bits that are no code for a zero.
        let (symbol, length) = table.lookup(self.look(16) as u16).unwrap_or((0, 17));
        self.drop(length.into());
        symbol
    }

    /// Reads a number of so many bits, the lower half of them negative.
    fn number(&mut self, size: u8) -> i32 {
        let size = u32::from(size);
        if self.left < size {
            self.fill();
        }
        let value = self.look(size) as i32;
        self.drop(size);
        match value < 1 << size >> 1 {
            true => value + 1 - (1 << size),
            false => value,
        }
    }

    /// Reads one block; `mean` is the one before.
    pub fn block(&mut self, dc: &HuffmanTable, ac: &HuffmanTable, mean: &mut i32) -> [i16; 64] {
        let mut block = [0; 64];
        let size = self.symbol(dc).min(15);
        *mean = mean.wrapping_add(if size > 0 { self.number(size) } else { 0 });
        block[0] = *mean as i16;
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(ac);
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size == 0 {
                match run {
                    15 => at += 16,
                    _ => break,
                }
            } else {
                at += run;
                let value = self.number(size);
                block[ZIGZAG_ORDER.get(at).copied().unwrap_or(63)] = value as i16;
                at += 1;
            }
        }
        block
    }

    /// Goes to the next restart marker. One that is not the expected one is passed over, taken or
    /// left for later, as `jpeg_resync_to_restart` does.
    pub fn restart(&mut self) {
        (self.buffer, self.left) = (0, 0);
        let wanted = self.next_restart;
        self.next_restart = (wanted + 1) % 8;
        loop {
            if self.marker.is_none() {
                self.find_marker();
            }
            let Some(marker) = self.marker else { break };
            match marker {
                0xd0..=0xd7 => match (marker - 0xd0 + 8 - wanted) % 8 {
                    // One of the next two: what lies between is lost.
                    1 | 2 => break,
                    // One of the last two.
                    6 | 7 => self.marker = None,
                    _ => {
                        self.marker = None;
                        break;
                    }
                },
                0xc0.. => break,
                _ => self.marker = None,
            }
        }
        // Directly at another marker there is still nothing to read.
        self.short &= self.marker.is_some();
    }

    /// Goes to the next marker of any kind.
    fn find_marker(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == 0xff && self.meets_marker() {
                return;
            }
        }
    }
}
