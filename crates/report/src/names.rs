//! Names and units of scores for readers.

use toolkit_metrics::scores::{self, SCORES, Unit};

/// Controls: the key after the task, the short name, and the meaning.
pub(crate) const CONTROLS: [(&str, &str, &str); 3] = [
    (
        scores::SHUFFLED,
        "shuffled image",
        "the model is shown another question's image: what is left does not come from the picture",
    ),
    (
        scores::NO_IMAGE,
        "no image",
        "the model gets the question without any image: what can be guessed from the words",
    ),
    (
        scores::MAJORITY,
        "majority",
        "no model: always the most frequent training answer of that kind of question",
    ),
];

/// Groups of the scenes data: key, name and meaning.
pub(crate) const GROUPS: [(&str, &str, &str); 3] = [
    ("seen", "seen", "new pictures of things and pairs of things that were trained on"),
    ("new_combination", "new combinations", "pairs of things that were never together in training"),
    ("new_thing", "new things", "things that were in no training picture of stages 1 and 2"),
];

/// Returns the key of a control of a score: `vqa.overall` under `shuffled` is
/// `vqa.shuffled.overall`.
pub(crate) fn control_key(key: &str, control: &str) -> String {
    match key.split_once('.') {
        Some((task, rest)) => format!("{task}.{control}.{rest}"),
        None => format!("{control}.{key}"),
    }
}

/// Returns `true` if the score is a percentage.
pub(crate) fn is_percent(key: &str) -> bool {
    scores::unit(key) == Unit::Percent
}

/// Returns the unit in brackets, with a space before it; nothing for a score without a unit.
pub(crate) fn unit(key: &str) -> &'static str {
    if is_percent(key) { " (%)" } else { "" }
}

/// Returns the unit of differences of the score, with a space before it.
pub(crate) fn points(key: &str) -> &'static str {
    if is_percent(key) { " points" } else { "" }
}

/// Writes one part of a key in words.
fn word(part: &str) -> String {
    if let Some(score) = SCORES.iter().find(|score| score.key == part) {
        return score.label.to_owned();
    }
    let known = match part {
        "vqa" => "VQA",
        "itc" => "ITC",
        "itm" => "ITM",
        "itg" => "ITG",
        "lm" => "LM",
        "relation_yesno" => "relation, yes or no",
        "colour_thing" => "colour of a thing",
        "colour_background" => "colour of the background",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    for (key, name, _) in CONTROLS.iter().chain(&GROUPS) {
        if part == *key {
            return (*name).to_owned();
        }
    }
    part.replace('_', " ")
}

/// Writes a key in words, without the criteria by which samples are divided, such as `kind`.
fn words(key: &[&str]) -> String {
    let is_criterion = |at: usize| at + 1 < key.len() && scores::PARTS.contains(&key[at]);
    let own = (0..key.len()).filter(|&at| !is_criterion(at)).map(|at| word(key[at]));
    own.collect::<Vec<_>>().join(" ")
}

/// Returns the name of a score where its task is clear: `CIDEr`, `count`, `ITC text R@1`.
pub(crate) fn short(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    let has_task = parts.len() > 1 && ["vqa", "caption", "retrieval"].contains(&parts[0]);
    words(&parts[usize::from(has_task && key != "vqa.overall")..])
}

/// Returns the full name of a score, without unit: `VQA accuracy`, `caption CIDEr`.
pub(crate) fn long(key: &str) -> String {
    words(&key.split('.').collect::<Vec<_>>())
}

/// Returns a loss in words: `loss_itc` is `image-text contrast (ITC)`.
pub(crate) fn loss(key: &str) -> String {
    match key {
        "loss_itc" => "image–text contrast (ITC)".to_owned(),
        "loss_itm" => "image–text matching (ITM)".to_owned(),
        "loss_itg" => "image-grounded text (ITG)".to_owned(),
        "loss_lm" => "language modelling (LM)".to_owned(),
        "accuracy_itm_hard_negatives" => "ITM accuracy, hard negatives".to_owned(),
        _ => key.strip_prefix("loss_").unwrap_or(key).replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_words() {
        assert_eq!(long("vqa.overall"), "VQA accuracy");
        assert_eq!(long("vqa.kind.how_many"), "VQA how many");
        assert_eq!(short("retrieval.itc.txt_r1"), "ITC text R@1");
        assert_eq!(short("caption.bleu4"), "BLEU-4");
        assert_eq!(long("caption.group.seen.cider"), "caption seen CIDEr");
        assert_eq!(short("vqa.kind.relation"), "relation");
        assert_eq!(short("vqa.overall"), "VQA accuracy");
        // A score of a card may be called like a criterion.
        assert_eq!(short("group"), "group");
        assert_eq!(control_key("vqa.overall", "no_image"), "vqa.no_image.overall");
        assert_eq!((unit("caption.cider"), unit("caption.bleu4")), ("", " (%)"));
    }
}
