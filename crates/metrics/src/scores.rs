//! Names, units and directions of all scores, in one table.
//!
//! A score has the same name and the same unit wherever it is written: in the `scores.json` of
//! `toolkit eval`, in the `scores.json` and `results.json` of a run, in a report, in the
//! `[[published]]` of a task card, and in the `[scores]` of a card of weights. A run measures
//! several tasks, so there a key begins with the name of the task: `caption.bleu4` of a run is
//! `bleu4` of an evaluation.
//!
//! | key | score |
//! |---|---|
//! | `SCORE` | one of [`SCORES`], over all samples |
//! | `METHOD.SCORE` | of retrieval: by similarity (`itc`), re-ranked (`itm`), by guessing (`chance`) |
//! | `kind.KIND`, `answer_type.TYPE`, `group.GROUP` | accuracy over a part of the questions |
//! | `group.GROUP.cider` | CIDEr over a part of the pictures |
//! | `CONTROL.SCORE` | the score under a control: `shuffled`, `no_image` or `majority` |
//!
//! `toolkit score` is the exception: it prints the keys and the scale of the official tools.

/// Unit of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Percent, 0 to 100.
    Percent,
    /// CIDEr's own scale, 0 to 10, as the official tool prints it; papers print 100 times that.
    Cider,
    /// Nats for each token.
    Nats,
    /// A number of things.
    Count,
    /// A number without a unit.
    Ratio,
}

/// Direction in which a score improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
    /// The number describes the measurement.
    Neither,
}

/// A score: its key, name, unit and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Last part of its key.
    pub key: &'static str,
    /// Name in tables and figures.
    pub label: &'static str,
    /// Unit of its values.
    pub unit: Unit,
    /// Direction in which it improves.
    pub better: Better,
}

const fn percent(key: &'static str, label: &'static str) -> Score {
    Score { key, label, unit: Unit::Percent, better: Better::Higher }
}

/// VQA accuracy over all questions.
pub const OVERALL: Score = percent("overall", "accuracy");
/// Mean of [`OVERALL`] over the curve of stage 2.
pub const ALONG: Score = percent("along", "mean along stage 2");

/// CIDEr-D.
pub const CIDER: Score =
    Score { key: "cider", label: "CIDEr", unit: Unit::Cider, better: Better::Higher };
/// BLEU-1.
pub const BLEU1: Score = percent("bleu1", "BLEU-1");
/// BLEU-2.
pub const BLEU2: Score = percent("bleu2", "BLEU-2");
/// BLEU-3.
pub const BLEU3: Score = percent("bleu3", "BLEU-3");
/// BLEU-4.
pub const BLEU4: Score = percent("bleu4", "BLEU-4");
/// ROUGE-L.
pub const ROUGE_L: Score = percent("rouge_l", "ROUGE-L");
/// METEOR with its tables.
pub const METEOR: Score = percent("meteor", "METEOR");
/// METEOR without its tables: words match exactly or by their stem.
pub const METEOR_EXACT_STEM: Score = percent("meteor_exact_stem", "METEOR-exact-stem");

/// Recall of texts at 1.
pub const TXT_R1: Score = percent("txt_r1", "text R@1");
/// Recall of texts at 5.
pub const TXT_R5: Score = percent("txt_r5", "text R@5");
/// Recall of texts at 10.
pub const TXT_R10: Score = percent("txt_r10", "text R@10");
/// Mean of the recalls of texts.
pub const TXT_R_MEAN: Score = percent("txt_r_mean", "text mean recall");
/// Recall of images at 1.
pub const IMG_R1: Score = percent("img_r1", "image R@1");
/// Recall of images at 5.
pub const IMG_R5: Score = percent("img_r5", "image R@5");
/// Recall of images at 10.
pub const IMG_R10: Score = percent("img_r10", "image R@10");
/// Mean of the recalls of images.
pub const IMG_R_MEAN: Score = percent("img_r_mean", "image mean recall");
/// Recall at 1, mean of both directions.
pub const R1: Score = percent("r1", "R@1");
/// Recall at 5, mean of both directions.
pub const R5: Score = percent("r5", "R@5");
/// Recall at 10, mean of both directions.
pub const R10: Score = percent("r10", "R@10");
/// Mean of all recalls.
pub const R_MEAN: Score = percent("r_mean", "mean recall");
/// Share of right verdicts of the matching head on right and hard wrong pairs.
pub const HARD_NEGATIVE_ACCURACY: Score =
    percent("hard_negative_accuracy", "accuracy on hard negatives");
