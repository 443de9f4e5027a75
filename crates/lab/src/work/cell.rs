//! The job of a cell: trains stage 2 from the bridge of stage 1 or from its initialisation, and
//! evaluates it along the way and at the end.

use crate::LabError;
use crate::experiment::spec::{ComputeSpec, Spec, Stage2Spec};
use crate::files::{read_json, write, write_json};
use crate::plan::flops;
use crate::plan::ids::note_texts;
use crate::plan::model_plan::ModelPlan;
use crate::run::done::Done;
use crate::run::folder::{PIECES, SCORES_FILE};
use crate::work::cell_job::CellJob;
use crate::work::curve_points::CurvePoints;
use crate::work::evaluate::{self, Scores};
use crate::work::feature_store::SplitFeatures;
use crate::work::readable::left_out;
use crate::work::stage1::Stage1Job;
use crate::work::training_source::{StageInputs, TrainingSource};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::time::Instant;
use toolkit_models::connector::Connector;
use toolkit_system::problem::Problem;
use toolkit_train::alerts::{Alert, Alerts};
use toolkit_train::fit::{FitConfig, Observer, ProgressBar, StepFlops, fit};
use toolkit_train::source::tokenized;
use toolkit_train::stage2::Stage2;

/// Scores by step.
pub type Curve = Vec<(u64, BTreeMap<String, f64>)>;

