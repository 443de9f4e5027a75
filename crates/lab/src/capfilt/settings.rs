//! Settings of CapFilt: everything that determines its shards, the models and the data excepted.

use super::candidates::RankBy;
use crate::LabError;
use serde::Serialize;
use toolkit_data::ShardSize;
use toolkit_system::problem::Problem;
use toolkit_vlm::Decoding;

/// Settings of CapFilt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CapFiltSettings {
    /// Sampling of captions; `answers` is their number for each picture.
    pub decoding: Decoding,
    /// Prompt that captions continue.
    pub prompt: String,
    /// Score by which texts are ranked.
    pub rank_by: RankBy,
    /// Number of texts that become captions.
    pub keep: usize,
    /// At most so many rows of the data.
    pub limit: Option<usize>,
    /// Rows of a shard.
    pub shard_rows: u64,
    /// Share of the rows that may be damaged.
    #[serde(skip)]
    pub max_damaged: f64,
}

impl CapFiltSettings {
    /// Returns the sampling of the paper's captioner: a nucleus of 0.9. `texts` are drawn for each
    /// picture. Limits of length are those of `search`.
    #[must_use]
    pub fn nucleus(search: &Decoding, texts: usize) -> Decoding {
        Decoding {
            sample: true,
            top_p: 0.9,
            answers: texts,
            // So that scores are means over tokens.
            length_penalty: 1.0,
            max_new_tokens: search.max_new_tokens,
            min_new_tokens: search.min_new_tokens,
            ..Decoding::default()
        }
    }

    /// Returns the size of shards.
    #[must_use]
    pub fn shard_size(&self) -> ShardSize {
        ShardSize::Samples(self.shard_rows)
    }

    /// Checks that the settings make sense together.
    ///
    /// # Errors
    /// If one does not, by its name.
    pub fn check(&self) -> Result<(), LabError> {
        self.decoding.check()?;
        let wrong = |what: String, hint: &str| Err(Problem::new(what).hint(hint).into());
        if self.keep == 0 || self.shard_rows == 0 {
            return wrong("nothing is kept".to_owned(), "keep at least 1 text and 1 row a shard");
        }
        if self.keep > self.decoding.answers + 1 {
            let what = format!("{} of {} draws are to be kept", self.keep, self.decoding.answers);
            return wrong(what, "draw more, or keep fewer");
        }
        if !(0.0..=1.0).contains(&self.max_damaged) {
            return wrong(format!("`{}` is no share", self.max_damaged), "give 0 to 1");
        }
        Ok(())
    }
}
