//! Losses against hand computation and LAVIS's numbers.

use super::{check, fixture, goldens, input, scalar, vision};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;
use toolkit_core::params::{self, Values, floats};
use toolkit_core::{Bridge, Stream, TextTower, similarity};
use toolkit_models::bridge::{QFormer, QFormerConfig};
use toolkit_train::losses::{cross_entropy_rows, soft_cross_entropy_rows, token_loss_sum};
use toolkit_train::stage1::itg::{self, unigram_loss};
use toolkit_train::stage1::itm::{self, Negatives, hard_negatives};
use toolkit_train::stage1::{itc, itm::TRIVIAL};

#[test]
fn cross_entropy_by_hand() {
    let device = Device::default();
    let logits: Tensor<2> = Tensor::from_data([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], &device);
    let labels: Tensor<1, Int> = Tensor::from_data([2, 1], &device);
    let log_p = |row: [f64; 3]| {
        let total: f64 = row.iter().map(|&x| libm::exp(x)).sum();
        row.map(|x| x - libm::log(total))
    };
    let (a, b) = (log_p([1.0, 2.0, 4.0]), log_p([0.5, -1.0, 0.0]));
    for smoothing in [0.0, 0.1, 1.0] {
        let by_hand = |p: [f64; 3], label: usize| {
            let target: [f64; 3] = std::array::from_fn(|i| {
                smoothing / 3.0 + f64::from(u8::from(i == label)) * (1.0 - smoothing)
            });
            -(0..3).map(|i| target[i] * p[i]).sum::<f64>() as f32
        };
        let expected = [by_hand(a, 2), by_hand(b, 1)];
        let ours = floats(cross_entropy_rows(logits.clone(), labels.clone(), smoothing));
        check("rows", &ours, &expected, 1e-6);
        let hot = |label: usize| {
            (0..3)
                .map(|i| {
                    (smoothing / 3.0) as f32 + if i == label { 1.0 - smoothing as f32 } else { 0.0 }
                })
                .collect()
        };
        let target: Vec<Vec<f32>> = vec![hot(2), hot(1)];
        let target: Tensor<2> =
            Tensor::from_data(TensorData::new(target.concat(), [2, 3]), &device);
        check("soft", &floats(soft_cross_entropy_rows(logits.clone(), target)), &expected, 1e-6);
        let sum = token_loss_sum(
            logits.clone().reshape([1, 2, 3]),
            labels.clone().reshape([1, 2]),
            Tensor::from_data([[0.0, 1.0]], &device),
            smoothing,
        );
        check("one of two tokens", &[scalar(sum)], &expected[1..], 1e-6);
    }
}

fn normalised<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() / (x.clone() * x).sum_dim(D - 1).sqrt()
}

/// Similarities `[image, text]` over the temperature of appendix A's contrastive toy.
fn toy() -> Tensor<2> {
    let device = Device::default();
    let image = normalised(input([3, 2, 4], 0.2, &device));
    similarity(image, normalised(input([3, 4], 0.9, &device))) / 0.07
}

#[test]
fn contrastive_toy() {
    let golden = goldens()["qformer_and_losses"]["itc"].clone();
    let numbers: Vec<f32> = serde_json::from_value(golden["sim_i2t"].clone()).unwrap();
    check("similarities", &floats(toy()), &numbers, 1e-6);
    check("loss", &[scalar(itc::loss(toy(), 0.1, |_, _| false))], &[8.194_546], 1e-6);
    // The multi-positive loss of retrieval fine-tuning: images 0 and 2 are the same.
    let (own, other) = (0.9 / 2.0 + 0.1 / 3.0, 0.1 / 3.0);
    let targets = [[own, other, own], [other, 0.9 + 0.1 / 3.0, other], [own, other, own]];
    let targets: Tensor<2> = Tensor::from_data(targets, &Device::default());
    let both = soft_cross_entropy_rows(toy(), targets.clone()).mean()
        + soft_cross_entropy_rows(toy().transpose(), targets).mean();
    check("several positives", &[scalar(both * 0.5)], &[5.662_155], 1e-6);
    let same = |a: usize, b: usize| a % 2 == b % 2;
    check("several positives", &[scalar(itc::loss(toy(), 0.1, same))], &[5.662_155], 1e-6);
}

