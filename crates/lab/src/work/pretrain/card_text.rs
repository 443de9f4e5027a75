//! Cards of trained parts: the text of the card they were trained from, with new weights.

use std::collections::BTreeMap;

/// Replaces `[weights]` and `[scores]` in the text of a card; all else stays.
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
        scores.iter().map(|(name, score)| format!("{name} = {score:.4}\n")).collect();
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
