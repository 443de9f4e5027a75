//! Texts generated behind the pictures of samples, in batches.

use crate::prefixes::{PrefixSource, Prefixes};
use crate::{Batches, EvalError};
use toolkit_vlm::{Decoding, Generator};

/// A text to be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Item of the data set whose picture stands before the prompt.
    pub item: usize,
    /// Prompt that the text continues.
    pub prompt: String,
}

/// Generates a text for each of `samples` and returns the texts in their order.
///
/// Samples are sorted by item, so that the prefix of an item is computed once for all its samples.
/// Without `prefixes` the language model sees the prompts alone. Texts of batches that an earlier
/// call kept are taken from there.
pub(crate) fn generate_texts(
    generator: &Generator<'_>,
    prefixes: Option<&PrefixSource<'_>>,
    samples: &[Sample],
    decoding: &Decoding,
    batches: &mut Batches<'_>,
) -> Result<Vec<String>, EvalError> {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_key(|&at| samples[at].item);
    let mut prefixes = prefixes.map(Prefixes::new);
    let mut all = vec![String::new(); samples.len()];
    for (batch, chunk) in order.chunks(batches.size()).enumerate() {
        let items: Vec<usize> = chunk.iter().map(|&at| samples[at].item).collect();
        let texts = match batches.get(batch, chunk.len()) {
            Some(texts) => {
                prefixes.iter_mut().for_each(|prefixes| prefixes.skip(&items));
                texts
            }
            None => {
                let prefix = prefixes.as_mut().map(|p| p.of(&items)).transpose()?;
                let prompts: Vec<String> =
                    chunk.iter().map(|&at| samples[at].prompt.clone()).collect();
                let texts = generator.write(prefix, &prompts, decoding)?;
                batches.put(batch, &texts)?;
                texts
            }
        };
        for (&at, text) in chunk.iter().zip(texts) {
            all[at] = text;
        }
    }
    Ok(all)
}
