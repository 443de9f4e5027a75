//! PyTorch checkpoints against what PyTorch itself reads from them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{check, fixture, refused};
use toolkit_formats::{Format, FormatError, Tensors};

#[test]
fn all_types_and_views_are_read_from_both_formats() {
    for name in ["types", "views", "nested", "lavis", "no_wrapper", "lone", "module"] {
        assert_eq!(check(&format!("{name}.zip.pth"), name).format(), Format::TorchZip);
        assert_eq!(check(&format!("{name}.legacy.pth"), name).format(), Format::TorchLegacy);
    }
}

#[test]
fn all_pickle_protocols_are_read() {
    for protocol in 3..=5 {
        check(&format!("views.protocol{protocol}.pth"), "views");
        check(&format!("views.legacy{protocol}.pth"), "views");
    }
}

#[test]
fn zip64_is_read() {
    check("views.zip64.pth", "views");
}

#[test]
fn a_lavis_checkpoint_gives_its_model_and_notes() {
    let tensors = check("lavis.zip.pth", "lavis");
    assert_eq!(
        tensors.metadata().iter().collect::<Vec<_>>(),
        [(&"epoch".to_owned(), &"3".to_owned())]
    );
    assert_eq!(tensors.info("scale").unwrap().shape, Vec::<usize>::new());
}

#[test]
fn torchscript_modules_give_their_state() {
    check("torchscript.traced.pt", "torchscript");
    check("torchscript.scripted.pt", "torchscript");
}

#[test]
fn parameters_with_attributes_are_tensors() {
    check("parameter.zip.pth", "parameter");
}

#[test]
fn types_that_are_not_read_are_named() {
    let tensors = check("unread.zip.pth", "unread");
    let skipped: Vec<_> = tensors.skipped().collect();
    let why = [
        ("c", "is stored as complex64, which is not read"),
        ("u16", "is stored as uint16, which is not read"),
    ];
    assert_eq!(skipped, why);
    assert!(
        tensors
            .read("u16")
            .unwrap_err()
            .to_string()
            .starts_with("tensor `u16` is stored as uint16")
    );
    assert!(tensors.read("g").unwrap_err().to_string().contains("`f` is most alike"));
}

#[test]
fn bytes_are_read_like_files() {
    let bytes = std::fs::read(fixture("views.legacy.pth")).unwrap();
    let len = bytes.len() as u64;
    let tensors = Tensors::from_bytes("a name", bytes).unwrap();
    common::assert_expected(&tensors, "views");
    assert_eq!((tensors.path().to_str().unwrap(), tensors.byte_len()), ("a name", len));
}

#[test]
fn names_that_run_code_are_refused() {
    for (file, global) in [
        ("os-system", "posix.system"),
        ("eval", "builtins.eval"),
        ("subprocess", "subprocess.Popen"),
        ("importlib", "importlib.import_module"),
        ("nested-name", "builtins.exec.__call__"),
    ] {
        let file = format!("hostile-{file}.pth");
        assert!(refused(&file).contains(&format!("`{global}`, which can run code")));
        assert!(
            matches!(Tensors::open(&fixture(&file)), Err(FormatError::Unsafe { global: g, .. }) if g == global)
        );
    }
    assert!(!std::path::Path::new("toolkit-formats-was-called").exists());
}

#[test]
fn unknown_names_and_deep_values_are_passed_over() {
    for file in ["calls", "deep"] {
        check(&format!("hostile-harmless-{file}.pth"), "hostile-harmless");
    }
}

#[test]
fn lies_are_refused() {
    for (file, what) in [
        ("past-end", "tensor `w` reaches past its storage of 64 bytes"),
        ("offset", "tensor `w` reaches past its storage of 64 bytes"),
        ("stride", "tensor `w` reaches past its storage"),
        ("huge-shape", "tensor `w` has more numbers than can be counted"),
        ("expanded", "tensor `w` repeats its numbers to 1099511627776"),
        ("negative", "tensor `w` has a shape or strides"),
        ("negative-offset", "tensor `w` has an offset that is no number"),
        ("rank", "tensor `w` has a shape or strides that are no list of up to 8 numbers"),
        ("no-storage", "no member data/0 in the archive"),
        ("laughs", "the checkpoint nests without end"),
        ("deep", "the checkpoint nests without end"),
        ("tuples", "the checkpoint nests without end"),
        ("ouroboros", "the checkpoint nests without end"),
        ("twice", "two tensors are called `a.b`"),
        ("long-text", "bad pickle: it ends in the middle"),
        ("long-number", "bad pickle: it ends in the middle"),
        ("memo", "bad pickle: nothing is memorised as 5"),
        ("big-memo", "bad pickle: nothing is memorised as 4278190079"),
        ("underflow", "bad pickle: nothing on the stack"),
        ("mark", "bad pickle: no mark on the stack"),
        ("stop", "bad pickle: it ends in the middle"),
        ("text-protocol", "bad pickle: instruction `p` of protocol 0 or 1"),
        ("extension", "bad pickle: instruction 0x82"),
        ("big-endian", "written on a big-endian machine"),
        ("compressed", "is compressed or encrypted"),
        ("legacy-cut", "is cut off"),
        ("legacy-count", "is cut off"),
    ] {
        let error = refused(&format!("hostile-{file}.pth"));
        assert!(error.starts_with(what) || error.contains(what), "{error}");
    }
}

#[test]
fn faults_name_the_byte_of_the_file() {
    let error = refused("hostile-memo.pth");
    let byte: usize =
        error.split("at byte ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    let bytes = std::fs::read(fixture("hostile-memo.pth")).unwrap();
    assert_eq!(bytes[byte..byte + 2], *b"h\x05");
}
