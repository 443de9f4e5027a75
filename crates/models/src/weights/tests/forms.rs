//! More published forms, and files that nearly are one: what does not fit is told and nothing
//! panics.

use super::reader::{eva_config, read};
use crate::language::llama::{Llama, LlamaConfig};
use crate::language::opt::{Opt, OptConfig};
use crate::vision::dinov2::{Dinov2, Dinov2Config};
use crate::vision::efficientnet::{EfficientNetLite, EfficientNetLiteConfig, Features};
use crate::vision::eva::Eva;
use crate::vision::vit::{Vit, VitConfig};
use crate::weights::{StoredDtype, write_safetensors};
use burn::module::Module;
use burn::tensor::Device;
use proptest::prelude::*;
use std::collections::BTreeMap;
use toolkit_core::params::{self, Init, Values};
use toolkit_core::published::{Part, Piece, PublishedNames, Recipe, Scheme};
use toolkit_core::{LanguageModel, VisionEncoder};

type Tensors = BTreeMap<String, Values>;

fn drawn<M: Module>(module: M) -> Tensors {
    params::export(&params::initialise(module, 5, |_| Init::Normal(0.5)))
}

/// `values` as a file of another form has them.
fn published(values: &Tensors, form: impl Fn(&str) -> Recipe) -> Tensors {
    let mut theirs = Tensors::new();
    for (name, values) in values {
        let third = values.data.len() / 3;
        for (at, piece) in form(name).0.iter().enumerate() {
            match piece {
                Piece::Whole(whole) if form(name).0.len() == 1 => {
                    drop(theirs.insert(whole.clone(), values.clone()))
                }
                Piece::Whole(part) => {
                    let data = values.data[at * third..(at + 1) * third].to_vec();
                    theirs.insert(part.clone(), Values { shape: vec![third], data });
                }
                Piece::Third(all, at) => {
                    let mut shape = values.shape.clone();
                    shape[0] *= 3;
                    let size = values.data.len();
                    let all = theirs
                        .entry(all.clone())
                        .or_insert(Values { shape, data: vec![0.0; 3 * size] });
                    all.data[at * size..(at + 1) * size].copy_from_slice(&values.data);
                }
                Piece::Zeros => {}
            }
        }
    }
    theirs
}

fn dinov2() -> Dinov2Config {
    Dinov2Config {
        image_size: 8,
        patch_size: 4,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        mlp_ratio: 2,
        layer_norm_eps: 1e-6,
        final_norm: false,
    }
}

#[test]
fn dinov2_is_read_from_a_backbone_and_from_an_export_without_names() {
    let fresh = || Dinov2::build(&dinov2(), &Device::flex());
    let values = drawn(fresh());
    let more = Values { shape: vec![8], data: vec![1.0; 8] };
    for prefix in ["", "backbone."] {
        let mut theirs: Tensors =
            values.iter().map(|(name, v)| (format!("{prefix}{name}"), v.clone())).collect();
        for rest in ["layernorm.weight", "encoder.layer.2.norm1.bias", "embeddings.mask_token"] {
            theirs.insert(format!("{prefix}{rest}"), more.clone());
        }
        assert_eq!(
            params::export(&read(fresh(), theirs, Dinov2::published()).unwrap()),
            values,
            "{prefix}"
        );
    }

    // The table in two pieces, of another grid: as the same table in one.
    let name = "embeddings.position_embeddings";
    let table: Vec<f32> = (0..80).map(|i| libm::sinf(0.3 * i as f32)).collect();
    let mut whole = values.clone();
    whole.insert(name.to_owned(), Values { shape: vec![1, 10, 8], data: table.clone() });
    let mut cut = values.clone();
    cut.remove(name);
    cut.insert(
        "onnx::Concat_1957".to_owned(),
        Values { shape: vec![1, 1, 8], data: table[..8].to_vec() },
    );
    cut.insert(
        "onnx::Reshape_1962".to_owned(),
        Values { shape: vec![1, 3, 3, 8], data: table[8..].to_vec() },
    );
    let [whole, pieces] = [whole, cut.clone()].map(|theirs| {
        params::export(&read(fresh(), theirs, Dinov2::published()).unwrap())[name].clone()
    });
    assert_eq!(whole, pieces);
    assert_eq!((&whole.shape[..], &whole.data[..8]), (&[1, 5, 8][..], &table[..8]));
    // A piece that lies on its side has as many numbers.
    cut.insert(
        "onnx::Reshape_1962".to_owned(),
        Values { shape: vec![1, 8, 3, 3], data: table[8..].to_vec() },
    );
    let error = read(fresh(), cut, Dinov2::published()).unwrap_err();
    assert!(
        error.contains("onnx::Reshape_1962: file has [1, 8, 3, 3], model wants [1, 5, 8]"),
        "{error}"
    );
}

