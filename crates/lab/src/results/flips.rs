//! Flips: samples that one cell gets right and the cell it is compared with does not.

use crate::LabError;
use crate::experiment::spec::Spec;
use crate::experiment::sweep::text;
use crate::results::labels::cell_name;
use crate::results::pictures::{answers, png_of};
use crate::work::cell_job::CellJob;
use toolkit_data::Dataset;
use toolkit_eval::{CaptionRow, VqaRowResult, read_samples};
use toolkit_report::{Flips, SampleOutput, SamplePicture};

/// Most pictures of each direction.
const SHOWN: usize = 4;

/// Most pairs of cells.
const PAIRS: usize = 6;

/// A change of the score of an answer (0 to 1) that is a flip.
const ANSWER: f64 = 0.5;

/// A change of CIDEr (0 to about 10) that is a flip.
const CIDER: f64 = 1.0;

/// Finds the flips between each cell of the first seed and its baseline, by questions and by captions.
pub(crate) fn flips(jobs: &[CellJob<'_>], spec: &Spec) -> Result<Vec<Flips>, LabError> {
    let Some(first) = jobs.first() else { return Ok(Vec::new()) };
    let of_seed: Vec<&CellJob<'_>> =
        jobs.iter().filter(|job| job.cell.seed == first.cell.seed).collect();
    let mut all = Vec::new();
    for job in &of_seed {
        let mut axes = job.cell.axes.clone();
        axes.extend(spec.baseline.iter().map(|(key, value)| (key.clone(), text(value))));
        let against = of_seed.iter().find(|other| other.cell.axes == axes && axes != job.cell.axes);
        let Some(against) = against.filter(|_| all.len() < 2 * PAIRS) else { continue };
        all.extend(of_pair(job, against, spec)?);
    }
    Ok(all)
}

fn of_pair(job: &CellJob<'_>, against: &CellJob<'_>, spec: &Spec) -> Result<Vec<Flips>, LabError> {
    let names = [cell_name(job, spec), cell_name(against, spec)];
    let flips = [answer_flips(job, against, &names)?, caption_flips(job, against, &names)?];
    Ok(flips.into_iter().filter(|flips| flips.gained + flips.lost > 0).collect())
}

/// Compares answers to the same questions in the same order.
fn answer_flips(
    job: &CellJob<'_>,
    against: &CellJob<'_>,
    names: &[String; 2],
) -> Result<Flips, LabError> {
    let [own, other] = [answers(job)?, answers(against)?];
    let same =
        own.iter().zip(&other).filter(|(a, b)| a.id == b.id && a.question_id == b.question_id);
    let pairs: Vec<(&VqaRowResult, &VqaRowResult)> = same.collect();
    let output = |name: &String, row: &VqaRowResult| SampleOutput {
        cell: name.clone(),
        answer: row.raw.clone(),
        correct: row.score,
        caption: String::new(),
    };
    let show = |(a, b): &(&VqaRowResult, &VqaRowResult)| {
        let sample = SamplePicture {
            id: a.id.clone(),
            group: a.group.clone(),
            question: a.question.clone(),
            answers: a.answers.clone(),
            outputs: vec![output(&names[0], a), output(&names[1], b)],
            ..SamplePicture::default()
        };
        with_picture(job.splits.test.as_deref(), sample)
    };
    sides("questions", names, &pairs, |(a, b)| a.score - b.score, ANSWER, show)
}

/// Compares captions, where there are any. A higher CIDEr is nearer to what people wrote.
fn caption_flips(
    job: &CellJob<'_>,
    against: &CellJob<'_>,
    names: &[String; 2],
) -> Result<Flips, LabError> {
    let rows = |job: &CellJob<'_>| -> Vec<CaptionRow> {
        read_samples(&job.dir().join("captions.jsonl")).unwrap_or_default()
    };
    let [own, other] = [rows(job), rows(against)];
    let pairs: Vec<(&CaptionRow, &CaptionRow)> =
        own.iter().zip(&other).filter(|(a, b)| a.id == b.id).collect();
    let output = |name: &String, row: &CaptionRow| SampleOutput {
        cell: name.clone(),
        caption: format!("{} (CIDEr {:.2})", row.caption, row.cider),
        ..SampleOutput::default()
    };
    let show = |(a, b): &(&CaptionRow, &CaptionRow)| {
        let sample = SamplePicture {
            id: a.id.clone(),
            group: a.group.clone(),
            outputs: vec![output(&names[0], a), output(&names[1], b)],
            ..SamplePicture::default()
        };
        with_picture(job.splits.test.as_deref(), sample)
    };
    sides("captions", names, &pairs, |(a, b)| a.cider - b.cider, CIDER, show)
}

/// Counts the pairs that change by `least` or more in favour of the first cell (gained) or the
/// second (lost), and shows some, spread over all.
fn sides<T>(
    task: &str,
    names: &[String; 2],
    pairs: &[T],
    change: impl Fn(&T) -> f64,
    least: f64,
    show: impl Fn(&T) -> Result<SamplePicture, LabError>,
) -> Result<Flips, LabError> {
    let gained: Vec<&T> = pairs.iter().filter(|pair| change(pair) >= least).collect();
    let lost: Vec<&T> = pairs.iter().filter(|pair| change(pair) <= -least).collect();
    let some = |of: &[&T]| -> Result<Vec<SamplePicture>, LabError> {
        let shown = SHOWN.min(of.len());
        (0..shown).map(|at| show(of[at * of.len() / shown])).collect()
    };
    Ok(Flips {
        task: task.to_owned(),
        cell: names[0].clone(),
        against: names[1].clone(),
        compared: pairs.len(),
        gained: gained.len(),
        lost: lost.len(),
        gains: some(&gained)?,
        losses: some(&lost)?,
    })
}

/// Adds the picture and captions of a sample, if the test split has it.
fn with_picture(
    test: Option<&dyn Dataset>,
    sample: SamplePicture,
) -> Result<SamplePicture, LabError> {
    let Some(test) = test else { return Ok(sample) };
    let Some(item) = (0..test.len()).find(|&i| test.item(i).id == sample.id) else {
        return Ok(sample);
    };
    Ok(SamplePicture {
        png: png_of(test, item)?,
        captions: test.item(item).captions.clone(),
        ..sample
    })
}
