//! ONNX models against PyTorch's state dict and the `onnx` Python package.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{check, fixture};
use toolkit_formats::{Format, Tensors};

#[test]
fn an_exported_model_gives_back_its_state_dict() {
    let tensors = check("exported.onnx", "exported");
    assert_eq!(tensors.format(), Format::Onnx);
    assert_eq!(tensors.info("layer.0.key.weight").unwrap().shape, [4, 6]);
    assert_eq!(tensors.metadata()["producer_name"], "pytorch");
}

#[test]
fn all_types_are_read_raw_and_as_lists() {
    let tensors = check("types.onnx", "types.onnx");
    assert_eq!(tensors.metadata()["note"], "made by hand");
    let skipped: Vec<_> = tensors.skipped().collect();
    let outside = ("outside", "is kept in another file, which is not read");
    assert_eq!(skipped, [outside, ("words", "is stored as ONNX type 8, which is not read")]);
}

#[test]
fn a_cut_model_is_refused() {
    let good = std::fs::read(fixture("types.onnx")).unwrap();
    for cut in [3, 20, 100, 1000, good.len() - 1] {
        let error = Tensors::from_bytes("x", good[..cut].to_vec()).unwrap_err().to_string();
        assert!(error.starts_with("bad ONNX") && error.contains(" at byte "), "{cut}: {error}");
    }
    assert!(
        Tensors::from_bytes("x", b"\x08\x07\x12\x00".to_vec())
            .unwrap_err()
            .to_string()
            .contains("without a graph")
    );
}

/// A message field with bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
}

#[test]
fn data_that_do_not_fit_the_shape_are_refused() {
    let model = |tensor: &[u8]| {
        let bytes = [vec![0x08, 0x07], field(7, &field(5, tensor))].concat();
        Tensors::from_bytes("x", bytes)
            .and_then(|tensors| tensors.read("w"))
            .map_err(|error| error.to_string())
    };
    let named = |rest: &[u8]| [field(8, b"w"), rest.to_vec()].concat();
    let float = |rest: Vec<u8>| named(&[vec![0x10, 1], rest].concat());
    assert_eq!(model(&float(field(9, &1.5f32.to_le_bytes()))), Ok(vec![1.5]));
    let error = |tensor: &[u8]| model(tensor).unwrap_err();
    assert!(
        error(&float(field(9, &[0; 5]))).starts_with("tensor `w` has 5 bytes for 1 numbers of f32")
    );
    assert!(error(&float(vec![])).starts_with("tensor `w` has no data"));
    assert!(error(&float(field(7, &[1]))).starts_with("tensor `w` has other data than 1 numbers"));
    let huge = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
    assert!(
        error(&float([huge.clone(), huge].concat()))
            .starts_with("tensor `w` has more numbers than can be counted")
    );
    assert!(
        error(&float([0x08, 1].repeat(9))).starts_with("tensor `w` has more than 8 dimensions")
    );
    // A last number that goes on.
    assert!(error(&named(&[vec![0x10, 7], field(7, &[0x81])].concat())).contains("other data"));
    // A list in pieces is told apart from a missing tensor.
    let pieces = float([field(4, &[0; 4]), field(4, &[0; 4])].concat());
    assert!(error(&pieces).starts_with("tensor `w` is kept in several pieces"));
}
