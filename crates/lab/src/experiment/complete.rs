//! Keys that an experiment file must have: by its kind, and by what it trains and measures.

use crate::LabError;
use crate::experiment::spec::{ExperimentKind, Spec};
use toolkit_registry::Source;
use toolkit_system::problem::Problem;

/// Keys that an ablation must have, beside those that every file must have.
const ABLATION: [&str; 11] = [
    "seeds",
    "model.language",
    "data.val",
    "data.test",
    "stage1",
    "stage2",
    "eval",
    "eval.every",
    "eval.vqa",
    "eval.caption",
    "eval.retrieve",
];

/// A check: `true` if it fails, then the key, what is wrong, and a hint.
type Check = (bool, &'static str, &'static str, &'static str);

impl Spec {
    /// Checks that the file has every key that its kind, its stages and its evaluation need.
    ///
    /// # Errors
    /// At the table of the first one that is missing.
    pub(super) fn complete(&self, source: &Source) -> Result<(), LabError> {
        if self.kind == ExperimentKind::Ablation
            && let Some(key) = ABLATION.iter().find(|key| !is_written(source, key))
        {
            return Err(missing_in_ablation(source, key).into());
        }
        let mut checks = self.training().into_iter().chain(self.evaluation());
        match checks.find(|(fails, ..)| *fails) {
            Some((_, key, what, hint)) => Err(source.error_at(key, what, hint).into()),
            None => Ok(()),
        }
    }

    /// Returns `true` if the bridge is trained on its own first.
    #[must_use]
    pub fn wants_stage1(&self) -> bool {
        self.stage1.as_ref().is_some_and(|stage1| stage1.enabled)
    }

    /// Checks that what is to be trained can be.
    fn training(&self) -> [Check; 4] {
        let of_run = self.model.from_cell.is_some() || self.model.from_stage.is_some();
        [
            (
                of_run && self.model.from.is_none(),
                "model",
                "`from_cell` and `from_stage` are of a run, and `model.from` is missing",
                "name the folder of the run as `model.from`",
            ),
            (
                self.model.from_stage.is_some_and(|stage| ![1, 2].contains(&stage)),
                "model.from_stage",
                "`from_stage` is no stage of a run",
                "write 1 or 2",
            ),
            (
                !self.wants_stage1() && self.stage2.is_none(),
                "kind",
                "there is nothing to train: no stage 1 and no stage 2",
                "add `[stage1]`, `[stage2]` or both",
            ),
            (
                self.stage2.is_some() && self.model.language.is_none(),
                "model",
                "stage 2 trains in front of a language model, and `model.language` is missing",
                "name a card of `toolkit list language`",
            ),
        ]
    }

    /// Checks that what is to be measured can be.
    fn evaluation(&self) -> [Check; 5] {
        let (eval, data) = (&self.eval, &self.data);
        let writes = eval.vqa.is_some() || eval.caption.is_some() || !eval.also.is_empty();
        let tests = eval.vqa.is_some() || eval.caption.is_some() || eval.retrieve.is_some();
        [
            (
                writes && self.stage2.is_none(),
                "eval",
                "answers and captions need a language model, and there is no `[stage2]`",
                "take `vqa`, `caption` and `also` out of `[eval]`, or add `[stage2]`",
            ),
            (
                eval.retrieve.is_some() && self.stage1.is_none(),
                "eval.retrieve",
                "retrieval is measured with the bridge after stage 1, and there is no `[stage1]`",
                "take it out, or add `[stage1]`",
            ),
            (
                tests && data.test.is_none(),
                "data",
                "`[eval]` measures on `data.test`, which is missing",
                "name data, or take the tasks out of `[eval]`",
            ),
            (
                eval.every > 0 && eval.vqa.is_none(),
                "eval.every",
                "curves are of answers, and `eval.vqa` is missing",
                "name a task card, or take `every` out",
            ),
            (
                eval.has_curve() && data.val.is_none(),
                "data",
                "curves are measured on `data.val`, which is missing",
                "name data, or take `eval.every` out",
            ),
        ]
    }
}

fn is_written(source: &Source, key: &str) -> bool {
    let mut value = source.root();
    key.split('.').all(|name| {
        let inner = value.get_ref().get(name).cloned();
        inner.is_some_and(|inner| {
            value = inner;
            true
        })
    })
}

fn missing_in_ablation(source: &Source, key: &str) -> Problem {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let place = if table.is_empty() { String::new() } else { format!(" in `{table}`") };
    let what = format!("missing key `{name}`{place}");
    let hint = format!("add `{name} = ..`; `kind = \"train\"` trains without evaluation");
    source.error_at(key, what, hint)
}
