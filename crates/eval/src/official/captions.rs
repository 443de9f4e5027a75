//! Captions in COCO's form: `captions_*.json` and a list of results.

use super::file::{Section, index, read, read_rows};
use super::id::Id;
use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use toolkit_data::{Field, FieldType};
use toolkit_metrics::{Bleu, CaptionTokens, Cider, Meteor, MeteorScores, caption_notes, mean};
use toolkit_system::progress::Progress;

/// Captions with their references, image by image.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptionFiles {
    /// Ids of the images, in the order of the annotation file.
    pub images: Vec<Id>,
    /// Caption of each image.
    pub captions: Vec<String>,
    /// References of each image, at least one.
    pub references: Vec<Vec<String>>,
}

/// Scores of one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredCaption {
    /// Id of the image.
    pub image_id: Id,
    /// Caption as it was given.
    pub caption: String,
    /// Tokens that are compared.
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

const ANNOTATIONS: &str =
    "write {\"images\": [{\"id\"}], \"annotations\": [{\"id\", \"image_id\", \"caption\"}]}";
const SECTIONS: &[Section] = &[
    (
        Some("annotations"),
        &[
            Field::needed("image_id", FieldType::Id),
            Field::optional("id", FieldType::Id),
            Field::needed("caption", FieldType::Text),
        ],
    ),
    (Some("images"), &[Field::needed("id", FieldType::Id)]),
];
const ROW: &[Field] =
    &[Field::needed("image_id", FieldType::Id), Field::needed("caption", FieldType::Text)];
const RESULTS: &str = "write [{\"image_id\", \"caption\"}], one for each image";

impl CaptionFiles {
    /// Reads both files and joins them. With `partial`, images without a result are left out, as
    /// the official example does by restricting itself to the images of the results; CIDEr then
    /// counts documents among those that are left.
    ///
    /// # Errors
    /// If a file is malformed (with the row and its key), an id comes twice, or the files are not
    /// about the same images.
    pub fn read(annotations: &Path, results: &Path, partial: bool) -> Result<Self, EvalError> {
        let known: Annotations = read(annotations, ANNOTATIONS, SECTIONS)?;
        let rows: Vec<Row> = read_rows(results, RESULTS, ROW)?;
        let ids = rows.iter().map(|row| &row.image_id);
        let given = index("the result of image", ids, results, RESULTS)?;
        let numbers = known.annotations.iter().filter_map(|a| a.id.as_ref());
        index("annotation", numbers, annotations, "number them")?;

        // 1. The images and the image of each annotation.
        let (images, at) = known.images(annotations)?;
        let owner = known.owners(&at, annotations)?;
        let mut counts = vec![0_usize; images.len()];
        owner.iter().for_each(|&image| counts[image] += 1);

        // 2. Every result needs references, every image a result.
        let bare = |row: &&Row| at.get(&row.image_id).is_none_or(|&image| counts[image] == 0);
        if let Some(row) = rows.iter().find(bare) {
            let (id, annotations) = (&row.image_id, annotations.display());
            let what = format!("image {id} has a result but no reference in {annotations}");
            let hint = "results and annotations must be of the same split";
            return Err(EvalError::new(what, results.display().to_string(), hint));
        }
        let result_of: Vec<Option<usize>> =
            images.iter().map(|id| given.get(id).copied()).collect();
        if !partial {
            check_missing(&images, &result_of, results)?;
        }

        // 3. Texts are moved, for files may be large.
        drop((at, given));
        let mut references: Vec<Vec<String>> = counts.into_iter().map(Vec::with_capacity).collect();
        for (image, annotation) in owner.into_iter().zip(known.annotations) {
            references[image].push(annotation.caption);
        }
        let mut captions: Vec<String> = rows.into_iter().map(|row| row.caption).collect();
        let mut files = Self { images: vec![], captions: vec![], references: vec![] };
        for ((id, row), references) in images.into_iter().zip(result_of).zip(references) {
            let Some(row) = row else { continue };
            files.images.push(id);
            files.captions.push(std::mem::take(&mut captions[row]));
            files.references.push(references);
        }
        if files.is_empty() {
            let what = "there is nothing to score";
            return Err(EvalError::new(what, results.display().to_string(), RESULTS));
        }
        Ok(files)
    }
}

/// Refuses images without a result.
fn check_missing(
    images: &[Id],
    result_of: &[Option<usize>],
    results: &Path,
) -> Result<(), EvalError> {
    let missing: Vec<&Id> =
        images.iter().zip(result_of).filter(|(_, row)| row.is_none()).map(|(id, _)| id).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let (count, all) = (missing.len(), images.len());
    let what = format!("{count} of {all} images have no result, the first is {first}");
    let hint = "caption them all, or score only the images of the results with `--partial`";
    Err(EvalError::new(what, results.display().to_string(), hint))
}

