//! GGUF files against the `gguf` Python package, their tokenizer against byte-level BPE in plain
//! Python.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{check, fixture};
use std::fs;
use tokenizers::Tokenizer;
use toolkit_formats::gguf::{Metadata, MetadataValue};
use toolkit_formats::{Dtype, Format, Tensors};

#[test]
fn all_types_are_decoded() {
    let tensors = check("quants.gguf", "quants");
    assert_eq!(tensors.format(), Format::Gguf);
    assert_eq!(tensors.info("Q4_K").unwrap().dtype, Dtype::Q4_K);
    assert_eq!(tensors.info("four").unwrap().shape, [2, 3, 4, 5]);
    assert_eq!(
        tensors.skipped().collect::<Vec<_>>(),
        [("Q5_0", "is stored as q5_0, which is not read")]
    );
}

#[test]
fn metadata_of_all_types_is_read() {
    let tensors = Tensors::open(&fixture("quants.gguf")).unwrap();
    let meta = tensors.gguf().unwrap();
    assert_eq!(meta.str("general.architecture"), Some("llama"));
    assert_eq!(meta.u32("llama.block_count"), Some(2));
    assert_eq!(meta.f32("llama.attention.layer_norm_rms_epsilon"), Some(1e-5));
    assert_eq!(meta.u32("test.uint8"), Some(200));
    assert_eq!(meta.get("test.int8"), Some(&MetadataValue::Signed(-100)));
    assert_eq!(meta.u32("test.int8"), None);
    assert_eq!(meta.u32("test.uint16"), Some(60000));
    assert_eq!(meta.get("test.int16"), Some(&MetadataValue::Signed(-30000)));
    assert_eq!(meta.u32("test.uint32"), Some(4_000_000_000));
    assert_eq!(meta.get("test.int32"), Some(&MetadataValue::Signed(-2_000_000_000)));
    assert_eq!(meta.f32("test.float32"), Some(0.1));
    assert_eq!(meta.u64("test.uint64"), Some(1 << 63));
    assert_eq!(meta.u32("test.uint64"), None);
    assert_eq!(meta.get("test.int64"), Some(&MetadataValue::Signed(-(1 << 62))));
    assert_eq!(meta.get("test.float64"), Some(&MetadataValue::Float(0.1)));
    assert_eq!(meta.bool("test.bool"), Some(true));
    assert_eq!(meta.str("test.string"), Some("ü\n"));
    assert_eq!(meta.ints("test.ints"), Some(vec![1, -2, 3]));
    assert_eq!(meta.floats("test.floats"), Some(vec![0.5, -1.5]));
    assert_eq!(meta.get("test.bools"), Some(&MetadataValue::BoolList(vec![true, false])));
    assert_eq!(meta.strings("tokenizer.ggml.tokens").unwrap()[1], "<|im_start|>");
    assert_eq!((meta.str("no"), meta.strings("test.string")), (None, None));
    assert!(meta.keys().any(|key| key == "test.bool"));
    let texts = tensors.metadata();
    assert_eq!((texts["test.float32"].as_str(), texts["test.bool"].as_str()), ("0.1", "true"));
    assert!(Tensors::open(&fixture("types.safetensors")).unwrap().gguf().is_none());
}

fn tokenizer(file: &str) -> Result<Tokenizer, String> {
    let tensors = Tensors::open(&fixture(file)).unwrap();
    let json = tensors.gguf().unwrap().tokenizer_json().map_err(|error| error.to_string())?;
    Ok(json.parse().unwrap())
}

#[derive(serde::Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn the_tokenizer_encodes_like_the_reference() {
    for name in ["quants", "bos"] {
        let tokenizer = tokenizer(&format!("{name}.gguf")).unwrap();
        let cases = fs::read(fixture(&format!("{name}.tokens.json"))).unwrap();
        let cases: Vec<Encoded> = serde_json::from_slice(&cases).unwrap();
        assert!(cases.len() > 5);
        for Encoded { text, ids } in cases {
            assert_eq!(
                tokenizer.encode(text.as_str(), true).unwrap().get_ids(),
                ids,
                "{name}: {text:?}"
            );
            let text = text.replace("<|im_start|>", "").replace("<|im_end|>", "");
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), text);
        }
    }
}

#[test]
fn digits_stand_alone_where_the_file_says_so() {
    let count = |file| tokenizer(file).unwrap().encode("123", false).unwrap().len();
    assert_eq!((count("quants.gguf"), count("bos.gguf")), (3, 1));
}

#[test]
fn a_tokenizer_that_is_not_known_is_refused() {
    let error = tokenizer("pre.gguf").unwrap_err();
    assert!(
        error.starts_with("a tokenizer that cuts text as `qwen2`")
            && error.contains("pre.gguf; hint"),
        "{error}"
    );
}

/// Returns the error of the fixture's tokenizer after `old` is replaced with `new` of the same length.
fn changed(old: &str, new: &str) -> String {
    let mut bytes = fs::read(fixture("quants.gguf")).unwrap();
    assert_eq!(old.len(), new.len());
    let at = bytes.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
    bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
    let tensors = Tensors::from_bytes("x", bytes).unwrap();
    tensors.gguf().map(Metadata::tokenizer_json).unwrap().unwrap_err().to_string()
}

#[test]
fn lists_that_contradict_each_other_are_refused() {
    assert!(
        changed("Ġph oto", "Ġph oti").starts_with("the tokenizer merges `Ġph oti` to no token")
    );
    let twice = changed("\x02\0\0\0\0\0\0\0he", "\x02\0\0\0\0\0\0\0in");
    assert!(twice.starts_with("the tokenizer has `in` twice"), "{twice}");
    assert!(changed("gpt2", "bert").starts_with("a tokenizer of the kind `bert`"));
}

#[test]
fn a_damaged_head_is_refused() {
    let good = fs::read(fixture("quants.gguf")).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        Tensors::from_bytes("x", file).map(|_| ()).unwrap_err().to_string()
    };
    assert!(with(4, &1u32.to_le_bytes()).starts_with("GGUF version 1"));
    assert!(with(4, &3u32.to_be_bytes()).starts_with("a big-endian GGUF file"));
    assert!(with(8, &100_000_u64.to_le_bytes()).contains("is cut off"));
    for count in [100_001, u64::MAX] {
        let error = with(8, &count.to_le_bytes());
        assert!(
            error.contains("this file has more than 100000 tensors, which no model has"),
            "{error}"
        );
    }
    assert!(with(16, &u64::MAX.to_le_bytes()).contains(" at byte "));
    // The length of the first key.
    assert!(with(24, &u64::MAX.to_le_bytes()).contains("is cut off"));
    for cut in [4, 8, 20, 100, 2000, good.len() - 64] {
        let error = Tensors::from_bytes("x", good[..cut].to_vec()).unwrap_err().to_string();
        assert!(error.contains("cut off") || error.contains("past the end"), "{error}");
    }
}
