//! Gradients with the names of the checkpoint.

use super::compare::Outputs;
use super::reference::Reference;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::BTreeMap;
use toolkit_core::Bridge;
use toolkit_core::params::{self, Values};
use toolkit_core::published::{Piece, PublishedNames, Scheme};
use toolkit_models::bridge::qformer::QFormer;
use toolkit_vlm::Vlm;

/// Returns `true` if output `name` is a gradient of a part that BLIP-2 freezes.
pub(crate) fn is_of_frozen_part(name: &str) -> bool {
    name.split_once(".grad.").is_some_and(|(_, parameter)| {
        parameter.starts_with("language_model.")
            || (parameter.starts_with("vision_model.")
                && !parameter.starts_with("vision_model.post_layernorm."))
    })
}

/// Runs backward from `loss` and puts every gradient that the reference has under `prefix`.
pub(crate) fn put(
    model: &Vlm,
    loss: Tensor<1>,
    scheme: Scheme,
    prefix: &str,
    reference: &Reference,
    outputs: &mut Outputs<'_>,
) {
    let mut tape = loss.backward();
    let mut all: BTreeMap<String, Values> = BTreeMap::new();
    if let Some(bridge) = model.bridge.qformer() {
        collect(&mut tape, bridge, scheme, QFormer::published(), &mut all);
    }
    if let Some(language) = &model.language {
        let names = language.names;
        collect(&mut tape, &language.projection, scheme, names.projection(), &mut all);
        collect(&mut tape, &language.model, scheme, names, &mut all);
    }
    if let Some(vision) = &model.vision {
        collect(&mut tape, &vision.model, scheme, vision.names, &mut all);
    }
    let wanted: Vec<String> = reference
        .outputs()
        .filter_map(|name| name.strip_prefix(prefix))
        .map(str::to_owned)
        .collect();
    for name in wanted {
        let output = format!("{prefix}{name}");
        match all.remove(&name) {
            Some(values) => outputs.put_values(&output, values),
            None => outputs.note(
                &output,
                "no trained parameter of this checkpoint has that name, or the loss \
                    does not reach it",
            ),
        }
    }
}

fn collect<M: Module>(
    tape: &mut burn::tensor::Gradients,
    module: &M,
    scheme: Scheme,
    names: PublishedNames,
    all: &mut BTreeMap<String, Values>,
) {
    let grads = GradientsParams::from_module(tape, module);
    for (name, values) in params::gradients(module, &grads) {
        let theirs = names.recipe(scheme, &name).and_then(|recipe| match &recipe.0[..] {
            [Piece::Whole(theirs)] => Some(theirs.clone()),
            _ => None,
        });
        all.insert(theirs.unwrap_or(name), values);
    }
}
