//! The cards that come with the toolkit, and what a card may not say.

use super::*;

fn cards() -> Vec<(String, toml::Table)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry/datasets");
    let mut cards = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let card: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        if card["kind"].as_str() == Some("published") {
            cards.push((path.file_stem().unwrap().to_str().unwrap().to_owned(), card));
        }
    }
    cards.sort_by(|a, b| a.0.cmp(&b.0));
    cards
}

#[test]
fn every_published_card_is_whole() {
    let names: Vec<String> = cards().into_iter().map(|(name, _)| name).collect();
    let expected =
        ["coco", "coco-karpathy", "flickr30k", "gqa", "nocaps", "ok-vqa", "visual-genome", "vqav2"]
            .map(str::to_owned);
    assert_eq!(names, expected);
    for (name, card) in cards() {
        let config: PublishedConfig =
            card["config"].clone().try_into().unwrap_or_else(|e| panic!("{name}: {e}"));
        config.check().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(config.home.starts_with("https://"), "{name}");
        assert!(config.root.is_none(), "{name}: the root is the user's");
        assert!(card["licence"]["spdx"].is_str() && card["licence"]["note"].is_str(), "{name}");
        // What is written is read again, as the lab keeps resolved configurations.
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<PublishedConfig>(&written).unwrap(), config, "{name}");
        // A user who has nothing yet is told about the first file.
        let dir = TempDir::new().unwrap();
        for split in config.splits.keys() {
            let error = Published::open(&config, dir.path(), split).err().unwrap().to_string();
            assert!(
                error.starts_with("there is no annotation file ") && error.contains(&config.home),
                "{error}"
            );
        }
    }
}

/// The layout that the comment of the card says, with pictures in the folder of the data set next
/// to it.
#[test]
fn vqav2_finds_the_pictures_of_coco() {
    let (_, card) = cards().into_iter().find(|(name, _)| name == "vqav2").unwrap();
    let config: PublishedConfig = card["config"].clone().try_into().unwrap();
    let disk = Disk { root: TempDir::new().unwrap(), config };
    let questions = r#"{"questions": [{"image_id": 42, "question": "What?", "question_id": 1}]}"#;
    let answers =
        r#"{"annotations": [{"image_id": 42, "question_id": 1, "answers": [{"answer": "a"}]}]}"#;
    disk.put("vqav2/annotations/v2_OpenEnded_mscoco_val2014_questions.json", questions)
        .put("vqav2/annotations/v2_mscoco_val2014_annotations.json", answers)
        .put("coco/images/val2014/COCO_val2014_000000000042.jpg", JPG);
    let data = Published::open(&disk.config, &disk.path("vqav2"), "val").unwrap();
    assert_eq!(data.name(), "vqav2:val");
    assert_eq!(data.image(0).unwrap(), crate::decode_bytes(JPG, Path::new("x")).unwrap());
}

#[test]
fn the_root_is_said_by_card_or_environment() {
    let none = |_: &str| None;
    let set = |name: &str| match name {
        "TOOLKIT_DATA" => Some(PathBuf::from("/data")),
        "HOME" => Some(PathBuf::from("/home/me")),
        _ => None,
    };
    let mut config =
        PublishedConfig { home: "https://example.org".to_owned(), ..PublishedConfig::default() };
    assert_eq!(config.root_with("coco", set).unwrap(), Path::new("/data/coco"));
    let error = config.root_with("coco", none).unwrap_err().to_string();
    assert_eq!(
        error,
        "nothing says where the data set 'coco' is; hint: put `root = \"/path/to/coco\"` into [config] of a card of your own, \
         or set TOOLKIT_DATA to the folder that has the folder 'coco' (published at https://example.org)"
    );
    for (root, expected) in
        [("~/data/coco", "/home/me/data/coco"), ("~", "/home/me"), ("/x", "/x"), ("y", "y")]
    {
        config.root = Some(root.to_owned());
        assert_eq!(config.root_with("coco", set).unwrap(), Path::new(expected));
    }
    config.root = Some("~you/x".to_owned());
    assert!(config.root_with("coco", set).unwrap_err().to_string().contains("needs a home folder"));
    config.root = Some("~/x".to_owned());
    assert!(config.root_with("coco", none).is_err());
}

#[test]
fn cards_that_cannot_be_are_refused() {
    for (text, said) in [
        ("", "the card has no split"),
        ("[splits.a]", "[config.splits.a]: no `format`"),
        ("[splits.a]\nformat = \"gqa\"\nfiles = [\"x\"]", "no `image_name`"),
        ("[splits.a]\nformat = \"karpathy\"", "no `files`"),
        (
            "[splits.a]\nformat = \"gqa\"\nfiles = [\"x\"]\nanswers = [\"y\"]\nimage_name = \
            \"{id}\"",
            "`answers` means nothing",
        ),
        (
            "[splits.a]\nformat = \"lavis-vqa\"\nfiles = [\"x\"]\nselect = [\"y\"]",
            "`select` means nothing",
        ),
        ("[splits.a]\njoin = [\"b\"]", "'b' cannot be joined"),
        ("[splits.a]\njoin = [\"a\"]", "'a' cannot be joined"),
        ("[splits.a]\njoin = [\"b\"]\nfolders = [\"x\"]", "a joined split has files of its own"),
        ("[splits.a]\nformat = \"karpathy\"\nfiles = [\"x\"]\n[md5]\nx = \"12\"", "is no digest"),
        (
            "[splits.a]\nformat = \"karpathy\"\nfiles = [\"x\"]\n[md5]\ny = \
            \"0123456789abcdef0123456789abcdef\"",
            "no split reads y",
        ),
    ] {
        let error =
            toml::from_str::<PublishedConfig>(text).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("; hint: "), "{error}");
    }
    for text in [
        "[splits.a]\nformat = \"moon\"",
        "[splits.a]\nfolder = \"x\"",
        "moon = 1",
        "[splits.a]\nimage_name = \"x.jpg\"",
        "[splits.a]\nimage_name = \"{id}{id}\"",
        "[splits.a]\nimage_name = \"{id:12}\"",
        "[splits.a]\nimage_name = \"{id:099}\"",
    ] {
        assert!(toml::from_str::<PublishedConfig>(text).is_err(), "{text}");
    }
}
