//! The blind control: the language model's answers without any image.

use crate::LabError;
use crate::plan::fingerprint::{card_hash, hash_json};
use crate::run::done::Done;
use crate::run::folder::PIECES;
use crate::work::cell_job::CellJob;
use crate::work::language::LanguageText;
use crate::work::tasks::{CellTask, cell_tasks};
use crate::work::texts::Texts;
use std::path::PathBuf;
use toolkit_eval::{
    Batches, Control, EvalError, LanguageParts, MeasureOptions, Measured, MeteorTables, ModelParts,
    measure,
};
use toolkit_system::problem::Problem;

/// Version of the form of its files.
const FORM: u32 = 2;

/// Names a blind control: the language model, the tasks, the questions.
#[must_use]
pub fn key(job: &CellJob<'_>) -> String {
    let eval = &job.cell.spec.eval;
    hash_json(&serde_json::json!([
        FORM,
        job.model_plan.language.as_ref().map(|language| card_hash(&language.card)),
        job.cell.tasks,
        eval.questions,
        eval.also,
        job.splits.test.as_ref().map(|data| data.fingerprint()),
        job.splits.also.iter().map(|data| data.fingerprint()).collect::<Vec<_>>(),
    ]))
}

/// Returns `true` if a task of the cell has controls.
///
/// # Errors
/// If a task card does not exist or does not fit.
pub(crate) fn is_wanted(job: &CellJob<'_>) -> Result<bool, LabError> {
    let tasks = cell_tasks(job.context.registry, &job.cell.spec, job.model_plan)?;
    Ok(tasks.iter().any(|task| task.task.has_controls()))
}

pub(crate) fn dir(job: &CellJob<'_>) -> PathBuf {
    job.context.folder.control(&key(job))
}

/// Measures the language model alone on the questions of each task, once.
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
        None => job.splits.clone(),
        Some(_) => job.splits.readable(&job.features()?)?,
    };
    let (registry, batch) = (job.context.registry, job.cell.spec.eval.batch);
    let text = LanguageText::new(job.model_plan)?;
    let language = job.model_plan.language_model(registry, &job.context.device)?;
    let unseen = |_: &[usize]| Err(EvalError::from(Problem::defect("a picture was looked at")));
    let connect = |_| Err(EvalError::from(Problem::defect("a picture was looked at")));
    let generator = text.generator(&language);
    let model = ModelParts {
        features: &unseen,
        language: Some(LanguageParts { connect: &connect, generator }),
        text: None,
    };
    let meteor = MeteorTables::new(registry);
    let mut ask = |task: &CellTask| -> Result<Measured, LabError> {
        let data = task.data(&splits)?;
        done.once(dir, &format!("{}.json", task.name), job.context.reporter, || {
            let mut texts = Texts::open(dir, &task.name, data.len(), batch)?;
            let options = MeasureOptions {
                limit: task.limit,
                control: Some(Control::NoImage),
                ..MeasureOptions::new(Batches::stored(batch, &mut texts), &meteor)
            };
            Ok(measure(&model, &*task.task, data, options)?)
        })
    };
    let tasks = cell_tasks(registry, &job.cell.spec, job.model_plan)?;
    for task in tasks.iter().filter(|task| task.task.has_controls()) {
        ask(task)?;
    }
    done.seal(dir)?;
    let _ = std::fs::remove_dir_all(dir.join(PIECES));
    Ok(())
}
