//! The stage-1 job: trains a bridge on contrast, matching and captioning, and scores its retrieval.

use crate::LabError;
use crate::experiment::spec::{Spec, Stage1Spec};
use crate::files::write_json_pretty;
use crate::plan::flops;
use crate::plan::ids::note_texts;
use crate::plan::losses;
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::plan::start_plan::StartPlan;
use crate::run::done::Done;
use crate::run::folder::{INTERVALS_FILE, SCORES_FILE};
use crate::work::captions::{MAX_CAPTION, stage1_caption};
use crate::work::context::RunContext;
use crate::work::evaluate;
use crate::work::feature_store::SplitFeatures;
use crate::work::training_source::{StageInputs, TrainingSource};
use burn::module::Module;
use burn::tensor::Device;
use std::path::PathBuf;
use toolkit_core::AnyBridge;
use toolkit_system::problem::Problem;
use toolkit_train::alerts::{Alert, Alerts};
use toolkit_train::checkpoint::{Checkpoint, load_strict};
use toolkit_train::fit::{FitConfig, Observer, ProgressBar, StepFlops, fit};
use toolkit_train::source::{corpus, tokenized};
use toolkit_train::stage1::{Corpus, Stage1, Stage1Settings};

/// A stage-1 run that cells start from.
pub struct Stage1Job<'a> {
    /// The run.
    pub context: &'a RunContext<'a>,
    /// Experiment of the first cell that uses it.
    pub spec: &'a Spec,
    /// Stage 1 of that experiment.
    pub settings: &'a Stage1Spec,
    /// Model.
    pub model_plan: &'a ModelPlan,
    /// Data.
    pub splits: &'a Splits,
    /// Seed.
    pub seed: u64,
    /// Weights that it starts from, if the experiment names some.
    pub start: Option<&'a StartPlan>,
    /// Key, which names its folder.
    pub key: &'a str,
}

impl Stage1Job<'_> {
    fn dir(&self) -> PathBuf {
        self.context.folder.stage1(self.key)
    }

    /// Trains stage 1 unless it is done, and scores its retrieval.
    ///
    /// # Errors
    /// If training or evaluation fails.
    pub fn run(&self) -> Result<(), LabError> {
        let dir = self.dir();
        let done = Done::settle(&dir, self.context.reporter)?;
        if done.whole {
            return Ok(());
        }
        let features = self.context.features(self.spec, self.model_plan, self.splits)?;
        let splits = self.splits.readable(&features)?;
        let bridge = self.train(&splits, &features)?.valid();
        let scores = evaluate::retrieval(
            self.context,
            self.spec,
            self.model_plan,
            &splits,
            &features,
            &bridge,
        )?;
        write_json_pretty(&dir.join(INTERVALS_FILE), &scores.intervals)?;
        write_json_pretty(&dir.join(SCORES_FILE), &scores.scores)?;
        done.seal(&dir)
    }

    fn train(&self, splits: &Splits, features: &SplitFeatures) -> Result<AnyBridge, LabError> {
        let device = self.context.device.clone().autodiff();
        let mut objective = self.objective(splits, features, &device)?;
        let bridge = self.model_plan.bridge_at_start(
            self.context.registry,
            self.spec.model.init,
            self.seed,
            &device,
        )?;
        let bridge = match self.start {
            Some(start) => start.load(bridge, "bridge.", &self.dir())?,
            None => bridge,
        };
        let settings = self.settings;
        let config = FitConfig {
            steps: settings.steps,
            schedule: settings.schedule.clone(),
            optim: settings.optim.clone(),
            seed: self.seed,
            saves: self.spec.compute.saves(),
            flops: self.flops(objective.source.encodes()),
        };
        let name = format!("stage 1 seed {}", self.seed);
        let progress = self.context.reporter.task(&name);
        let mut bar = ProgressBar::new(&*progress);
        let note = |alert: &Alert| self.context.reporter.note(&format!("{name}: {alert}"));
        let mut alerts = Alerts::new(&config, &self.dir(), &note);
        let observers: &mut [&mut dyn Observer<AnyBridge>] = &mut [&mut bar, &mut alerts];
        Ok(fit(&config, bridge, &mut objective, &self.dir(), observers)?)
    }

    /// Counts the operations of a step, of which the encoder is a part if it runs in the step.
    fn flops(&self, encodes: bool) -> StepFlops {
        let ModelPlan { vision, bridge, .. } = self.model_plan;
        let step = flops::stage1_step(&bridge.shape, self.settings);
        if encodes { flops::with_encoder(step, vision.shape.cost.flops) } else { step }
    }

    fn objective(
        &self,
        splits: &Splits,
        features: &SplitFeatures,
        device: &Device,
    ) -> Result<Stage1, LabError> {
        let settings = self.settings;
        let (tokenizer, special_tokens) = self.model_plan.text_special_tokens()?;
        let text = self.model_plan.bridge.shape.text.as_ref();
        let (positions, vocab) = text.map_or((MAX_CAPTION, 1), |text| (text.positions, text.vocab));
        note_texts(self.context.reporter, &tokenizer, splits);
        let encode = stage1_caption(tokenizer, special_tokens, positions);
        let texts = tokenized(splits.train.clone(), encode);
        let (smoothing, batch) = (settings.smoothing, settings.batch);
        let captions = corpus(&texts, splits.train.len())?;
        let corpus = Corpus { captions: &captions, vocab, smoothing, batch };
        let source = TrainingSource {
            context: self.context,
            spec: self.spec,
            model_plan: self.model_plan,
            splits,
            features,
            seed: self.seed,
        };
        Ok(Stage1 {
            losses: settings.losses.select(losses::all(self.context.registry), &corpus),
            source: source.open(StageInputs {
                order: "stage1/order",
                batch,
                augment: &settings.augment,
                texts,
                dir: self.dir(),
            })?,
            settings: Stage1Settings {
                special_tokens,
                smoothing,
                gather_grad: settings.itc_gather_grad,
            },
            accumulate: settings.accumulate,
            seed: self.seed,
            device: device.clone(),
        })
    }

    /// Loads the bridge that this stage-1 run trained.
    ///
    /// # Errors
    /// If its checkpoint is missing or of another model.
    pub fn bridge(&self, device: &Device) -> Result<AnyBridge, LabError> {
        let dir = self.dir();
        let saved = Checkpoint::load(&dir)?.ok_or_else(|| {
            Problem::new(format_args!("{}: no checkpoint", dir.display()))
                .hint("remove the folder and run again")
        })?;
        let bridge = self.model_plan.bridge_at_start(
            self.context.registry,
            self.spec.model.init,
            self.seed,
            device,
        )?;
        Ok(load_strict(bridge, saved.weights(&dir)?, &dir)?)
    }
}
