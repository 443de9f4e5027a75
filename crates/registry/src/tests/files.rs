//! Files next to cards: digests, overlays, tokenizers, and the cards that are compiled in.

use super::{position, put};
use crate::{Card, Kind, Origin, Registry, embedded_files};
use std::path::Path;
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TokenTable;

/// A word-level tokenizer that would add `<s>` and pad, if it were asked to.
const TOKENIZER: &str = r#"{"version":"1.0","truncation":{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0},
"padding":null,"added_tokens":[{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,
"special":true}],"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":{"type":"TemplateProcessing",
"single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],
"special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}},"decoder":null,
"model":{"type":"WordLevel","vocab":{"<s>":0,"<unk>":1,"a":2,"red":3,"cat":4},"unk_token":"<unk>"}}"#;

/// Two special tokens at both ends of the vocabulary.
const ENDS: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[
{"id":0,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
{"id":6,"content":"<loc0>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
"model":{"type":"WordLevel","vocab":{"</s>":0,"<unk>":1,"a":2,"red":3,"cat":4,"dog":5},"unk_token":"<unk>"}}"#;

fn overlaid(folder: &Path) -> Registry {
    Registry::empty().overlay(folder.to_owned()).unwrap()
}

fn tokenizer_error(section: &str) -> Problem {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "weights/t.json", TOKENIZER);
    put(folder.path(), "weights/bad.json", "{}");
    put(folder.path(), "weights/no-unk.json", TOKENIZER.replace("\"<unk>\":1,", ""));
    put(folder.path(), "language/x.toml", format!("family = \"opt\"\n{section}"));
    overlaid(folder.path())
        .card(Kind::Language, "x")
        .unwrap()
        .tokenizer(TokenTable::of_language(5))
        .unwrap_err()
}

#[test]
fn a_tokenizer_adds_nothing_and_knows_its_ids() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "weights/t.json", TOKENIZER);
    let digest = sha256_hex(TOKENIZER.as_bytes());
    let card = format!(
        "family = \"opt\"\n[tokenizer]\nfile = \"weights/t.json\"\nsha256 = \"{digest}\"\nbos = \
        0\nunk = 1\n"
    );
    put(folder.path(), "language/x.toml", card);
    let tokenizer = overlaid(folder.path())
        .card(Kind::Language, "x")
        .unwrap()
        .tokenizer(TokenTable::of_language(5))
        .unwrap();
    assert_eq!(tokenizer.encode("a red cat").unwrap(), [2, 3, 4], "no `<s>`, no truncation");
    assert_eq!(tokenizer.encode("a dog").unwrap(), [2, 1]);
    assert_eq!(tokenizer.decode(&[0, 3, 4, 999]).unwrap(), "red cat");
    assert_eq!((tokenizer.id("cat"), tokenizer.id("dog"), tokenizer.vocab()), (Some(4), None, 5));
    assert_eq!((tokenizer.bos, tokenizer.unk, tokenizer.eos), (Some(0), Some(1), None));
}

#[test]
fn a_tokenizer_that_is_not_right_is_reported_at_its_key() {
    let none = tokenizer_error("");
    assert!(none.what.contains("has no `[tokenizer]`"), "{none}");
    let missing = tokenizer_error("[tokenizer]\nfile = \"weights/none.json\"\n");
    assert!(missing.what.starts_with("cannot read `") && position(&missing) == (3, 8), "{missing}");
    let broken = tokenizer_error("[tokenizer]\nfile = \"weights/bad.json\"\n");
    assert!(broken.what.contains("is not a tokenizer") && position(&broken).0 == 3, "{broken}");
    let id = tokenizer_error("[tokenizer]\nfile = \"weights/t.json\"\neos = 50\n");
    assert!(id.what.starts_with("`eos` = 50 is not an id") && position(&id).0 == 4, "{id}");
    let unknown = tokenizer_error("[tokenizer]\nfile = \"weights/no-unk.json\"\n");
    assert!(
        unknown.what.contains("cannot encode every text") && position(&unknown).0 == 3,
        "{unknown}"
    );
    let changed = tokenizer_error("[tokenizer]\nfile = \"weights/t.json\"\nsha256 = \"abc\"\n");
    let digest = sha256_hex(TOKENIZER.as_bytes());
    assert!(
        changed.what.contains(&format!("has sha256 {digest}, the card expects abc"))
            && position(&changed).0 == 4,
        "{changed}"
    );
}

