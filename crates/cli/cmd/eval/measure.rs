//! One task: its scores, their intervals, its samples.

use crate::opened::Opened;
use crate::pictures::with_option;
use anyhow::{anyhow, bail};
use burn::tensor::Tensor;
use image::RgbImage;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::{TextSpecialTokens, noise};
use toolkit_data::{Alpha, Dataset};
use toolkit_eval::{
    Batches, CaptionResult, RetrievalTask, Task, caption, captioned_items, question_pairs,
    retrieve, vqa,
};
use toolkit_lab::work::captions::same_pictures;
use toolkit_metrics::{CaptionTokens, Interval, Meteor, bootstrap, caption_notes};
use toolkit_system::digest::sha256_hex;
use toolkit_system::progress::Progress;
use toolkit_train::TrainError;
use toolkit_vlm::Generator;

/// Draws of a bootstrap interval.
const RESAMPLES: usize = 1000;

/// What a task gave.
pub struct Measured {
    /// By name.
    pub scores: BTreeMap<String, f64>,
    /// Of those scores that are means over samples.
    pub intervals: BTreeMap<String, Interval>,
    /// Questions or pictures.
    pub samples: usize,
    /// JSON Lines.
    pub rows: Vec<u8>,
    /// Why scores are as they are, where the rules surprise.
    pub notes: Vec<String>,
}

/// Measures `opened` by `task` on `data`.
///
/// # Errors
/// If the model lacks a part, or a picture cannot be read.
pub fn measure(
    opened: &Opened,
    task: &Task,
    data: &dyn Dataset,
    limit: Option<usize>,
    batches: Batches<'_>,
    meteor: &Meteor,
    progress: &dyn Progress,
) -> anyhow::Result<Measured> {
    let alpha = opened.model.processor()?.alpha;
    let pictures = Pictures { data, alpha, progress, seen: RefCell::default() };
    match task {
        Task::Vqa(task) => {
            let questions = question_pairs(data, limit.or(task.limit));
            progress.start(0, pictures_of(questions.iter().map(|(item, _)| *item)));
            let prefixes = |items: &[usize]| prefix(opened, &pictures, items);
            let answers =
                vqa(&generator(opened)?, Some(&prefixes), data, &questions, task, batches)?;
            let mut scores: BTreeMap<String, f64> = answers
                .overall
                .map(|overall| ("overall".to_owned(), overall))
                .into_iter()
                .collect();
            let named = [
                ("answer_type", &answers.per_answer_type),
                ("kind", &answers.per_kind),
                ("group", &answers.per_group),
            ];
            for (by, all) in named {
                scores.extend(all.iter().map(|(name, value)| (format!("{by}.{name}"), *value)));
            }
            let same = same_pictures(data);
            let clusters: Vec<u64> = questions.iter().map(|(item, _)| same[*item] as u64).collect();
            let each: Vec<f64> = answers.rows.iter().map(|row| 100.0 * row.score).collect();
            let intervals = interval("overall", &each, Some(&clusters));
            Ok(Measured {
                scores,
                intervals,
                samples: questions.len(),
                rows: pictures.lines(&answers.rows, questions.iter().map(|q| q.0))?,
                notes: Vec::new(),
            })
        }
        Task::Caption(task) => {
            let items = captioned_items(data, limit.or(task.limit));
            progress.start(0, items.len() as u64);
            let prefixes = |items: &[usize]| prefix(opened, &pictures, items);
            let captions =
                caption(&generator(opened)?, Some(&prefixes), data, &items, task, batches)?;
            let (mut scores, notes) = captioned(&captions, meteor)?;
            scores.extend(
                captions
                    .per_group
                    .iter()
                    .map(|(name, group)| (format!("group.{name}.cider"), group.cider)),
            );
            let each: Vec<f64> = captions.rows.iter().map(|row| row.cider).collect();
            let intervals = interval("cider", &each, None);
            Ok(Measured {
                scores,
                intervals,
                samples: items.len(),
                rows: pictures.lines(&captions.rows, items.iter().copied())?,
                notes,
            })
        }
        Task::Retrieval(task) => retrieval(opened, task, &pictures, limit),
    }
}

