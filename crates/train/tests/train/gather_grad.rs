//! The contrast on two ranks, as LAVIS gathers embeddings, and in one process: PyTorch's numbers.

use super::{check, fixture, scalar};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use toolkit_core::params::floats;
use toolkit_core::{TextSpecialTokens, similarity};
use toolkit_train::stage1::itc::Embeds;
use toolkit_train::stage1::{GatherGrad, Stage1Settings};

/// The inputs of the fixture; its weights are leaves.
fn input<const D: usize>(made: &Value, name: &str) -> Tensor<D> {
    let values: Vec<f32> = serde_json::from_value(made["inputs"][name].clone()).unwrap();
    let shape: Vec<usize> = serde_json::from_value(made["shapes"][name].clone()).unwrap();
    Tensor::from_data(TensorData::new(values, shape), &Device::default().autodiff())
}

fn normalised<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() / x.powi_scalar(2).sum_dim(D - 1).sqrt()
}

#[test]
fn both_gradients_are_those_of_torch() {
    let made = std::fs::read(fixture("gather_grad.json")).unwrap();
    let made: Value = serde_json::from_slice(&made).unwrap();
    for (gather_grad, name) in [(GatherGrad::Detached, "detached"), (GatherGrad::Full, "full")] {
        let image_weight = input::<2>(&made, "image_weight").require_grad();
        let text_weight = input::<2>(&made, "text_weight").require_grad();
        let temperature = input::<1>(&made, "temperature").require_grad();
        let embeds = Embeds {
            images: normalised(
                input::<3>(&made, "images").matmul(image_weight.clone().unsqueeze()),
            ),
            texts: normalised(input::<2>(&made, "texts").matmul(text_weight.clone())),
            temperature: temperature.clone(),
        };
        let settings = Stage1Settings {
            special_tokens: TextSpecialTokens { pad: 0, cls: 1, sep: 2, dec: 3 },
            smoothing: made["smoothing"].as_f64().unwrap(),
            gather_grad,
        };
        let by_hand = similarity(embeds.images.clone(), embeds.texts.clone()) / 0.2;
        check("logits", &floats(embeds.logits()), &floats(by_hand), 1e-5);
        let loss = embeds.loss(embeds.logits(), settings, |_, _| false);
        let found = loss.backward();
        let reference = &made[name];
        let wanted = [reference["loss"].as_f64().unwrap() as f32];
        check(&format!("{name}: loss"), &[scalar(loss)], &wanted, 1e-6);
        let compare = |what: &str, ours: Vec<f32>| {
            let wanted: Vec<f32> = serde_json::from_value(reference[what].clone()).unwrap();
            check(&format!("{name}: {what}"), &ours, &wanted, 1e-5);
        };
        compare("image_weight", floats(image_weight.grad(&found).unwrap()));
        compare("text_weight", floats(text_weight.grad(&found).unwrap()));
        compare("temperature", floats(temperature.grad(&found).unwrap()));
    }
}
