//! What a run will do and cost, before anything is done.

use crate::experiment::spec::{AlsoSpec, DataSpec};
use crate::experiment::sweep::Cell;
use crate::plan::fingerprint::{card_hash, cell_id, stage1_key};
use crate::plan::parts::{Resolved, Splits};
use crate::{LabError, plan::memory, work::evaluate};
use serde::Serialize;
use std::collections::BTreeMap;
use toolkit_core::{Count, product};
use toolkit_registry::Registry;

/// A stage-1 run that one or more cells start from.
#[derive(Clone, Debug, Serialize)]
pub struct Stage1Plan {
    /// Hash of all that determines it; names its folder.
    pub key: String,
    /// Its seed.
    pub seed: u64,
    /// Index of the first cell that uses it.
    #[serde(skip)]
    pub cell: usize,
    /// What sets it apart from other stage-1 runs of the experiment.
    pub label: String,
}

/// A cell with what it stands on.
pub struct CellPlan {
    /// The cell, its id set.
    pub cell: Cell,
    /// Index into [`Plan::resolved`].
    pub resolved: usize,
    /// Index into [`Plan::splits`].
    pub splits: usize,
    /// Index into [`Plan::stage1`].
    pub stage1: Option<usize>,
}

/// All of it.
pub struct Plan {
    /// Combinations of parts.
    pub resolved: Vec<Resolved>,
    /// Data.
    pub splits: Vec<Splits>,
    /// Stage-1 runs, each used by one or more cells.
    pub stage1: Vec<Stage1Plan>,
    /// Cells.
    pub cells: Vec<CellPlan>,
    /// What it will cost.
    pub estimate: Estimate,
    /// Assumptions of the estimate, and settings that may not be meant, one line each.
    pub notes: Vec<String>,
}

/// Treatment of data that are not on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataHere {
    /// They are an error: the plan will be carried out.
    Required,
    /// Their size is assumed: the plan is only shown. Ids of cells are then not those of the run.
    Assumed,
}

/// Estimated cost. Counted from shapes; time from the rate at which this toolkit's flex build works
/// on small models.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Estimate {
    /// Cells.
    pub cells: usize,
    /// Stage-1 runs.
    pub stage1_runs: usize,
    /// Floating-point operations of all training steps.
    pub flops: f64,
    /// Parameters that stage 2 trains, largest cell.
    pub trained_params: u64,
    /// Parameters of the frozen parts, largest cell.
    pub frozen_params: u64,
    /// Bytes of all jobs at their peaks.
    pub memory_bytes: u64,
    /// Bytes of one of them: weights, gradients, moments, activations of a step.
    pub job_bytes: u64,
    /// Bytes of cached features and checkpoints.
    pub disk_bytes: u64,
    /// Seconds with the given number of jobs.
    pub seconds: f64,
    /// Jobs at a time.
    pub jobs: usize,
}

/// Floating-point operations a second of one job of one thread, evaluation included: the nano
/// ablation's 86 TFLOP took 1,107 processor seconds on Zen 4.
const RATE: f64 = 7.8e10;

/// Bytes of a checkpoint for each trained parameter: the weight and AdamW's two moments.
const CHECKPOINT_BYTES: u64 = 12;

/// Text tokens of a caption, for estimates.
const TEXT: f64 = 14.0;

/// And of a batch's longest.
const LONGEST: usize = 20;

/// Looks everything up, checks that it fits, finds what cells share.
///
/// # Errors
/// Whatever is wrong with cards, data or widths; no weight is read.
pub fn plan(
    registry: &Registry,
    cells: Vec<Cell>,
    jobs: usize,
    data_here: DataHere,
) -> Result<Plan, LabError> {
    let mut plan = Plan {
        resolved: Vec::new(),
        splits: Vec::new(),
        stage1: Vec::new(),
        cells: Vec::new(),
        estimate: Estimate::default(),
        notes: Vec::new(),
    };
    let mut models: Vec<String> = Vec::new();
    let mut data: Vec<(DataSpec, Vec<AlsoSpec>)> = Vec::new();
    for mut cell in cells {
        let model_key = format!(
            "{:?}",
            (&cell.spec.model.vision, &cell.spec.model.bridge, &cell.spec.model.language)
        );
        let resolved = match models.iter().position(|m| *m == model_key) {
            Some(at) => at,
            None => {
                plan.resolved.push(Resolved::new(registry, &cell.spec.model)?);
                models.push(model_key);
                models.len() - 1
            }
        };
        let named = (cell.spec.data.clone(), cell.spec.eval.also.clone());
        let opened_before = data.iter().position(|d| *d == named);
        let splits = match opened_before {
            Some(at) => at,
            None => {
                let (wanted, also) = (&cell.spec.data, &cell.spec.eval.also);
                plan.splits.push(match data_here {
                    DataHere::Required => Splits::open(registry, wanted, also)?,
                    DataHere::Assumed => {
                        Splits::open_or_assume(registry, wanted, also, &mut plan.notes)?
                    }
                });
                data.push(named);
                data.len() - 1
            }
        };
        let (parts, opened) = (&plan.resolved[resolved], &plan.splits[splits]);
        cell.tasks = evaluate::task_hashes(registry, &cell.spec, parts)?;
        if opened_before.is_none() {
            evaluate::check_also(registry, &cell.spec.eval.also, opened)?;
        }
        for note in cell.spec.notes() {
            if !plan.notes.contains(&note) {
                plan.notes.push(note);
            }
        }
        // Without a text tower there is no stage 1: `stage1.enabled` then means nothing, so that
        // bridges can be compared.
        let wants_stage1 = cell.spec.stage1.enabled && parts.bridge.1.text.is_some();
        let stage1 = wants_stage1.then(|| {
            let key = stage1_key(&cell, parts, opened);
            plan.stage1.iter().position(|s| s.key == key).unwrap_or_else(|| {
                let label = cell.axes.iter().filter(|(k, _)| {
                    !k.starts_with("model.language")
                        && *k != "stage1.enabled"
                        && !k.starts_with("stage2")
                });
                let label = label.map(|(k, v)| format!("{k} = {v}")).collect::<Vec<_>>().join(", ");
                plan.stage1.push(Stage1Plan {
                    key,
                    seed: cell.seed,
                    cell: plan.cells.len(),
                    label,
                });
                plan.stage1.len() - 1
            })
        });
        cell.id = cell_id(&cell, parts, opened, stage1.map(|at| plan.stage1[at].key.as_str()));
        if plan.cells.iter().any(|c| c.cell.id == cell.id) {
            return Err(LabError::new(
                format!("two cells are the same: {:?} seed {}", cell.axes, cell.seed),
                "an axis changes nothing; remove the repeated value",
            ));
        }
        plan.cells.push(CellPlan { cell, resolved, splits, stage1 });
    }
    plan.estimate = estimate(&plan, jobs);
    Ok(plan)
}

