//! CapFilt (BLIP, section 3.3; BLIP-2, section 4): captions are drawn for each picture and ranked
//! together with its web text; the best are its captions, and all is kept beside them.
//!
//! | module | purpose |
//! |---|---|
//! | here | [`CapFilt`]: data and two models in, shards out |
//! | `settings` | [`CapFiltSettings`] |
//! | `batch` | captions and scores of some pictures |
//! | `candidates` | the texts of one picture, ranked |
//! | `damaged` | [`DamagedPicture`]: pictures that were left out, kept on disk |
//!
//! The draws of a picture are a function of the seed and its id. Shards are written one at a time,
//! so the same command after a kill goes on with the next one and ends with the same bytes.

mod batch;
mod candidates;
mod damaged;
mod settings;

pub use candidates::{Candidate, Origin, RankBy};
pub use damaged::DamagedPicture;
pub use settings::CapFiltSettings;

use crate::LabError;
use crate::run::lock::Lock;
use batch::{Batches, Models};
use damaged::Damaged;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use toolkit_data::{Dataset, ShardStats, ShardWriter};
use toolkit_system::progress::Progress;
use toolkit_vlm::Vlm;

/// Data, the models that caption and rank them, and settings.
pub struct CapFilt<'a> {
    /// Model that draws captions.
    pub captioner: &'a Vlm,
    /// Model that scores texts.
    pub matcher: &'a Vlm,
    /// Names of the two that change with their files.
    pub stamps: [String; 2],
    /// Data.
    pub data: &'a dyn Dataset,
    /// Settings.
    pub settings: CapFiltSettings,
}

/// Numbers of all shards of a folder.
#[derive(Clone, Debug, Serialize)]
pub struct CapFiltSummary {
    /// Number of shards.
    pub shards: usize,
    /// Rows of the data that were taken.
    pub rows: u64,
    /// Pictures in the shards.
    pub pictures: u64,
    /// Captions in the shards.
    pub captions: u64,
    /// Captions that are web texts.
    pub web_captions: u64,
    /// Pictures that were left out.
    pub damaged: Vec<DamagedPicture>,
}

impl CapFilt<'_> {
    /// Writes the shards that are not in the folder `out` yet, and returns the numbers of all.
    ///
    /// # Errors
    /// If a setting or a model does not fit, the folder has shards that were made otherwise, or too
    /// many pictures are damaged.
    pub fn write(&self, out: &Path, progress: &dyn Progress) -> Result<CapFiltSummary, LabError> {
        self.check()?;
        std::fs::create_dir_all(out).map_err(|error| LabError::io(out, &error))?;
        let _lock = Lock::take(out)?;
        let writer = ShardWriter::open(out, self.settings.shard_size(), &self.about())?;
        let rows = self.settings.limit.unwrap_or(usize::MAX).min(self.data.len());
        let first = writer.taken() as usize;
        let mut damaged = Damaged::open(out, first, self.settings.max_damaged, rows)?;
        progress.start(first as u64, rows as u64);
        let models = Models { captioner: self.captioner, matcher: self.matcher };
        let batches = Batches {
            models,
            data: self.data,
            settings: &self.settings,
            damaged: &mut damaged,
            progress,
            rows: first..rows,
            ready: Default::default(),
        };
        let shards = writer.write(batches)?;
        progress.finish();
        Ok(summary(&shards, damaged))
    }

    /// Checks that the settings make sense and the models have what is needed.
    fn check(&self) -> Result<(), LabError> {
        self.settings.check()?;
        self.captioner.language()?;
        self.matcher.text_tower()?;
        for model in [self.captioner, self.matcher] {
            model.tokenizer()?;
            model.processor()?;
            model.vision()?;
        }
        Ok(())
    }

    /// Returns everything that determines the shards.
    fn about(&self) -> Value {
        let [captioner, matcher] = &self.stamps;
        json!({
            "capfilt": 1, "data": self.data.name(), "fingerprint": self.data.fingerprint(),
            "captioner": captioner, "matcher": matcher, "settings": self.settings,
        })
    }
}

fn summary(shards: &[ShardStats], damaged: Damaged) -> CapFiltSummary {
    let sum = |of: fn(&ShardStats) -> u64| shards.iter().map(of).sum();
    CapFiltSummary {
        shards: shards.len(),
        rows: sum(|shard| shard.count),
        pictures: sum(|shard| shard.successes),
        captions: sum(|shard| shard.captions),
        web_captions: sum(|shard| shard.counts.get(batch::WEB).copied().unwrap_or(0)),
        damaged: damaged.into_pictures(),
    }
}
