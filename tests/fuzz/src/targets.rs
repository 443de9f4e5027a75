//! Readers as functions of bytes. Each answers with its refusal or nothing; it must not panic, hang
//! or eat memory.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use toolkit_checkpoints::config::Config;
use toolkit_data::{
    CheckOptions, Dataset, Folder, Opening, PublishedConfig, ShardOptions, Shards, check,
    check_folder,
};
use toolkit_eval::official::{CaptionFiles, VqaFiles};
use toolkit_fetch::Fetcher;
use toolkit_formats::Tensors;
use toolkit_registry::{Card, Kind, Origin, Registry};
use toolkit_store::{NoProgress, Store};
use toolkit_tokenizer::{TextTokenizer, TokenTable};

/// Pixels that a fuzzed picture may have: 64 MB as RGB with alpha, a quarter of what one input may
/// take.
const MOST_PIXELS: u64 = 1 << 24;

/// Refusal of a reader, one line.
pub type Answer = Result<(), String>;

/// A reader under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name on the command line and folder of the corpus.
    pub name: &'static str,
    /// Reads bytes.
    pub read: fn(&[u8]) -> Answer,
    /// Files of the repository that are good inputs: folders, and endings.
    pub good: &'static [(&'static str, &'static [&'static str])],
}

/// All readers of files that others write.
pub const ALL: [Target; 12] = [
    Target {
        name: "pictures",
        read: pictures,
        good: &[
            ("crates/data/tests/fixtures", &["png", "jpg", "webp"]),
            (
                "crates/data/tests/fixtures/pictures",
                &["png", "jpg", "webp", "gif", "bmp", "tif", "ico", "ppm", "pbm", "pgm", "avif"],
            ),
            ("crates/data/tests/fixtures/jpeg", &["jpg"]),
        ],
    },
    Target {
        name: "safetensors",
        read: weights,
        good: &[
            ("tests/fixtures/formats", &["safetensors"]),
            ("registry/weights", &["safetensors"]),
        ],
    },
    Target { name: "pth", read: weights, good: &[("tests/fixtures/formats", &["pth"])] },
    Target { name: "gguf", read: weights, good: &[("tests/fixtures/formats", &["gguf"])] },
    Target { name: "onnx", read: weights, good: &[("tests/fixtures/formats", &["onnx"])] },
    Target {
        name: "tokenizers",
        read: tokenizers,
        good: &[
            ("registry/weights", &["tokenizer.json"]),
            ("tests/fixtures/hub-opt", &["tokenizer.json"]),
        ],
    },
    Target {
        name: "configs",
        read: configs,
        good: &[
            ("tests/fixtures/hub-opt", &["config.json"]),
            ("tests/fixtures/hub-t5", &["config.json"]),
            ("tests/fixtures/blip2-itm-tiny", &["config.json"]),
        ],
    },
    Target {
        name: "cards",
        read: cards,
        good: &[
            ("registry/vision", &["toml"]),
            ("registry/bridge", &["toml"]),
            ("registry/language", &["toml"]),
            ("registry/datasets", &["toml"]),
            ("registry/tasks", &["toml"]),
        ],
    },
    Target {
        name: "annotations",
        read: annotations,
        good: &[
            ("tests/fixtures/captions-tiny", &["json"]),
            ("tests/fixtures/vqa-tiny", &["json"]),
            ("crates/data/tests/fixtures/lists", &["json", "jsonl", "csv", "tsv"]),
        ],
    },
    Target {
        name: "scores",
        read: scores,
        good: &[
            ("tests/fixtures/captions-tiny", &["json"]),
            ("tests/fixtures/vqa-tiny", &["json"]),
        ],
    },
    Target { name: "archives", read: archives, good: &[] },
    Target { name: "shards", read: shards, good: &[("tests/fixtures/shards", &["tar"])] },
];

