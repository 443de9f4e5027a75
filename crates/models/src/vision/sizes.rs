//! The sizes of a vision transformer, and the costs that all its families count alike.

use toolkit_core::{Cost, Count, ShapeError, VisionShape, product};

/// Checks that patches divide the image and heads the width.
///
/// # Errors
/// If they do not.
pub(super) fn check(
    [image_size, patch_size]: [usize; 2],
    [hidden_size, heads]: [usize; 2],
) -> Result<(), ShapeError> {
    ShapeError::unless_divides(("patch_size", patch_size), ("image_size", image_size))?;
    ShapeError::unless_divides(("num_attention_heads", heads), ("hidden_size", hidden_size))
}

/// The sizes of a vision transformer with square images and patches.
pub(super) struct Sizes {
    pub(super) image_size: usize,
    pub(super) hidden_size: usize,
    /// Width inside the feed-forward network.
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    /// Tokens of one image, class token included.
    pub(super) tokens: usize,
}

impl Sizes {
    /// Returns the shape and cost, given the parameters of the whole encoder, of the matrices of one
    /// block, and of the patch projection.
    pub(super) fn shape(&self, params: Count, matrices: Count, patch: Count) -> VisionShape {
        let (tokens, width) = (self.tokens, self.hidden_size);
        let attention = product([4, tokens, tokens, width]);
        let block = matrices * 2_u64 * tokens + attention;
        let flops = block * self.num_hidden_layers + patch * 2_u64 * tokens;
        // The larger of the two moments: around attention, or in the feed-forward network.
        let activations = product([tokens, 3 * width + (4 * width).max(self.intermediate_size)]);
        VisionShape {
            image: [self.image_size; 2],
            tokens,
            width,
            cost: Cost::new(params, flops, activations),
        }
    }
}
