//! Language models in blocks: a GGUF file as it lies, and any file rounded.

use crate::language::llama::{Llama, LlamaConfig};
use crate::weights::reader::Reader;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::LanguageModel;
use toolkit_core::params::{self, Kept, Values, floats};
use toolkit_core::published::Recipe;
use toolkit_formats::{Dtype, Tensors};
use toolkit_kernels::{BlockFormat, BlockMatrix};

fn config() -> LlamaConfig {
    serde_json::from_value(serde_json::json!({
        "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32,
        "tie_word_embeddings": true, "interleaved": true
    }))
    .unwrap()
}

fn model() -> Llama {
    let built = Llama::build(&config(), &Device::flex());
    params::initialise(built, 1, |info| match info.shape.len() {
        1 => params::Init::Constant(1.0),
        _ => params::Init::Normal(0.3),
    })
}

/// A GGUF file, version 3: matrices in blocks, the table in 8 bits and all others in 4.
fn gguf(values: &BTreeMap<String, Values>) -> Vec<u8> {
    let (mut listed, mut data) = (Vec::new(), Vec::new());
    for (name, values) in values {
        let recipes = Llama::published().recipes(name);
        let mut theirs = recipes.iter().filter_map(|recipe: &Recipe| recipe.names().next());
        let name = theirs.next_back().unwrap();
        let format =
            if name == "token_embd.weight" { BlockFormat::Q8_0 } else { BlockFormat::Q4_1 };
        let (kind, bytes) = match values.shape[..] {
            [outputs, inputs] => {
                let blocks = BlockMatrix::encode(format, [outputs, inputs], &values.data).unwrap();
                (if format == BlockFormat::Q8_0 { 8_u32 } else { 3 }, blocks.bytes().to_vec())
            }
            _ => (0, values.data.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        listed.extend((name.len() as u64).to_le_bytes());
        listed.extend(name.as_bytes());
        listed.extend((values.shape.len() as u32).to_le_bytes());
        values.shape.iter().rev().for_each(|&n| listed.extend((n as u64).to_le_bytes()));
        listed.extend(kind.to_le_bytes());
        listed.extend((data.len() as u64).to_le_bytes());
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(32), 0);
    }
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend((values.len() as u64).to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.extend(listed);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    file
}

fn read(file: Vec<u8>, kept: Kept) -> Llama {
    let module = Llama::build(&config(), &Device::flex()).no_grad();
    let mut reader =
        Reader::of_part(Tensors::from_bytes("x.gguf", file).unwrap(), Llama::published());
    let plan = reader.plan(&Llama::published(), &params::list(&module));
    reader.check().unwrap();
    reader.load(module, &plan, kept, |_| {}).unwrap()
}

/// Logits of eight tokens at once.
fn logits(model: &Llama) -> Vec<f32> {
    let device = Device::flex();
    let ids = TensorData::new((0..8_i64).map(|i| i * 11 % 96).collect(), [1, 8]);
    let embeds = model.embed(Tensor::<2, Int>::from_data(ids, &device));
    let hidden = model.decode_last(embeds, Tensor::ones([1, 8], &device), None, None, 8);
    floats(model.logits(hidden))
}

/// Returns the largest difference, as a part of the largest value.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let largest = |x: &mut dyn Iterator<Item = f32>| x.fold(0.0_f32, |most, x| most.max(x.abs()));
    largest(&mut a.iter().zip(b).map(|(a, b)| a - b)) / largest(&mut b.iter().copied())
}

#[test]
fn a_gguf_file_is_kept_as_it_lies() {
    let values = params::export(&model());
    let file = gguf(&values);
    let (wide, kept) = (read(file.clone(), Kept::F32), read(file.clone(), Kept::Stored));
    assert_eq!(params::export(&wide), params::export(&kept), "the same numbers");
    let bytes = params::held_bytes(&kept);
    let per_number = |name: &str| bytes[name] as f64 / values[name].data.len() as f64;
    assert_eq!(per_number("model.embed_tokens.weight"), 34.0 / 32.0);
    assert_eq!(per_number("model.layers.1.mlp.up_proj.weight"), 20.0 / 32.0);
    let difference = apart(&logits(&kept), &logits(&wide));
    assert!(difference > 0.0 && difference < 0.04, "{difference}");
}

#[test]
fn any_weights_are_rounded_to_blocks() {
    let exact = model();
    let file = gguf(&params::export(&exact));
    let wide = logits(&read(file.clone(), Kept::F32));
    for (kept, most) in [(Kept::Q8, 0.08), (Kept::Q4, 0.04)] {
        // What lies in 4 bits is the same in 4 bits. In 8 bits it is rounded once more.
        let difference = apart(&logits(&read(file.clone(), kept)), &wide);
        assert!(difference > 0.0 && difference < most, "{kept:?}: {difference}");
    }
}

/// Blocks are the numbers that the reader of files makes of them.
#[test]
fn blocks_are_those_of_the_reader() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats/quants.gguf");
    let tensors = Tensors::open(&path).unwrap();
    let all = [
        (Dtype::Q8_0, BlockFormat::Q8_0),
        (Dtype::Q4_0, BlockFormat::Q4_0),
        (Dtype::Q4_1, BlockFormat::Q4_1),
        (Dtype::Q4_K, BlockFormat::Q4_K),
    ];
    for (dtype, format) in all {
        let name = tensors.names().find(|name| tensors.info(name).unwrap().dtype == dtype).unwrap();
        let shape = &tensors.info(name).unwrap().shape;
        let inputs = *shape.last().unwrap();
        let outputs = shape.iter().product::<usize>() / inputs;
        let bytes = tensors.read_bytes(name).unwrap().unwrap().to_vec();
        let blocks = BlockMatrix::new(format, [outputs, inputs], bytes).unwrap();
        assert_eq!(floats(blocks.widen()), tensors.read(name).unwrap(), "{dtype}");
    }
}
