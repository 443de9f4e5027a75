//! The manifest of a run: the cards, data and builds that it was made with.

use crate::LabError;
use crate::plan::fingerprint::card_hash;
use crate::plan::run_plan::RunPlan;
use crate::run::folder::{MANIFEST_FILE, manifest_hint};
use crate::run::provenance::{arithmetic, git_revision, lock_hash, machine};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use toolkit_data::ShardInfo;
use toolkit_system::problem::Problem;

/// Content of `manifest.json`. Keys that older versions did not write are empty.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Manifest {
    /// Version of the toolkit.
    pub toolkit: String,
    /// Revision of the working folder of the program, `-dirty` if it has changes, `unknown` outside
    /// of git.
    pub git: String,
    /// SHA-256 of the lock file that the program was built with: the versions of all crates.
    pub lock: String,
    /// Every version and revision that worked on this run; results of several may be mixed in it.
    pub builds: Vec<String>,
    /// Command line.
    pub command: Vec<String>,
    /// Device.
    pub device: String,
    /// Operating system and processor.
    pub machine: String,
    /// Class of machines whose numbers have the same bits.
    pub arithmetic: String,
    /// Instruction set; within a class it changes no bit.
    pub instructions: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Cards by kind and name: hash of what counts in them, weights included.
    pub cards: BTreeMap<String, String>,
    /// Weights by card: SHA-256.
    pub weights: BTreeMap<String, String>,
    /// Data by name: fingerprint of images and texts.
    pub data: BTreeMap<String, String>,
    /// Shards of data that lie in shards, by name of the data: sizes and SHA-256.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shards: BTreeMap<String, Vec<ShardInfo>>,
    /// Task cards by name: hash of what counts in them.
    pub tasks: BTreeMap<String, String>,
    /// Ids of the cells.
    pub cells: Vec<String>,
    /// Cells by id: the key of the stage-1 run they start from.
    pub stage1: BTreeMap<String, String>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Manifest {
    /// Describes a plan that is about to be carried out. `builds` are those of earlier calls.
    #[must_use]
    pub fn new(plan: &RunPlan, device: &str, command: &[String], mut builds: Vec<String>) -> Self {
        let git = git_revision();
        let build = format!("{} {git}", env!("CARGO_PKG_VERSION"));
        if !builds.contains(&build) {
            builds.push(build);
        }
        let [arithmetic, instructions] = arithmetic(device);
        let mut manifest = Self {
            toolkit: env!("CARGO_PKG_VERSION").to_owned(),
            git,
            lock: lock_hash(),
            builds,
            command: command.to_vec(),
            device: device.to_owned(),
            machine: machine(),
            arithmetic,
            instructions,
            ..Self::default()
        };
        manifest.add_cards(plan);
        let starts = plan.starts.iter();
        manifest.weights.extend(starts.map(|s| (format!("from {}", s.file.name), s.hash())));
        manifest.add_data(plan);
        manifest.add_cells(plan);
        manifest
    }

    fn add_cards(&mut self, plan: &RunPlan) {
        for r in &plan.model_plans {
            for card in r.cards() {
                self.cards.insert(format!("{}/{}", card.kind.folder(), card.name), card_hash(card));
                if let Some(weights) = &card.weights {
                    self.weights.insert(card.name.clone(), weights.identity());
                }
            }
        }
    }

    fn add_data(&mut self, plan: &RunPlan) {
        for splits in &plan.splits {
            for set in splits.all() {
                self.data.insert(set.name().to_owned(), set.fingerprint());
                let shards = set.shards();
                if !shards.is_empty() {
                    self.shards.insert(set.name().to_owned(), shards);
                }
            }
            let train = &splits.train;
            self.data.insert(train.name().to_owned(), train.training_fingerprint());
        }
    }

    fn add_cells(&mut self, plan: &RunPlan) {
        for planned in &plan.cells {
            let cell = &planned.cell;
            self.tasks.extend(cell.spec.eval.tasks().cloned().zip(cell.tasks.iter().cloned()));
            self.seeds.push(cell.seed);
            self.cells.push(cell.id.clone());
            let stage1 = plan.stage1(planned).map(|stage1| stage1.key.clone());
            self.stage1.extend(stage1.map(|key| (cell.id.clone(), key)));
        }
        self.seeds.sort_unstable();
        self.seeds.dedup();
    }

    /// Reads the manifest of a run.
    ///
    /// # Errors
    /// If the folder is none of a run, or the manifest is damaged or gone.
    pub fn load(run: &Path) -> Result<Self, LabError> {
        let path = run.join(MANIFEST_FILE);
        let shown = path.display();
        let problem = match toolkit_system::input::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(manifest) => return Ok(manifest),
                Err(e) => Problem::new(format_args!("{shown}: {e}")).hint(manifest_hint(run)),
            },
            Err(e) if e.kind() == ErrorKind::NotFound && run.join("cells").is_dir() => {
                Problem::new(format_args!("{shown}: it is gone")).hint(manifest_hint(run))
            }
            Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
                Problem::new(format_args!("{}: not the folder of a run", run.display()))
                    .hint("give a folder that `toolkit run` made")
            }
            Err(e) => return Err(LabError::io(&path, &e)),
        };
        Err(problem.into())
    }
}
