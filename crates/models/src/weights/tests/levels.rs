//! Levels before names that no list of ours has.

use super::reader::{eva_config, read};
use crate::vision::eva::Eva;
use crate::weights::wrappers::shared;
use burn::tensor::Device;
use std::collections::BTreeMap;
use toolkit_core::VisionEncoder;
use toolkit_core::params::{self, Values};

fn build() -> Eva {
    Eva::build(&eva_config(), &Device::flex())
}

fn eva() -> BTreeMap<String, Values> {
    params::export(&params::initialise(build(), 4, |_| params::Init::Normal(0.5)))
}

fn renamed(rename: impl Fn(&str) -> String) -> BTreeMap<String, Values> {
    eva().into_iter().map(|(name, values)| (rename(&name), values)).collect()
}

fn load(tensors: BTreeMap<String, Values>) -> Result<BTreeMap<String, Values>, String> {
    read(build(), tensors, Eva::published()).map(|module| params::export(&module))
}

#[test]
fn levels_that_all_names_share_are_found() {
    let levels = |names: &[&str]| shared(names.iter().copied()).join(" ");
    assert_eq!(levels(&["a.b.c", "a.b.d.e", "a.b.f"]), " a. a.b.");
    assert_eq!(levels(&["a.b", "a"]), "");
    assert_eq!(levels(&["ab.c", "a.b"]), "");
    assert_eq!(levels(&[]), "");
}

#[test]
fn a_part_behind_any_levels_is_read() {
    for level in ["network.", "student.backbone.", "_forward_module.", "a.b.c.vision_model."] {
        assert_eq!(load(renamed(|name| format!("{level}{name}"))).unwrap(), eva(), "{level}");
    }
}

#[test]
fn a_level_before_some_names_is_named_with_what_else_does_not_fit() {
    let all = eva().len();
    let half = |name: &str| {
        if name.contains("layers.1") { format!("ema.{name}") } else { name.to_owned() }
    };
    let with = eva().keys().filter(|name| half(name) != **name).count();
    let wanted = format!(
        "the names of {with} of {all} tensors begin with `ema.`, those of the others do not -->"
    );
    let error = load(renamed(half)).unwrap_err();
    assert!(
        error.starts_with(&wanted) && error.contains("hint: take `ema.` off the names"),
        "{error}"
    );

    let mut tensors = renamed(half);
    tensors.insert("extra".to_owned(), Values { shape: vec![1], data: vec![0.0] });
    let error = load(tensors).unwrap_err();
    assert!(error.contains("; besides, weights do not fit: 1 unexpected (extra) -->"), "{error}");

    // Names that only look alike explain nothing.
    let mut tensors = eva();
    tensors.insert("ema.extra.weight".to_owned(), Values { shape: vec![1], data: vec![0.0] });
    tensors.remove("embeddings.position_embedding");
    let error = load(tensors).unwrap_err();
    assert!(error.starts_with("weights do not fit: 1 missing"), "{error}");
}
