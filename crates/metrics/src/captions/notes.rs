//! Remarks on scores that the rules of the official tools make surprising.

use crate::CaptionTokens;
use crate::captions::bleu::Bleu;
use crate::captions::cider::Cider;
use crate::captions::ngrams::ORDERS;

/// Explains scores of captions that are right by the rules and say little, or nothing.
#[must_use]
pub fn caption_notes(tokens: &CaptionTokens, bleu: &Bleu, cider: &Cider) -> Vec<String> {
    let mut notes = Vec::new();
    let images = tokens.len();
    let empty = (0..images).filter(|&image| tokens.hypotheses.get(image).is_empty()).count();
    if empty > 0 {
        notes.push(format!(
            "{empty} of {images} captions have no word: they are empty, or punctuation only."
        ));
    }
    if images == 1 {
        notes.push(
            "CIDEr is 0 whatever the caption: it weighs words by how few images have them, and \
            there is one image."
                .to_owned(),
        );
    } else if images > 1 && cider.weightless {
        notes.push(
            "CIDEr is 0 whatever the captions: it weighs words by how few images have them, and \
            all images have the same references."
                .to_owned(),
        );
    }
    // From the shortest on, for BLEU-k has the shorter n-grams too.
    if let Some(order) =
        (0..ORDERS).find(|&order| bleu.matched[order] == 0).filter(|_| images > empty)
    {
        let (first, words) = (order + 1, bleu.ngrams[order]);
        let up = match first {
            ORDERS => format!("BLEU-{first} is"),
            3 => format!("BLEU-{first} and BLEU-{ORDERS} are"),
            _ => format!("BLEU-{first} to BLEU-{ORDERS} are"),
        };
        let unit = if first == 1 { "word".to_owned() } else { format!("{first} words in a row") };
        notes.push(if words == 0 {
            format!("{up} (nearly) 0: no caption has {first} words.")
        } else {
            format!("{up} (nearly) 0: no {unit} of any caption are in a reference of its image.")
        });
    }
    notes
}
