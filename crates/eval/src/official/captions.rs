//! Captions in COCO's form: `captions_*.json` and a list of results.

use super::file::{Id, index, read};
use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use toolkit_metrics::{Meteor, MeteorError, bleu, cider, mean, rouge_l, tokenize_all};

/// Captions with their references, image by image.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionFiles {
    /// In the order of the annotation file.
    pub images: Vec<Id>,
    /// One for each image.
    pub captions: Vec<String>,
    /// Those of each image, at least one.
    pub references: Vec<Vec<String>>,
}

/// One image's scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredCaption {
    /// The image.
    pub image_id: Id,
    /// The caption as it was given.
    pub caption: String,
    /// As it is compared.
    pub tokens: String,
    /// By the names of the official tool.
    #[serde(flatten)]
    pub scores: BTreeMap<&'static str, f64>,
}

#[derive(Deserialize)]
struct Annotations {
    images: Option<Vec<Image>>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: Id,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    id: Option<Id>,
    caption: String,
}

#[derive(Deserialize)]
struct Row {
    image_id: Id,
    caption: String,
}

const ANNOTATIONS: &str = "write {\"images\": [{\"id\"}], \"annotations\": [{\"id\", \"image_id\", \"caption\"}]}";
const RESULTS: &str = "write [{\"image_id\", \"caption\"}], one for each image";

impl CaptionFiles {
    /// Reads both files and joins them. With `partial`, images without a result are left out, as the official example does
    /// by restricting itself to the images of the results; CIDEr then counts documents among those that are left.
    ///
    /// # Errors
    /// If a file is malformed (with line and column), an id comes twice, or the files are not about the same images.
    pub fn read(annotations: &Path, results: &Path, partial: bool) -> Result<Self, EvalError> {
        let held: Annotations = read(annotations, ANNOTATIONS)?;
        let rows: Vec<Row> = read(results, RESULTS)?;
        let given = index("the result of image", rows.iter().map(|row| &row.image_id), results, RESULTS)?;
        index("annotation", held.annotations.iter().filter_map(|a| a.id.as_ref()), annotations, "number them")?;

        // 1. The images, as they are listed, or else as they are first annotated.
        let mut images: Vec<Id> = Vec::new();
        let mut at: HashMap<&Id, usize> = HashMap::new();
        match &held.images {
            Some(listed) => {
                at = index("image", listed.iter().map(|image| &image.id), annotations, "list each image once")?;
                images.extend(listed.iter().map(|image| image.id.clone()));
            }
            None => {
                for annotation in &held.annotations {
                    at.entry(&annotation.image_id).or_insert_with(|| {
                        images.push(annotation.image_id.clone());
                        images.len() - 1
                    });
                }
            }
        }
        let mut references = vec![Vec::new(); images.len()];
        for (entry, annotation) in held.annotations.iter().enumerate() {
            let Some(&image) = at.get(&annotation.image_id) else {
                let what = format!("annotation {entry} is of image {}, which is not listed", annotation.image_id);
                return Err(EvalError::new(what, annotations.display().to_string(), ANNOTATIONS));
            };
            references[image].push(annotation.caption.clone());
        }

        // 2. Every result needs references, every image a result.
        if let Some(row) = rows.iter().find(|row| at.get(&row.image_id).is_none_or(|&i| references[i].is_empty())) {
            let what = format!("image {} has a result but no reference in {}", row.image_id, annotations.display());
            let hint = "results and annotations must be of the same split";
            return Err(EvalError::new(what, results.display().to_string(), hint));
        }
        let missing: Vec<&Id> = images.iter().filter(|id| !given.contains_key(id)).collect();
        if let Some(first) = missing.first().filter(|_| !partial) {
            let what = format!("{} of {} images have no result, the first is {first}", missing.len(), images.len());
            let hint = "caption them all, or score only the images of the results with `--partial`";
            return Err(EvalError::new(what, results.display().to_string(), hint));
        }
        let kept = |id: &Id| given.get(id).map(|&row| rows[row].caption.clone());
        let joined = images.into_iter().zip(references).filter_map(|(id, r)| Some((kept(&id)?, id, r)));
        let mut files = Self { images: vec![], captions: vec![], references: vec![] };
        for (caption, id, references) in joined {
            files.images.push(id);
            files.captions.push(caption);
            files.references.push(references);
        }
        if files.is_empty() {
            return Err(EvalError::new("there is nothing to score", results.display().to_string(), RESULTS));
        }
        Ok(files)
    }
}

/// What a set of captions scores.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredCaptions {
    /// Over all images, by the names of the official tool.
    pub scores: BTreeMap<&'static str, f64>,
    /// Image by image.
    pub each: Vec<ScoredCaption>,
}

impl CaptionFiles {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Never: reading refuses it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// `Bleu_1` to `Bleu_4`, `METEOR` (`METEOR-exact-stem` if it has no tables), `ROUGE_L` and `CIDEr`.
    ///
    /// # Errors
    /// If the tables of METEOR are damaged.
    pub fn score(&self, meteor: &Meteor) -> Result<ScoredCaptions, EvalError> {
        let hypotheses = tokenize_all(&self.captions);
        let flat: Vec<&str> = self.references.iter().flatten().map(String::as_str).collect();
        let mut tokens = tokenize_all(&flat).into_iter();
        let references: Vec<Vec<Vec<String>>> =
            self.references.iter().map(|own| tokens.by_ref().take(own.len()).collect()).collect();
        let found = meteor.score(&hypotheses, &references).map_err(|error| unread(&error))?;
        let name = if meteor.has_tables() { "METEOR" } else { "METEOR-exact-stem" };
        let bleu = bleu(&hypotheses, &references);
        let (rouge, cider) = (rouge_l(&hypotheses, &references), cider(&hypotheses, &references));
        let mut scores: BTreeMap<&'static str, f64> = BLEU.into_iter().zip(bleu.corpus).collect();
        scores.insert(name, found.overall);
        scores.insert("ROUGE_L", mean(&rouge).unwrap_or(0.0));
        scores.insert("CIDEr", mean(&cider).unwrap_or(0.0));
        let one = |at: usize| ScoredCaption {
            image_id: self.images[at].clone(),
            caption: self.captions[at].clone(),
            tokens: hypotheses[at].join(" "),
            scores: (BLEU.into_iter().zip(bleu.per_image[at]))
                .chain([(name, found.each[at]), ("ROUGE_L", rouge[at]), ("CIDEr", cider[at])])
                .collect(),
        };
        Ok(ScoredCaptions { scores, each: (0..self.len()).map(one).collect() })
    }
}

fn unread(error: &MeteorError) -> EvalError {
    let text = error.to_string();
    let (what, hint) = text.split_once("; hint: ").unwrap_or((&text, "fetch the tables again"));
    EvalError::new(what, "METEOR", hint)
}

const BLEU: [&str; 4] = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"];