#[test]
fn a_card_may_name_several_ends_and_each_needs_a_row() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "t.json", ENDS);
    let tokenizer = |eos: &str, rows| {
        put(
            folder.path(),
            "language/x.toml",
            format!("family = \"opt\"\n[tokenizer]\nfile = \"t.json\"\neos = {eos}\n"),
        );
        let registry = Registry::empty().overlay(folder.path().to_owned()).unwrap();
        let card = registry.card(Kind::Language, "x").map_err(|error| error.to_string())?;
        card.tokenizer(TokenTable::of_language(rows)).map_err(|error| error.to_string())
    };
    assert_eq!(tokenizer("0", 8).unwrap().eos.unwrap().ids(), [0]);
    let ends = tokenizer("[6, 0, 6]", 8).unwrap().eos.unwrap();
    assert_eq!((ends.ids(), ends.first()), (&[6, 0][..], 6));
    let error = tokenizer("[0, 6]", 6).unwrap_err();
    assert!(
        error.contains("`eos`: token `<loc0>` has id 6, the language model has 6 rows")
            && error.contains(":4:"),
        "{error}"
    );
    assert!(tokenizer("[0, 40]", 64).unwrap_err().contains("`eos` = 40 is not an id"));
    for wrong in ["[]", "\"</s>\"", "-1"] {
        assert!(tokenizer(wrong, 8).unwrap_err().contains(":4:"), "{wrong}");
    }
}

#[test]
fn the_last_overlay_wins_by_name() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    put(first.path(), "tasks/a.toml", "kind = \"vqa\"\nversion = 1\n");
    put(first.path(), "tasks/b.toml", "kind = \"vqa\"\nversion = 1\n");
    put(second.path(), "tasks/b.toml", "kind = \"vqa\"\nversion = 2\n");
    put(second.path(), "tasks/notes.md", "not a card");
    let registry = overlaid(first.path()).overlay(second.path().to_owned()).unwrap();
    assert_eq!(registry.names(Kind::Task), ["a", "b"]);
    assert_eq!(
        registry.card(Kind::Task, "a").unwrap().origin,
        Origin::Folder(first.path().to_owned())
    );
    let card = registry.card(Kind::Task, "b").unwrap();
    assert_eq!((card.version, card.origin), (2, Origin::Folder(second.path().to_owned())));
}

#[test]
fn unknown_cards_and_folders_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "tasks/vqa-nano.toml", "kind = \"vqa\"\nversion = 1\n");
    let registry = overlaid(folder.path());
    let wrong = registry.card(Kind::Task, "vqa-nono").unwrap_err().to_string();
    assert_eq!(wrong, "there is no task `vqa-nono`; hint: did you mean `vqa-nano`?");
    assert!(registry.card(Kind::Task, "../tasks/vqa-nano").is_err(), "a name is not a path");
    let none = registry.card(Kind::Model, "x").unwrap_err().to_string();
    assert_eq!(
        none,
        "there is no model `x`; hint: there are no cards in `models/`; add a folder of cards"
    );
    let typed = Registry::empty().overlay(folder.path().join("mistyped")).unwrap_err();
    assert!(typed.what.contains("is not there") && typed.place.ends_with("mistyped"), "{typed}");
    put(
        folder.path(),
        "tasks/wide.toml",
        "family".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
    );
    let wide = registry.card(Kind::Task, "wide").unwrap_err();
    assert_eq!((&wide.what[..], &wide.hint[..]), ("this is UTF-16", "save the file as UTF-8"));
    put(folder.path(), "tasks/bytes.toml", [0xFF, 0xFF]);
    let bytes = registry.card(Kind::Task, "bytes").unwrap_err();
    assert!(
        bytes.what.contains("not UTF-8") && bytes.place.ends_with("tasks/bytes.toml"),
        "{bytes}"
    );
}

/// Runs `check` on every embedded card.
fn every_embedded_card(mut check: impl FnMut(&Registry, &Card)) {
    let registry = Registry::builtin();
    for kind in Kind::ALL {
        for name in registry.names(kind) {
            check(&registry, &good(registry.card(kind, &name)));
        }
    }
}

