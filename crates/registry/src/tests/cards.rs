//! Cards: what is accepted, and how what is not is reported.

use super::{error, parse, position};
use crate::spanned::{self, closest};
use crate::{Card, Facts, Kind, Origin, Parts, Source};
use proptest::prelude::*;
use serde::Deserialize;
use toolkit_data::{TextProcessor, TextRules};
use toolkit_models::weights::StoredDtype;
use toolkit_tokenizer::TokenTable;

const FULL: &str = r#"
family = "vit"
about = "small"
[config]
width = 8
[weights]
source = "file:weights/a.safetensors"
sha256 = "00"
dtype = "f16"
[preprocess]
size = 64
mean = [0.5, 0.5, 0.5]
std = [1, 1, 1]
[facts]
params = 10
gflops = 1
[scores]
"recall@1" = 0.5
[licence]
spdx = "MIT"
[source]
paper = "p"
"#;

#[test]
fn a_full_card_is_read() {
    let card = parse(Kind::Vision, FULL).unwrap();
    assert_eq!((card.family.as_str(), card.about.as_str()), ("vit", "small"));
    let weights = card.weights.unwrap();
    assert_eq!(
        (weights.source.as_str(), weights.dtype),
        ("file:weights/a.safetensors", Some(StoredDtype::F16))
    );
    let preprocess = card.preprocess.unwrap();
    assert_eq!((preprocess.size, preprocess.std), ([64, 64], [1.0; 3]));
    assert_eq!(card.facts, Facts { params: Some(10), gflops: Some(1.0) });
    assert_eq!(card.scores["recall@1"], 0.5);
    assert_eq!(
        (card.licence.spdx.as_deref(), card.source.paper.as_deref()),
        (Some("MIT"), Some("p"))
    );
}

#[test]
fn other_kinds_are_read() {
    let language = "family = \"opt\"\n[tokenizer]\nfile = \"t.json\"\neos = 2\n[prompt]\nvqa = \
        \"question: {} answer:\"\n";
    let language = parse(Kind::Language, language).unwrap();
    assert_eq!(
        (
            language.tokenizer_section.unwrap().eos.map(|ends| ends.first()),
            language.prompt["vqa"].as_str()
        ),
        (Some(2), "question: {} answer:")
    );
    let bridge =
        parse(Kind::Bridge, "family = \"qformer\"\n[init]\nfrom = \"bert-nano\"\n").unwrap();
    assert_eq!(bridge.init["from"], "bert-nano");
    let model = parse(Kind::Model, "vision = \"a\"\nbridge = \"b\"\nlanguage = \"c\"\n").unwrap();
    let parts =
        Parts { vision: "a".to_owned(), bridge: "b".to_owned(), language: Some("c".to_owned()) };
    assert_eq!((model.parts, model.family.as_str()), (Some(parts), ""));

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Decoding {
        #[serde(default)]
        beams: usize,
    }
    let task = parse(Kind::Task, "kind = \"vqa\"\nversion = 3\n[decoding]\nbeams = 5\n").unwrap();
    assert_eq!((task.family.as_str(), task.version), ("vqa", 3));
    assert_eq!(task.section::<Decoding>("decoding").unwrap().beams, 5);
    assert_eq!(task.config::<Decoding>().unwrap().beams, 0, "a table that is not there is empty");
    let data = parse(Kind::Dataset, "kind = \"scenes\"\n[config]\nbeam = 5\n").unwrap();
    let wrong = data.config::<Decoding>().unwrap_err().to_string();
    assert_eq!(
        wrong,
        "unknown key `beam` --> registry/datasets/x.toml:3:1; hint: did you mean `beams`?"
    );
}

#[test]
fn unknown_keys_are_reported_in_every_section() {
    let at = "registry/vision/x.toml";
    assert_eq!(
        error(Kind::Vision, "family = \"vit\"\n[wights]\n"),
        format!(
            "unknown key `wights` in a vision encoder card --> {at}:2:2; hint: did you mean \
            `weights`?"
        )
    );
    for (section, lines, key, meant) in [
        ("weights", "sorce = \"file:a\"\n", "sorce", "source"),
        ("preprocess", "size = 1\n  maen = [1, 1, 1]\n", "maen", "mean"),
        ("facts", "parms = 1\n", "parms", "params"),
        ("licence", "SPDX = \"MIT\"\n", "SPDX", "spdx"),
        ("source", "papre = \"p\"\n", "papre", "paper"),
    ] {
        let text = format!("family = \"vit\"\n[{section}]\n{lines}");
        let line = text.lines().position(|line| line.contains(key)).unwrap() + 1;
        let column = text.lines().nth(line - 1).unwrap().find(key).unwrap() + 1;
        let expected =
            format!("unknown key `{key}` --> {at}:{line}:{column}; hint: did you mean `{meant}`?");
        assert_eq!(error(Kind::Vision, &text), expected);
    }
    assert_eq!(
        error(Kind::Language, "family = \"opt\"\n[tokenizer]\nfil = \"a\"\n"),
        "unknown key `fil` --> registry/language/x.toml:3:1; hint: did you mean `file`?"
    );
}

