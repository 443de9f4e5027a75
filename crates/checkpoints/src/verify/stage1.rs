//! The three losses of stage 1 with the hard negatives given, and their gradients.

use super::compare::Outputs;
use super::{Reference, gradients, ids};
use crate::CheckpointError;
use burn::module::Module;
use toolkit_core::published::Scheme;
use toolkit_core::{noise, similarity};
use toolkit_train::stage1::itm::Negatives;
use toolkit_train::stage1::{itc, itg, itm};
use toolkit_vlm::Vlm;

pub(super) fn run(
    model: &Vlm,
    reference: &Reference,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let tower = model.text_tower()?;
    let bridge = model.bridge.qformer().filter(|_| model.bridge.captioning);
    let (Some(bridge), Some(shape)) = (bridge, &model.bridge.shape.text) else {
        let hint = "the losses of stage 1 need a whole stage-1 checkpoint";
        return Err(CheckpointError::new(
            "there is no captioning head and no temperature",
            model.name.clone(),
            hint,
        ));
    };
    let device = bridge.devices().first().cloned().unwrap_or_default();
    let smoothing = model.stage1.label_smoothing;
    noise::off(|| {
        // 1. One pass of the images, one of the texts.
        let features = reference.features(bridge, &device)?;
        let rows =
            reference.tokens("input_ids", features.dims()[0], shape.positions, shape.vocab)?;
        let masks = reference.mask("attention_mask", &rows)?;
        if model.stage1.dec as usize >= shape.vocab {
            let what = format!(
                "`decoder_start_token_id` is {}, of {} tokens",
                model.stage1.dec, shape.vocab
            );
            return Err(CheckpointError::new(
                what,
                model.name.clone(),
                "correct it in the `config.json`",
            ));
        }
        let (ids, mask) = (ids(&rows, &device), ids(&masks, &device).float());
        let batch = rows.len();
        let pass = tower.image_pass(features);
        let images = tower.image_embeds(pass.queries.clone());
        let texts = tower.text_embeds(ids.clone(), mask.clone());

        // 2. Contrast.
        let similar = similarity(images, texts) / tower.temperature().unsqueeze();
        let itc = itc::loss(similar, smoothing, |_, _| false);

        // 3. Matching: pairs, texts with a wrong image, images with a wrong text.
        let negatives = Negatives {
            image_of_text: reference.row("itm.negative_image")?,
            text_of_image: reference.row("itm.negative_text")?,
        };
        let given = [&negatives.image_of_text, &negatives.text_of_image];
        if given.iter().any(|rows| rows.len() != batch || rows.iter().any(|&row| row >= batch)) {
            return Err(CheckpointError::new(
                "negatives are no rows of the batch",
                reference.place(),
                "make the reference again",
            ));
        }
        let (pairs, labels) = negatives.triplets();
        let (text, attention) = (ids.clone(), mask.clone());
        let matched = itm::loss_sum(tower, &pass.cross, &pairs, text, attention, &labels);
        let itm = matched.loss / (3 * batch) as f64;

        // 4. Captioning.
        let scored =
            masks.iter().map(|row| row.iter().skip(1).filter(|&&m| m != 0).count()).sum::<usize>();
        let sum = itg::loss_sum(tower, &pass.cache, ids, mask, model.stage1.dec, smoothing);
        let itg = sum / scored as f64;

        outputs.put("stage1.loss_itc", itc.clone());
        outputs.put("stage1.loss_itm", itm.clone());
        outputs.put("stage1.loss_itg", itg.clone());
        gradients::put(model, itc + itm + itg, Scheme::Lavis, "stage1.grad.", reference, outputs);
        Ok(())
    })
}
