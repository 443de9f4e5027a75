//! Prompts and search settings that published models are quoted with.

use crate::{Decoding, EarlyStopping, Vlm};
use toolkit_core::LanguageKind;

impl Decoding {
    /// Returns the search that published captions are quoted with (BLIP-2, appendix).
    #[must_use]
    pub fn published_caption() -> Self {
        published(30, 1.0)
    }

    /// Returns the search that published answers are quoted with (BLIP-2, section 4.1).
    #[must_use]
    pub fn published_answer() -> Self {
        published(10, -1.0)
    }
}

/// Five beams that stop by the heuristic of transformers.
fn published(max_new_tokens: usize, length_penalty: f64) -> Decoding {
    Decoding {
        beams: 5,
        max_new_tokens,
        min_new_tokens: 1,
        length_penalty,
        early_stopping: EarlyStopping::Heuristic,
        ..Decoding::default()
    }
}

impl Vlm {
    /// Returns the paper's prompt for questions (section 4.1), with `{}` for the question: one for
    /// OPT, one for Flan-T5.
    #[must_use]
    pub fn published_question_prompt(&self) -> &'static str {
        let kind = self.language.as_ref().map(|language| language.shape.kind);
        match kind {
            Some(LanguageKind::EncoderDecoder) => "Question: {} Short answer:",
            _ => "Question: {} Answer:",
        }
    }
}
