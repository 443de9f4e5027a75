//! Steps of stage 1 by hand: an untrained Q-Former, a batch of images and captions, the three
//! losses of BLIP-2, AdamW.
//!
//! `cargo run --example train_step`
#![allow(clippy::print_stdout, reason = "an example")]

use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use std::error::Error;
use toolkit_core::TextSpecialTokens;
use toolkit_models::bridge::{QFormerInit, initialise};
use toolkit_registry::{Kind, Registry, Weights};
use toolkit_train::optim::{AdamW, OptimConfig};
use toolkit_train::stage1::{
    Batch, Corpus, GatherGrad, LossWeights, Stage1Settings, builtin, losses,
};

fn main() -> Result<(), Box<dyn Error>> {
    // 1. The shapes of an image encoder, and a Q-Former that reads its features.
    let device = Device::flex().autodiff();
    let registry = Registry::builtin();
    let vision = registry.describe_vision(&registry.card(Kind::Vision, "vit-nano")?)?;
    let card = registry.card(Kind::Bridge, "qformer-nano")?;
    let bridge = registry.build_bridge(&card, &vision, &device, Weights::None)?;
    let mut bridge = initialise(bridge, 1, QFormerInit::Random, None)?;

    // 2. Four images, here as random features, with a caption each: token ids, `[CLS]` to `[SEP]`.
    let shape = [4, vision.tokens, vision.width];
    let features = Tensor::<3>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let captions = [&[1, 10, 11, 12, 2][..], &[1, 13, 14, 2], &[1, 15, 16, 2], &[1, 17, 2]];
    let captions: Vec<Vec<u32>> = captions.map(<[u32]>::to_vec).to_vec();
    let of_images: Vec<Vec<Vec<u32>>> = captions.iter().map(|ids| vec![ids.clone()]).collect();
    let corpus = Corpus { captions: &of_images, vocab: 100, smoothing: 0.1, batch: 4 };

    // 3. The losses, with their weights of the paper.
    let weighted = LossWeights::default().select(builtin(), &corpus);
    let settings = Stage1Settings {
        special_tokens: TextSpecialTokens { pad: 0, cls: 1, sep: 2, dec: 3 },
        smoothing: 0.1,
        gather_grad: GatherGrad::Full,
    };

    // 4. Steps.
    let mut optimizer = AdamW::new(OptimConfig::default(), &bridge);
    for step in 0..5 {
        let (samples, captions) = (vec![0, 1, 2, 3], captions.clone());
        let batch = Batch {
            places: samples.clone(),
            samples,
            captions,
            depicts: vec![0, 1, 2, 3],
            sources: Vec::new(),
            seed: 1,
            step,
        };
        let tower = bridge.text_tower().ok_or("this bridge has no text tower")?;
        let values = losses(tower, features.clone(), &batch, &weighted, settings);
        let mut total = Tensor::<1>::zeros([1], &device);
        print!("step {step}:");
        for (one, value) in weighted.iter().zip(values) {
            print!(" {} {:.3}", one.name, value.loss.clone().into_scalar::<f32>());
            total = total + value.loss * one.weight;
        }
        println!();
        let gradients = GradientsParams::from_grads(total.backward(), &bridge);
        bridge = optimizer.step(bridge, gradients, 1e-3).0;
    }
    Ok(())
}
