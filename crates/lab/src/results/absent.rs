//! Scores that a run does not have, because its data lack questions, captions or pictures.

use crate::LabError;
use crate::work::cell_job::CellJob;
use std::collections::BTreeMap;
use toolkit_data::Dataset;
use toolkit_eval::{RetrievalTask, captioned_items, question_pairs};
use toolkit_registry::Kind;

/// Returns the reason why a score is missing in some cell, by its key.
pub(crate) fn absent(jobs: &[CellJob<'_>]) -> Result<BTreeMap<String, String>, LabError> {
    let mut all = BTreeMap::new();
    for job in distinct(jobs) {
        all.extend(of_one(job)?);
    }
    Ok(all)
}

/// Returns a line for each data set of which retrieval leaves pictures out and still has some to
/// rank.
pub(crate) fn retrieval_notes(jobs: &[CellJob<'_>]) -> Result<Vec<String>, LabError> {
    let mut notes = Vec::new();
    for job in distinct(jobs) {
        let Some(test) = job.splits.test.as_deref() else { continue };
        let Some(pool) = pool(job, test)? else { continue };
        notes.extend(pool.note.filter(|note| pool.kept > 1 && !notes.contains(note)));
    }
    Ok(notes)
}

/// Returns one cell of those with the same data and stages: data sets may be large.
fn distinct<'a, 'b>(jobs: &'a [CellJob<'b>]) -> impl Iterator<Item = &'a CellJob<'b>> {
    let alike = |a: &CellJob<'_>, b: &CellJob<'_>| {
        std::ptr::eq(a.splits, b.splits) && a.stage1.is_some() == b.stage1.is_some()
    };
    jobs.iter()
        .enumerate()
        .filter(move |(at, job)| !jobs[..*at].iter().any(|other| alike(other, job)))
        .map(|(_, job)| job)
}

/// Returns the missing scores of a cell. The plan has checked the data of `eval.also` already.
fn of_one(job: &CellJob<'_>) -> Result<BTreeMap<String, String>, LabError> {
    let Some(test) = job.splits.test.as_deref() else { return Ok(BTreeMap::new()) };
    let (eval, mut why) = (&job.cell.spec.eval, BTreeMap::new());
    if eval.vqa.is_some() && question_pairs(test, None).is_empty() {
        why.insert("vqa.overall".to_owned(), no("questions", test));
    }
    if eval.caption.is_some() && captioned_items(test, None).is_empty() {
        why.insert("caption.cider".to_owned(), no("captions", test));
    }
    if let Some(too_few) = pool(job, test)?.and_then(|pool| too_few(&pool, test)) {
        why.insert("retrieval.itc.txt_r1".to_owned(), too_few);
    }
    Ok(why)
}

/// Pictures that retrieval chooses from.
struct Pool {
    kept: usize,
    note: Option<String>,
}

/// Returns the pictures that retrieval of a cell chooses from, if it is measured.
fn pool(job: &CellJob<'_>, test: &dyn Dataset) -> Result<Option<Pool>, LabError> {
    let eval = &job.cell.spec.eval;
    let Some(retrieve) = eval.retrieve.as_ref().filter(|_| job.stage1.is_some()) else {
        return Ok(None);
    };
    let task = RetrievalTask::from_card(&job.context.registry.card(Kind::Task, retrieve)?)?;
    let limit = (eval.retrieval > 0).then_some(eval.retrieval);
    let processor = task.text_processor.as_ref();
    let kept = task.pool.of(test, limit, processor).len();
    Ok(Some(Pool { kept, note: task.pool.note(test, limit, processor) }))
}

fn too_few(pool: &Pool, test: &dyn Dataset) -> Option<String> {
    let left_out = pool
        .note
        .as_deref()
        .map_or_else(String::new, |note| format!(" ({})", note.trim_end_matches('.')));
    (pool.kept < 2)
        .then(|| format!("`{}` has no two pictures to choose from{left_out}", test.name()))
}

fn no(what: &str, data: &dyn Dataset) -> String {
    format!("`{}` has no {what}", data.name())
}