impl CellJob<'_> {
    pub(super) fn spec(&self) -> &Spec {
        &self.cell.spec
    }

    /// Returns the job of the stage-1 run that this cell starts from, if there is one.
    fn stage1_job(&self) -> Option<Stage1Job<'_>> {
        let (key, settings) = self.stage1.zip(self.spec().stage1.as_ref())?;
        Some(Stage1Job {
            context: self.context,
            spec: self.spec(),
            settings,
            model_plan: self.model_plan,
            splits: self.splits,
            seed: self.cell.seed,
            start: self.start,
            key,
        })
    }

    /// Returns the untrained connector of this cell.
    fn start(&self, device: &Device) -> Result<Connector, LabError> {
        let seed = self.cell.seed;
        let bridge = match self.stage1_job() {
            Some(stage1) => stage1.bridge(device)?,
            None => self.model_plan.bridge_at_start(
                self.context.registry,
                self.spec().model.init,
                seed,
                device,
            )?,
        };
        let connector = self.model_plan.connector(bridge, seed, device)?;
        match self.start.filter(|_| self.stage1.is_none()) {
            Some(start) => start.load(connector, "", &self.dir()),
            None => Ok(connector),
        }
    }

    /// Trains and evaluates the cell, resuming where an earlier run was stopped. Without stage 2 it
    /// has the scores of its stage-1 run.
    ///
    /// # Errors
    /// If training or evaluation fails.
    pub fn run(&self) -> Result<(), LabError> {
        let dir = self.dir();
        let mut done = Done::settle(&dir, self.context.reporter)?;
        if done.whole {
            // A kill after the list was written leaves them.
            let _ = std::fs::remove_dir_all(dir.join(PIECES));
            return Ok(());
        }
        let Some(stage2) = &self.spec().stage2 else {
            std::fs::create_dir_all(&dir).map_err(|e| LabError::io(&dir, &e))?;
            self.write_spec()?;
            write_json(&dir.join(SCORES_FILE), &evaluate::stage1_scores(self)?)?;
            return done.seal(&dir);
        };
        let eval_dir = dir.join("eval");
        std::fs::create_dir_all(&eval_dir).map_err(|e| LabError::io(&eval_dir, &e))?;
        self.write_spec()?;
        let features = self.features()?;
        let job = CellJob { splits: &self.splits.readable(&features)?, ..*self };
        let connector = job.train(stage2, &features, &mut done)?;
        let began = Instant::now();
        let last = evaluate::final_scores(&job, &connector.valid(), &features, &mut done)?;
        let last = Scores { left_out: left_out(self.splits, &features), ..last };
        write_json(&dir.join(SCORES_FILE), &last)?;
        self.note_seconds("evaluation", began.elapsed().as_secs_f64())?;
        done.seal(&dir)?;
        let _ = std::fs::remove_dir_all(dir.join(PIECES));
        Ok(())
    }

    /// Writes the experiment of this cell alone.
    fn write_spec(&self) -> Result<(), LabError> {
        // Settings that cannot change a result are left out: the same cell gives the same bytes.
        let ComputeSpec { threads, frozen, .. } = self.spec().compute;
        let compute = ComputeSpec { threads, frozen, ..ComputeSpec::default() };
        let spec = Spec { compute, ..self.spec().clone() };
        let text = toml::to_string_pretty(&spec).map_err(Problem::defect)?;
        write(&self.dir().join("spec.toml"), text.as_bytes())
    }

    fn train(
        &self,
        spec: &Stage2Spec,
        features: &SplitFeatures,
        done: &mut Done,
    ) -> Result<Connector, LabError> {
        let device = self.context.device.clone().autodiff();
        let seed = self.cell.seed;
        let mut objective = self.objective(spec, features, &device)?;
        let language = objective.language.valid();
        objective.blind = objective.blind_loss(&language)?;
        let config = FitConfig {
            steps: spec.steps,
            schedule: spec.schedule.clone(),
            optim: spec.optim.clone(),
            seed,
            saves: self.spec().compute.saves(),
            flops: self.flops(objective.source.encodes()),
        };
        let name = self.cell.axes.values().cloned().collect::<Vec<_>>().join(" ");
        let name = format!("stage 2 {name} seed {seed}");
        let progress = self.context.reporter.task(&name);
        let mut bar = ProgressBar::new(&*progress);
        let mut points = CurvePoints { job: self, done, features, language: &language };
        let connector = self.start(&device)?;
        let stage2 = self.stage2_dir();
        let note = |alert: &Alert| self.context.reporter.note(&format!("{name}: {alert}"));
        let mut alerts = Alerts::new(&config, &stage2, &note);
        let observers: &mut [&mut dyn Observer<Connector>] =
            &mut [&mut bar, &mut alerts, &mut points];
        Ok(fit(&config, connector, &mut objective, &stage2, observers)?)
    }

    /// Counts the operations of a step of stage 2, of which the encoder is a part if it runs in the
    /// step.
    fn flops(&self, encodes: bool) -> StepFlops {
        let ModelPlan { vision, bridge, language, .. } = self.model_plan;
        let step = language.as_ref().map_or_else(StepFlops::default, |language| {
            flops::stage2_step(&bridge.shape, &language.shape)
        });
        if encodes { flops::with_encoder(step, vision.shape.cost.flops) } else { step }
    }

    fn objective(
        &self,
        spec: &Stage2Spec,
        features: &SplitFeatures,
        device: &Device,
    ) -> Result<Stage2, LabError> {
        let seed = self.cell.seed;
        let (tokenizer, special_tokens) = self.model_plan.language_special_tokens()?;
        let train = &self.splits.train;
        note_texts(self.context.reporter, &tokenizer, self.splits);
        let source = TrainingSource {
            context: self.context,
            spec: self.spec(),
            model_plan: self.model_plan,
            splits: self.splits,
            features,
            seed,
        };
        Ok(Stage2 {
            language: self.model_plan.language_model(self.context.registry, device)?,
            kind: self.model_plan.language()?.shape.kind,
            special_tokens,
            source: source.open(StageInputs {
                order: "stage2/order",
                batch: spec.batch,
                augment: &spec.augment,
                texts: tokenized(train.clone(), move |text| tokenizer.encode(text)),
                dir: self.stage2_dir(),
            })?,
            accumulate: spec.accumulate,
            language_dropout: spec.language_dropout,
            recompute: spec.recompute,
            blind: 0.0,
            seed,
            device: device.clone(),
        })
    }

    /// Reads the points of the curve by step.
    ///
    /// # Errors
    /// If a file is damaged.
    pub fn curve(&self) -> Result<Curve, LabError> {
        let dir = self.dir().join("eval");
        let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(Vec::new()) };
        let mut points = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let step = name
                .strip_prefix("step-")
                .and_then(|n| n.strip_suffix(".json"))
                .and_then(|n| n.parse::<u64>().ok());
            if let Some(step) = step {
                points.push((step, read_json(&entry.path())?));
            }
        }
        points.sort_by_key(|(step, _)| *step);
        Ok(points)
    }

    /// Reads the final scores.
    ///
    /// # Errors
    /// If the cell is not done or the file is damaged.
    pub fn scores(&self) -> Result<Scores, LabError> {
        read_json(&self.dir().join(SCORES_FILE))
    }

    fn note_seconds(&self, what: &str, seconds: f64) -> Result<(), LabError> {
        let path = self.dir().join("seconds.json");
        let mut held: BTreeMap<String, f64> = toolkit_system::input::read(&path)
            .ok()
            .and_then(|b| serde_json::from_slice(&b).ok())
            .unwrap_or_default();
        *held.entry(what.to_owned()).or_default() += seconds;
        write_json(&path, &held)
    }
}