/// The target of a name.
#[must_use]
pub fn named(name: &str) -> Option<Target> {
    ALL.into_iter().find(|target| target.name == name)
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn pictures(bytes: &[u8]) -> Answer {
    toolkit_data::set_most_pixels(MOST_PIXELS);
    toolkit_data::decode_bytes(bytes, Path::new("picture")).map(drop).map_err(said)
}

fn weights(bytes: &[u8]) -> Answer {
    let tensors = Tensors::from_bytes("weights", bytes.to_vec()).map_err(said)?;
    for name in tensors.names() {
        tensors.read(name).map(drop).map_err(said)?;
        // Most tensors are no integers.
        let _ = tensors.read_ints(name);
    }
    match tensors.gguf().map(toolkit_formats::gguf::Metadata::tokenizer_json) {
        Some(Err(error)) => Err(said(error)),
        _ => Ok(()),
    }
}

fn tokenizers(bytes: &[u8]) -> Answer {
    let tokenizer =
        TextTokenizer::read(bytes, "tokenizer.json", TokenTable::of_language(400)).map_err(said)?;
    for text in ["a photo of two dogs", "\u{10FFFD} ünï 日本\n", ""] {
        let ids = tokenizer.encode(text).map_err(said)?;
        if let Some(id) = ids.iter().find(|id| **id >= 400) {
            panic!("id {id} has no row and was let through");
        }
        tokenizer.decode(&ids).map_err(said)?;
        tokenizer.encode_with_special_tokens(text).map_err(said)?;
    }
    Ok(())
}

fn configs(bytes: &[u8]) -> Answer {
    in_folder(&[("config.json", bytes)], |folder| {
        let config = Config::read(&folder.join("config.json")).map_err(said)?;
        if let Some(vision) = &config.vision {
            vision.describe().map_err(said)?;
        }
        config
            .language
            .as_ref()
            .map_or(Ok(()), |language| language.describe().map(drop).map_err(said))
    })
}

fn cards(bytes: &[u8]) -> Answer {
    static BUILTIN: OnceLock<Registry> = OnceLock::new();
    let registry = BUILTIN.get_or_init(Registry::builtin);
    let text = String::from_utf8_lossy(bytes);
    any(Kind::ALL.into_iter().map(|kind| {
        let described =
            Card::parse(kind, "card", Origin::Embedded, &text).and_then(|card| match kind {
                Kind::Vision => registry.describe_vision(&card).map(drop),
                Kind::Language => registry.describe_language(&card).map(drop),
                Kind::Bridge => {
                    let vision =
                        registry.describe_vision(&registry.card(Kind::Vision, "vit-nano")?)?;
                    registry.describe_bridge(&card, &vision).map(drop)
                }
                Kind::Dataset => card.config::<PublishedConfig>().map(drop),
                _ => Ok(()),
            });
        described.map_err(said)
    }))
}

/// Success if any reading succeeded, otherwise the first refusal. Every reading is tried.
fn any(answers: impl Iterator<Item = Answer>) -> Answer {
    let all: Vec<Answer> = answers.collect();
    if all.iter().any(Result::is_ok) { Ok(()) } else { all.into_iter().next().unwrap_or(Ok(())) }
}

/// Lists of texts: as a folder's own, and in each published form.
fn annotations(bytes: &[u8]) -> Answer {
    let folders = ["captions.jsonl", "metadata.jsonl", "captions.csv", "captions.tsv", "a.txt"];
    let as_folder = folders.into_iter().map(|name| {
        in_folder(&[(name, bytes), ("a.png", PIXEL)], |folder| {
            // Its findings are not looked at here, only that it ends.
            let _ = check_folder(folder, CheckOptions::default(), &|_, _| ());
            let data = Folder::open(folder).map_err(said)?;
            let texts: usize = (0..data.len()).map(|at| data.item(at).captions.len()).sum();
            std::hint::black_box((texts, data.notes()));
            Ok(())
        })
    });
    let forms = [
        "coco-captions",
        "karpathy",
        "lavis-captions",
        "nocaps",
        "vqa",
        "lavis-vqa",
        "gqa",
        "genome",
    ];
    let as_published = forms.into_iter().map(|format| {
        let answers =
            if format == "vqa" { "answers = [\"a.json\"]\nimage_name = \"a.png\"\n" } else { "" };
        let card = format!(
            "[splits.s]\nformat = \"{format}\"\nfiles = [\"a.json\"]\nselect = \
            [\"train\"]\n{answers}"
        );
        let config: PublishedConfig = toml::from_str(&card).map_err(said)?;
        in_folder(&[("a.json", bytes), ("images/a.png", PIXEL)], |folder| {
            let _ = check(&config, folder, "s", CheckOptions::default(), &|_, _| ());
            toolkit_data::Published::open(&config, folder, "s").map(drop).map_err(said)
        })
    });
    any(as_folder.chain(as_published))
}

fn scores(bytes: &[u8]) -> Answer {
    let captions = "{\"images\": [{\"id\": 1}], \"annotations\": [{\"id\": 1, \"image_id\": 1, \
        \"caption\": \"a dog\"}]}";
    let results = "[{\"image_id\": 1, \"caption\": \"a dog\"}]";
    in_folder(
        &[("other", bytes), ("captions", captions.as_bytes()), ("results", results.as_bytes())],
        |folder| {
            let at = |name: &str| folder.join(name);
            let as_results =
                CaptionFiles::read(&at("captions"), &at("other"), true).map(drop).map_err(said);
            let as_annotations =
                CaptionFiles::read(&at("other"), &at("results"), true).map(drop).map_err(said);
            let as_votes = VqaFiles::read(&at("other"), &at("other"), &at("other"), true)
                .map(drop)
                .map_err(said);
            any([as_results, as_annotations, as_votes].into_iter())
        },
    )
}

/// Package files, unpacked into a folder.
fn archives(bytes: &[u8]) -> Answer {
    // A tar inside gzip: damage to the packed bytes seldom gets past gzip's own checks.
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packed.write_all(bytes).and_then(|()| packed.finish()).map_err(said)?;
    any([("a.whl", bytes), ("a.tgz", bytes), ("b.tgz", &packed)].into_iter().map(
        |(name, bytes)| {
            in_folder(&[(name, bytes)], |folder| {
                let to = folder.join("unpacked");
                std::fs::create_dir(&to).map_err(said)?;
                // A small bound, so that little is written for each input.
                Fetcher::new(Store::new(folder))
                    .unpack(&folder.join(name), &to, Some(4_000_000), &NoProgress)
                    .map_err(said)
            })
        },
    ))
}

/// A tar file of samples, alone: without another one, all of it may be unusable.
fn shards(bytes: &[u8]) -> Answer {
    toolkit_data::set_most_pixels(MOST_PIXELS);
    in_folder(&[("a.tar", bytes)], |folder| {
        let options = ShardOptions { root: folder.to_owned(), ..ShardOptions::default() };
        let opening = Opening::new(folder.join("indexes"));
        let data = Shards::open("a", &["a.tar".to_owned()], &options, &opening).map_err(said)?;
        for at in 0..data.len() {
            std::hint::black_box((data.item(at), data.image(at).is_ok()));
        }
        std::hint::black_box((data.notes(), data.shards()));
        Ok(())
    })
}

/// A PNG of one pixel.
const PIXEL: &[u8] = include_bytes!("../pixel.png");

/// Writes files into a folder of this thread, gives it to `work`, and empties it.
fn in_folder(files: &[(&str, &[u8])], work: impl FnOnce(&Path) -> Answer) -> Answer {
    let folder: PathBuf = std::env::temp_dir().join(format!(
        "toolkit-fuzz-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    for (name, bytes) in files {
        let path = folder.join(name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, bytes));
        written.map_err(said)?;
    }
    // The folder is emptied after a panic too: the next input must not see this one.
    struct Emptied<'a>(&'a Path);
    impl Drop for Emptied<'_> {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(self.0);
        }
    }
    let _emptied = Emptied(&folder);
    work(&folder)
}