#[test]
fn efficientnet_is_read_from_a_classifier() {
    let config = |features| EfficientNetLiteConfig {
        image_size: 32,
        features,
        ..EfficientNetLiteConfig::default()
    };
    let build = |features| EfficientNetLite::build(&config(features), &Device::flex());
    let values = drawn(build(Features::Head));
    let mut theirs = values.clone();
    theirs.insert("_fc.weight".to_owned(), Values { shape: vec![3, 1280], data: vec![0.0; 3840] });
    theirs.insert("_bn0.num_batches_tracked".to_owned(), Values { shape: vec![], data: vec![7.0] });
    for features in [Features::Head, Features::Last] {
        let read = params::export(
            &read(build(features), theirs.clone(), EfficientNetLite::published()).unwrap(),
        );
        assert!(read.iter().all(|(name, v)| &values[name] == v));
        assert_eq!(read.contains_key("_conv_head.weight"), features == Features::Head);
    }
    theirs.remove("_bn0.running_var");
    let error = read(build(Features::Last), theirs, EfficientNetLite::published()).unwrap_err();
    assert!(error.contains("1 missing (_bn0.running_var)"), "{error}");
}

fn llama(tied: bool) -> LlamaConfig {
    let text = format!(
        r#"{{"vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 16, "tie_word_embeddings": {tied}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn llama_is_read_by_both_its_names() {
    for tied in [true, false] {
        let fresh = || Llama::build(&llama(tied), &Device::flex());
        let values = drawn(fresh());
        let gguf = |name: &str| -> String {
            let (stem, end) = name.rsplit_once('.').unwrap();
            let part = match stem.rsplit('.').next().unwrap() {
                "embed_tokens" => "token_embd",
                "norm" => "output_norm",
                "lm_head" => "output",
                "q_proj" => "attn_q",
                "k_proj" => "attn_k",
                "v_proj" => "attn_v",
                "o_proj" => "attn_output",
                "gate_proj" => "ffn_gate",
                "up_proj" => "ffn_up",
                "down_proj" => "ffn_down",
                "input_layernorm" => "attn_norm",
                "post_attention_layernorm" => "ffn_norm",
                other => panic!("{other}"),
            };
            let block = stem.strip_prefix("model.layers.").and_then(|rest| rest.split('.').next());
            block.map_or(format!("{part}.{end}"), |block| format!("blk.{block}.{part}.{end}"))
        };
        let theirs: Tensors = values.iter().map(|(name, v)| (gguf(name), v.clone())).collect();
        assert_eq!(theirs.len(), values.len());
        assert!(theirs.contains_key("blk.1.attn_k.weight"));
        assert_eq!(params::export(&read(fresh(), theirs, Llama::published()).unwrap()), values);
        // transformers' own, with the copy of a tied table and a buffer that older files have.
        let mut own = values.clone();
        let frequencies = Values { shape: vec![1], data: vec![1.0] };
        own.insert("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), frequencies);
        own.entry("lm_head.weight".to_owned())
            .or_insert(values["model.embed_tokens.weight"].clone());
        assert_eq!(
            params::export(&read(fresh(), own.clone(), Llama::published()).unwrap()),
            values
        );
        own.get_mut("lm_head.weight").unwrap().data[3] += 1.0;
        assert_eq!(read(fresh(), own, Llama::published()).is_err(), tied);
    }
}

fn openai() -> VitConfig {
    let text = r#"{"image_size": 8, "patch_size": 4, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "patch_bias": false, "pre_norm": true}"#;
    serde_json::from_str(text).unwrap()
}

/// A part with its values as its first publication has them, and how it is read.
type Form = (Tensors, Box<dyn Fn(Tensors) -> Result<Tensors, String>>);

fn first_published(which: usize) -> Form {
    let lavis = |names: PublishedNames| {
        move |name: &str| {
            let prefix =
                if names.part() == Part::Vision { "visual_encoder." } else { "opt_model." };
            let mut theirs = names.recipe(Scheme::Lavis, name).unwrap();
            for piece in &mut theirs.0 {
                if let Piece::Whole(name) | Piece::Third(name, _) = piece {
                    *name = name.strip_prefix(prefix).unwrap().to_owned();
                }
            }
            theirs
        }
    };
    match which {
        0 => {
            let fresh = || Eva::build(&eva_config(), &Device::flex());
            let load =
                move |theirs| read(fresh(), theirs, Eva::published()).map(|m| params::export(&m));
            (published(&drawn(fresh()), lavis(Eva::published())), Box::new(load))
        }
        1 => {
            let fresh = || Vit::build(&openai(), &Device::flex());
            let load =
                move |theirs| read(fresh(), theirs, Vit::published()).map(|m| params::export(&m));
            (published(&drawn(fresh()), lavis(Vit::published())), Box::new(load))
        }
        _ => {
            let text = r#"{"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 16, "max_position_embeddings": 8}"#;
            let config: OptConfig = serde_json::from_str(text).unwrap();
            let fresh = move || Opt::build(&config, &Device::flex());
            let theirs = published(&drawn(fresh()), lavis(Opt::published()));
            (
                theirs,
                Box::new(move |theirs| {
                    read(fresh(), theirs, Opt::published()).map(|m| params::export(&m))
                }),
            )
        }
    }
}

#[test]
fn as_many_numbers_are_not_the_same_tensor() {
    let (clip, read_clip) = first_published(1);
    let matrix = "transformer.resblocks.0.attn.in_proj_weight";
    let bias = "transformer.resblocks.1.attn.in_proj_bias";
    read_clip(clip.clone()).unwrap();
    let mut turned = clip.clone();
    turned.get_mut(matrix).unwrap().shape = vec![8, 24];
    let error = read_clip(turned).unwrap_err();
    assert!(error.contains(&format!("{matrix}: file has [8, 24], model wants [8, 8]")), "{error}");
    let mut longer = clip;
    longer.insert(bias.to_owned(), Values { shape: vec![25], data: vec![0.5; 25] });
    let error = read_clip(longer).unwrap_err();
    assert!(error.contains(&format!("{bias}: file has [25], model wants [8]")), "{error}");

    let (mut eva, read_eva) = first_published(0);
    let (q, v) = ("blocks.0.attn.q_bias", "blocks.0.attn.v_bias");
    read_eva(eva.clone()).unwrap();
    eva.insert(q.to_owned(), Values { shape: vec![10], data: vec![0.5; 10] });
    eva.insert(v.to_owned(), Values { shape: vec![6], data: vec![0.5; 6] });
    let error = read_eva(eva).unwrap_err();
    assert!(
        error.contains(&format!("{q}: file has [10] and {v}: file has [6], model wants [24]")),
        "{error}"
    );
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(60))]

    /// A file may have any tensors of any shapes: it is read whole or refused in one line.
    #[test]
    fn a_spoilt_file_is_read_or_refused(
        which in 0_usize..3,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..8, any::<prop::sample::Index>()), 0..4),
    ) {
        let (mut theirs, load) = first_published(which);
        let whole = load(theirs.clone()).unwrap();
        for (at, edit, other) in &edits {
            let names: Vec<String> = theirs.keys().cloned().collect();
            let name = at.get(&names).clone();
            let values = theirs.remove(&name).unwrap();
            let (shape, mut data) = (values.shape, values.data);
            let (name, shape) = match edit {
                0 => continue,
                1 => (format!("{name}.x"), shape),
                2 => (other.get(&names).clone(), shape),
                3 => (name, vec![data.len()]),
                4 => (name, shape.into_iter().rev().collect()),
                5 => (name, [&[1][..], &shape, &[1]].concat()),
                6 => {
                    data.truncate(data.len().saturating_sub(1));
                    (name, vec![data.len()])
                }
                _ => {
                    data.clear();
                    (name, vec![3, 0])
                }
            };
            theirs.insert(name, Values { shape, data });
        }
        match load(theirs) {
            Ok(read) => {
                prop_assert!(read.iter().all(|(name, values)| values.shape == whole[name].shape));
                prop_assert_eq!(read.len(), whole.len());
            }
            Err(error) => prop_assert!(!error.contains('\n') && !edits.is_empty(), "{}", error),
        }
    }

    /// Bytes that are no weights.
    #[test]
    fn any_bytes_are_weights_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
        let _ = toolkit_formats::Tensors::from_bytes("x", bytes.clone());
        let mut spoilt = stored();
        let at = at.index(spoilt.len());
        let end = (at + bytes.len() % 9).min(spoilt.len());
        spoilt[at..end].copy_from_slice(&bytes[..end - at]);
        if let Ok(tensors) = toolkit_formats::Tensors::from_bytes("x", spoilt) {
            let names: Vec<&str> = tensors.names().collect();
            for name in names {
                if let Ok(data) = tensors.read(name) {
                    prop_assert_eq!(data.len(), tensors.info(name).unwrap().shape.iter().product::<usize>());
                }
            }
        }
    }
}

/// The bytes of a small good file.
fn stored() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let values = Values { shape: vec![2, 2], data: vec![1.0; 4] };
    let all = BTreeMap::from([("a".to_owned(), values.clone()), ("b".to_owned(), values)]);
    write_safetensors(&path, &all, StoredDtype::F32, BTreeMap::new()).unwrap();
    std::fs::read(path).unwrap()
}
