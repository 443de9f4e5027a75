//! Captions and answers about pictures.

use crate::encode::BATCH;
use crate::{Decoding, Generated, Vlm, VlmError};
use burn::tensor::Tensor;
use image::RgbImage;
use serde::Serialize;

/// A generated text.
#[derive(Clone, Debug, Serialize)]
pub struct GeneratedText {
    /// Text, without white space around it.
    pub text: String,
    /// Token ids.
    pub ids: Vec<u32>,
    /// Log-probability over length to the power of the length penalty.
    pub score: f32,
    /// `true` if it ended by itself.
    pub finished: bool,
}

/// An answer of a list with its score.
#[derive(Clone, Debug, Serialize)]
pub struct RankedAnswer {
    /// Answer.
    pub text: String,
    /// Summed log-probability of its tokens and the end.
    pub log_prob: f64,
    /// Mean log-probability of a token.
    pub mean_log_prob: f64,
}

impl Vlm {
    /// Continues the i-th prompt behind the i-th row of the soft `prefix [batch, queries, width]`.
    ///
    /// Returns for each sample the `answers` best texts, best first.
    ///
    /// # Errors
    /// If there is no language model or no tokenizer, a prompt cannot be encoded or does not fit,
    /// or settings contradict each other.
    pub fn generate(
        &self,
        prefix: Tensor<3>,
        prompts: &[String],
        decoding: &Decoding,
    ) -> Result<Vec<Vec<GeneratedText>>, VlmError> {
        self.generate_seeded(prefix, prompts, decoding, &[])
    }

    /// Continues prompts as [`Vlm::generate`] does, with a seed of its own for each sample.
    fn generate_seeded(
        &self,
        prefix: Tensor<3>,
        prompts: &[String],
        decoding: &Decoding,
        seeds: &[u64],
    ) -> Result<Vec<Vec<GeneratedText>>, VlmError> {
        let (generator, tokenizer) = (self.generator()?, self.tokenizer()?);
        let encode = |prompt: &String| {
            tokenizer.refuse_placeholder(prompt)?;
            generator.prompt(prompt)
        };
        let ids = prompts.iter().map(encode).collect::<Result<Vec<Vec<u32>>, _>>()?;
        let text = |text: Generated| {
            let finished = text.finished();
            let (score, ids) = (text.score, text.ids);
            Ok(GeneratedText { text: tokenizer.text(&ids)?, ids, score, finished })
        };
        let all = generator.generate_seeded(Some(prefix), &ids, decoding, seeds)?;
        all.into_iter()
            .map(|texts| texts.into_iter().take(decoding.answers).map(text).collect())
            .collect()
    }

    /// Captions pictures: the language model continues `prompt` behind each of them.
    ///
    /// # Errors
    /// As [`Vlm::generate`], and if the model has no encoder.
    pub fn caption(
        &self,
        pictures: &[RgbImage],
        prompt: &str,
        decoding: &Decoding,
    ) -> Result<Vec<Vec<GeneratedText>>, VlmError> {
        self.caption_seeded(pictures, prompt, decoding, &[])
    }

    /// Captions pictures as [`Vlm::caption`] does, with a seed of its own for each picture. So what
    /// is drawn for a picture does not depend on its place among others.
    ///
    /// # Errors
    /// As [`Vlm::caption`].
    pub fn caption_seeded(
        &self,
        pictures: &[RgbImage],
        prompt: &str,
        decoding: &Decoding,
        seeds: &[u64],
    ) -> Result<Vec<Vec<GeneratedText>>, VlmError> {
        self.language()?;
        let prefix = self.prefix(self.encode(pictures)?)?;
        self.generate_seeded(prefix, &vec![prompt.to_owned(); pictures.len()], decoding, seeds)
    }

    /// Answers questions about one picture: the language model continues each of `prompts` behind
    /// it.
    ///
    /// # Errors
    /// As [`Vlm::caption`].
    pub fn answer(
        &self,
        picture: &RgbImage,
        prompts: &[String],
        decoding: &Decoding,
    ) -> Result<Vec<Vec<GeneratedText>>, VlmError> {
        self.language()?;
        let prefix = self.prefix(self.encode(std::slice::from_ref(picture))?)?;
        let mut all = Vec::new();
        for prompts in prompts.chunks(BATCH) {
            // The picture is encoded once for all prompts.
            let prefix = prefix.clone().repeat_dim(0, prompts.len());
            all.extend(self.generate(prefix, prompts, decoding)?);
        }
        Ok(all)
    }

    /// Ranks `candidates` behind each of `prompts` and the picture by their log-probability, the
    /// most probable first (LAVIS `rank_answers`).
    ///
    /// # Errors
    /// As [`Vlm::caption`], and if a candidate is empty.
    pub fn rank_answers(
        &self,
        picture: &RgbImage,
        prompts: &[String],
        candidates: &[String],
    ) -> Result<Vec<Vec<RankedAnswer>>, VlmError> {
        self.generator()?;
        let prefix = self.prefix(self.encode(std::slice::from_ref(picture))?)?;
        prompts.iter().map(|prompt| self.rank(prefix.clone(), prompt, candidates)).collect()
    }

    /// Ranks `candidates` behind one prompt and the soft `prefix [1, queries, width]`.
    fn rank(
        &self,
        prefix: Tensor<3>,
        prompt: &str,
        candidates: &[String],
    ) -> Result<Vec<RankedAnswer>, VlmError> {
        let choices = self.choices(prefix, prompt, candidates)?;
        let ranked = |(text, choice): (&String, crate::Choice)| RankedAnswer {
            text: text.trim().to_owned(),
            log_prob: choice.log_prob,
            mean_log_prob: choice.mean_log_prob,
        };
        let mut ranked: Vec<RankedAnswer> = candidates.iter().zip(choices).map(ranked).collect();
        ranked.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob));
        Ok(ranked)
    }

    /// Scores `candidates` behind a prompt and the soft `prefix [1, queries, width]`, in the order
    /// given.
    ///
    /// # Errors
    /// If the prompt or a candidate cannot be encoded, is empty, or does not fit the model's
    /// positions.
    pub fn choices(
        &self,
        prefix: Tensor<3>,
        prompt: &str,
        candidates: &[String],
    ) -> Result<Vec<crate::Choice>, VlmError> {
        let (generator, tokenizer) = (self.generator()?, self.tokenizer()?);
        // The space before a candidate is the candidate's.
        let prompt = prompt.trim_end();
        tokenizer.refuse_placeholder(prompt)?;
        let (special_tokens, kind) = (generator.special_tokens, generator.shape.kind);
        let ids = candidates
            .iter()
            .map(|candidate| tokenizer.candidate(prompt, candidate, special_tokens, kind))
            .collect::<Result<Vec<Vec<u32>>, _>>()?;
        let prompt = generator.prompt(prompt)?;
        Ok(generator.choices(Some(prefix), &[prompt], &[ids])?.into_iter().flatten().collect())
    }

    /// Names the special tokens that `texts` spell out, in a message. They are read as special
    /// tokens, which is seldom meant.
    ///
    /// # Errors
    /// If there is no tokenizer.
    pub fn special_tokens_in(&self, texts: &[String]) -> Result<Option<String>, VlmError> {
        Ok(self.tokenizer()?.special_tokens_in(texts.iter().map(String::as_str)))
    }
}
