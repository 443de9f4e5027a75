//! The blind control: the language model's answers without any image.

use crate::LabError;
use crate::plan::fingerprint::{card_hash, hash_json};
use crate::run::done::Done;
use crate::run::folder::PIECES;
use crate::work::cell::CellJob;
use crate::work::evaluate::{Tasks, Voice, least, limit};
use crate::work::texts::Texts;
use std::path::PathBuf;
use toolkit_data::Dataset;
use toolkit_eval::{Batches, Task, VqaTask, question_pairs, vqa};

/// Names a blind control: the language model, the tasks, the questions.
#[must_use]
pub fn key(job: &CellJob<'_>) -> String {
    let eval = &job.cell.spec.eval;
    hash_json(&serde_json::json!([
        card_hash(&job.resolved.language.0),
        job.cell.tasks,
        eval.questions,
        eval.also,
        job.splits.test.fingerprint(),
        job.splits.also.iter().map(|data| data.fingerprint()).collect::<Vec<_>>(),
    ]))
}

pub(crate) fn dir(job: &CellJob<'_>) -> PathBuf {
    job.context.folder.control(&key(job))
}

/// The language model's answers to the questions of each task without any image, computed once.
///
/// # Errors
/// If the language model or prompts cannot be had.
pub fn run(job: &CellJob<'_>) -> Result<(), LabError> {
    let dir = &dir(job);
    let mut done = Done::settle(dir, job.context.reporter)?;
    if done.whole {
        return Ok(());
    }
    let splits = match job.splits.max_damaged {
        0 => job.splits.clone(),
        _ => job.splits.readable(&job.context.features(job.resolved, job.splits)?)?,
    };
    let eval = &job.cell.spec.eval;
    let (tasks, voice) = (
        Tasks::new(job.context.registry, &job.cell.spec, job.resolved)?,
        Voice::new(job.resolved)?,
    );
    let language = job.resolved.language_model(job.context.registry, &job.context.device)?;
    let generator = voice.generator(job.resolved, &language);
    let mut ask = |name: &str, data: &dyn Dataset, most, task: &VqaTask| {
        let compute = || {
            let questions = question_pairs(data, most);
            let mut texts = Texts::open(dir, name, questions.len(), eval.batch)?;
            Ok(vqa(
                &generator,
                None,
                data,
                &questions,
                task,
                Batches::kept(eval.batch, &mut texts),
            )?)
        };
        done.once(dir, &format!("{name}.json"), compute)
    };
    ask("vqa", &*splits.test, limit(eval.questions), &tasks.vqa)?;
    for ((also, task), data) in eval.also.iter().zip(&tasks.also).zip(&splits.also) {
        if let Task::Vqa(task) = task {
            ask(&also.name(), &**data, least(also.limit, eval.questions), task)?;
        }
    }
    done.seal(dir)?;
    let _ = std::fs::remove_dir_all(dir.join(PIECES));
    Ok(())
}
