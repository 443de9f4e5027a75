//! Checks of an experiment file that types cannot make.

use crate::LabError;
use crate::experiment::ranges::{self, OutOfRange};
use crate::experiment::spec::{Spec, Stage1Spec, Stage2Spec, TrainData};
use std::collections::BTreeSet;
use toolkit_data::DataError;
use toolkit_registry::Source;

impl Spec {
    /// Checks values that types cannot.
    ///
    /// # Errors
    /// At the first value that makes no sense, with its position.
    pub fn check(&self, source: &Source) -> Result<(), LabError> {
        let wrong = |key: &str, what: &str, hint: &str| {
            Err(LabError::Problem(source.error_at(key, what, hint)))
        };
        let plain = !self.name.is_empty()
            && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !plain || self.name.starts_with('.') {
            return wrong(
                "name",
                "`name` must be letters, digits, `-`, `_` and `.`",
                "it names the run folder",
            );
        }
        self.complete(source)?;
        if self.seeds.is_empty() {
            return wrong(
                "seeds",
                "`seeds` is empty",
                "give at least one; three or more for intervals",
            );
        }
        let mut seen = BTreeSet::new();
        if let Some(seed) = self.seeds.iter().find(|seed| !seen.insert(**seed)) {
            return wrong(
                "seeds",
                &format!("`seeds` has {seed} more than once"),
                "name each seed once",
            );
        }
        if let TrainData::Mixture(mixture) = &self.data.train {
            let at = |error: DataError| {
                let problem = error.problem();
                source.error_at("data.train", problem.what, problem.hint)
            };
            mixture.check("data.train").map_err(at)?;
        }
        self.ranges().map_err(|error| source.error_at(&error.key, error.what, error.hint))?;
        let mut names: Vec<String> = ["vqa", "caption", "retrieval"].map(str::to_owned).to_vec();
        for also in &self.eval.also {
            if names.contains(&also.name()) {
                let what = format!("two tasks of `eval` would be called `{}`", also.name());
                return wrong(
                    "eval.also",
                    &what,
                    "name each data set once; measure others with `toolkit eval`",
                );
            }
            names.push(also.name());
        }
        if self.stage1.as_ref().is_some_and(|one| one.enabled && one.losses.all_zero()) {
            return wrong(
                "stage1.losses",
                "all losses of stage 1 have weight 0",
                "give one a weight or set `stage1.enabled = false`",
            );
        }
        Ok(())
    }

    /// Returns a line for each setting that is allowed and may still not be meant.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let one = self.stage1.as_ref().filter(|one| one.enabled);
        let first = one.and_then(|one| ranges::warmup_note("stage1", &one.schedule, one.steps));
        let two = self.stage2.as_ref();
        let second = two.and_then(|two| ranges::warmup_note("stage2", &two.schedule, two.steps));
        first.into_iter().chain(second).collect()
    }

    /// Checks every number against the range in which it means something.
    fn ranges(&self) -> Result<(), OutOfRange> {
        ranges::threads("compute.threads", self.compute.threads)?;
        ranges::kept("compute.keep", self.compute.keep)?;
        if self.compute.best.is_some() && !(self.stage2.is_some() && self.eval.has_curve()) {
            return Err(OutOfRange {
                key: "compute.best".to_owned(),
                what: "`compute.best` compares points of a curve, and there is none".to_owned(),
                hint: "stage 2 has a curve if `eval.every` and `eval.vqa` are set",
            });
        }
        self.stage1.as_ref().map_or(Ok(()), Stage1Spec::ranges)?;
        self.stage2.as_ref().map_or(Ok(()), Stage2Spec::ranges)?;
        ranges::images("eval.batch", self.eval.batch, 1)
    }
}

impl Stage1Spec {
    fn ranges(&self) -> Result<(), OutOfRange> {
        ranges::steps("stage1.steps", self.steps)?;
        ranges::images("stage1.batch", self.batch, 2)?;
        ranges::micro_batches("stage1.accumulate", self.accumulate, self.batch)?;
        ranges::schedule("stage1.schedule", &self.schedule)?;
        ranges::optim("stage1.optim", &self.optim)?;
        ranges::share("stage1.smoothing", self.smoothing)?;
        self.losses
            .iter()
            .try_for_each(|(name, value)| ranges::weight(&format!("stage1.losses.{name}"), value))
    }
}

impl Stage2Spec {
    fn ranges(&self) -> Result<(), OutOfRange> {
        ranges::steps("stage2.steps", self.steps)?;
        ranges::images("stage2.batch", self.batch, 1)?;
        ranges::micro_batches("stage2.accumulate", self.accumulate, self.batch)?;
        ranges::schedule("stage2.schedule", &self.schedule)?;
        ranges::optim("stage2.optim", &self.optim)
    }
}
