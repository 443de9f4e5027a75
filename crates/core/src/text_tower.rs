//! The text tower: the passes that the losses of stage 1 are computed from (BLIP-2, section 3.1).

use crate::KeysValues;
use burn::tensor::{Int, Tensor};

/// A text paired with an image, for the matching pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Row of the ids.
    pub text: usize,
    /// Row of [`ImagePass::cross`].
    pub image: usize,
}

impl Pair {
    /// Pairs text i with image i.
    #[must_use]
    pub fn own(count: usize) -> Vec<Self> {
        (0..count).map(|i| Self { text: i, image: i }).collect()
    }

    /// Groups (text, image) pairs by text. Returns each text once, and pairs whose `text` is a row
    /// of these texts. Equal texts must be consecutive in the input.
    #[must_use]
    pub fn by_text(all: impl IntoIterator<Item = (usize, usize)>) -> (Vec<usize>, Vec<Self>) {
        let (mut texts, mut pairs) = (Vec::new(), Vec::new());
        for (text, image) in all {
            if texts.last() != Some(&text) {
                texts.push(text);
            }
            pairs.push(Self { text: texts.len() - 1, image });
        }
        (texts, pairs)
    }
}

/// The results of the query-only pass over images, which the other passes of stage 1 read.
#[derive(Clone, Debug)]
pub struct ImagePass {
    /// Output of the queries, `[batch, queries, width]`. [`TextTower::image_embeds`] reads it.
    pub queries: Tensor<3>,
    /// Keys and values of the image features, one pair for each layer with cross-attention, each
    /// `[batch, heads, image tokens, head width]`. They are projected once per image and shared by
    /// all passes; [`TextTower::match_logits`] reads them, a hard negative by its row number.
    pub cross: Vec<KeysValues>,
    /// Self-attention keys and values of the queries, one pair for each layer.
    /// [`TextTower::caption_logits`] attends to them, so the captioning pass need not run the
    /// queries again (BLIP-2, section 3.1; LAVIS reuses this cache too).
    pub cache: Vec<KeysValues>,
}

/// The text side of a Q-Former-like bridge: everything that a loss of stage 1 needs from the model.
///
/// Queries and text share the self-attention of one transformer; cross-attention to the image is
/// for queries alone (BLIP-2, figure 2). The three losses of the paper differ in who sees whom:
///
/// | loss | pass | mask |
/// |---|---|---|
/// | ITC, contrast | [`image_pass`] and [`text_embeds`] | uni-modal: queries and text do not see each other |
/// | ITM, matching | [`match_logits`] | bi-directional: queries and text see each other |
/// | ITG, captioning | [`caption_logits`] | causal: text sees queries and earlier text, queries see queries |
///
/// [`masked_logits`] is BERT's own objective, for pre-training the text side.
///
/// # Shapes
///
/// `features` are `[images, image tokens, vision width]`, as the frozen encoder returns them. `ids`
/// are `[texts, tokens]`, padded on the right; `mask` is `[texts, tokens]` with 1 for real tokens
/// ([`crate::pad`] makes both). The first token is special: `[CLS]` for contrast and matching,
/// `[DEC]` for captioning ([`crate::TextSpecialTokens`]).
///
/// # Gradients and randomness
///
/// Every result has gradients to the bridge's parameters, none to the frozen encoder. Inside a
/// [`crate::noise::scope`], passes have dropout, and the order of the calls decides the masks.
///
/// # Example
///
/// The contrastive loss from images to texts (BLIP-2, section 3.1, ITC):
///
/// ```
/// use burn::tensor::{Int, Tensor, activation::log_softmax};
/// use toolkit_core::{TextTower, similarity};
///
/// fn contrast(
///     tower: &dyn TextTower,
///     features: Tensor<3>,
///     ids: Tensor<2, Int>,
///     mask: Tensor<2>,
/// ) -> Tensor<1> {
///     let images = tower.image_embeds(tower.image_pass(features).queries); // [images, queries, embed]
///     let texts = tower.text_embeds(ids, mask); // [texts, embed]
///     let logits = similarity(images, texts) / tower.temperature().unsqueeze(); // [images, texts]
///     let log_p = log_softmax(logits, 1);
///     let own = Tensor::<1, Int>::arange(0..log_p.dims()[0] as i64, &log_p.device());
///     log_p.gather(1, own.unsqueeze_dim(1)).mean().neg()
/// }
/// ```
///
/// [`image_pass`]: TextTower::image_pass
/// [`text_embeds`]: TextTower::text_embeds
/// [`match_logits`]: TextTower::match_logits
/// [`caption_logits`]: TextTower::caption_logits
/// [`masked_logits`]: TextTower::masked_logits
pub trait TextTower {
    /// Returns the number of learned queries, which stand before each text in the joint passes.
    fn num_query_tokens(&self) -> usize;

