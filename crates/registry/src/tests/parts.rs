//! A family of the tests' own: registered, described, built and loaded from an overlay.

use super::{position, put};
use crate::{Kind, Registry, Weights};
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::params::{self, Values};
use toolkit_core::{AnyVision, Cost, ShapeError, VisionEncoder, VisionShape};
use toolkit_models::weights::{StoredDtype, WeightsError, import, write_safetensors};
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;

/// Mean colour times a learned matrix.
#[derive(Module, Debug)]
struct Colour {
    scale: Param<Tensor<2>>,
    shift: Param<Tensor<1>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColourConfig {
    width: usize,
}

impl VisionEncoder for Colour {
    type Config = ColourConfig;
    fn describe(config: &ColourConfig) -> Result<VisionShape, ShapeError> {
        ShapeError::unless_divides(("2", 2), ("width", config.width))?;
        let cost = Cost { params: 4 * config.width as u64, flops: 0, activations: 0 };
        Ok(VisionShape { image: [2, 2], tokens: 1, width: config.width, cost })
    }
    fn build(config: &ColourConfig, device: &Device) -> Self {
        let scale = Tensor::random([3, config.width], Distribution::Default, device);
        Self {
            scale: Param::from_tensor(scale),
            shift: Param::from_tensor(Tensor::zeros([config.width], device)),
        }
    }
    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let colour = images.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        (colour.matmul(self.scale.val()) + self.shift.val().unsqueeze()).unsqueeze_dim(1)
    }
}

fn registry(folder: &Path) -> Registry {
    Registry::empty().vision::<Colour>("colour").overlay(folder.to_owned()).unwrap()
}

fn tensors() -> BTreeMap<String, Values> {
    let scale = Values { shape: vec![3, 2], data: vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0] };
    BTreeMap::from([
        ("scale".to_owned(), scale),
        ("shift".to_owned(), Values { shape: vec![2], data: vec![0.5, 0.25] }),
    ])
}

/// An overlay with one card, its weights as given.
fn overlay(tensors: &BTreeMap<String, Values>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("weights")).unwrap();
    let file = folder.path().join("weights/c.safetensors");
    let digest = write_safetensors(&file, tensors, StoredDtype::F16, BTreeMap::new()).unwrap();
    let weights = format!(
        "[weights]\nsource = \"file:weights/c.safetensors\"\nsha256 = \"{digest}\"\ndtype = \
        \"f16\"\n"
    );
    put(
        folder.path(),
        "vision/c.toml",
        format!("family = \"colour\"\n[config]\nwidth = 2\n{weights}"),
    );
    folder
}

fn load(folder: &Path) -> Result<AnyVision, WeightsError> {
    let registry = registry(folder);
    let card = registry.card(Kind::Vision, "c").unwrap();
    registry.build_vision(&card, &Device::default(), Weights::Card)
}

/// The error of describing a card of these lines.
fn described(lines: &str) -> Problem {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "vision/c.toml", lines);
    let registry = registry(folder.path());
    registry.describe_vision(&registry.card(Kind::Vision, "c").unwrap()).unwrap_err()
}

#[test]
fn a_part_is_described_built_and_loaded() {
    let folder = overlay(&tensors());
    let registry = registry(folder.path());
    assert_eq!(registry.families(Kind::Vision), ["colour"]);
    let card = registry.card(Kind::Vision, "c").unwrap();
    assert_eq!(registry.describe_vision(&card).unwrap().width, 2);
    let device = Device::default();
    let encoder = load(folder.path()).unwrap();
    assert_eq!(params::export(&encoder), tensors());
    let features = encoder.encode(Tensor::ones([1, 3, 2, 2], &device));
    assert_eq!(params::floats(features), [2.5, 2.25]);
    let fresh = registry.build_vision(&card, &device, Weights::None).unwrap();
    assert_eq!(params::count(&fresh), 8);
    assert!(!card.bytes("weights/c.safetensors").unwrap().is_empty());
    assert!(card.bytes("weights/none").unwrap_err().what.contains("cannot read"));
}

