//! The ViT against transformers 4.57.1 (`clip_tiny` of `tests/fixtures/blip2_goldens.json`) and
//! against the contract.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::{Device, Tensor, TensorData};
use toolkit_core::params::{self, Values, floats};
use toolkit_core::{VisionEncoder, conform};
use toolkit_models::layers::Activation;
use toolkit_models::vision::vit::{Vit, VitConfig};

const GOLDENS: &str = include_str!("../../../tests/fixtures/blip2_goldens.json");

/// The golden model has three blocks and its value is `hidden_states[-2]`: what BLIP-2 takes, the
/// output of the second.
fn clip_tiny() -> VitConfig {
    VitConfig {
        image_size: 8,
        patch_size: 4,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 16,
        hidden_act: Activation::QuickGelu,
        layer_norm_eps: 1e-5,
        patch_bias: false,
        pre_norm: true,
    }
}

fn encode(config: &VitConfig) -> Vec<f32> {
    let device = Device::default();
    // The goldens' fill: `0.1 sin(0.7 i + s)` in row-major order, `s` from the published name, plus
    // one in norms.
    let model = params::map(Vit::build(config, &device), |info| {
        let name = format!("vision_model.{}", info.name);
        let shift = f64::from(name.bytes().map(u32::from).sum::<u32>() % 97);
        let norm =
            ["norm.weight", "norm1.weight", "norm2.weight"].iter().any(|end| name.ends_with(end));
        let base = if norm { 1.0 } else { 0.0 };
        let fill = |i: usize| (base + 0.1 * libm::sin(0.7 * i as f64 + shift)) as f32;
        let count = info.shape.iter().product();
        Some(Values { shape: info.shape.clone(), data: (0..count).map(fill).collect() })
    });
    let pixels: Vec<f32> = (0..3 * 8 * 8).map(|i| libm::cos(0.3 * f64::from(i)) as f32).collect();
    floats(model.encode(Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, 8, 8]), &device)))
}

#[test]
fn clip_is_that_of_transformers() {
    let goldens: serde_json::Value = serde_json::from_str(GOLDENS).unwrap();
    let golden = &goldens["encoders_and_llms"]["clip_tiny"];
    let names: Vec<&str> =
        golden["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for info in params::list(&Vit::build(&clip_tiny(), &Device::default())) {
        assert!(
            names.contains(&format!("vision_model.{}", info.name).as_str()),
            "{} is no published name",
            info.name
        );
    }
    let expected: Vec<f32> = (golden["penultimate_hidden_states[-2]"].as_array().unwrap().iter())
        .map(|value| value.as_f64().unwrap() as f32)
        .collect();
    let largest =
        |ours: &[f32]| ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let ours = encode(&clip_tiny());
    assert_eq!(ours.len(), expected.len());
    assert!(largest(&ours) < 1e-4, "{}", largest(&ours));
    // The trap is one that this test would notice.
    assert!(largest(&encode(&VitConfig { hidden_act: Activation::Gelu, ..clip_tiny() })) > 1e-4);
}

#[test]
fn the_contract_holds() {
    conform::vision::<Vit>(&clip_tiny());
    conform::vision::<Vit>(&VitConfig { patch_bias: true, pre_norm: false, ..clip_tiny() });
}