#[test]
fn keys_of_another_kind_are_unknown() {
    assert_eq!(
        error(Kind::Dataset, "kind = \"scenes\"\n[preprocess]\n"),
        "unknown key `preprocess` in a data set card --> registry/datasets/x.toml:2:2; hint: use one of `kind`, `config`, `packages`, \
         `text_processor`, `about`, `facts`, `scores`, `licence`, `source`"
    );
}

#[test]
fn wrong_types_are_reported_at_the_value() {
    assert_eq!(
        error(Kind::Vision, "family = \"vit\"\n[facts]\nparams = \"many\"\n"),
        "`facts.params`: invalid type: string \"many\", expected u64 --> registry/vision/x.toml:3:10; \
         hint: write a whole number, 0 or more"
    );
    assert_eq!(
        error(
            Kind::Vision,
            "family = \"vit\"\n[preprocess]\nsize = -1\nmean=[1,1,1]\nstd=[1,1,1]\n"
        ),
        "`preprocess.size`: invalid value: integer `-1`, expected one number of pixels or [height, width] --> \
         registry/vision/x.toml:3:8; hint: write one number of pixels or [height, width]"
    );
    assert_eq!(
        error(
            Kind::Vision,
            "family = \"vit\"\n[weights]\nsource = \"file:a\"\nsha256 = \"0\"\ndtype = \"f61\"\n"
        ),
        "unknown value `f61` of `weights.dtype` --> registry/vision/x.toml:5:9; hint: did you mean \
        `f16`?"
    );
    assert_eq!(
        error(Kind::Language, "family = \"opt\"\n[prompt]\nvqa = 3\n"),
        "`prompt.vqa`: invalid type: integer `3`, expected a string --> \
        registry/language/x.toml:3:7; hint: write text in quotes"
    );
    assert!(
        error(Kind::Vision, "config = 3\nfamily = \"vit\"\n")
            .contains("registry/vision/x.toml:1:10")
    );
    assert!(error(Kind::Vision, "family = [\"vit\"]\n").contains(":1:10"));
}

#[test]
fn missing_keys_are_reported_at_their_table() {
    assert_eq!(
        error(Kind::Vision, "about = \"a\"\n"),
        "missing key `family` --> registry/vision/x.toml:1:1; hint: add `family = ..` above the \
        first table"
    );
    assert_eq!(
        error(Kind::Vision, "family = \"vit\"\n\n[weights]\nsource = \"file:a\"\n"),
        "missing key `sha256` in `weights` --> registry/vision/x.toml:3:1; hint: add `sha256 = ..`"
    );
}

#[test]
fn syntax_errors_have_a_place() {
    let text = "family = \"vit\"\nabout = \"é\" x\n";
    let wrong = parse(Kind::Vision, text).unwrap_err();
    assert_eq!(position(&wrong), (2, 13), "columns count characters: {wrong}");
    assert!(error(Kind::Vision, "a = 1\na = 2\n").contains(":2:1"));
    assert!(error(Kind::Vision, "family = \"unclosed\n").contains("--> registry/vision/x.toml:1:"));
    error(Kind::Vision, "\"line\\nbreak\" = 1\nfamily = \"vit\"\n");
}

#[test]
fn a_whole_file_and_a_value_of_it_are_parsed_by_other_crates_too() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        train: Train,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Train {
        lr: f64,
        #[expect(dead_code, reason = "only its place matters")]
        steps: Vec<usize>,
    }
    let source = Source::new("spec.toml", "[train]\nlr = 1\nsteps = [1, \"two\"]\n").unwrap();
    let wrong = source.parse::<Spec>().unwrap_err().to_string();
    assert_eq!(
        wrong,
        "`train.steps[1]`: invalid type: string \"two\", expected usize --> spec.toml:3:13; hint: \
        write a whole number, 0 or more"
    );
    let table = source.table();
    let wrong =
        spanned::parse::<Spec>(&source, table.get("train").unwrap()).unwrap_err().to_string();
    assert_eq!(wrong, "unknown key `lr` --> spec.toml:2:1; hint: use `train`");
    let good = Source::new("spec.toml", "[train]\nlr = 1\nsteps = []\n").unwrap();
    assert_eq!(good.parse::<Spec>().unwrap().train.lr, 1.0);
    let at = source.error_at("train.lr", "no", "");
    assert_eq!(at.to_string(), "no --> spec.toml:2:6");
    let outside = source.error(1000..1001, "no", "");
    assert_eq!(position(&outside).0, 4, "a span of another text is no panic");
}

