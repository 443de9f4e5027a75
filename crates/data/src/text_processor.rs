//! Text processors: what LAVIS does to a caption or a question before a tokenizer reads it
//! (`lavis/processors/blip_processors.py`).
//!
//! The name of the rules is their version: `blip_caption` never changes. Rules that differ have
//! another name.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroUsize;

/// Marks that the rules of BLIP remove.
const MARKS: [char; 10] = ['.', '!', '"', '(', ')', '*', '#', ':', ';', '~'];

/// Words that are kept, 50 (LAVIS: `max_words`).
const MAX_WORDS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(49);

/// Rules by which a text is cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextRules {
    /// Captions: lower case, marks become spaces, several white spaces become one.
    BlipCaption,
    /// Questions: lower case, marks are removed, inner spaces stay as they are.
    BlipQuestion,
}

impl TextRules {
    /// Cleans a text without cutting it.
    fn clean(self, text: &str) -> String {
        let lower = text.to_lowercase();
        match self {
            Self::BlipCaption => {
                let spaced = collapse(&lower.replace(MARKS, " "));
                spaced.trim_end_matches('\n').trim_matches(' ').to_owned()
            }
            Self::BlipQuestion => lower.replace(MARKS, "").trim_end_matches(' ').to_owned(),
        }
    }
}

impl Display for TextRules {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlipCaption => "blip_caption",
            Self::BlipQuestion => "blip_question",
        })
    }
}

/// `[text_processor]` of a card: the rules with their settings.
///
/// ```
/// use toolkit_data::{TextProcessor, TextRules};
///
/// let processor = TextProcessor::new(TextRules::BlipCaption);
/// assert_eq!(processor.apply("A Man, riding (fast) a horse!!"), "a man, riding fast a horse");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextProcessor {
    /// Rules.
    pub name: TextRules,
    /// Text before each cleaned text, such as `a photo of ` with the space; empty unless given.
    #[serde(default)]
    pub prompt: String,
    /// Words that are kept, where a word is anything between two spaces.
    #[serde(default = "max_words")]
    pub max_words: NonZeroUsize,
}

fn max_words() -> NonZeroUsize {
    MAX_WORDS
}

impl TextProcessor {
    /// Creates a processor without a prompt that keeps 50 words.
    #[must_use]
    pub fn new(name: TextRules) -> Self {
        Self { name, prompt: String::new(), max_words: MAX_WORDS }
    }

    /// Cleans a text, cuts it, and puts the prompt before it.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let clean = self.name.clean(text);
        let end = clean.match_indices(' ').nth(self.max_words.get() - 1);
        let kept = end.map_or(clean.as_str(), |(end, _)| &clean[..end]);
        format!("{}{kept}", self.prompt)
    }

    /// Returns the text that names the processor in fingerprints.
    #[must_use]
    pub fn key(&self) -> String {
        let Self { name, prompt, max_words } = self;
        format!("text processor {name} {prompt:?} {max_words}")
    }
}

/// Replaces two and more white spaces by one space; a single one stays what it is.
fn collapse(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_space) {
        let end = rest[start..].find(|c| !is_space(c)).map_or(rest.len(), |len| start + len);
        let run = &rest[start..end];
        kept.push_str(&rest[..start]);
        kept.push_str(if run.chars().nth(1).is_some() { " " } else { run });
        rest = &rest[end..];
    }
    kept + rest
}

/// Returns `true` for the white space of Python's `\s`: Unicode's, and four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_that_lavis_makes() {
        let fixture = include_str!("../../../tests/fixtures/text_processors.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let processor = |name, prompt: &str, max_words| TextProcessor {
            name,
            prompt: prompt.to_owned(),
            max_words: NonZeroUsize::new(max_words).unwrap(),
        };
        let all = [
            TextProcessor::new(TextRules::BlipCaption),
            TextProcessor::new(TextRules::BlipQuestion),
            processor(TextRules::BlipCaption, fixture["prompt"].as_str().unwrap(), 50),
            processor(TextRules::BlipCaption, "", 3),
            processor(TextRules::BlipQuestion, "", 3),
        ];
        let rows = fixture["rows"].as_array().unwrap();
        assert!(rows.len() > 60);
        for row in rows {
            let text = row[0].as_str().unwrap();
            for (at, processor) in all.iter().enumerate() {
                let wanted = row[at + 1].as_str().unwrap();
                assert_eq!(processor.apply(text), wanted, "{} of {text:?}", processor.key());
            }
        }
    }

    #[test]
    fn texts_are_those_of_the_specification() {
        let caption = |text| TextProcessor::new(TextRules::BlipCaption).apply(text);
        let question = |text| TextProcessor::new(TextRules::BlipQuestion).apply(text);
        assert_eq!(caption("A Man, riding (fast) a horse!!  "), "a man, riding fast a horse");
        assert_eq!(caption("\"Hello\": it's  3:30 #wow~"), "hello it's 3 30 wow");
        assert_eq!(question("\"Hello\": it's  3:30 #wow~"), "hello it's  330 wow");
        assert_eq!(caption("What color is the U.S. flag? "), "what color is the u s flag?");
        assert_eq!(question("What color is the U.S. flag? "), "what color is the us flag?");
    }

    #[test]
    fn a_card_names_the_rules_and_nothing_unknown() {
        let read = toml::from_str::<TextProcessor>;
        let plain = read("name = \"blip_caption\"").unwrap();
        assert_eq!(plain, TextProcessor::new(TextRules::BlipCaption));
        assert_eq!(plain.key(), "text processor blip_caption \"\" 50");
        assert!(read("name = \"blip_caption\"\nmax_words = 0").is_err());
        assert!(read("name = \"blip_captions\"").is_err());
        assert!(read("name = \"blip_caption\"\nprompts = \"a\"").is_err());
    }
}