/// The scores of captions over all pictures, and what is to be known of them.
fn captioned(
    captions: &CaptionResult,
    meteor: &Meteor,
) -> anyhow::Result<(BTreeMap<String, f64>, Vec<String>)> {
    let (written, references): (Vec<String>, Vec<Vec<String>>) =
        captions.rows.iter().map(|row| (row.caption.clone(), row.references.clone())).unzip();
    let tokens = CaptionTokens::of(&written, &references);
    let mut notes = caption_notes(&tokens, &tokens.bleu(&|_| {}), &tokens.cider(&|_| {}));
    let name = if meteor.has_tables() { "meteor" } else { "meteor_exact_stem" };
    let found = meteor.score_tokens(&tokens, &|_| {})?.overall;
    if found.is_none() {
        notes.push(format!(
            "`{name}` is left out: a caption and its references are too long to be compared."
        ));
    }
    let all = captions.overall.iter().flat_map(|s| {
        [
            ("cider", s.cider),
            ("bleu1", 100.0 * s.bleu1),
            ("bleu2", 100.0 * s.bleu2),
            ("bleu3", 100.0 * s.bleu3),
            ("bleu4", 100.0 * s.bleu4),
            ("rouge_l", 100.0 * s.rouge_l),
        ]
    });
    let all =
        all.chain(found.map(|score| (name, 100.0 * score))).filter(|(_, value)| value.is_finite());
    Ok((all.map(|(name, value)| (name.to_owned(), value)).collect(), notes))
}

fn retrieval(
    opened: &Opened,
    task: &RetrievalTask,
    pictures: &Pictures<'_>,
    limit: Option<usize>,
) -> anyhow::Result<Measured> {
    let (tower, words) = (opened.model.tower()?, opened.model.words()?);
    let t = &words.tokenizer;
    let (Some(cls), Some(sep)) = (t.cls, t.sep) else {
        bail!(
            "the tokenizer has no `[CLS]` and `[SEP]` --> {}; hint: give the checkpoint's own",
            opened.model.name
        )
    };
    t.check(&[cls, sep])?;
    let special_tokens = TextSpecialTokens {
        pad: words.padding(opened.model.stage1.pad)?,
        cls,
        sep,
        dec: opened.model.stage1.dec,
    };
    let pool = task.pool.of(pictures.data, limit.or(task.limit));
    let items: Vec<usize> = pool.iter().map(|(item, _)| *item).collect();
    let texts = pool.iter().map(|(_, texts)| texts.iter().map(|text| t.encode(text)).collect());
    let texts = texts.collect::<Result<Vec<Vec<Vec<u32>>>, _>>()?;
    if items.len() < 2 {
        bail!(
            "there are no two pictures to choose from --> task `{}` on `{}`; hint: raise `--limit`",
            task.name,
            pictures.data.name()
        );
    }
    pictures.progress.start(0, 2 * items.len() as u64);
    let features = |items: &[usize]| features(opened, pictures, items);
    let found =
        noise::off(|| retrieve(tower, &features, &items, &texts, special_tokens, task.config))?;
    let mut scores = BTreeMap::from([("chance.r1".to_owned(), found.chance_r1)]);
    for (name, recall) in [("itc", Some(&found.itc)), ("itm", found.itm.as_ref())] {
        let Some(recall) = recall else { continue };
        if let serde_json::Value::Object(all) = serde_json::to_value(recall)? {
            scores.extend(
                all.into_iter()
                    .filter_map(|(key, value)| Some((format!("{name}.{key}"), value.as_f64()?))),
            );
        }
    }
    scores.extend(
        found.itm_accuracy.map(|accuracy| ("itm.hard_negative_accuracy".to_owned(), accuracy)),
    );
    // Of texts there may be several for an image, of which only the first one's rank is kept.
    let hit = |rank: Option<usize>| if rank == Some(0) { 100.0 } else { 0.0 };
    let by_similarity: Vec<f64> =
        found.rows.iter().map(|row| hit(Some(row.text_rank_itc))).collect();
    let mut intervals = interval("itc.txt_r1", &by_similarity, None);
    if found.itm.is_some() {
        let ranked: Vec<f64> = found.rows.iter().map(|row| hit(row.text_rank_itm)).collect();
        intervals.extend(interval("itm.txt_r1", &ranked, None));
    }
    if texts.iter().all(|own| own.len() == 1) {
        let images: Vec<f64> = found.rows.iter().map(|row| hit(Some(row.image_rank_itc))).collect();
        intervals.extend(interval("itc.img_r1", &images, None));
    }
    Ok(Measured {
        scores,
        intervals,
        samples: items.len(),
        rows: pictures.lines(&found.rows, items.iter().copied())?,
        notes: task.pool.note(pictures.data, limit.or(task.limit)).into_iter().collect(),
    })
}

