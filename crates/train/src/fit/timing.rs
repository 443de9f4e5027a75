//! Measured times of a step: `timing.jsonl`.

/// Floating-point operations of a step; a multiply and an add are two. Zero where unknown.
///
/// They are those of the model: passes that are computed again to save memory do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepFlops {
    /// Operations for each image of the step.
    pub per_image: f64,
    /// Operations for each text token that the step trains on.
    pub per_token: f64,
}

impl StepFlops {
    /// Returns the operations of a step of `images` images and `tokens` text tokens.
    #[must_use]
    pub fn of(&self, images: usize, tokens: usize) -> f64 {
        self.per_image * images as f64 + self.per_token * tokens as f64
    }
}