    /// Projects features `[images, image tokens, vision width]` to the keys and values of
    /// cross-attention: [`ImagePass::cross`].
    fn keys_values(&self, features: Tensor<3>) -> Vec<KeysValues>;

    /// Runs the queries over the images of `cross`. The queries see each other and their image; no
    /// text takes part.
    fn query_pass(&self, cross: Vec<KeysValues>) -> ImagePass;

    /// Runs the queries over features `[images, image tokens, vision width]`:
    /// [`TextTower::keys_values`], then [`TextTower::query_pass`].
    fn image_pass(&self, features: Tensor<3>) -> ImagePass {
        self.query_pass(self.keys_values(features))
    }

    /// Projects the queries' outputs `[images, queries, width]` to the shared image-text space,
    /// l2-normalised: `[images, queries, embed]`.
    ///
    /// The similarity of an image and a text is the largest over the queries ([`similarity`]).
    fn image_embeds(&self, queries: Tensor<3>) -> Tensor<3>;

    /// Runs the text alone and projects the output of its first token to the shared space,
    /// l2-normalised: `[texts, embed]`. No query takes part, so an embedding holds for any image.
    fn text_embeds(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<2>;

    /// Runs queries and text together, with full attention between them, and classifies each pair:
    /// `[pairs, 2]`, where index 1 is "match".
    ///
    /// A logit is the mean over the queries of a linear head on their outputs (BLIP-2, section 3.1,
    /// ITM). `cross` is [`ImagePass::cross`]; `ids` are `[texts, tokens]`; a pair names a row of
    /// each. So a hard negative costs two numbers and no copy, and layers that see the text alone
    /// run once for all pairs of a text.
    fn match_logits(
        &self,
        cross: &[KeysValues],
        pairs: &[Pair],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<2>;

    /// Runs the text causally behind the queries and returns next-token logits `[texts, tokens,
    /// vocab]`: position i predicts token i + 1 (BLIP-2, section 3.1, ITG).
    ///
    /// `cache` is [`ImagePass::cache`] of as many images as there are texts, text i with image i.
    fn caption_logits(
        &self,
        cache: &[KeysValues],
        ids: Tensor<2, Int>,
        mask: Tensor<2>,
    ) -> Tensor<3>;

    /// Runs the text alone, with full attention, through the language-model head: `[texts, tokens,
    /// vocab]`. That is BERT; the logits are for masked language modelling.
    fn masked_logits(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<3>;

    /// Returns the learned temperature `[1]` that similarities are divided by.
    fn temperature(&self) -> Tensor<1>;
}

/// Returns the similarity of each image with each text: the largest over the image's queries.
///
/// `image` are [`TextTower::image_embeds`] `[images, queries, embed]`, `text` are
/// [`TextTower::text_embeds`] `[texts, embed]`; the result is `[images, texts]`.
#[must_use]
pub fn similarity(image: Tensor<3>, text: Tensor<2>) -> Tensor<2> {
    let ([images, queries, width], [texts, _]) = (image.dims(), text.dims());
    let image = image.reshape([images * queries, width]);
    let all = toolkit_kernels::times_transposed(image, text);
    all.reshape([images, queries, texts]).max_dim(1).reshape([images, texts])
}