/// Fails with the error as a user would see it.
fn good<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_embedded_card_parses_and_its_facts_hold() {
    let mut cards = 0;
    every_embedded_card(|registry, card| {
        cards += 1;
        assert_eq!(card.origin, Origin::Embedded);
        let cost = match card.kind {
            Kind::Vision => Some(good(registry.describe_vision(card)).cost),
            Kind::Language => Some(good(registry.describe_language(card)).cost),
            Kind::Bridge => {
                // A bridge's size depends on the encoder: facts are those behind the encoder of its
                // tier.
                let encoder = match card.name.rsplit_once('-').map(|(_, tier)| tier) {
                    Some("nano") => "vit-nano",
                    Some("small") => "efficientnet-lite0",
                    _ => "vit-g",
                };
                let image =
                    good(registry.describe_vision(&good(registry.card(Kind::Vision, encoder))));
                Some(good(registry.describe_bridge(card, &image)).cost)
            }
            Kind::Dataset | Kind::Task | Kind::Model | Kind::Metric => None,
        };
        if let Some(cost) = cost {
            assert_eq!(Some(cost.params), card.facts.params, "`facts.params` of {}", card.name);
            let (ours, said) = (cost.flops as f64 / 1e9, card.facts.gflops.unwrap_or(0.0));
            assert!(
                (ours - said).abs() < 5e-4 * ours,
                "`facts.gflops` of {}: {said}, counted {ours}",
                card.name
            );
        }
        if let Some(parts) = &card.parts {
            good(registry.card(Kind::Vision, &parts.vision));
            good(registry.card(Kind::Bridge, &parts.bridge));
            if let Some(name) = &parts.language {
                good(registry.card(Kind::Language, name));
            }
        }
    });
    let folders = Kind::ALL.map(Kind::folder);
    let is_card = |file: &str| {
        file.split_once('/')
            .is_some_and(|(folder, name)| folders.contains(&folder) && name.ends_with(".toml"))
    };
    assert_eq!(
        cards,
        embedded_files().iter().filter(|(file, _)| is_card(file)).count(),
        "every embedded card is found"
    );
}

#[test]
fn every_file_that_an_embedded_card_pins_is_there() {
    every_embedded_card(|_, card| {
        if !card.not_here().unwrap().is_empty() {
            return;
        }
        if card.weights.is_some() {
            good(card.open_weights());
        }
        if card.tokenizer_section.as_ref().is_some_and(|section| section.sha256.is_some()) {
            good(card.tokenizer(TokenTable::of_language(usize::MAX)));
        }
    });
}

/// The numbers of trained parameters and of whole models, from shapes alone (BLIP-2 specification,
/// section 0; the paper's table 3 rounds them).
#[test]
fn the_papers_parameters_are_counted_without_a_tensor() {
    use toolkit_models::bridge::qformer::{QFormerConfig, stage2_params};
    use toolkit_models::connector::projection_params;
    let registry = Registry::builtin();
    let vision =
        |name: &str| good(registry.describe_vision(&good(registry.card(Kind::Vision, name))));
    let language =
        |name: &str| good(registry.describe_language(&good(registry.card(Kind::Language, name))));
    let bridge = good(registry.card(Kind::Bridge, "qformer"));
    let qformer: QFormerConfig = good(bridge.config());
    let trained = |encoder: &str, model: &str| {
        stage2_params(&qformer, &vision(encoder))
            + projection_params(qformer.hidden_size, language(model).width)
    };
    for (encoder, model, expected) in [
        ("vit-l", "opt-2.7b", 103_593_984),
        ("vit-g", "opt-2.7b", 107_133_696),
        ("vit-g", "opt-6.7b", 108_314_880),
        ("vit-l", "flan-t5-xl", 103_200_256),
        ("vit-g", "flan-t5-xl", 106_739_968),
        ("vit-g", "flan-t5-xxl", 108_314_880),
    ] {
        assert_eq!(trained(encoder, model), expected, "{encoder} and {model}");
    }
    assert_eq!(
        good(registry.describe_bridge(&bridge, &vision("vit-g"))).cost.params,
        186_705_470,
        "stage 1"
    );
    // The tower of transformers' BLIP-2 counts the norm that is the bridge's `ln_vision` here.
    let tower = vision("vit-g").cost.params;
    assert_eq!(tower + 2 * 1408, 985_952_256);
    for (model, alone, whole) in [
        ("opt-2.7b", 2_651_596_800, 3_744_679_936),
        ("opt-6.7b", 6_658_473_984, 7_752_738_304),
        ("flan-t5-xl", 2_849_757_184, 3_942_446_592),
        ("flan-t5-xxl", 11_135_332_352, 12_229_596_672),
    ] {
        assert_eq!(language(model).cost.params, alone, "{model}");
        assert_eq!(tower + trained("vit-g", model) + alone, whole, "BLIP-2 with {model}");
    }
    // `Blip2ForImageTextRetrieval` has neither the captioning head nor the temperature.
    let captioning = 768 * 768 + 768 + 2 * 768 + 30_523 + 1;
    assert_eq!(tower + 186_705_470 - captioning, 1_172_032_258, "itm-vit-g");
}
