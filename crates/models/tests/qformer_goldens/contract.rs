//! Facts of bridges that follow from their configuration: sizes, counts, starts, errors.

use super::{drawn, tiny, vision};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use toolkit_core::conform::{assert_close, sample};
use toolkit_core::{AnyBridge, Bridge, Cost, VisionShape, conform, params};
use toolkit_models::bridge::qformer::is_query_path;
use toolkit_models::bridge::{
    LinearBridge, LinearConfig, MlpBridge, MlpConfig, QFormer, QFormerConfig, QFormerInit,
    Resampler, ResamplerConfig, initialise, stage2_params,
};

#[test]
fn parameters_of_the_paper() {
    let config = QFormerConfig::default();
    let (vit_g, vit_l) = (vision(257, 1408), vision(257, 1024));
    let projection = |width: u64| 768 * width + width;
    assert_eq!(stage2_params(&config, &vit_l) + projection(2560), 103_593_984);
    assert_eq!(stage2_params(&config, &vit_g) + projection(2560), 107_133_696);
    assert_eq!(stage2_params(&config, &vit_g) + projection(4096), 108_314_880);
    assert_eq!(stage2_params(&config, &vit_l) + projection(2048), 103_200_256);
    assert_eq!(stage2_params(&config, &vit_g) + projection(2048), 106_739_968);
    assert_eq!(QFormer::describe(&config, &vit_g).unwrap().cost.params, 186_705_470);
    // Nothing is allocated, so the full size can be listed too.
    let built = params::list(&QFormer::build(&config, &vit_g, &Device::default()));
    let size = |info: &params::Info| info.shape.iter().product::<usize>() as u64;
    assert_eq!(built.iter().map(size).sum::<u64>(), 186_705_470);
    let trained: u64 = built.iter().filter(|info| is_query_path(&info.name)).map(size).sum();
    assert_eq!(trained, stage2_params(&config, &vit_g));
}

#[test]
fn contract() {
    for frequency in [1, 2, 3] {
        conform::bridge::<QFormer>(
            &QFormerConfig { cross_attention_frequency: frequency, ..tiny() },
            &vision(5, 6),
        );
    }
    let linear =
        LinearConfig { width: 7, drop_class_token: true, pool: 2, vision_layer_norm_eps: 1e-5 };
    conform::bridge::<LinearBridge>(&linear, &vision(17, 6));
    conform::bridge::<LinearBridge>(
        &LinearConfig { drop_class_token: false, pool: 1, ..linear },
        &vision(17, 6),
    );
    let mlp = MlpConfig {
        width: 7,
        hidden: Some(9),
        drop_class_token: false,
        pool: 4,
        vision_layer_norm_eps: 1e-5,
    };
    conform::bridge::<MlpBridge>(&mlp, &vision(16, 6));
    conform::bridge::<MlpBridge>(
        &MlpConfig { hidden: None, drop_class_token: true, pool: 1, ..mlp },
        &vision(16, 6),
    );
    let resampler = ResamplerConfig {
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 16,
        num_query_tokens: 3,
        ..ResamplerConfig::default()
    };
    conform::bridge::<Resampler>(&resampler, &vision(5, 8));
    conform::bridge::<Resampler>(&resampler, &vision(5, 6));
}

#[test]
fn gradients_reach_what_stage_2_trains_and_nothing_else() {
    fn trained<B: Bridge>(config: &B::Config, vision: &VisionShape) -> (usize, Vec<params::Info>) {
        let device = Device::default().autodiff();
        let bridge = params::initialise(B::build(config, vision, &device), 1, params::bert_rule);
        let out = bridge.queries(sample("features", [2, vision.tokens, vision.width], &device));
        let weights = sample("loss", out.dims(), &device);
        let grads = GradientsParams::from_grads((out * weights).sum().backward(), &bridge);
        (grads.len(), params::list(&bridge))
    }
    let (count, infos) = trained::<QFormer>(&tiny(), &vision(5, 6));
    assert_eq!(count, infos.iter().filter(|info| is_query_path(&info.name)).count());
    let mlp = MlpConfig {
        width: 7,
        hidden: None,
        drop_class_token: true,
        pool: 2,
        vision_layer_norm_eps: 1e-5,
    };
    let (count, infos) = trained::<MlpBridge>(&mlp, &vision(17, 6));
    assert_eq!(count, infos.len());
    let small = ResamplerConfig {
        hidden_size: 8,
        num_attention_heads: 2,
        num_hidden_layers: 2,
        ..Default::default()
    };
    let (count, infos) = trained::<Resampler>(&small, &vision(5, 6));
    assert_eq!(count, infos.len());
}

