//! Estimated cost of a run, counted from shapes.

use crate::plan::fingerprint::card_hash;
use crate::plan::flops;
use crate::plan::memory;
use crate::plan::run_plan::{PlannedCell, RunPlan};
use crate::plan::training_features::{FEATURE_BYTES, TrainingFeatures};
use serde::Serialize;
use std::collections::BTreeMap;
use toolkit_core::{Count, product};
use toolkit_data::Augment;
use toolkit_train::fit::StepFlops;

/// Estimated cost. Operations and bytes are counted from shapes; time follows from the rate at
/// which this toolkit's flex build works on small models.
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
    /// The same with the frozen parts in 16-bit floats.
    pub half_job_bytes: u64,
    /// Bytes of cached features and checkpoints.
    pub disk_bytes: u64,
    /// Seconds with the given number of jobs.
    pub seconds: f64,
    /// Jobs at a time.
    pub jobs: usize,
}

/// Floating-point operations a second of one job of one thread, evaluation included: the nano
/// ablation's 86 TFLOP took 1,107 processor seconds on Zen 4.
const FLOPS_PER_SECOND: f64 = 7.8e10;

/// Bytes of a checkpoint for each trained parameter: the weight and AdamW's two moments, each of
/// four bytes.
const CHECKPOINT_BYTES: u64 = 12;

/// Bytes that a number of a frozen part needs less in 16 bits than in 32.
const HALF_SAVES: u64 = 2;

/// Tokens of an average caption.
const CAPTION_TOKENS: usize = 14;

/// Tokens of the longest caption of a batch.
const LONGEST_CAPTION: usize = 20;

/// Features of one encoder and data.
struct FeatureCache {
    images: f64,
    bytes: Count,
    flops_per_image: u64,
}

/// Estimates the cost of a plan with `jobs` jobs at a time.
pub(crate) fn estimate(plan: &RunPlan, jobs: usize) -> Estimate {
    let mut e = Estimate {
        cells: plan.cells.len(),
        stage1_runs: plan.stage1.len(),
        jobs,
        ..Estimate::default()
    };
    for run in &plan.stage1 {
        let cell = &plan.cells[run.cell];
        let stage1 = cell.cell.spec.stage1.as_ref();
        e.flops += stage1.map_or(0.0, |stage1| {
            let encoded = (&stage1.augment, stage1.batch as u64 * stage1.steps);
            let step = flops::stage1_step(&plan.parts(cell).bridge.shape, stage1);
            stage_flops(step, stage1.batch, stage1.steps) + live_flops(plan, cell, encoded)
        });
    }
    let mut disk = Count::default();
    for cell in &plan.cells {
        let parts = plan.parts(cell);
        let stage2 = parts.language.as_ref().zip(cell.cell.spec.stage2.as_ref());
        e.flops += stage2.map_or(0.0, |(language, stage2)| {
            let encoded = (&stage2.augment, stage2.batch as u64 * stage2.steps);
            let step = flops::stage2_step(&parts.bridge.shape, &language.shape);
            stage_flops(step, stage2.batch, stage2.steps) + live_flops(plan, cell, encoded)
        });
        e.trained_params = e.trained_params.max(parts.trained_params);
        e.frozen_params = e.frozen_params.max(parts.frozen_params());
        disk = disk + Count::from(parts.trained_params) * CHECKPOINT_BYTES;
        for Phase { bytes, frozen } in phases(plan, cell) {
            e.job_bytes = e.job_bytes.max(bytes);
            let saved = Count::from(frozen) * HALF_SAVES;
            e.half_job_bytes = e.half_job_bytes.max(Count::from(bytes).less(saved).get());
        }
    }
    for cache in feature_caches(plan) {
        e.flops += cache.images * cache.flops_per_image as f64;
        disk = disk + cache.bytes;
    }
    let stage1_disk = Count::from(e.trained_params) * plan.stage1.len() * CHECKPOINT_BYTES;
    e.disk_bytes = (disk + stage1_disk).get();
    e.memory_bytes =
        (Count::from(e.job_bytes) * e.jobs.clamp(1, e.cells.max(1)) + memory::RUN).get();
    e.seconds = e.flops / FLOPS_PER_SECOND / jobs.max(1) as f64;
    e
}