#[test]
fn the_closest_name_is_one_that_could_be_meant() {
    let known = ["vit-nano", "clip-l", "opt"];
    assert_eq!(closest("vit-nono", &known), Some("vit-nano"));
    assert_eq!(closest("vit", &known), Some("vit-nano"));
    assert_eq!(closest("OPT", &known), Some("opt"));
    assert_eq!(closest("resnet", &known), None);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", lines in "([a-z.\\[\\]]{1,8} ?=? \
        ?[0-9\"\\[{é]{0,3}\n){0,6}") {
        for kind in Kind::ALL {
            let _ = parse(kind, &text).map(|card| card.config::<Facts>());
            if let Err(error) = parse(kind, &lines) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(400))]

    /// Cards come from overlays that anyone may write: whatever is in one, reading it ends with a
    /// card or an error.
    #[test]
    fn a_spoilt_card_is_an_error_and_no_panic(
        which in any::<proptest::sample::Index>(),
        kind in proptest::sample::select(&Kind::ALL),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), ".{0,6}"), 0..4),
    ) {
        let cards: Vec<String> = crate::embedded_files()
            .into_iter()
            .filter(|(name, _)| name.ends_with(".toml"))
            .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
            .collect();
        let mut text: Vec<char> = which.get(&cards).chars().collect();
        for (at, new) in edits {
            let at = at.index(text.len());
            let end = (at + new.chars().count() / 2 + 1).min(text.len());
            text.splice(at..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        match Card::parse(kind, "x", Origin::Embedded, &text) {
            Ok(card) => {
                let _ = crate::sources(&card);
                let _ = card.not_here();
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}

#[test]
fn what_a_card_says_of_its_packages_goes_along() {
    let digest = "ab".repeat(32);
    let text = format!(
        "kind = \"x\"\n[packages]\np = \"pip:p==1\"\nq = \"npm:q@1.0.0\"\n[packages.sha256]\np = \
        \"{digest}\"\n[packages.bytes]\np = 300\n"
    );
    let all = crate::sources(&parse(Kind::Dataset, &text).unwrap()).unwrap();
    let said = all
        .iter()
        .map(|remote| (remote.digest.package_sha256.as_deref(), remote.digest.package_bytes));
    assert_eq!(said.collect::<Vec<_>>(), [(Some(digest.as_str()), Some(300)), (None, None)]);

    let weights = format!(
        "family = \"vit\"\n[weights]\nsource = \"pip:p==1#w\"\nsha256 = \
        \"{digest}\"\npackage_bytes = 7\n"
    );
    let all = crate::sources(&parse(Kind::Vision, &weights).unwrap()).unwrap();
    assert_eq!(all[0].digest.package_bytes, Some(7));
    assert!(
        parse(Kind::Dataset, &text.replace("300", "-3")).unwrap_err().to_string().contains("-3")
    );
}

/// A source as someone may write it: nearly right.
fn source_text() -> impl Strategy<Value = String> {
    let scheme =
        proptest::sample::select(&["hf:", "pip:", "apt:", "npm:", "file:", "http:", ""][..]);
    let head = "[a-z@/._-]{0,8}(==|=|@|#|:)?[0-9.]{0,4}(#[a-z/.]{0,6})?";
    (scheme, head, "[\\PC]{0,3}").prop_map(|(scheme, head, tail)| format!("{scheme}{head}{tail}"))
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(400))]

    /// Any text for a source or a digest gives one line of error at its place, or a source that is
    /// written as it is read.
    #[test]
    fn any_source_is_read_or_refused(source in source_text(), digest in "[0-9a-f]{0,4}|\\PC{0,3}", which in 0_usize..4) {
        let quoted = toml::Value::String(source.clone()).to_string();
        let digest = toml::Value::String(digest).to_string();
        let (kind, text) = match which {
            0 => (Kind::Dataset, format!("kind = \"x\"\n[packages]\np = \
                {quoted}\n[packages.sha256]\np = {digest}\n")),
            1 => (Kind::Vision, format!("family = \"vit\"\n[weights]\nsource = {quoted}\nsha256 = \
                {digest}\n")),
            2 => (Kind::Language, format!("family = \"opt\"\n[tokenizer]\nfile = {quoted}\nsha256 \
                = {digest}\n")),
            _ => (Kind::Bridge, format!("family = \"qformer\"\n[init]\nbert = {quoted}\nsha256 = \
                {digest}\n")),
        };
        let card = parse(kind, &text);
        prop_assert!(card.is_ok(), "{:?}", card.err());
        let card = card.unwrap();
        match crate::sources(&card) {
            Ok(all) => {
                for remote in all {
                    let again: Result<toolkit_store::Source, _> = remote.source.to_string().parse();
                    prop_assert_eq!(again.unwrap(), remote.source);
                }
            }
            Err(error) => {
                let shown = error.to_string();
                prop_assert!(!shown.contains('\n') && position(&error).0 > 1, "{}", shown);
            }
        }
        // Nothing is fetched for this: what is not here is an error.
        let error = match which {
            0 => card.package("p").err().map(|error| error.to_string()),
            1 => card.open_weights().err().map(|error| error.to_string()),
            2 => card.tokenizer(TokenTable::of_language(8)).err().map(|error| error.to_string()),
            _ => card.bert().err().map(|error| error.to_string()),
        };
        prop_assert!(!error.unwrap_or_default().contains('\n'));
    }

    /// `[packages]` of any keys and kinds of values.
    #[test]
    fn any_packages_are_read_or_refused(lines in "([a-z0-9]{1,6} = \
        (\"[a-z:=.#]{0,9}\"|3|\\[1\\]|\\{\\}|true)\n){0,4}", digests in any::<bool>()) {
        let table = if digests { "[packages.sha256]" } else { "[packages]" };
        match parse(Kind::Dataset, &format!("kind = \"x\"\n{table}\n{lines}")) {
            Ok(card) => {
                let _ = crate::sources(&card).map_err(|error| assert!(position(&error).0 >= 3, "{error}"));
                prop_assert!(card.package("nowhere").is_err());
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n') && position(&error).0 >= 2, "{}", error),
        }
    }
}

#[test]
fn statistics_that_make_no_numbers_of_pixels_are_refused_where_they_stand() {
    let card = |mean: &str, std: &str| {
        format!(
            "family = \"vit\"\n[config]\n[preprocess]\nsize = 8\nmean = [0.5, {mean}, 0.5]\nstd = \
            [0.5, 0.5, {std}]\n"
        )
    };
    for wrong in ["0.0", "-0.5", "nan", "inf", "1e-45"] {
        let said = error(Kind::Vision, &card("0.5", wrong));
        assert!(
            said.starts_with("`preprocess.std` has ") && said.contains("above 0 --> "),
            "{said}"
        );
        assert!(said.contains(":6:"), "{said}");
    }
    for wrong in ["nan", "-inf", "3e38"] {
        let said = error(Kind::Vision, &card(wrong, "0.5"));
        assert!(said.starts_with("`preprocess.mean` has ") && said.contains(":5:"), "{said}");
    }
    assert!(parse(Kind::Vision, &card("0.0", "1.0")).is_ok());
}

#[test]
fn a_data_card_with_a_text_processor_opens_processed_training_captions() {
    let scenes = "kind = \"scenes\"\n[config]\ntrain = 2\n";
    let registry = crate::Registry::builtin();
    let open = |lines: &str| {
        let card = parse(Kind::Dataset, &format!("{scenes}{lines}")).unwrap();
        registry.dataset_of(&card).unwrap().open("train").unwrap()
    };
    let prompted = "[text_processor]\nname = \"blip_caption\"\nprompt = \"Seen: \"\n";
    let (plain, processed) = (open(""), open(prompted));
    assert_eq!(plain.item(0), processed.item(0));
    let wanted: Vec<String> =
        plain.item(0).captions.iter().map(|text| format!("Seen: {text}")).collect();
    assert_eq!(processed.training_captions(0), wanted);
    assert_eq!(plain.fingerprint(), processed.fingerprint());
    assert_ne!(plain.training_fingerprint(), processed.training_fingerprint());

    let wrong = error(Kind::Dataset, &format!("{scenes}[text_processor]\nname = \"blip\"\n"));
    assert!(wrong.contains("registry/datasets/x.toml:5:8"), "{wrong}");
    let vision =
        error(Kind::Vision, "family = \"vit\"\n[text_processor]\nname = \"blip_caption\"\n");
    assert!(
        vision.starts_with("unknown key `text_processor` in a vision encoder card"),
        "{vision}"
    );
}

#[test]
fn training_captions_of_published_data_have_the_processor_of_lavis() {
    let registry = crate::Registry::builtin();
    for name in registry.names(Kind::Dataset) {
        let card = registry.card(Kind::Dataset, &name).unwrap();
        let of_images = ["coco", "coco-karpathy", "flickr30k", "visual-genome"];
        let of_the_web = ["cc3m", "cc12m", "laion115m", "sbu"];
        let lavis = [of_images, of_the_web].concat();
        let wanted = TextProcessor::new(TextRules::BlipCaption);
        let wanted = lavis.contains(&name.as_str()).then_some(wanted);
        assert_eq!(card.text_processor, wanted, "{name}");
    }
}
