//! A conversation about a picture.

use crate::{Decoding, GeneratedText, Vlm, VlmError};
use burn::tensor::Tensor;
use image::RgbImage;
use toolkit_system::problem::Problem;

/// A conversation: each question is asked with the questions and answers before it.
pub struct Conversation<'a> {
    vlm: &'a Vlm,
    /// Prompt of one question, with `{}` for it.
    prompt: String,
    decoding: Decoding,
    /// Soft prefix of the picture, `[1, queries, width]`.
    prefix: Tensor<3>,
    /// Questions and answers so far.
    history: String,
}

/// A question with its answer.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Whole prompt, with the turns before.
    pub prompt: String,
    /// Answer.
    pub answer: GeneratedText,
}

impl<'a> Conversation<'a> {
    /// Begins a conversation about a picture. `prompt` is that of one question, with `{}` for it.
    ///
    /// # Errors
    /// If settings contradict each other, or the model has no encoder or no language model.
    pub fn new(
        vlm: &'a Vlm,
        picture: &RgbImage,
        prompt: String,
        decoding: Decoding,
    ) -> Result<Self, VlmError> {
        decoding.check()?;
        vlm.language()?;
        let prefix = vlm.prefix(vlm.encode(std::slice::from_ref(picture))?)?;
        Ok(Self { vlm, prompt, decoding, prefix, history: String::new() })
    }

    /// Asks a question. Question and answer become part of the next prompt.
    ///
    /// # Errors
    /// If the conversation outgrows the language model, or nothing is generated.
    pub fn ask(&mut self, question: &str) -> Result<Turn, VlmError> {
        let prompt = format!("{}{}", self.history, self.prompt.replace("{}", question.trim()));
        let prompts = std::slice::from_ref(&prompt);
        let texts = self.vlm.generate(self.prefix.clone(), prompts, &self.decoding)?;
        let answer =
            texts.into_iter().flatten().next().ok_or_else(|| {
                Problem::new("nothing was written").hint("raise `--max-new-tokens`")
            })?;
        self.history = format!("{prompt} {}. ", answer.text.trim_end_matches('.'));
        Ok(Turn { prompt, answer })
    }
}
