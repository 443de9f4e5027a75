//! The texts of one picture that are ranked together: web texts and drawn captions.

use crate::LabError;
use serde::{Deserialize, Serialize};
use toolkit_system::problem::Problem;
use toolkit_vlm::{GeneratedText, MatchScores};

/// The score by which texts are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RankBy {
    /// Image-text contrast, as the paper ranks with CLIP.
    #[default]
    Itc,
    /// Probability of image-text matching.
    Itm,
}

/// The origin of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It was there.
    Web,
    /// The captioner drew it.
    Captioner,
}

/// A text of a picture with its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Text.
    pub text: String,
    /// Origin; of a web text that was also drawn, the web.
    pub from: Origin,
    /// Number of draws that gave this text.
    pub draws: usize,
    /// Mean log-probability of its tokens under what was drawn from; `None` if it was not drawn.
    pub log_prob: Option<f32>,
    /// Cosine of the text with the most similar query.
    pub itc: f32,
    /// Probability that it matches.
    pub itm: f32,
    /// `true` if it is one of the best, and so a caption.
    pub kept: bool,
}

/// Collects the distinct texts of a picture: web texts first, then drawn ones in the order of their
/// probability. Blank texts are left out.
pub(super) fn distinct(web: &[String], drawn: &[GeneratedText]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let web = web.iter().map(|text| (text, None));
    for (text, draw) in web.chain(drawn.iter().map(|draw| (&draw.text, Some(draw)))) {
        if text.trim().is_empty() {
            continue;
        }
        let at = all.iter().position(|known| known.text == *text).unwrap_or_else(|| {
            let from = if draw.is_some() { Origin::Captioner } else { Origin::Web };
            let (text, kept) = (text.clone(), false);
            all.push(Candidate { text, from, draws: 0, log_prob: None, itc: 0.0, itm: 0.0, kept });
            all.len() - 1
        });
        if let Some(draw) = draw {
            all[at].draws += 1;
            // Draws of one text may have ended differently: at an end, or at the longest length.
            let best = all[at].log_prob.map_or(draw.score, |known| known.max(draw.score));
            all[at].log_prob = Some(best);
        }
    }
    all
}

/// Enters the scores of a picture's texts, marks the best `keep`, and sorts them best first. Texts
/// with equal scores stay in their order.
///
/// # Errors
/// If a score is no number.
pub(super) fn rank(
    mut texts: Vec<Candidate>,
    scores: &MatchScores,
    by: RankBy,
    keep: usize,
) -> Result<Vec<Candidate>, LabError> {
    for (at, text) in texts.iter_mut().enumerate() {
        (text.itc, text.itm) = (scores.itc[at], scores.probability(at));
        if !text.itc.is_finite() || !text.itm.is_finite() {
            return Err(Problem::new("the scores of the matcher are not numbers")
                .at(format_args!("`{}`", text.text))
                .hint("`toolkit match` shows its scores; take another matcher or `--dtype f32`")
                .into());
        }
    }
    let score = |text: &Candidate| match by {
        RankBy::Itc => text.itc,
        RankBy::Itm => text.itm,
    };
    texts.sort_by(|a, b| score(b).total_cmp(&score(a)));
    texts.iter_mut().take(keep).for_each(|text| text.kept = true);
    Ok(texts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn drawn(text: &str, score: f32) -> GeneratedText {
        GeneratedText { text: text.to_owned(), ids: vec![], score, finished: true }
    }

    fn texts() -> Vec<Candidate> {
        let web = ["a web text", " "].map(str::to_owned);
        let draws = ["a dog", "", "a web text", "a dog", "a cat"];
        let draws: Vec<_> =
            draws.iter().zip(1..).map(|(text, at)| drawn(text, -0.1 * at as f32)).collect();
        distinct(&web, &draws)
    }

    #[test]
    fn texts_are_counted_once() {
        let found: Vec<_> =
            texts().into_iter().map(|c| (c.text, c.from, c.draws, c.log_prob)).collect();
        let wanted = [
            ("a web text", Origin::Web, 1, Some(-0.3)),
            ("a dog", Origin::Captioner, 2, Some(-0.1)),
            ("a cat", Origin::Captioner, 1, Some(-0.5)),
        ];
        for (found, (text, from, draws, log_prob)) in found.iter().zip(wanted) {
            assert_eq!((found.0.as_str(), found.1, found.2), (text, from, draws));
            assert!((found.3.unwrap() - log_prob.unwrap()).abs() < 1e-6);
        }
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn the_best_are_kept_by_either_score() {
        // By ITM the last two are equal, and their order stays.
        let itm = vec![[0.0, 2.0], [0.0, 1.0], [0.0, 1.0]];
        let scores = MatchScores { itc: vec![0.1, 0.3, 0.2], itm };
        let kept = |by, keep| {
            let ranked = rank(texts(), &scores, by, keep).unwrap();
            assert_eq!(ranked.len(), 3, "nothing is lost");
            assert!(ranked.iter().take(keep).all(|text| text.kept));
            let kept = ranked.into_iter().filter(|text| text.kept);
            kept.map(|text| text.text).collect::<Vec<_>>()
        };
        assert_eq!(kept(RankBy::Itc, 2), ["a dog", "a cat"]);
        assert_eq!(kept(RankBy::Itm, 2), ["a web text", "a dog"]);
        assert_eq!(kept(RankBy::Itm, 9), ["a web text", "a dog", "a cat"]);
        let broken = MatchScores { itc: vec![0.1, f32::NAN, 0.2], itm: scores.itm.clone() };
        let error = rank(texts(), &broken, RankBy::Itc, 2).unwrap_err().to_string();
        assert!(error.contains("not numbers") && error.contains("a dog"), "{error}");
    }
}
