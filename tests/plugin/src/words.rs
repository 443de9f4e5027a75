//! A kind of task of one's own: the share of captions that name a word.

use serde::{Deserialize, Serialize};
use toolkit_data::Dataset;
use toolkit_eval::{
    EvalError, Generation, Measured, Measurement, Needs, Sample, Task, TaskKind, TaskSettings,
};
use toolkit_registry::Card;
use toolkit_system::problem::Problem;

/// `[config]` of a card.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordConfig {
    pub data: Option<String>,
    pub split: Option<String>,
    pub limit: Option<usize>,
    /// Words of which a caption must have one.
    pub words: Vec<String>,
}

/// Counts captions that have one of some words.
#[derive(Debug)]
pub struct NamesWord {
    words: Vec<String>,
    limit: Option<usize>,
    generation: Generation,
}

#[derive(Serialize)]
struct Row {
    id: String,
    caption: String,
    named: bool,
}

impl TaskKind for NamesWord {
    type Config = WordConfig;

    const NEEDS: Needs = Needs::Language;

    fn new(
        config: WordConfig,
        card: &Card,
        settings: &TaskSettings<'_>,
    ) -> Result<Self, EvalError> {
        let generation = Generation::of(card, settings, "caption", |_| Ok(()))?;
        Ok(Self { words: config.words, limit: config.limit, generation })
    }

    fn check_data(_: &WordConfig, data: &dyn Dataset) -> Result<(), Problem> {
        if data.is_empty() { Err(Problem::new("the data have no pictures")) } else { Ok(()) }
    }
}

impl Task for NamesWord {
    fn measure(&self, mut on: Measurement<'_, '_>) -> Result<Measured, EvalError> {
        let most = on.limit(self.limit).unwrap_or(on.data.len());
        let items: Vec<usize> = (0..on.data.len().min(most)).collect();
        let sample = |&item: &usize| Sample { item, prompt: self.generation.prompt.clone() };
        let samples: Vec<Sample> = items.iter().map(sample).collect();
        let captions = on.generate(&samples, &self.generation.decoding)?;
        let row = |(&item, caption): (&usize, String)| {
            let named = self.words.iter().any(|word| caption.split(' ').any(|own| own == word));
            Row { id: on.data.item(item).id.clone(), caption, named }
        };
        let rows: Vec<Row> = items.iter().zip(captions).map(row).collect();
        let each: Vec<f64> = rows.iter().map(|row| if row.named { 100.0 } else { 0.0 }).collect();
        let mut measured = Measured::of(&rows, items)?;
        let share = each.iter().sum::<f64>() / each.len().max(1) as f64;
        measured.scores.insert("named".to_owned(), share);
        measured.add_interval("named", &each, None);
        Ok(measured)
    }
}