/// Number of images.
pub const IMAGES: Score =
    Score { key: "images", label: "images", unit: Unit::Count, better: Better::Neither };

/// Cross-entropy.
pub const LOSS: Score =
    Score { key: "loss", label: "loss", unit: Unit::Nats, better: Better::Lower };
/// Perplexity.
pub const PERPLEXITY: Score =
    Score { key: "perplexity", label: "perplexity", unit: Unit::Ratio, better: Better::Lower };

/// The table: all scores with a name of their own.
pub const SCORES: [Score; 26] = [
    // Questions.
    OVERALL,
    ALONG,
    // Captions.
    CIDER,
    BLEU1,
    BLEU2,
    BLEU3,
    BLEU4,
    ROUGE_L,
    METEOR,
    METEOR_EXACT_STEM,
    // Retrieval.
    TXT_R1,
    TXT_R5,
    TXT_R10,
    TXT_R_MEAN,
    IMG_R1,
    IMG_R5,
    IMG_R10,
    IMG_R_MEAN,
    R1,
    R5,
    R10,
    R_MEAN,
    HARD_NEGATIVE_ACCURACY,
    IMAGES,
    // Language models.
    LOSS,
    PERPLEXITY,
];

/// Retrieval by similarity: the first part of its keys.
pub const ITC: &str = "itc";

/// Retrieval re-ranked by the matching head: the first part of its keys.
pub const ITM: &str = "itm";

/// Retrieval by guessing: the first part of its keys.
pub const CHANCE: &str = "chance";

/// Parts of the questions of one kind: `kind.KIND`.
pub const KIND: &str = "kind";

/// Parts of the questions with one type of answer: `answer_type.TYPE`.
pub const ANSWER_TYPE: &str = "answer_type";

/// Parts of the pictures of one group: `group.GROUP`.
pub const GROUP: &str = "group";

/// Criteria by which samples are divided: the part of a key before the name of the part.
pub const PARTS: [&str; 3] = [KIND, ANSWER_TYPE, GROUP];

/// Control with the picture of another sample: the first part of its keys.
pub const SHUFFLED: &str = "shuffled";

/// Control without a picture: the first part of its keys.
pub const NO_IMAGE: &str = "no_image";

/// Control that always gives the commonest answer: the first part of its keys.
pub const MAJORITY: &str = "majority";

/// Returns the score that a key ends with; none for an accuracy over a part of the samples.
#[must_use]
pub fn of(key: &str) -> Option<&'static Score> {
    let mut parts = key.rsplit('.');
    let last = parts.next()?;
    // Parts of the samples have names from the data, which may be those of scores.
    if parts.next().is_some_and(|by| PARTS.contains(&by)) {
        return None;
    }
    SCORES.iter().find(|score| score.key == last)
}

/// Returns the unit of a key's values. A key that is not in the table is an accuracy.
#[must_use]
pub fn unit(key: &str) -> Unit {
    of(key).map_or(Unit::Percent, |score| score.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_unit() {
        let known = [
            ("bleu4", Unit::Percent),
            ("caption.bleu4", Unit::Percent),
            ("caption.group.seen.cider", Unit::Cider),
            ("group.seen.cider", Unit::Cider),
            ("vqa.kind.count", Unit::Percent),
            // A kind of question may be called like a score.
            ("vqa.kind.cider", Unit::Percent),
            ("retrieval.itm.hard_negative_accuracy", Unit::Percent),
            ("retrieval.images", Unit::Count),
            ("vqa.shuffled.overall", Unit::Percent),
        ];
        for (key, wanted) in known {
            assert_eq!(unit(key), wanted, "{key}");
        }
    }

    #[test]
    fn no_score_is_named_twice() {
        for (at, score) in SCORES.iter().enumerate() {
            assert!(SCORES[..at].iter().all(|other| other.key != score.key), "{}", score.key);
        }
    }
}
