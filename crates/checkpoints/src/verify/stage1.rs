//! The three losses of stage 1 with the hard negatives given, and their gradients.

use super::compare::Outputs;
use super::gradients;
use super::reference::{Reference, ids};
use crate::CheckpointError;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use toolkit_core::published::Scheme;
use toolkit_core::{TextShape, noise, similarity};
use toolkit_models::bridge::qformer::QFormer;
use toolkit_train::stage1::itm::Negatives;
use toolkit_train::stage1::{itc, itg, itm};
use toolkit_vlm::Vlm;

/// Inputs of a reference for stage 1.
struct Batch {
    /// Image features `[batch, tokens, width]`.
    features: Tensor<3>,
    /// Token ids `[batch, tokens]`.
    ids: Tensor<2, Int>,
    /// Mask `[batch, tokens]`, 0 for padding.
    mask: Tensor<2>,
    /// Number of tokens that a caption's loss is of: all but the first of each text.
    scored: usize,
}

/// Computes the losses and the gradients of their sum.
pub(super) fn run(
    model: &Vlm,
    reference: &Reference,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let tower = model.text_tower()?;
    let (bridge, shape) = stage1_parts(model)?;
    let device = bridge.devices().first().cloned().unwrap_or_default();
    let (dec, smoothing) = (model.stage1.dec, model.stage1.label_smoothing);
    noise::off(|| {
        let Batch { features, ids, mask, scored } = Batch::read(reference, bridge, shape, &device)?;
        check_dec(model, shape)?;
        let batch = features.dims()[0];
        let pass = tower.image_pass(features);
        let images = tower.image_embeds(pass.queries.clone());
        let texts = tower.text_embeds(ids.clone(), mask.clone());

        let similar = similarity(images, texts) / tower.temperature().unsqueeze();
        let itc = itc::loss(similar, smoothing, |_, _| false);

        // Pairs, texts with a wrong image, images with a wrong text.
        let (pairs, labels) = negatives(reference, batch)?.triplets();
        let (text, attention) = (ids.clone(), mask.clone());
        let matched = itm::loss_sum(tower, &pass.cross, &pairs, text, attention, &labels);
        let itm = matched.loss / (3 * batch) as f64;

        let itg = itg::loss_sum(tower, &pass.cache, ids, mask, dec, smoothing) / scored as f64;

        outputs.put("stage1.loss_itc", itc.clone());
        outputs.put("stage1.loss_itm", itm.clone());
        outputs.put("stage1.loss_itg", itg.clone());
        gradients::put(model, itc + itm + itg, Scheme::Lavis, "stage1.grad.", reference, outputs);
        Ok(())
    })
}

/// Returns the Q-Former with its captioning head, and the shape of its text side.
fn stage1_parts(model: &Vlm) -> Result<(&QFormer, &TextShape), CheckpointError> {
    let bridge = model.bridge.qformer().filter(|_| model.bridge.captioning);
    bridge.zip(model.bridge.shape.text.as_ref()).ok_or_else(|| {
        let what = "there is no captioning head and no temperature";
        let hint = "the losses of stage 1 need a whole stage-1 checkpoint";
        CheckpointError::new(what, model.name.clone(), hint)
    })
}

/// Checks that the token that starts a caption has a row.
fn check_dec(model: &Vlm, shape: &TextShape) -> Result<(), CheckpointError> {
    let dec = model.stage1.dec;
    if (dec as usize) < shape.vocab {
        return Ok(());
    }
    let what = format!("`decoder_start_token_id` is {dec}, of {} tokens", shape.vocab);
    Err(CheckpointError::new(what, model.name.clone(), "correct it in the `config.json`"))
}

impl Batch {
    fn read(
        reference: &Reference,
        bridge: &QFormer,
        shape: &TextShape,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let features = reference.features(bridge, device)?;
        let rows =
            reference.tokens("input_ids", features.dims()[0], shape.positions, shape.vocab)?;
        let masks = reference.mask("attention_mask", &rows)?;
        let scored = masks.iter().map(|row| row.iter().skip(1).filter(|&&m| m != 0).count()).sum();
        let (ids, mask) = (ids(&rows, device), ids(&masks, device).float());
        Ok(Self { features, ids, mask, scored })
    }
}

/// Reads the hard negatives of matching.
fn negatives(reference: &Reference, batch: usize) -> Result<Negatives, CheckpointError> {
    let negatives = Negatives {
        image_of_text: reference.row("itm.negative_image")?,
        text_of_image: reference.row("itm.negative_text")?,
    };
    let given = [&negatives.image_of_text, &negatives.text_of_image];
    if given.iter().any(|rows| rows.len() != batch || rows.iter().any(|&row| row >= batch)) {
        let what = "negatives are no rows of the batch";
        return Err(CheckpointError::new(what, reference.place(), "make the reference again"));
    }
    Ok(negatives)
}