#[test]
fn everything_that_does_not_fit_is_listed_at_once() {
    let one = || Values { shape: vec![1], data: vec![0.0] };
    let mut wrong = tensors();
    wrong.remove("shift");
    wrong.insert("scale".to_owned(), one());
    for i in 0..11 {
        wrong.insert(format!("extra.{i:02}"), one());
    }
    let folder = overlay(&wrong);
    let error = load(folder.path()).unwrap_err();
    let WeightsError::Mismatch { mismatch, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (mismatch.missing.len(), mismatch.unexpected.len(), mismatch.misshaped.len()),
        (1, 11, 1)
    );
    let error = error.to_string();
    assert!(
        error.starts_with(
            "weights do not fit: 1 missing (shift), 11 unexpected (extra.00, extra.01, extra.02, extra.03, extra.04, \
             extra.05, extra.06, extra.07 and 3 more), 1 misshaped (scale: file has [1], model wants [3, 2]) --> "
        ),
        "{error}"
    );
    assert!(error.contains("weights/c.safetensors; hint: ") && !error.contains('\n'), "{error}");
    let fresh = Colour::build(&ColourConfig { width: 2 }, &Device::default());
    assert!(import(fresh, tensors(), "memory").is_ok());
}

#[test]
fn weights_that_are_not_those_of_the_card_are_refused() {
    let refused = |change: fn(&Path, &str) -> String| {
        let folder = overlay(&tensors());
        let path = folder.path().join("vision/c.toml");
        let text = change(folder.path(), &std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, text).unwrap();
        load(folder.path()).unwrap_err().to_string()
    };
    let error = refused(|folder, text| {
        put(folder, "weights/c.safetensors", "changed");
        text.to_owned()
    });
    assert!(
        error.contains(&format!("has sha256 {}, the card expects ", sha256_hex(b"changed"))),
        "{error}"
    );
    assert!(error.contains("c.toml:6:10; hint: "), "{error}");
    let error = refused(|_, text| text.replace("c.safetensors", "d.safetensors"));
    assert!(
        error.contains("cannot read") && error.contains("c.toml:5:10; hint: paths are relative"),
        "{error}"
    );
    let error = refused(|_, text| text.replace("file:", "ftp:"));
    assert!(
        error.starts_with("cannot fetch `ftp:weights/c.safetensors` --> ")
            && error.contains("c.toml:5:10"),
        "{error}"
    );
    let error = refused(|_, text| text.replace("f16", "f32"));
    assert!(
        error.starts_with("tensor `scale` is stored as F16, the card says F32 --> "),
        "{error}"
    );
    let error = refused(|_, text| text.split("[weights]").next().unwrap().to_owned());
    assert!(error.contains("has no `[weights]`"), "{error}");
    let error = refused(|folder, text| {
        put(folder, "weights/c.safetensors", "cut");
        let start = text.find("sha256").unwrap();
        text.replace(
            text[start..].lines().next().unwrap(),
            &format!("sha256 = \"{}\"", sha256_hex(b"cut")),
        )
    });
    assert!(error.starts_with("unknown file format --> "), "{error}");
}

#[test]
fn a_configuration_that_cannot_be_built_points_at_the_card() {
    let odd = described("family = \"colour\"\n\n[config]\nwidth = 3\n");
    assert_eq!(position(&odd), (3, 1), "{odd}");
    assert!(odd.what.contains("`width` = 3 is not a multiple of"), "{odd}");
    let key = described("family = \"colour\"\n[config]\nwidht = 3\n");
    assert_eq!((position(&key), key.hint.as_str()), ((3, 1), "did you mean `width`?"));
    let absent = described("family = \"colour\"\n");
    assert_eq!(
        (position(&absent).0, absent.what.as_str()),
        (1, "missing key `width`: the card has no `[config]`")
    );
    let family = described("family = \"color\"\n[config]\nwidth = 2\n");
    assert_eq!((position(&family), family.hint.as_str()), ((1, 10), "did you mean `colour`?"));
    let size = "family = \"colour\"\n[config]\nwidth = 2\n[preprocess]\nsize = [2, 4]\nmean = [0, \
        0, 0]\nstd = [1, 1, 1]\n";
    let size = described(size);
    assert_eq!(position(&size), (5, 8), "{size}");
    let folder = overlay(&tensors());
    let registry = registry(folder.path());
    let card = registry.card(Kind::Vision, "c").unwrap();
    let kind = registry.describe_language(&card).unwrap_err().to_string();
    assert!(kind.starts_with("`c` is a vision encoder, not a language model --> "), "{kind}");
}

#[test]
#[should_panic(expected = "the vision encoder family `colour` is registered twice")]
fn a_name_is_registered_once() {
    let _ = Registry::empty().vision::<Colour>("colour").vision::<Colour>("colour");
}