/// Place of each image in a list of images.
type Places<'a> = HashMap<&'a Id, usize>;

impl Annotations {
    /// Returns the images, as they are listed, or else as they are first annotated.
    fn images(&self, file: &Path) -> Result<(Vec<Id>, Places<'_>), EvalError> {
        if let Some(listed) = &self.images {
            let ids = listed.iter().map(|image| &image.id);
            let at = index("image", ids, file, "list each image once")?;
            return Ok((listed.iter().map(|image| image.id.clone()).collect(), at));
        }
        let (mut images, mut at) = (Vec::new(), Places::new());
        for annotation in &self.annotations {
            at.entry(&annotation.image_id).or_insert_with(|| {
                images.push(annotation.image_id.clone());
                images.len() - 1
            });
        }
        Ok((images, at))
    }

    /// Returns the place of each annotation's image.
    fn owners(&self, at: &Places<'_>, file: &Path) -> Result<Vec<usize>, EvalError> {
        let owner = |(entry, annotation): (usize, &Annotation)| {
            at.get(&annotation.image_id).copied().ok_or_else(|| {
                let (row, id) = (entry + 1, &annotation.image_id);
                let what =
                    format!("row {row} of \"annotations\" is of image {id}, which is not listed");
                EvalError::new(what, file.display().to_string(), ANNOTATIONS)
            })
        };
        self.annotations.iter().enumerate().map(owner).collect()
    }
}

/// Scores of a set of captions.
pub struct ScoredCaptions {
    /// Over all images, by the names of the official tool; `None` where a text is too long for the
    /// metric.
    pub scores: BTreeMap<&'static str, Option<f64>>,
    /// Notes on scores where the rules surprise.
    pub notes: Vec<String>,
    tokens: CaptionTokens,
    bleu: Bleu,
    rouge: Vec<f64>,
    cider: Cider,
    meteor: (&'static str, MeteorScores),
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

    /// `Bleu_1` to `Bleu_4`, `METEOR` (`METEOR-exact-stem` if it has no tables), `ROUGE_L` and
    /// `CIDEr`.
    ///
    /// # Errors
    /// If the tables of METEOR are damaged.
    pub fn score(
        &self,
        meteor: &Meteor,
        progress: &dyn Progress,
    ) -> Result<ScoredCaptions, EvalError> {
        let (images, texts) = (self.len(), self.references.iter().map(Vec::len).sum::<usize>());
        // Every text is tokenised once; every image is scored three times, and twice gone through
        // by METEOR.
        progress.start(0, (texts + 6 * images) as u64);
        let advance = |more: usize| progress.advance(more as u64);
        let tokens = CaptionTokens::of_with(&self.captions, &self.references, &advance);
        let (bleu, rouge, cider) =
            (tokens.bleu(&advance), tokens.rouge_l(&advance), tokens.cider(&advance));
        let found = meteor.score_tokens(&tokens, &advance)?;
        let name = if meteor.has_tables() { "METEOR" } else { "METEOR-exact-stem" };
        let mut notes = caption_notes(&tokens, &bleu, &cider);
        for (name, each) in [("ROUGE_L", &rouge), (name, &found.each)] {
            let long =
                each.iter().position(|score| score.is_nan()).map(|image| &self.images[image]);
            notes.extend(long.map(|image| too_long(name, image)));
        }
        let number = |mean: Option<f64>| mean.filter(|score| score.is_finite());
        let mut scores: BTreeMap<&'static str, Option<f64>> = BLEU
            .into_iter()
            .enumerate()
            .map(|(order, name)| (name, bleu.corpus.map(|all| all[order])))
            .collect();
        scores.insert(name, number(found.overall));
        scores.insert("ROUGE_L", number(mean(&rouge)));
        scores.insert("CIDEr", number(mean(&cider.per_image)));
        Ok(ScoredCaptions { scores, notes, tokens, bleu, rouge, cider, meteor: (name, found) })
    }
}

fn too_long(metric: &str, image: &Id) -> String {
    format!(
        "{metric} is left out: the caption and the references of image {image} are so long that comparing them would take \
         minutes."
    )
}

impl ScoredCaptions {
    /// Image by image; `files` is what was scored.
    pub fn each(&self, files: &CaptionFiles) -> impl Iterator<Item = ScoredCaption> {
        let (name, meteor) = &self.meteor;
        files.images.iter().zip(&files.captions).enumerate().map(move |(at, (image, caption))| {
            ScoredCaption {
                image_id: image.clone(),
                caption: caption.clone(),
                tokens: self.tokens.caption(at),
                scores: (BLEU.into_iter().zip(self.bleu.per_image[at]))
                    .chain([
                        (*name, meteor.each[at]),
                        ("ROUGE_L", self.rouge[at]),
                        ("CIDEr", self.cider.per_image[at]),
                    ])
                    .collect(),
            }
        })
    }
}

const BLEU: [&str; 4] = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"];
