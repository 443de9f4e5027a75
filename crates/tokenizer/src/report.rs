//! Messages on a tokenizer: special tokens in texts, tokens without a row.

use crate::table::TokenTable;
use crate::text::TextTokenizer;

impl TextTokenizer {
    /// Names the special tokens that `texts` spell out, such as `</s>`, in a message; `None` if
    /// there are none.
    ///
    /// They are read as the token and not as words.
    #[must_use]
    pub fn special_tokens_in(&self, texts: impl IntoIterator<Item: AsRef<str>>) -> Option<String> {
        let starts: Vec<char> =
            self.special.values().filter_map(|token| token.chars().next()).collect();
        let (mut all, mut found, mut first) = (0, 0, None);
        for text in texts {
            let text = text.as_ref();
            all += 1;
            // Most texts have no bracket at all and need no look at the vocabulary.
            if !text.contains(&starts[..]) {
                continue;
            }
            let is_in_text =
                |(_, token): &(&u32, &String)| !token.is_empty() && text.contains(token.as_str());
            let Some((id, token)) = self.special.iter().find(is_in_text) else { continue };
            found += 1;
            first.get_or_insert_with(|| format!("`{token}` (id {id}) in `{}`", shortened(text)));
        }
        let count = if all == 1 {
            "the text holds".to_owned()
        } else {
            format!("{found} of {all} texts hold")
        };
        first.map(|first| {
            format!("{count} special tokens, which are read as such and not as words: {first}")
        })
    }

    /// Counts the tokens of the vocabulary without a row in the table, in a message; `None` if
    /// every token has one.
    ///
    /// More tokens than rows are common and legal: they were added and not trained.
    /// [`TextTokenizer::encode`] refuses a text with one.
    #[must_use]
    pub fn tokens_without_row(&self) -> Option<String> {
        let TokenTable { rows, of } = &self.table;
        let vocabulary = self.inner().get_vocab(true);
        let beyond = vocabulary.iter().filter(|(_, id)| **id as usize >= *rows);
        let (count, first) = (beyond.clone().count(), beyond.min_by_key(|(_, id)| **id)?);
        let (token, id) = first;
        let what = format!("the tokenizer has tokens that {of} with its {rows} rows lacks");
        Some(format!(
            "{what}: {count} from `{token}` (id {id}) on; texts that hold one are refused"
        ))
    }
}

/// Returns the beginning of a text, for a message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    let beginning: String = text.chars().take(SHOWN).collect();
    if beginning.len() < text.len() { format!("{beginning} ..") } else { beginning }
}
