//! The three losses of stage 1 with the hard negatives given, and their gradients.

use super::compare::Outputs;
use super::{Reference, gradients, ids};
use crate::CheckpointError;
use crate::model::{BridgePart, Model};
use burn::module::Module;
use toolkit_core::published::Scheme;
use toolkit_core::{Pair, noise, similarity};
use toolkit_train::stage1::{itc_loss, itg_loss_sum, itm_loss_sum};

pub(super) fn run(
    model: &Model,
    reference: &Reference,
    outputs: &mut Outputs<'_>,
) -> Result<(), CheckpointError> {
    let tower = model.tower()?;
    let BridgePart::QFormer { model: bridge, config, caption: true, .. } = &model.bridge else {
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
        let rows = reference.tokens(
            "input_ids",
            features.dims()[0],
            config.max_position_embeddings,
            config.vocab_size,
        )?;
        let masks = reference.mask("attention_mask", &rows)?;
        if model.stage1.dec as usize >= config.vocab_size {
            let what = format!(
                "`decoder_start_token_id` is {}, of {} tokens",
                model.stage1.dec, config.vocab_size
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
        let itc = itc_loss(similar, smoothing, |_, _| false);

        // 3. Matching: pairs, texts with a wrong image, images with a wrong text.
        let own: Vec<usize> = (0..batch).collect();
        let image_rows = [own.clone(), reference.row("itm.negative_image")?, own.clone()].concat();
        let text_rows = [own.clone(), own, reference.row("itm.negative_text")?].concat();
        if image_rows.iter().chain(&text_rows).any(|&row| row >= batch)
            || image_rows.len() != 3 * batch
            || text_rows.len() != 3 * batch
        {
            return Err(CheckpointError::new(
                "negatives are no rows of the batch",
                reference.place(),
                "make the reference again",
            ));
        }
        let pair = |(&text, &image): (&usize, &usize)| Pair { text, image };
        let triplets: Vec<Pair> = text_rows.iter().zip(&image_rows).map(pair).collect();
        let (itm, _, _) = itm_loss_sum(tower, &pass.cross, &triplets, ids.clone(), mask.clone());
        let itm = itm / (3 * batch) as f64;

        // 4. Captioning.
        let scored =
            masks.iter().map(|row| row.iter().skip(1).filter(|&&m| m != 0).count()).sum::<usize>();
        let itg =
            itg_loss_sum(tower, &pass, ids, mask, model.stage1.dec, smoothing) / scored as f64;

        outputs.put("stage1.loss_itc", itc.clone());
        outputs.put("stage1.loss_itm", itm.clone());
        outputs.put("stage1.loss_itg", itg.clone());
        gradients::put(model, itc + itm + itg, Scheme::Lavis, "stage1.grad.", reference, outputs);
        Ok(())
    })
}
