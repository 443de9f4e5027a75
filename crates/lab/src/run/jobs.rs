//! The jobs of a run, and the jobs that each of them waits for.

use crate::LabError;
use crate::plan::fingerprint::card_hash;
use crate::plan::run_plan::PlannedCell;
use crate::run::Run;
use crate::run::workers::{JobGraph, JobId};
use crate::work::blind;
use crate::work::context::RunContext;
use crate::work::stage1::Stage1Job;

/// Graph of the jobs of an experiment.
type Graph<'a> = JobGraph<'a, LabError>;

/// Jobs that others wait for, each found by its key.
struct SharedJobs<K>(Vec<(K, JobId)>);

impl<K: PartialEq> SharedJobs<K> {
    fn find(&self, key: &K) -> Option<JobId> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, job)| *job)
    }

    fn add_once(&mut self, key: K, add: impl FnOnce() -> JobId) {
        if self.find(&key).is_none() {
            self.0.push((key, add()));
        }
    }
}

/// Encoder, by the hash of its card, and data, by their place in the plan.
type FeatureKey = (String, usize);

fn feature_key(run: &Run, cell: &PlannedCell) -> FeatureKey {
    (card_hash(&run.plan.parts(cell).vision.card), cell.splits)
}

/// Builds the graph of a run: features first, then controls and stage 1, then cells. Jobs that are
/// ready start in the order in which they are added here.
///
/// # Errors
/// If a task card does not exist or does not fit.
pub(super) fn graph<'a>(run: &'a Run, context: &'a RunContext<'a>) -> Result<Graph<'a>, LabError> {
    let mut graph = Graph::default();
    let features = add_features(&mut graph, run, context);
    let controls = add_controls(&mut graph, run, context, &features)?;
    let stage1 = add_stage1(&mut graph, run, context, &features);
    for (index, cell) in run.plan.cells.iter().enumerate() {
        let job = run.cell_job(context, index);
        let after = [
            features.find(&feature_key(run, cell)),
            cell.stage1.and_then(|at| stage1.find(&at)),
            controls.find(&blind::key(&job)),
        ];
        let after = after.into_iter().flatten().collect();
        graph.add(&cell.cell.id, after, move || context.retry_damaged(|| job.run()));
    }
    Ok(graph)
}

/// Adds the features of each encoder and data once: two jobs that compute the same would waste one.
fn add_features<'a>(
    graph: &mut Graph<'a>,
    run: &'a Run,
    context: &'a RunContext<'a>,
) -> SharedJobs<FeatureKey> {
    let mut jobs = SharedJobs(Vec::new());
    for cell in &run.plan.cells {
        let (model_plan, splits) = (run.plan.parts(cell), run.plan.data(cell));
        let spec = &cell.cell.spec;
        let work = move || {
            context.retry_damaged(|| context.features(spec, model_plan, splits)).map(|_| ())
        };
        jobs.add_once(feature_key(run, cell), || graph.add("features", vec![], work));
    }
    jobs
}

/// Adds the blind control of each language model and data once, where tasks have controls.
fn add_controls<'a>(
    graph: &mut Graph<'a>,
    run: &'a Run,
    context: &'a RunContext<'a>,
    features: &SharedJobs<FeatureKey>,
) -> Result<SharedJobs<String>, LabError> {
    let mut jobs = SharedJobs(Vec::new());
    for (index, cell) in run.plan.cells.iter().enumerate() {
        let job = run.cell_job(context, index);
        if !blind::is_wanted(&job)? {
            continue;
        }
        // Without pictures a control needs no features, only their list of unreadable pictures.
        let waits = job.splits.max_damaged.is_some();
        let after = features.find(&feature_key(run, cell)).filter(|_| waits).into_iter().collect();
        let language = cell.cell.spec.model.language.as_deref().unwrap_or_default();
        let name = format!("control {language}");
        jobs.add_once(blind::key(&job), || {
            graph.add(&name, after, move || context.retry_damaged(|| blind::run(&job)))
        });
    }
    Ok(jobs)
}

/// Adds the stage-1 runs, by their place in the plan.
fn add_stage1<'a>(
    graph: &mut Graph<'a>,
    run: &'a Run,
    context: &'a RunContext<'a>,
    features: &SharedJobs<FeatureKey>,
) -> SharedJobs<usize> {
    let mut jobs = SharedJobs(Vec::new());
    for (at, stage1) in run.plan.stage1.iter().enumerate() {
        let cell = &run.plan.cells[stage1.cell];
        let Some(settings) = &cell.cell.spec.stage1 else { continue };
        let job = Stage1Job {
            context,
            spec: &cell.cell.spec,
            settings,
            model_plan: run.plan.parts(cell),
            splits: run.plan.data(cell),
            seed: stage1.seed,
            start: cell.start.map(|at| &run.plan.starts[at]),
            key: &stage1.key,
        };
        let name = format!("stage 1 seed {}", stage1.seed);
        let after = features.find(&feature_key(run, cell)).into_iter().collect();
        jobs.add_once(at, || graph.add(&name, after, move || context.retry_damaged(|| job.run())));
    }
    jobs
}