#[test]
fn starts() {
    let device = Device::default();
    let build = |vocab_size| {
        let config = QFormerConfig { vocab_size, temperature: 0.05, ..tiny() };
        AnyBridge::new(QFormer::build(&config, &vision(5, 6), &device))
    };
    let random = params::export(&initialise(build(20), 7, QFormerInit::Random, None).unwrap());
    assert_eq!(random["temp"].data, [0.05]);
    assert_eq!(random["encoder.layer.0.output.layer_norm.weight"].data, [1.0; 8]);
    let same = params::export(&params::initialise(build(20), 7, params::bert_rule));
    assert!(random.iter().all(|(name, values)| name == "temp" || same[name] == *values));

    let bert = params::export(&drawn(&tiny(), &vision(5, 6), &device));
    let query = "encoder.layer.1.intermediate_query.dense.weight";
    let text = "encoder.layer.1.intermediate.dense.weight";
    let words = "embeddings.word_embeddings.weight";
    for init in [QFormerInit::BertCopy, QFormerInit::BertRandomQuery] {
        let made = params::export(&initialise(build(21), 7, init, Some(&bert)).unwrap());
        assert_eq!(made[text], bert[text]);
        assert_eq!(made[words].data[..160], bert[words].data);
        assert!(
            made[words].data[160..].iter().all(|x| *x != 0.0 && x.abs() < 0.1),
            "the further row is drawn"
        );
        assert_eq!(
            (&made["cls.bias"].data[..20], made["cls.bias"].data[20]),
            (&bert["cls.bias"].data[..], 0.0)
        );
        let cross = "encoder.layer.0.crossattention.key.weight";
        assert_eq!((&made[cross], &made["temp"]), (&random[cross], &random["temp"]));
        let source = if init == QFormerInit::BertCopy { &bert[text] } else { &random[query] };
        assert_eq!(&made[query], source);
    }
    assert_eq!(
        serde_json::to_string(&QFormerInit::BertRandomQuery).unwrap(),
        "\"bert-random-query\""
    );

    let fails = |bridge, bert| {
        initialise(bridge, 7, QFormerInit::BertCopy, bert).map(|_: AnyBridge| ()).unwrap_err().what
    };
    assert!(fails(build(20), None).contains("no BERT"));
    let mut lacking = bert.clone();
    lacking.remove(text);
    assert!(
        fails(build(20), Some(&lacking))
            .contains("`encoder.layer.1.intermediate.dense.weight` is missing")
    );
    assert!(
        fails(build(19), Some(&bert))
            .contains("word_embeddings.weight` is [20, 8], wanted [19, 8]")
    );
    let linear =
        LinearConfig { width: 7, drop_class_token: false, pool: 1, vision_layer_norm_eps: 1e-5 };
    let linear = AnyBridge::new(LinearBridge::build(&linear, &vision(5, 6), &device));
    assert!(fails(linear, Some(&bert)).contains("no text side"));
}

#[test]
fn contradictions_are_named() {
    let vision = vision(17, 6);
    let what = |config: QFormerConfig| QFormer::describe(&config, &vision).unwrap_err().to_string();
    let wrong = what(QFormerConfig { encoder_hidden_size: Some(5), ..tiny() });
    assert!(wrong.contains("`encoder_hidden_size` = 5") && wrong.contains("6 wide"), "{wrong}");
    assert!(
        what(QFormerConfig { num_attention_heads: 3, ..tiny() })
            .contains("`num_attention_heads` = 3")
    );
    assert!(
        what(QFormerConfig { cross_attention_frequency: 0, ..tiny() })
            .contains("`cross_attention_frequency` = 0")
    );
    assert!(what(QFormerConfig { dropout: 1.0, ..tiny() }).contains("`dropout` = 1"));
    assert!(what(QFormerConfig { temperature: 0.0, ..tiny() }).contains("`temperature` = 0"));
    assert!(
        QFormer::describe(&QFormerConfig { encoder_hidden_size: Some(6), ..tiny() }, &vision)
            .is_ok()
    );
    let unknown: Result<QFormerConfig, _> = serde_json::from_str(r#"{"hidden": 8}"#);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `hidden`"));
    let linear = |drop_class_token, pool| {
        let config = LinearConfig { width: 7, drop_class_token, pool, vision_layer_norm_eps: 1e-5 };
        LinearBridge::describe(&config, &vision)
            .map(|shape| shape.queries)
            .map_err(|error| error.to_string())
    };
    assert_eq!(linear(true, 2), Ok(4));
    assert_eq!(linear(false, 1), Ok(17));
    assert!(linear(false, 2).unwrap_err().contains("drop_class_token"));
    assert!(linear(true, 3).unwrap_err().contains("4x4"));
}

#[test]
fn pooling_averages_squares_of_patches() {
    let device = Device::default();
    // Two rows of four patches behind a class token; the projection is the identity, and so is the
    // normalisation up to its own effect, which is undone by comparing with the bridge that does
    // not pool.
    let vision = VisionShape { image: [8, 16], tokens: 9, width: 3, cost: Cost::default() };
    let config =
        LinearConfig { width: 3, drop_class_token: true, pool: 1, vision_layer_norm_eps: 1e-5 };
    let pooled = LinearConfig { pool: 2, ..config.clone() };
    let start = |config| {
        params::initialise(LinearBridge::build(config, &vision, &device), 1, params::bert_rule)
    };
    let features: Tensor<3> = sample("features", [2, 9, 3], &device);
    let patches = start(&config).queries(features.clone());
    let patch = |i: usize| patches.clone().narrow(1, i, 1);
    let left = (patch(0) + patch(1) + patch(4) + patch(5)) / 4.0;
    let right = (patch(2) + patch(3) + patch(6) + patch(7)) / 4.0;
    assert_close("squares", Tensor::cat(vec![left, right], 1), start(&pooled).queries(features));
}

#[test]
fn freezing_reaches_every_parameter() {
    let model = QFormer::build(&tiny(), &vision(5, 6), &Device::default().autodiff()).no_grad();
    assert!(params::list(&model).iter().all(|info| !info.trained));
}