fn pictures_of(items: impl Iterator<Item = usize>) -> u64 {
    items.collect::<BTreeSet<_>>().len() as u64
}

fn interval(name: &str, each: &[f64], clusters: Option<&[u64]>) -> BTreeMap<String, Interval> {
    bootstrap(each, clusters, RESAMPLES, 0)
        .into_iter()
        .map(|interval| (name.to_owned(), interval))
        .collect()
}

fn generator(opened: &Opened) -> anyhow::Result<Generator<'_>> {
    Ok(opened.model.language()?.generator(Some(opened.model.words()?)))
}

/// The pictures of a data set, with the digests of those that were looked at.
struct Pictures<'a> {
    data: &'a dyn Dataset,
    /// Treatment of transparency for the model that is measured.
    alpha: Alpha,
    progress: &'a dyn Progress,
    seen: RefCell<BTreeMap<usize, String>>,
}

impl Pictures<'_> {
    fn get(&self, items: &[usize]) -> Result<Vec<RgbImage>, TrainError> {
        let one = |&item: &usize| {
            let picture = self.data.image_as(item, self.alpha).map_err(|error| {
                let said = error.to_string();
                TrainError::Other(if error.is_unreadable() { with_option(&said) } else { said })
            })?;
            self.seen.borrow_mut().entry(item).or_insert_with(|| sha256_hex(picture.as_raw()));
            Ok(picture)
        };
        items.iter().map(one).collect()
    }

    /// JSON Lines, each with the digest of its picture's decoded pixels.
    fn lines<T: Serialize>(
        &self,
        rows: &[T],
        items: impl Iterator<Item = usize>,
    ) -> anyhow::Result<Vec<u8>> {
        let items: Vec<usize> = items.collect();
        // Pictures of texts that an earlier call wrote were not looked at in this one.
        let unseen: BTreeSet<usize> =
            items.iter().copied().filter(|item| !self.seen.borrow().contains_key(item)).collect();
        for item in unseen {
            self.get(&[item])?;
        }
        let seen = self.seen.borrow();
        let mut text = Vec::new();
        for (row, item) in rows.iter().zip(items) {
            let mut row = serde_json::to_value(row)?;
            row["picture_sha256"] = seen.get(&item).cloned().into();
            serde_json::to_writer(&mut text, &row)?;
            text.push(b'\n');
        }
        Ok(text)
    }
}

fn features(
    opened: &Opened,
    pictures: &Pictures<'_>,
    items: &[usize],
) -> Result<Tensor<3>, TrainError> {
    let features = opened.features(&pictures.get(items)?);
    pictures.progress.advance(items.len() as u64);
    features.map_err(|error| TrainError::Other(error.to_string()))
}

fn prefix(
    opened: &Opened,
    pictures: &Pictures<'_>,
    items: &[usize],
) -> Result<Tensor<3>, TrainError> {
    let features = features(opened, pictures, items)?;
    let language =
        opened.model.language().map_err(|error| TrainError::Other(anyhow!(error).to_string()))?;
    Ok(noise::off(|| language.prefix(opened.model.queries(features))))
}
