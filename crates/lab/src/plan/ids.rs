//! Texts of data sets against the tables that their ids are looked up in.

use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use crate::{LabError, Reporter};
use std::ops::Range;
use toolkit_data::{Dataset, Item};
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TextTokenizer;

/// The captions and questions of an item.
fn texts(item: &Item) -> impl Iterator<Item = &str> {
    item.captions
        .iter()
        .map(String::as_str)
        .chain(item.questions.iter().map(|question| question.text.as_str()))
}

/// Encodes every text of the splits before anything is trained, where a tokenizer has tokens
/// without a row: the first text that holds one would end a run in its middle. Other tokenizers
/// make no such ids, and nothing is encoded.
///
/// # Errors
/// If a text holds such a token, with the data set and the item; if a card is wrong.
pub fn check_texts(model_plan: &ModelPlan, splits: &Splits, stage1: bool) -> Result<(), LabError> {
    let mut tokenizers = Vec::new();
    if model_plan.language.is_some() {
        tokenizers.push(model_plan.language_special_tokens()?.0);
    }
    if stage1 {
        tokenizers.push(model_plan.text_special_tokens()?.0);
    }
    for tokenizer in tokenizers.iter().filter(|tokenizer| tokenizer.tokens_without_row().is_some())
    {
        splits.all().try_for_each(|data| check_data(tokenizer, &**data))?;
    }
    Ok(())
}

/// Most items of shards and other large files that are looked at before a training.
const MOST_LOOKED_AT: usize = 20_000;

/// Returns the items whose texts are looked at before a training. Of data at the scale of the web
/// these are the first: all of them would take minutes at each start.
fn looked_at(data: &dyn Dataset) -> Range<usize> {
    let most = if data.is_sequential() { MOST_LOOKED_AT } else { usize::MAX };
    0..data.len().min(most)
}

fn check_data(tokenizer: &TextTokenizer, data: &dyn Dataset) -> Result<(), LabError> {
    for item in looked_at(data).map(|at| data.item(at)) {
        for text in texts(&item) {
            tokenizer.encode(text).map_err(|error| {
                let what =
                    format!("{}: `{text}`, item `{}` of {}", error.what, item.id, data.name());
                Problem::new(what).at(error.place).hint(error.hint)
            })?;
        }
    }
    Ok(())
}

/// Notes what there is to know before the texts of data sets are encoded: tokens without a row, and
/// how many captions and questions spell out special tokens, which are read as the tokens and not
/// as words.
pub(crate) fn note_texts(reporter: &dyn Reporter, tokenizer: &TextTokenizer, splits: &Splits) {
    tokenizer.tokens_without_row().into_iter().for_each(|past| reporter.note(&past));
    for dataset in [&splits.train].into_iter().chain(&splits.test) {
        let all = looked_at(&**dataset)
            .map(|at| dataset.item(at))
            .flat_map(|item| texts(&item).map(str::to_owned).collect::<Vec<_>>());
        if let Some(special) = tokenizer.special_tokens_in(all) {
            reporter.note(&format!("captions and questions of {}: {special}", dataset.name()));
        }
    }
}
