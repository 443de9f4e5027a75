//! The `folder` data set: anyone's pictures.
//!
//! Pictures lie in one folder; captions in a `.txt` file with the stem of the picture (one a line), or captions and
//! questions of many pictures in `captions.jsonl`.

use crate::dataset::{at, hex};
use crate::{DataError, Dataset, Item, Question, answer_type, decode};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
const LINES: &str = "captions.jsonl";
const EXAMPLE: &str = r#"write {"image": "a.png", "captions": ["a dog"], "questions": [{"question": "what is it?", "answers": ["dog"]}]}"#;

/// A line of `captions.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    image: String,
    #[serde(default)]
    captions: Vec<String>,
    #[serde(default)]
    questions: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    question: String,
    answers: Vec<String>,
    #[serde(default)]
    kind: Option<String>,
}

/// Pictures of a folder with their texts.
pub struct Folder {
    name: String,
    paths: Vec<PathBuf>,
    items: Vec<Item>,
    /// Reads every file, so it is computed once.
    fingerprint: OnceLock<String>,
}

fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        DataError::Line {
            path: path.to_owned(),
            line: 1 + before.iter().filter(|&&b| b == b'\n').count(),
            what: "not UTF-8 text".to_owned(),
            hint: "save the file as UTF-8".to_owned(),
        }
    })
}

/// The pictures right in `dir`, by name.
fn pictures(dir: &Path) -> Result<Vec<String>, DataError> {
    let fail = |source| DataError::Read { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let known = extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()));
        if let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|_| known && path.is_file()) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

impl Folder {
    /// Reads the texts of a folder; pictures are decoded when asked for. A picture without caption is allowed.
    ///
    /// # Errors
    /// If the folder or a text cannot be read, holds no picture, or a line is wrong (the error names file and line).
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let mut items: BTreeMap<String, Item> = BTreeMap::new();
        let blank = |id: &str| Item {
            id: id.to_owned(),
            shows: id.to_owned(),
            group: "all".to_owned(),
            captions: vec![],
            questions: vec![],
        };
        for name in pictures(dir)? {
            let mut item = blank(&name);
            let text = dir.join(&name).with_extension("txt");
            if text.is_file() {
                let text = read_text(&text)?;
                item.captions = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
            }
            items.insert(name, item);
        }
        let lines = dir.join(LINES);
        if lines.is_file() {
            for (at, text) in read_text(&lines)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
                let fail = |what: String, hint: &str| DataError::Line {
                    path: lines.clone(),
                    line: at + 1,
                    what,
                    hint: hint.to_owned(),
                };
                let line: Line = serde_json::from_str(text).map_err(|error| fail(error.to_string(), EXAMPLE))?;
                // `./a.png` and `a.png` would be two items that show the same.
                let plain = |part| matches!(part, std::path::Component::Normal(_));
                if !Path::new(&line.image).components().all(plain) || line.image.contains("/./") {
                    return Err(fail(
                        format!("'{}' is no plain path", line.image),
                        "write it from the folder on, without `.` and `..`",
                    ));
                }
                if !dir.join(&line.image).is_file() {
                    return Err(fail(
                        format!("there is no picture {}", dir.join(&line.image).display()),
                        "\"image\" is a path relative to the folder",
                    ));
                }
                if let Some(bad) = line.questions.iter().find(|q| q.answers.is_empty()) {
                    return Err(fail(format!("'{}' has no answer", bad.question), "give at least one in \"answers\""));
                }
                let item = items.entry(line.image.clone()).or_insert_with(|| blank(&line.image));
                item.captions.extend(line.captions);
                item.questions.extend(line.questions.into_iter().map(|asked| Question {
                    id: 0,
                    answer_type: answer_type(&asked.answers[0]).to_owned(),
                    text: asked.question,
                    answers: asked.answers,
                    kind: asked.kind.unwrap_or_else(|| "other".to_owned()),
                }));
            }
        }
        if items.is_empty() {
            return Err(DataError::Empty { path: dir.to_owned() });
        }
        let paths = items.keys().map(|name| dir.join(name)).collect();
        let mut items: Vec<Item> = items.into_values().collect();
        for (id, question) in items.iter_mut().flat_map(|item| &mut item.questions).enumerate() {
            question.id = id as u64;
        }
        let name = dir.file_name().map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
        Ok(Self { name: format!("folder:{name}"), paths, items, fingerprint: OnceLock::new() })
    }
}

impl Dataset for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> &Item {
        &self.items[index]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let path = at(&self.paths, index, &self.name)?;
        decode(path)
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.get_or_init(|| self.digest()).clone()
    }
}

impl Folder {
    fn digest(&self) -> String {
        // Bytes, not sizes and times: a cache of features must notice an edited picture.
        let files: Vec<Vec<u8>> = self
            .paths
            .par_iter()
            .map(|path| std::fs::read(path).map(|bytes| Sha256::digest(bytes).to_vec()).unwrap_or_default())
            .collect();
        let mut hash = Sha256::new();
        for (file, item) in files.iter().zip(&self.items) {
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
            hash.update(format!("{item:?}\n"));
        }
        hex(&hash.finalize())
    }
}