#[test]
fn hard_negatives_follow_the_softmax() {
    let sim = floats(toy());
    let golden: Vec<f32> =
        serde_json::from_value(goldens()["qformer_and_losses"]["itm_neg_weights_t2i"].clone())
            .unwrap();
    // Temperature 1 spreads the draws; at 0.07 the golden rows are nearly certain.
    let flat: Vec<f32> = sim.iter().map(|x| x * 0.07).collect();
    let flat_row = |own: usize, at: &dyn Fn(usize) -> f32| -> Vec<f32> {
        let weights: Vec<f32> =
            (0..3).map(|j| if j == own { 0.0 } else { libm::expf(at(j)) }).collect();
        let total: f32 = weights.iter().sum();
        weights.iter().map(|w| w / total).collect()
    };
    let flat_images: Vec<f32> = (0..3).flat_map(|t| flat_row(t, &|i| flat[i * 3 + t])).collect();
    let flat_texts: Vec<f32> = (0..3).flat_map(|i| flat_row(i, &|t| flat[i * 3 + t])).collect();
    let draws = 20_000_u64;
    let unlike = |_, _| false;
    for (sim, images, texts) in
        [(&sim, Some(&golden), None), (&flat, Some(&flat_images), Some(&flat_texts))]
    {
        let mut counts = [[0_u64; 9], [0; 9]];
        for index in 0..draws {
            let Negatives { image_of_text, text_of_image } =
                hard_negatives(sim, 3, unlike, &mut Stream::new(1, "negatives", index));
            for row in 0..3 {
                counts[0][row * 3 + image_of_text[row]] += 1;
                counts[1][row * 3 + text_of_image[row]] += 1;
            }
        }
        for (count, expected) in counts.iter().zip([images, texts]) {
            assert!((0..3).all(|row| count[row * 3 + row] == 0), "the own pair was drawn");
            for (count, p) in count.iter().zip(expected.into_iter().flatten()) {
                let (mean, spread) = (
                    f64::from(*p) * draws as f64,
                    (f64::from(p * (1.0 - p)) * draws as f64).sqrt(),
                );
                assert!(
                    (*count as f64 - mean).abs() <= 4.5 * spread + 0.5,
                    "{count} draws, wanted {mean}"
                );
            }
        }
    }
    let negatives = |image_of_text, text_of_image| Negatives { image_of_text, text_of_image };
    let alone = hard_negatives(&[3.0], 1, unlike, &mut Stream::new(1, "", 0));
    assert_eq!(alone, negatives(vec![0], vec![0]));
    // Similarities far apart must not underflow to an even choice.
    let far = [0.0, -5000.0, -9000.0, 0.0, 0.0, -5000.0, 0.0, -9000.0, 0.0];
    assert_eq!(
        hard_negatives(&far, 3, unlike, &mut Stream::new(1, "", 0)),
        negatives(vec![2, 0, 1], vec![1, 0, 0])
    );
    // The likeliest negative is the same picture again, or has the same caption: then another one
    // is taken; if all are alike, one of them.
    let near = [0.0, 5000.0, 0.0, 5000.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let twins = |a: usize, b: usize| a < 2 && b < 2;
    let found = hard_negatives(&near, 3, twins, &mut Stream::new(1, "", 0));
    assert_eq!((&found.image_of_text[..2], &found.text_of_image[..2]), (&[2, 2][..], &[2, 2][..]));
    let found = hard_negatives(&near, 3, |_, _| true, &mut Stream::new(1, "", 0));
    assert_eq!(found.image_of_text[..2], [1, 0]);
}

#[test]
fn trivial_losses() {
    let by_hand = -(1.0_f64 / 3.0 * libm::log(1.0_f64 / 3.0) + 2.0 / 3.0 * libm::log(2.0 / 3.0));
    assert!((TRIVIAL - by_hand).abs() < 1e-12);
    // Scored tokens: 5 6 | 5 7, the first of each caption is not.
    let captions = [vec![vec![9, 5, 6]], vec![vec![9, 5, 7]]];
    let entropy = unigram_loss(&captions, 10, 0.0);
    assert!((entropy - (0.5 * libm::log(2.0) + 0.5 * libm::log(4.0))).abs() < 1e-12);
    // Smoothed over ten classes: 0.46, 0.235 twice and 0.01 seven times. No other constant
    // prediction does better.
    let smooth = |q: [f64; 10]| {
        let p = [0.5, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        (0..10).map(|i| -(0.9 * p[i] + 0.01) * libm::log(q[i])).sum::<f64>()
    };
    let best = [0.46, 0.235, 0.235, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01];
    let trivial = unigram_loss(&captions, 10, 0.1);
    assert!(
        (trivial - smooth(best)).abs() < 1e-12 && trivial < smooth([0.1; 10]) && trivial > entropy
    );
}

fn tensors(path: &str) -> BTreeMap<String, Values> {
    let bytes = std::fs::read(fixture(path)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = file.iter().map(|(name, view)| {
        let data: Vec<f32> = match view.dtype() {
            safetensors::Dtype::F32 => {
                view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
            }
            _ => view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
        };
        let shape = if view.shape().is_empty() { vec![1] } else { view.shape().to_vec() };
        (name.to_owned(), Values { shape, data })
    });
    values.collect()
}

/// LAVIS's name of a parameter as ours.
fn ours(name: &str) -> String {
    let name = name.strip_prefix("Qformer.").unwrap_or(name);
    let name = name.strip_prefix("bert.").unwrap_or(name);
    name.replace(".self.", ".")
        .replace("LayerNorm", "layer_norm")
        .replace("cls.predictions.", "cls.")
}

#[test]
fn stage1_fixture() {
    let device = Device::default().autodiff();
    let mut card: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&std::fs::read(fixture("stage1-tiny/config.json")).unwrap())
            .unwrap();
    let mut take = |key: &str| card.remove(key).unwrap();
    let dec = take("decoder_start_token_id").as_u64().unwrap() as u32;
    let smoothing = take("label_smoothing").as_f64().unwrap();
    take("pad_token_id");
    let config: QFormerConfig = serde_json::from_value(card.into()).unwrap();
    let reference = tensors("stage1-tiny/reference.safetensors");
    let held =
        |name: &str| TensorData::new(reference[name].data.clone(), reference[name].shape.clone());
    let whole =
        |name: &str| -> Vec<usize> { reference[name].data.iter().map(|&x| x as usize).collect() };
    let features = Tensor::<3>::from_data(held("input/image_embeds"), &device);
    let [batch, tokens, width] = features.dims();
    let not_parameters =
        ["position_ids", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"];
    let checkpoint = tensors("stage1-tiny/checkpoint.safetensors").into_iter();
    let checkpoint =
        checkpoint.filter(|(name, _)| !not_parameters.iter().any(|end| name.ends_with(end)));
    let checkpoint = checkpoint.map(|(name, values)| (ours(&name), values)).collect();
    let model = QFormer::build(&config, &vision(tokens, width), &device);
    let model = params::import(model, checkpoint).unwrap_or_else(|(_, wrong)| panic!("{wrong:?}"));

    let ids = Tensor::<2>::from_data(held("input/input_ids"), &device).int();
    let mask = Tensor::<2>::from_data(held("input/attention_mask"), &device);
    let pass = model.image_pass(features);
    let sim = similarity(
        model.image_embeds(pass.queries.clone()),
        model.text_embeds(ids.clone(), mask.clone()),
    );
    let itc = itc::loss(sim / model.temperature().unsqueeze(), smoothing, |_, _| false);
    let negatives = Negatives {
        image_of_text: whole("input/itm.negative_image"),
        text_of_image: whole("input/itm.negative_text"),
    };
    let (pairs, labels) = negatives.triplets();
    let matched = itm::loss_sum(&model, &pass.cross, &pairs, ids.clone(), mask.clone(), &labels);
    let (right, negatives) = (matched.right, matched.right_negatives);
    let scored: f64 =
        floats(mask.clone().narrow(1, 1, mask.dims()[1] - 1)).iter().map(|&x| f64::from(x)).sum();
    let itg = itg::loss_sum(&model, &pass.cache, ids, mask, dec, smoothing) / scored;
    let itm = matched.loss / (3 * batch) as f64;
    assert!(right <= 3 * batch && negatives <= 2 * batch && right - negatives <= batch);
    for (name, loss) in [("itc", &itc), ("itm", &itm), ("itg", &itg)] {
        check(
            name,
            &floats(loss.clone()),
            &reference[&format!("output/stage1.loss_{name}")].data,
            1e-5,
        );
    }
    let grads = GradientsParams::from_grads((itc + itm + itg).backward(), &model);
    let grads = super::gradients(&model, &grads);
    // Of those whose layout is the same in memory and in the file.
    for name in [
        "temp",
        "query_tokens",
        "ln_vision.weight",
        "text_proj.bias",
        "embeddings.word_embeddings.weight",
    ] {
        let stored = reference.iter().find(|(key, _)| {
            key.strip_prefix("output/stage1.grad.").map(ours).as_deref() == Some(name)
        });
        check(name, &grads[name], &stored.unwrap().1.data, 1e-4);
    }
}
