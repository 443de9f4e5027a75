//! Cards of trained parts: the text of the card they were trained from, with new weights.

use std::collections::BTreeMap;

/// Replaces `[weights]` and `[scores]`, in percent, in the text of a card; all else stays.
pub(super) fn with_weights(
    card: &str,
    weights: &str,
    dtype: &str,
    sha256: &str,
    scores: &BTreeMap<String, f64>,
) -> String {
    let mut kept = Vec::new();
    let mut skipping = false;
    for line in card.lines() {
        if line.starts_with('[') {
            skipping = matches!(line.trim(), "[weights]" | "[scores]");
        }
        if !skipping {
            kept.push(line);
        }
    }
    let scores: String =
        scores.iter().map(|(name, score)| format!("{name} = {score:.2}\n")).collect();
    format!(
        "{}\n\n[weights]\nsource = \"file:{weights}\"\nsha256 = \"{sha256}\"\ndtype = \
        \"{dtype}\"\n\n[scores]\n{scores}",
        kept.join("\n").trim_end()
    )
}

/// Replaces `sha256` in one section of a card.
pub(super) fn with_digest(card: &str, section: &str, sha256: &str) -> String {
    let (mut out, mut inside) = (String::with_capacity(card.len()), false);
    for line in card.lines() {
        if line.starts_with('[') {
            inside = line.trim() == format!("[{section}]");
        }
        let digest = inside && line.split('=').next().is_some_and(|key| key.trim() == "sha256");
        out.push_str(&if digest { format!("sha256 = \"{sha256}\"") } else { line.to_owned() });
        out.push('\n');
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use toolkit_metrics::scores::{Unit, unit};
    use toolkit_registry::{Card, Kind, Origin, Registry};

    #[test]
    fn weights_and_scores_are_replaced() {
        let card = Registry::builtin().card(Kind::Vision, "vit-nano").unwrap();
        let scores = BTreeMap::from([("colour".to_owned(), 99.754)]);
        let text = with_weights(card.text().text(), "w.safetensors", "f16", "ab", &scores);
        let new = Card::parse(Kind::Vision, "vit-nano", Origin::Embedded, &text).unwrap();
        assert_eq!(new.scores, BTreeMap::from([("colour".to_owned(), 99.75)]));
        assert_eq!(new.weights.unwrap().source, "file:w.safetensors");
        assert_eq!((new.family, new.facts), (card.family, card.facts));
    }

    #[test]
    fn accuracies_of_cards_are_in_percent() {
        let registry = Registry::builtin();
        let mut cards = 0;
        for kind in [Kind::Vision, Kind::Bridge, Kind::Language] {
            for name in registry.names(kind) {
                let scores = registry.card(kind, &name).unwrap().scores;
                let percent = scores.iter().filter(|(key, _)| unit(key) == Unit::Percent);
                let Some(best) = percent.map(|(_, value)| *value).reduce(f64::max) else {
                    continue;
                };
                // Each card has something that it does well. A share would be 1 at most.
                assert!((50.0..=100.0).contains(&best), "{name}: {best}");
                cards += 1;
            }
        }
        assert!(cards >= 3, "{cards}");
    }
}
