//! A loss of one's own: each image is pulled to its caption.

use toolkit_train::stage1::{Corpus, LossValue, Stage1Loss, Stage1Pass};

/// One minus the cosine of a caption's embedding and the image's nearest query.
#[derive(Default)]
pub struct Align;

impl Stage1Loss for Align {
    fn title(&self) -> &'static str {
        "distance of image and caption"
    }

    fn trivial(&self, _: &Corpus<'_>) -> Option<f64> {
        Some(1.0)
    }

    fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
        let (ids, mask) = (pass.text.ids.clone(), pass.text.mask.clone());
        let images = pass.tower.image_embeds(pass.images.queries.clone());
        let texts = pass.tower.text_embeds(ids, mask).unsqueeze_dim::<3>(1);
        let cosines = (images * texts).sum_dim(2).max_dim(1);
        LossValue { loss: -cosines.mean() + 1.0, accuracies: Vec::new() }
    }
}
