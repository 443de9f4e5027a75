//! Options for the search or sampling of text.

use clap::{Args, ValueEnum};
use toolkit_vlm::{Decoding, EarlyStopping};

/// Rule by which beam search ends.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stop {
    /// End when no running hypothesis can score more: exact
    Never,
    /// End by the rule that transformers has as its default
    Heuristic,
    /// End once there are as many texts as beams
    Always,
}

/// Options that replace settings of the model's search.
#[derive(Args)]
#[command(
    next_help_heading = "Decoding [default: as the task card of a run says; 5 beams for published \
        models]"
)]
pub struct Search {
    /// Beams; 1 is greedy search
    #[arg(long, value_name = "N")]
    beams: Option<usize>,
    /// Most tokens of a text
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Fewest tokens of a text
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<usize>,
    /// Exponent of the length that scores are divided by: above 0 favours long texts, below 0 short
    /// ones
    #[arg(long, value_name = "X")]
    length_penalty: Option<f64>,
    /// Divisor for tokens that are there already: above 1 they become less probable
    #[arg(long, value_name = "X")]
    repetition_penalty: Option<f64>,
    /// Rule by which beam search ends
    #[arg(long, value_name = "WHEN")]
    early_stopping: Option<Stop>,
    /// Draw tokens, from the most probable ones that together reach this probability
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Draw tokens, from that many of the most probable ones
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw tokens, from logits divided by this
    #[arg(long, value_name = "X")]
    temperature: Option<f64>,
    /// Texts for each picture: the best ones of the search, or as many draws
    #[arg(long, value_name = "N")]
    answers: Option<usize>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Search {
    /// Returns `true` if any option of the search was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        let counts =
            [self.beams, self.max_new_tokens, self.min_new_tokens, self.top_k, self.answers];
        let numbers = [self.length_penalty, self.repetition_penalty, self.top_p, self.temperature];
        counts.iter().any(Option::is_some)
            || numbers.iter().any(Option::is_some)
            || self.early_stopping.is_some()
    }

    /// Returns `default` with the options that were given.
    #[must_use]
    pub fn over(&self, default: Decoding) -> Decoding {
        let sample = default.sample
            || self.top_p.is_some()
            || self.top_k.is_some()
            || self.temperature.is_some();
        let early_stopping = self.early_stopping.map(|stop| match stop {
            Stop::Never => EarlyStopping::Never,
            Stop::Heuristic => EarlyStopping::Heuristic,
            Stop::Always => EarlyStopping::Always,
        });
        Decoding {
            // Sampling has no beams: `Decoding::check` refuses both together.
            beams: self.beams.unwrap_or(if sample { 1 } else { default.beams }),
            max_new_tokens: self.max_new_tokens.unwrap_or(default.max_new_tokens),
            min_new_tokens: self.min_new_tokens.unwrap_or(default.min_new_tokens),
            length_penalty: self.length_penalty.unwrap_or(default.length_penalty),
            repetition_penalty: self.repetition_penalty.unwrap_or(default.repetition_penalty),
            early_stopping: early_stopping.unwrap_or(default.early_stopping),
            sample,
            top_p: self.top_p.unwrap_or(default.top_p),
            top_k: self.top_k.unwrap_or(default.top_k),
            temperature: self.temperature.unwrap_or(default.temperature),
            answers: self.answers.unwrap_or(default.answers),
            seed: self.seed,
        }
    }
}
