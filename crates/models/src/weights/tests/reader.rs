//! Parts read from every form that they are published in.

use crate::bridge::qformer::of_bert;
use crate::language::opt::{Opt, OptConfig};
use crate::language::t5::{T5, T5Config};
use crate::layers::Activation;
use crate::vision::eva::{Eva, EvaConfig};
use crate::vision::vit::{Vit, VitConfig};
use crate::weights::reader::Reader;
use crate::weights::{StoredDtype, write_safetensors};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::BTreeMap;
use toolkit_core::params::{self, Kept, Values};
use toolkit_core::published::{PublishedNames, Scheme};
use toolkit_core::{LanguageModel, VisionEncoder};
use toolkit_formats::Tensors;

fn file(tensors: BTreeMap<String, Values>) -> Tensors {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    write_safetensors(&path, &tensors, StoredDtype::F32, BTreeMap::new()).unwrap();
    Tensors::from_bytes("x.safetensors", std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn read<M: Module>(
    module: M,
    tensors: BTreeMap<String, Values>,
    names: PublishedNames,
) -> Result<M, String> {
    let mut reader = Reader::of_part(file(tensors), names);
    let plan = reader.plan(&names, &params::list(&module));
    reader.check().map_err(|error| error.to_string())?;
    reader.load(module, &plan, Kept::F32, |_| {}).map_err(|error| error.to_string())
}

/// Values of a small EVA, whose keys have no bias.
fn eva() -> BTreeMap<String, Values> {
    let module = Eva::build(&eva_config(), &Device::flex());
    let mut values = params::export(&params::initialise(module, 1, |_| params::Init::Normal(0.5)));
    for (_, bias) in values.iter_mut().filter(|(name, _)| name.ends_with("qkv.bias")) {
        bias.data[8..16].fill(0.0);
    }
    values
}

#[test]
fn eva_is_read_from_its_original_file_and_from_a_whole_blip2() {
    let values = eva();
    let mut original = BTreeMap::new();
    for (name, values) in &values {
        let recipe = Eva::published().recipe(Scheme::Lavis, name).unwrap();
        let theirs: Vec<String> =
            recipe.names().map(|n| n.trim_start_matches("visual_encoder.").to_owned()).collect();
        match &theirs[..] {
            [one] => drop(original.insert(one.clone(), values.clone())),
            [q, v] => {
                let third = |at: usize| Values {
                    shape: vec![8],
                    data: values.data[at * 8..(at + 1) * 8].to_vec(),
                };
                original.insert(q.clone(), third(0));
                original.insert(v.clone(), third(2));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        original.contains_key("blocks.1.attn.q_bias") && original.contains_key("cls_token"),
        "{original:?}"
    );
    // The published file has a block more, a head and a norm.
    let more = Values { shape: vec![8], data: vec![1.0; 8] };
    for name in ["blocks.2.norm1.weight", "norm.weight", "head.bias", "fc_norm.weight"] {
        original.insert(name.to_owned(), more.clone());
    }
    let fresh = || Eva::build(&eva_config(), &Device::flex());
    let read_back = read(fresh(), original.clone(), Eva::published()).unwrap();
    assert_eq!(params::export(&read_back), values);

    // The tower of transformers' BLIP-2, with the rest of the model around it.
    let mut whole: BTreeMap<String, Values> = values
        .iter()
        .map(|(name, values)| (format!("vision_model.{name}"), values.clone()))
        .collect();
    for name in ["vision_model.post_layernorm.weight", "qformer.layernorm.weight", "itm_head.bias"]
    {
        whole.insert(name.to_owned(), more.clone());
    }
    assert_eq!(params::export(&read(fresh(), whole, Eva::published()).unwrap()), values);

    // What does not belong is told, and all of it at once.
    original.insert("blocks.1.attn.k_bias".to_owned(), more);
    original.remove("pos_embed");
    original.insert("cls_token".to_owned(), Values { shape: vec![1, 1, 7], data: vec![0.0; 7] });
    let error = read(fresh(), original, Eva::published()).unwrap_err();
    for part in [
        "1 missing",
        "position_embedding",
        "1 unexpected (blocks.1.attn.k_bias)",
        "1 misshaped (cls_token",
    ] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

pub(super) fn eva_config() -> EvaConfig {
    EvaConfig {
        image_size: 8,
        patch_size: 4,
        hidden_size: 8,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 16,
        ..EvaConfig::default()
    }
}

#[test]
fn position_tables_are_resized_to_the_image() {
    let values = eva();
    let large = EvaConfig { image_size: 12, ..eva_config() };
    let module =
        read(Eva::build(&large, &Device::flex()), values.clone(), Eva::published()).unwrap();
    let table = &params::export(&module)["embeddings.position_embedding"];
    assert_eq!(table.shape, [1, 10, 8]);
    let small = &values["embeddings.position_embedding"];
    assert_eq!(table.data[..8], small.data[..8], "the class token stays");
    assert_ne!(table.data[8..16], small.data[8..16]);
}

#[test]
fn clip_is_read_from_openais_file() {
    let config = VitConfig {
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
    };
    let rule = |_: &params::Info| params::Init::Normal(0.5);
    let values = params::export(&params::initialise(Vit::build(&config, &Device::flex()), 2, rule));
    for prefix in ["", "visual.", "visual_encoder."] {
        let mut theirs: BTreeMap<String, Values> = BTreeMap::new();
        for (name, values) in &values {
            let recipe = Vit::published().recipe(Scheme::Lavis, name).unwrap();
            let called = recipe.names().next().unwrap().replace("visual_encoder.", prefix);
            let Some(at) =
                ["q_proj", "k_proj", "v_proj"].iter().position(|part| name.contains(part))
            else {
                theirs.insert(called, values.clone());
                continue;
            };
            let size = values.data.len();
            let mut shape = values.shape.clone();
            shape[0] *= 3;
            let all = theirs.entry(called).or_insert(Values { shape, data: vec![0.0; 3 * size] });
            all.data[at * size..(at + 1) * size].copy_from_slice(&values.data);
        }
        assert!(
            theirs.contains_key(&format!("{prefix}transformer.resblocks.1.attn.in_proj_weight"))
        );
        let more = Values { shape: vec![8], data: vec![1.0; 8] };
        theirs.insert(format!("{prefix}ln_post.weight"), more.clone());
        theirs.insert(format!("{prefix}transformer.resblocks.2.ln_1.weight"), more.clone());
        if prefix == "visual." {
            for name in [
                "logit_scale",
                "token_embedding.weight",
                "positional_embedding",
                "transformer.resblocks.0.ln_1.bias",
            ] {
                theirs.insert(name.to_owned(), more.clone());
            }
        }
        let module = read(Vit::build(&config, &Device::flex()), theirs, Vit::published()).unwrap();
        assert_eq!(params::export(&module), values, "{prefix}");
    }
}

#[test]
fn opt_is_read_with_and_without_its_outer_level_and_its_copies() {
    let config: OptConfig = serde_json::from_str(
        r#"{"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 16, "max_position_embeddings": 8}"#,
    )
    .unwrap();
    let build = || Opt::build(&config, &Device::flex());
    let values = params::export(&params::initialise(build(), 3, |_| params::Init::Normal(0.5)));
    let bare: BTreeMap<String, Values> = values
        .iter()
        .map(|(name, v)| (name.trim_start_matches("model.").to_owned(), v.clone()))
        .collect();
    assert_eq!(params::export(&read(build(), bare, Opt::published()).unwrap()), values);

    let mut tied = values.clone();
    let table = values["model.decoder.embed_tokens.weight"].clone();
    tied.insert("lm_head.weight".to_owned(), table.clone());
    assert_eq!(params::export(&read(build(), tied.clone(), Opt::published()).unwrap()), values);
    // Of tied tensors a file may keep either.
    let mut other = tied.clone();
    other.remove("model.decoder.embed_tokens.weight");
    assert_eq!(params::export(&read(build(), other, Opt::published()).unwrap()), values);
    // A copy that is none.
    tied.get_mut("lm_head.weight").unwrap().data[0] += 1.0;
    let error = read(build(), tied, Opt::published()).unwrap_err();
    assert!(
        error.contains("lm_head.weight: differs from model.decoder.embed_tokens.weight"),
        "{error}"
    );
}

#[test]
fn bert_is_known_by_all_its_names() {
    for (theirs, ours) in [
        ("bert.embeddings.LayerNorm.gamma", "embeddings.layer_norm.weight"),
        ("embeddings.LayerNorm.beta", "embeddings.layer_norm.bias"),
        (
            "bert.encoder.layer.3.attention.self.query.weight",
            "encoder.layer.3.attention.query.weight",
        ),
        (
            "encoder.layer.3.attention.output.LayerNorm.weight",
            "encoder.layer.3.attention.output.layer_norm.weight",
        ),
        ("cls.predictions.transform.LayerNorm.bias", "cls.transform.layer_norm.bias"),
        ("cls.predictions.bias", "cls.bias"),
    ] {
        assert_eq!(of_bert(theirs), ours);
    }
}

#[test]
fn a_t5_alone_is_read_as_transformers_5_saves_it() {
    let config = |tied: bool| -> T5Config {
        serde_json::from_value(
            serde_json::json!({"vocab_size": 12, "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1,
            "num_heads": 2, "dense_act": "gelu_new", "tie_word_embeddings": tied, "scale_decoder_outputs": false}),
        )
        .unwrap()
    };
    let build = |tied| T5::build(&config(tied), &Device::flex());
    let drawn = params::export(&params::initialise(build(false), 1, |_| params::Init::Normal(0.5)));
    let load = |tied, values: BTreeMap<String, Values>| {
        read(build(tied), values, T5::published()).map(|model| params::export(&model))
    };
    assert_eq!(load(false, drawn.clone()).unwrap(), drawn);
    let wrapped = drawn
        .iter()
        .map(|(name, values)| (format!("module._orig_mod.{name}"), values.clone()))
        .collect();
    assert_eq!(load(false, wrapped).unwrap(), drawn, "levels around all names are taken off");
    // Tied, the head may be missing or a copy; one of its own is told.
    let mut tied = drawn.clone();
    tied.remove("lm_head.weight");
    assert_eq!(load(true, tied.clone()).unwrap(), tied);
    let mut copied = tied.clone();
    copied.insert("lm_head.weight".to_owned(), tied["shared.weight"].clone());
    assert_eq!(load(true, copied).unwrap(), tied);
    let error = load(true, drawn).unwrap_err();
    assert!(error.contains("lm_head.weight: differs from shared.weight"), "{error}");
    assert!(
        error.contains("with `tie_word_embeddings` = false it has a head of its own"),
        "{error}"
    );
}
