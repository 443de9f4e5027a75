use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn one_format_of_the_weights_is_enough() {
    let all = [
        ".gitattributes",
        "config.json",
        "model.safetensors",
        "pytorch_model.bin",
        "flax_model.msgpack",
        "tf_model.h5",
        "rust_model.ot",
        "model.onnx",
        "onnx/model.onnx_data",
        "onnx/config.json",
        "sub/tokenizer.json",
        "binary",
    ];
    assert_eq!(
        wanted(names(&all)),
        names(&["config.json", "model.safetensors", "sub/tokenizer.json", "binary"])
    );
    let without: Vec<&str> =
        all.iter().copied().filter(|name| *name != "model.safetensors").collect();
    assert_eq!(wanted(names(&without)), names(&without[1..]));
}
