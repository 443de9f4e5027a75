//! Names, units and directions of all scores, in one table.
//!
//! A score has the same name and the same unit wherever it is written: in the `scores.json` of
//! `toolkit eval`, in the `scores.json` and `results.json` of a run, in a report, and in the
//! `[[published]]` of a task card. A run measures several tasks, so there a key begins with the
//! name of the task: `caption.bleu4` of a run is `bleu4` of an evaluation.
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
    /// Seconds.
    Seconds,
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

/// One score.
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

/// All scores with a name of their own.
pub const SCORES: [Score; 27] = [
    // Questions.
    percent("overall", "accuracy"),
    percent("along", "mean along stage 2"),
    // Captions.
    Score { key: "cider", label: "CIDEr", unit: Unit::Cider, better: Better::Higher },
    percent("bleu1", "BLEU-1"),
    percent("bleu2", "BLEU-2"),
    percent("bleu3", "BLEU-3"),
    percent("bleu4", "BLEU-4"),
    percent("rouge_l", "ROUGE-L"),
    percent("meteor", "METEOR"),
    percent("meteor_exact_stem", "METEOR-exact-stem"),
    // Retrieval.
    percent("txt_r1", "text R@1"),
    percent("txt_r5", "text R@5"),
    percent("txt_r10", "text R@10"),
    percent("txt_r_mean", "text mean recall"),
    percent("img_r1", "image R@1"),
    percent("img_r5", "image R@5"),
    percent("img_r10", "image R@10"),
    percent("img_r_mean", "image mean recall"),
    percent("r1", "R@1"),
    percent("r5", "R@5"),
    percent("r10", "R@10"),
    percent("r_mean", "mean recall"),
    percent("hard_negative_accuracy", "accuracy on hard negatives"),
    Score { key: "images", label: "images", unit: Unit::Count, better: Better::Neither },
    // Language models.
    Score { key: "loss", label: "loss", unit: Unit::Nats, better: Better::Lower },
    Score { key: "perplexity", label: "perplexity", unit: Unit::Ratio, better: Better::Lower },
    Score { key: "seconds", label: "seconds", unit: Unit::Seconds, better: Better::Lower },
];

/// Returns the score that a key ends with; none for an accuracy over a part of the samples.
#[must_use]
pub fn of(key: &str) -> Option<&'static Score> {
    let mut parts = key.rsplit('.');
    let last = parts.next()?;
    // Parts of the samples have names from the data, which may be those of scores.
    if parts.next().is_some_and(|by| ["kind", "answer_type", "group"].contains(&by)) {
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
