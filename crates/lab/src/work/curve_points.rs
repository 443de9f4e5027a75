//! Evaluation along stage 2: an observer of the training.

use crate::run::done::Done;
use crate::work::cell_job::CellJob;
use crate::work::evaluate;
use crate::work::feature_store::SplitFeatures;
use burn::module::Module;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_core::AnyLanguage;
use toolkit_metrics::scores::{self, Better};
use toolkit_models::connector::Connector;
use toolkit_system::problem::Problem;
use toolkit_train::TrainError;
use toolkit_train::checkpoint::Best;
use toolkit_train::fit::{Observer, StepLines};

/// Measures a point of the curve every so many steps, unless its file is there already.
pub(super) struct CurvePoints<'a> {
    /// The cell.
    pub(super) job: &'a CellJob<'a>,
    /// Files of the cell that are finished.
    pub(super) done: &'a mut Done,
    /// Features of the validation split.
    pub(super) features: &'a SplitFeatures,
    /// The language model, on a device without autodiff.
    pub(super) language: &'a AnyLanguage,
}

impl CurvePoints<'_> {
    fn measure(&mut self, step: u64, model: &Connector) -> Result<(), TrainError> {
        let spec = self.job.spec();
        let every = spec.eval.every;
        let last = spec.stage2.as_ref().is_some_and(|stage2| step == stage2.steps);
        if !spec.eval.has_curve() || (!step.is_multiple_of(every) && !last) {
            return Ok(());
        }
        let dir: PathBuf = self.job.dir();
        let point =
            || evaluate::curve_point(self.job, &model.valid(), self.language, self.features);
        let (name, reporter) = (format!("eval/step-{step:06}.json"), self.job.context.reporter);
        match self.done.once(&dir, &name, reporter, point) {
            Ok(point) => self.keep_best(step, &point, model),
            Err(error) => Err(Problem::new(error).into()),
        }
    }

    /// Keeps the weights if no point before has a better score. Points are the same after a kill,
    /// and so are the weights that are kept: those of the first step with the best score.
    fn keep_best(
        &self,
        step: u64,
        point: &BTreeMap<String, f64>,
        model: &Connector,
    ) -> Result<(), TrainError> {
        let Some(wanted) = &self.job.spec().compute.best else { return Ok(()) };
        let overall = format!("{wanted}.{}", scores::OVERALL.key);
        let found = point.get_key_value(wanted).or_else(|| point.get_key_value(&overall));
        let (score, &value) = found.ok_or_else(|| {
            let known: Vec<&str> = point.keys().map(String::as_str).collect();
            Problem::new(format_args!("`compute.best` = \"{wanted}\" is no score of the curve"))
                .hint(format_args!("name one of them: {}", known.join(", ")))
        })?;
        let lower = scores::of(score).is_some_and(|score| score.better == Better::Lower);
        let better = |best: &Best| if lower { value < best.value } else { value > best.value };
        let dir = self.job.stage2_dir();
        // The same score of an experiment that named another one before.
        let before = Best::load(&dir)?.filter(|best| best.score == *score);
        match before {
            Some(best) if !better(&best) => Ok(()),
            _ => Best::save(&dir, model, step, (score, value)),
        }
    }
}

impl Observer<Connector> for CurvePoints<'_> {
    fn start(&mut self, done: u64, _: u64, model: &Connector) -> Result<(), TrainError> {
        self.measure(done, model)
    }

    fn after_step(
        &mut self,
        done: u64,
        _: &StepLines,
        model: &Connector,
    ) -> Result<(), TrainError> {
        self.measure(done, model)
    }
}
