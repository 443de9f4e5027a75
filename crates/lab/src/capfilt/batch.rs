//! Captions and scores of some pictures at a time.

use super::candidates::{Candidate, Origin, distinct, rank};
use super::damaged::{Damaged, DamagedPicture};
use super::settings::CapFiltSettings;
use crate::LabError;
use crate::work::captions::MAX_CAPTION;
use image::RgbImage;
use rayon::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use toolkit_data::{Alpha, DataError, Dataset, PackedSample};
use toolkit_seed::{Stream, key};
use toolkit_system::progress::Progress;
use toolkit_vlm::{BATCH, Vlm};

/// Most texts that are drawn at a time.
const MOST_TEXTS: usize = 64;

/// Name of the number of captions that are web texts.
pub(super) const WEB: &str = "web_captions";

/// The two models.
#[derive(Clone, Copy)]
pub(super) struct Models<'a> {
    pub captioner: &'a Vlm,
    pub matcher: &'a Vlm,
}

/// The samples of rows, in order; `None` for one that is left out.
pub(super) struct Batches<'a> {
    pub models: Models<'a>,
    pub data: &'a dyn Dataset,
    pub settings: &'a CapFiltSettings,
    pub damaged: &'a mut Damaged,
    pub progress: &'a dyn Progress,
    /// Rows that are left to do.
    pub rows: Range<usize>,
    /// Samples that are done.
    pub ready: VecDeque<Option<PackedSample>>,
}

impl Iterator for Batches<'_> {
    type Item = Result<Option<PackedSample>, LabError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let rows = self.next_rows();
            if let Err(error) = self.batch(rows.clone()) {
                return Some(Err(error));
            }
            self.progress.advance(rows.len() as u64);
        }
        self.ready.pop_front().map(Ok)
    }
}

/// A picture that could be read.
struct Read {
    row: usize,
    id: String,
    picture: RgbImage,
}

impl Batches<'_> {
    /// Takes the rows of the next batch. It ends where a shard ends, so batches are the same after
    /// a kill.
    fn next_rows(&mut self) -> Range<usize> {
        let Range { start, end } = self.rows;
        let shard = self.settings.shard_rows as usize;
        let most = (MOST_TEXTS / self.settings.decoding.answers).clamp(1, BATCH);
        let stop = end.min(start + most).min((start / shard + 1).saturating_mul(shard));
        self.rows.start = stop;
        start..stop
    }

    /// Works on some rows.
    fn batch(&mut self, rows: Range<usize>) -> Result<(), LabError> {
        let (first, count) = (rows.start, rows.len());
        let mut done: Vec<Option<PackedSample>> = vec![None; count];
        let mut left_out = Vec::new();
        let alpha = self.models.captioner.processor()?.alpha;
        let mut read = Vec::new();
        for (row, (id, picture)) in rows.clone().zip(decode(self.data, rows, alpha)) {
            match picture {
                Ok(picture) => read.push(Read { row, id, picture }),
                Err(error) if error.is_unreadable() => {
                    left_out.push(DamagedPicture { row, id, reason: error.to_string() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (picture, texts) in self.scored(read)? {
            if texts.is_empty() {
                let reason = "there is no web text, and no caption was drawn".to_owned();
                left_out.push(DamagedPicture { row: picture.row, id: picture.id, reason });
                continue;
            }
            done[picture.row - first] = Some(sample(self.data, picture.row, &texts)?);
        }
        left_out.sort_by_key(|one| one.row);
        self.damaged.extend(left_out)?;
        self.ready = done.into();
        Ok(())
    }

    /// Draws captions and ranks them with the web texts.
    fn scored(&self, read: Vec<Read>) -> Result<Vec<(Read, Vec<Candidate>)>, LabError> {
        if read.is_empty() {
            return Ok(Vec::new());
        }
        let Self { models, settings, .. } = self;
        let seed = settings.decoding.seed;
        let own = |one: &Read| Stream::new(seed, "capfilt", key(one.id.as_bytes())).next_u64();
        let seeds: Vec<u64> = read.iter().map(own).collect();
        let pictures: Vec<RgbImage> = read.iter().map(|one| one.picture.clone()).collect();
        let (prompt, decoding) = (&settings.prompt, &settings.decoding);
        let drawn = models.captioner.caption_seeded(&pictures, prompt, decoding, &seeds)?;
        let texts = read.into_iter().zip(drawn).map(|(one, drawn)| {
            let web = self.data.item(one.row).into_owned().captions;
            (one, distinct(&web, &drawn))
        });
        let (texts, without): (Vec<_>, Vec<_>) = texts.partition(|(_, texts)| !texts.is_empty());
        let pictures = self.for_matcher(&texts)?;
        let of = |texts: &Vec<Candidate>| texts.iter().map(|one| one.text.clone()).collect();
        let all: Vec<Vec<String>> = texts.iter().map(|(_, texts)| of(texts)).collect();
        let scores = models.matcher.matching_own(&pictures, &all, Some(MAX_CAPTION))?;
        let ranked = texts.into_iter().zip(scores).map(|((one, texts), scores)| {
            Ok((one, rank(texts, &scores, settings.rank_by, settings.keep)?))
        });
        ranked.chain(without.into_iter().map(Ok)).collect()
    }

    /// Returns the pictures as the matcher sees them.
    fn for_matcher(&self, read: &[(Read, Vec<Candidate>)]) -> Result<Vec<RgbImage>, LabError> {
        let alpha = self.models.matcher.processor()?.alpha;
        let same = alpha == self.models.captioner.processor()?.alpha;
        let one = |(one, _): &(Read, Vec<Candidate>)| match same {
            true => Ok(one.picture.clone()),
            false => Ok(self.data.image_as(one.row, alpha)?),
        };
        read.par_iter().map(one).collect()
    }
}

/// Decodes the pictures of rows on all cores, each with the id of its item.
fn decode(
    data: &dyn Dataset,
    rows: Range<usize>,
    alpha: Alpha,
) -> Vec<(String, Result<RgbImage, DataError>)> {
    let one = |row| (data.item(row).id.clone(), data.image_as(row, alpha));
    rows.into_par_iter().map(one).collect()
}

/// Makes the sample of a row: the kept texts are its captions, and everything is kept beside them.
fn sample(data: &dyn Dataset, row: usize, texts: &[Candidate]) -> Result<PackedSample, LabError> {
    let mut sample = PackedSample::of(data, row)?;
    let kept = texts.iter().filter(|text| text.kept);
    let web = kept.clone().filter(|text| text.from == Origin::Web).count() as u64;
    let captions = kept.map(|text| text.text.clone()).collect();
    let web_texts = std::mem::replace(&mut sample.item.captions, captions);
    sample.more.insert("web".to_owned(), json!(web_texts));
    sample.more.insert("candidates".to_owned(), json!(texts));
    sample.counts = BTreeMap::from([(WEB.to_owned(), web)]);
    Ok(sample)
}
