//! Colours by number.

/// 256 colours: greys where a file has no palette, and black where its palette ends before, as in
/// Pillow.
pub(super) struct Palette(Box<[[u8; 3]; 256]>);

impl Default for Palette {
    fn default() -> Self {
        Self(Box::new(std::array::from_fn(|grey| [grey as u8; 3])))
    }
}

impl Palette {
    /// Takes the colours of a file, at most 256.
    pub fn of_rgb(colours: impl Iterator<Item = [u8; 3]>) -> Self {
        let mut palette = Self(Box::new([[0; 3]; 256]));
        for (place, colour) in palette.0.iter_mut().zip(colours) {
            *place = colour;
        }
        palette
    }

    /// Returns the colour of a number.
    pub fn rgb(&self, index: u8) -> [u8; 3] {
        self.0[usize::from(index)]
    }
}
