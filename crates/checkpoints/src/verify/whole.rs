//! A whole model: features, queries, matching, and the outputs of the language model.

use super::compare::Outputs;
use super::language;
use super::reference::Reference;
use super::text::Text;
use crate::CheckpointError;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::{ImagePass, Pair, TextTower, noise, similarity};
use toolkit_vlm::{VisionPart, Vlm};

/// Computes the outputs that the checkpoint has parts for.
pub(super) fn run(
    model: &Vlm,
    reference: &Reference,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let vision = model.vision()?;
    let Some(bridge) = model.bridge.qformer() else {
        let hint = "references are of published checkpoints, which have one";
        return Err(CheckpointError::new("the bridge is no Q-Former", model.name.clone(), hint));
    };
    let device = bridge.devices().first().cloned().unwrap_or_default();
    noise::off(|| {
        let features = features(vision, reference, &device)?;
        let normalised = bridge.normalise(features);
        outputs.put("vision.last_hidden_state", normalised.clone());

        let pass = bridge.query_pass(bridge.keys_values_normalised(&normalised));
        outputs.put("qformer.last_hidden_state", pass.queries.clone());

        text_side(model, &pass, reference, &device, outputs)?;
        language::run(model, pass.queries, reference, &device, outputs)
    })
}

/// Encodes the pixels. Returns features `[batch, tokens, width]` on the bridge's device.
fn features(
    vision: &VisionPart,
    reference: &Reference,
    device: &Device,
) -> Result<Tensor<3>, CheckpointError> {
    let own = vision.model.devices().first().cloned().unwrap_or_default();
    let features = vision.model.encode(reference.pixels(&vision.shape, &own)?);
    // A frozen encoder is on a plain device; its features are passed to the other one as data.
    Ok(match own.is_autodiff() == device.is_autodiff() {
        true => features,
        false => Tensor::from_data(features.into_data(), device),
    })
}

/// Computes the outputs of matching and contrast, if the checkpoint has a text side.
fn text_side(
    model: &Vlm,
    pass: &ImagePass,
    reference: &Reference,
    device: &Device,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let (Ok(tower), Some(shape)) = (model.text_tower(), &model.bridge.shape.text) else {
        return Ok(());
    };
    let batch = pass.queries.dims()[0];
    let text = Text::read(reference, batch, shape.positions, shape.vocab, device)?;
    let pairs = Pair::own(batch);
    let logits = tower.match_logits(&pass.cross, &pairs, text.ids.clone(), text.mask.clone());
    outputs.put("itm.logits", logits);
    let images = tower.image_embeds(pass.queries.clone());
    let texts = tower.text_embeds(text.ids, text.mask);
    outputs.put("itc.image_embeds", images.clone());
    outputs.put("itc.text_embeds", texts.clone());
    outputs.put("itc.logits_per_image", similarity(images, texts));
    Ok(())
}
