//! Zero-shot visual question answering by generation (BLIP-2, section 4.1; LAVIS
//! `predict_answers`).

use super::answers::{VqaResult, check, scored};
use super::settings::{Generation, GenerationConfig, TaskSettings};
use super::{TaskKind, expect_kind};
use crate::{
    Control, EvalError, Measured, Measurement, Needs, Sample, Task, majority_baseline,
    question_pairs, same_pictures,
};
use toolkit_data::{Dataset, TextProcessor};
use toolkit_metrics::scores;
use toolkit_registry::Card;
use toolkit_system::problem::Problem;
use toolkit_vlm::Decoding;

/// Answering questions by generation; `kind = "vqa"`.
#[derive(Clone, Debug, PartialEq)]
pub struct VqaTask {
    /// Prompt, with `{}` for the question.
    pub prompt: String,
    /// Cleaning of the questions that are asked.
    pub text_processor: Option<TextProcessor>,
    /// Search for answers.
    pub decoding: Decoding,
    /// At most so many questions; see [`question_pairs`].
    pub limit: Option<usize>,
}

impl VqaTask {
    /// Reads a card. `prompts` are cards whose prompt counts if the task has none.
    ///
    /// # Errors
    /// If the card is of another kind, a value does not fit, or no card has a prompt with `{}`.
    pub fn from_card(card: &Card, prompts: &[&Card]) -> Result<Self, EvalError> {
        expect_kind(card, "vqa")?;
        Self::new(card.config()?, card, &TaskSettings::with_prompts(prompts))
    }
}

impl TaskKind for VqaTask {
    type Config = GenerationConfig;

    const NEEDS: Needs = Needs::Language;

    fn new(
        config: GenerationConfig,
        card: &Card,
        settings: &TaskSettings<'_>,
    ) -> Result<Self, EvalError> {
        let check = |prompt: &str| {
            if prompt.contains("{}") {
                return Ok(());
            }
            Err(match settings.prompt {
                Some(_) => Problem::new("the prompt has no `{}` for the question")
                    .hint("write \"Question: {} Answer:\""),
                None => Problem::new(format_args!(
                    "the prompt `{prompt}` of task `{}` has no `{{}}` for the question",
                    card.name
                ))
                .hint(
                    "write `[prompt] vqa = \"question: {} answer:\"` in the task or the language \
                    card",
                ),
            })
        };
        let Generation { prompt, decoding } = Generation::of(card, settings, "vqa", check)?;
        let text_processor = card.text_processor.clone();
        Ok(Self { prompt, text_processor, decoding, limit: config.limit })
    }

    fn check_data(_: &GenerationConfig, data: &dyn Dataset) -> Result<(), Problem> {
        if question_pairs(data, None).is_empty() {
            return Err(Problem::new("the data have no questions")
                .hint("take data with questions, or a task of captions or retrieval"));
        }
        Ok(())
    }
}

impl Task for VqaTask {
    /// Measures the official VQA accuracy: over all questions, by their kind, by the type of
    /// answer, and by the group of the picture.
    fn measure(&self, mut on: Measurement<'_, '_>) -> Result<Measured, EvalError> {
        let data = on.data;
        let questions = question_pairs(data, on.limit(self.limit));
        let answers = match on.options.control {
            Some(Control::Majority(train)) => majority_baseline(train, data, &questions)?,
            _ => self.answers(&mut on, &questions)?,
        };
        let items: Vec<usize> = questions.iter().map(|(item, _)| *item).collect();
        let same = same_pictures(data);
        let clusters: Vec<u64> = items.iter().map(|item| same[*item] as u64).collect();
        let percent: Vec<f64> = answers.rows.iter().map(|row| 100.0 * row.score).collect();
        let mut measured = Measured::of(&answers.rows, items)?;
        measured.scores = answers.scores();
        measured.add_interval(scores::OVERALL.key, &percent, Some(&clusters));
        Ok(measured)
    }

    fn prompt(&self) -> Option<&str> {
        Some(&self.prompt)
    }

    fn has_controls(&self) -> bool {
        true
    }
}

impl VqaTask {
    /// Asks `questions` (item, question of the item) of the language model.
    ///
    /// # Errors
    /// If there is no such question, or prefixes or text cannot be made.
    fn answers(
        &self,
        on: &mut Measurement<'_, '_>,
        questions: &[(usize, usize)],
    ) -> Result<VqaResult, EvalError> {
        check(on.data, questions)?;
        let samples = self.samples(on.data, questions);
        on.start(&samples);
        let raw = on.generate(&samples, &self.decoding)?;
        let prompts = samples.into_iter().map(|sample| sample.prompt);
        Ok(scored(on.data, questions, prompts.zip(raw).collect()))
    }

    /// Returns a sample for each question.
    pub(crate) fn samples(&self, data: &dyn Dataset, questions: &[(usize, usize)]) -> Vec<Sample> {
        let sample = |&(item, question): &(usize, usize)| {
            let asked = &data.item(item).questions[question].text;
            let processed = self.text_processor.as_ref().map(|processor| processor.apply(asked));
            let prompt = self.prompt.replace("{}", processed.as_ref().unwrap_or(asked));
            Sample { item, prompt }
        };
        questions.iter().map(sample).collect()
    }
}