/// Counts the operations of `steps` steps of `batch` images with an average caption each.
fn stage_flops(step: StepFlops, batch: usize, steps: u64) -> f64 {
    step.of(batch, CAPTION_TOKENS * batch) * steps as f64
}

/// Counts the operations of encoding the pictures of a stage in its steps; none if it reads them
/// from the cache.
fn live_flops(plan: &RunPlan, cell: &PlannedCell, (augment, images): (&Augment, u64)) -> f64 {
    match is_live(plan, cell, augment) {
        true => images as f64 * plan.parts(cell).vision.shape.cost.flops as f64,
        false => 0.0,
    }
}

/// Memory of a phase of a cell's job.
struct Phase {
    /// Bytes at its peak.
    bytes: u64,
    /// Frozen parameters that it holds.
    frozen: u64,
}

/// Returns the phases of a cell's job: computing features, stage 1, stage 2.
fn phases(plan: &RunPlan, cell: &PlannedCell) -> Vec<Phase> {
    let parts = plan.parts(cell);
    let (vision, bridge) = (&parts.vision.shape, &parts.bridge.shape);
    let rows = |batch: usize, accumulate: usize| batch.div_ceil(accumulate.max(1));
    let features = memory::features(vision) - memory::BASE;
    let encoder = Phase { bytes: features, frozen: vision.cost.params };
    // Pictures that are encoded in the steps keep the encoder in memory.
    let beside = |augment: &Augment| match is_live(plan, cell, augment) {
        true => (features, vision.cost.params),
        false => (0, 0),
    };
    let mut all = vec![encoder];
    if let (Some(language), Some(two)) = (&parts.language, &cell.cell.spec.stage2) {
        let bytes = memory::stage2(
            vision,
            bridge,
            &language.shape,
            parts.trained_params,
            [two.batch, rows(two.batch, two.accumulate), LONGEST_CAPTION],
            two.recompute,
        ) - memory::BASE;
        let (more, frozen) = beside(&two.augment);
        let frozen = language.shape.cost.params + frozen;
        all.push(Phase { bytes: (Count::from(bytes) + more).get(), frozen });
    }
    if let Some(one) = cell.cell.spec.stage1.as_ref().filter(|_| cell.stage1.is_some()) {
        let rows = rows(one.batch, one.accumulate);
        let bytes = memory::stage1(vision, bridge, one.batch, rows, LONGEST_CAPTION);
        let (more, frozen) = beside(&one.augment);
        let bytes = Count::from(bytes).less(Count::from(memory::BASE)) + more;
        all.push(Phase { bytes: bytes.get(), frozen });
    }
    all
}

/// Returns `true` if a stage that augments so encodes its pictures in its steps.
fn is_live(plan: &RunPlan, cell: &PlannedCell, augment: &Augment) -> bool {
    let features =
        TrainingFeatures::of(&cell.cell.spec, augment, plan.parts(cell), plan.data(cell));
    matches!(features, Ok(TrainingFeatures::Live))
}

/// Returns the feature caches of a plan. Models that differ only in the language model share one.
fn feature_caches(plan: &RunPlan) -> Vec<FeatureCache> {
    let mut caches = BTreeMap::new();
    for cell in &plan.cells {
        let (parts, data) = (plan.parts(cell), plan.data(cell));
        let cached = TrainingFeatures::any_cached(&cell.cell.spec, parts, data);
        let live = if matches!(cached, Ok(false)) { data.train.len() } else { 0 };
        let images = data.all().map(|data| data.len()).sum::<usize>() - live;
        let vision = &parts.vision.shape;
        let cache = FeatureCache {
            images: images as f64,
            bytes: product([images, vision.tokens, vision.width, FEATURE_BYTES]),
            flops_per_image: vision.cost.flops,
        };
        caches.insert((card_hash(&parts.vision.card), cell.splits), cache);
    }
    caches.into_values().collect()
}