fn estimate(plan: &Plan, jobs: usize) -> Estimate {
    let mut e = Estimate {
        cells: plan.cells.len(),
        stage1_runs: plan.stage1.len(),
        jobs,
        ..Estimate::default()
    };
    let query_token = |r: &Resolved| r.bridge.1.cost.flops as f64 / r.bridge.1.queries as f64;
    for run in &plan.stage1 {
        let cell = &plan.cells[run.cell];
        let (r, s) = (&plan.resolved[cell.resolved], &cell.cell.spec.stage1);
        let q = r.bridge.1.queries as f64;
        // Query pass, text pass, three matching triplets, captioning; a backward pass costs two
        // forward passes.
        let tokens = q + TEXT + 3.0 * (q + TEXT) + TEXT;
        e.flops += 3.0 * tokens * query_token(r) * s.batch as f64 * s.steps as f64;
    }
    let (mut caches, mut disk) = (BTreeMap::new(), Count::default());
    for cell in &plan.cells {
        let (r, s) = (&plan.resolved[cell.resolved], &cell.cell.spec.stage2);
        let language = (r.bridge.1.queries as f64 + TEXT) * r.language.1.cost.flops as f64;
        // The frozen language model's backward pass gives gradients of inputs only: one forward's
        // worth.
        e.flops +=
            (3.0 * r.bridge.1.cost.flops as f64 + 2.0 * language) * s.batch as f64 * s.steps as f64;
        let splits = &plan.splits[cell.splits];
        let also: usize = splits.also.iter().map(|data| data.len()).sum();
        let images = splits.train.len() + splits.val.len() + splits.test.len() + also;
        let vision = &r.vision.1;
        caches.insert(
            (cell.resolved, cell.splits),
            (images as f64, product([images, vision.tokens, vision.width, 2]), vision.cost.flops),
        );
        let trained = r.trained_params;
        e.trained_params = e.trained_params.max(trained);
        e.frozen_params = e.frozen_params.max(r.vision.1.cost.params + r.language.1.cost.params);
        disk = disk + Count::from(trained) * CHECKPOINT_BYTES;
        let one = &cell.cell.spec.stage1;
        let rows = |batch: usize, accumulate: usize| batch.div_ceil(accumulate.max(1));
        let rows = [rows(one.batch, one.accumulate), rows(s.batch, s.accumulate)];
        let (bridge, language) = (&r.bridge.1, &r.language.1);
        let mut held = memory::stage2(
            vision,
            bridge,
            language,
            trained,
            [s.batch, rows[1], LONGEST],
            s.recompute,
        );
        held = held.max(memory::features(vision));
        if cell.stage1.is_some() {
            held = held.max(memory::stage1(vision, bridge, one.batch, rows[0], LONGEST));
        }
        e.job_bytes = e.job_bytes.max(held - memory::BASE);
    }
    // Combinations that differ only in the language model share features.
    let mut by_vision = BTreeMap::new();
    for ((resolved, splits), cost) in caches {
        by_vision.insert((card_hash(&plan.resolved[resolved].vision.0), splits), cost);
    }
    for (images, bytes, flops) in by_vision.values() {
        e.flops += *images * *flops as f64;
        disk = disk + *bytes;
    }
    e.disk_bytes =
        (disk + Count::from(e.trained_params) * plan.stage1.len() * CHECKPOINT_BYTES).get();
    e.memory_bytes =
        (Count::from(e.job_bytes) * e.jobs.clamp(1, e.cells.max(1)) + memory::RUN).get();
    e.seconds = e.flops / RATE / jobs.max(1) as f64;
    e
}
