//! A loss of one's own for stage 1, in a command line of one's own.
//!
//! It trains wherever an experiment gives it a weight:
//!
//! ```text
//! cargo run --example custom_loss -- run experiments/ablate_stage1.toml --smoke \
//!     --set stage1.losses.align=0.5
//! ```

use std::process::ExitCode;
use toolkit::prelude::*;

/// Pulls each image to its caption: one minus the cosine of the caption's embedding and the nearest
/// query's. Unlike ITC it pushes nothing apart.
#[derive(Default)]
struct Align;

impl Stage1Loss for Align {
    fn title(&self) -> &'static str {
        "distance of image and caption"
    }

    /// Embeddings that do not know each other are at right angles.
    fn trivial(&self, _: &Corpus<'_>) -> Option<f64> {
        Some(1.0)
    }

    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let (ids, mask) = (pass.text.ids.clone(), pass.text.mask.clone());
        // `[batch, queries, embed]` and `[batch, 1, embed]`, both of length 1.
        let images = pass.tower.image_embeds(pass.images.queries.clone());
        let texts = pass.tower.text_embeds(ids, mask).unsqueeze_dim::<3>(1);
        let cosines = (images * texts).sum_dim(2).max_dim(1);
        LossValue { loss: -cosines.mean() + 1.0, accuracies: Vec::new() }
    }
}

fn main() -> ExitCode {
    toolkit::run(Registry::builtin().loss::<Align>("align"))
}
