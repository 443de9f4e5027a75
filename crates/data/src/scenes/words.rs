//! The wordings: templates with slots, and how they are filled.
//!
//! Kept apart from the code that uses them so that the vocabulary is read off the same tables.

/// Number words; index 0 is "one".
pub(crate) const NUMBERS: [&str; 4] = ["one", "two", "three", "four"];

/// Wordings that say everything, and wordings that say a part.
pub(crate) struct Wordings {
    pub full: &'static [&'static str],
    pub part: &'static [&'static str],
}

/// `{n}` "a red apple", `{m}` "red apple", `{bg}` "a blue background", `{c}` "blue".
pub(crate) const SINGLE: Wordings = Wordings {
    full: &[
        "{n} on {bg}",
        "a picture of {n} on {bg}",
        "there is {n} on {bg}",
        "on {bg} there is {n}",
        "{n} in front of {bg}",
        "a photo of {n} with {bg}",
        "one {m}, the background is {c}",
        "{bg} with one {m} on it",
    ],
    part: &[
        "a photo of {n}",
        "a picture of {n}",
        "{n}",
        "there is {n}",
        "this is {n}",
        "{n} in the picture",
    ],
};

/// `{p}` "three red apples", `{s}` "apples".
pub(crate) const COPIES: Wordings = Wordings {
    full: &[
        "{p} on {bg}",
        "a picture of {p} on {bg}",
        "there are {p} on {bg}",
        "on {bg} there are {p}",
        "{p} in front of {bg}",
        "a photo of {p} with {bg}",
        "{p}, the background is {c}",
        "{bg} with {p} on it",
    ],
    part: &[
        "{p}",
        "a photo of {p}",
        "there are {p}",
        "some {s} on {bg}",
        "a picture of some {s}",
        "{p} in the picture",
    ],
};

/// `{l}` the left thing with its article, `{r}` the right one, `{x}` and `{y}` both in any order.
pub(crate) const BESIDE: Wordings = Wordings {
    full: &[
        "{l} to the left of {r}, on {bg}",
        "{r} to the right of {l}, on {bg}",
        "on {bg} there is {r} with {l} on its left",
        "on {bg} there is {l} with {r} on its right",
        "{l} on the left and {r} on the right, on {bg}",
        "a picture of {l} to the left of {r} on {bg}",
        "on {bg} {l} is to the left of {r}",
        "{r} is to the right of {l}, the background is {c}",
    ],
    part: PAIR_PART,
};

/// `{l}` the upper thing, `{r}` the lower one.
pub(crate) const STACKED: Wordings = Wordings {
    full: &[
        "{l} above {r}, on {bg}",
        "{r} below {l}, on {bg}",
        "on {bg} there is {r} with {l} above it",
        "on {bg} there is {l} with {r} below it",
        "{l} at the top and {r} at the bottom, on {bg}",
        "a picture of {l} above {r} on {bg}",
        "on {bg} {l} is above {r}",
        "{r} is below {l}, the background is {c}",
    ],
    part: PAIR_PART,
};

const PAIR_PART: &[&str] = &[
    "{x} and {y}",
    "{x} and {y} on {bg}",
    "a photo of {x} and {y}",
    "there is {x} and {y}",
    "a photo of {x}",
    "{x} on {bg}",
];

/// `{list}` "a dog, a key and a bus" in any order, `{w}` "three", `{x}` and `{y}` two of the
/// things.
pub(crate) const GRID: Wordings = Wordings {
    full: &[
        "{list} on {bg}",
        "a picture of {list} on {bg}",
        "there is {list} on {bg}",
        "on {bg} there are {w} things, {list}",
        "{w} things on {bg}, {list}",
        "{list}, the background is {c}",
        "{bg} with {list} on it",
        "{list} in front of {bg}",
    ],
    part: &[
        "{list}",
        "a photo of {x} and {y}",
        "{w} things on {bg}",
        "{x} and {y} on {bg}",
        "a picture of {list}",
        "there is {x}",
    ],
};

/// Wordings of each kind of question. `{n}` "a dog", `{s}` "dogs", `{a}` and `{b}` bare names,
/// `{rel}` a relation.
pub(crate) const QUESTIONS: [(&str, &[&str]); 8] = [
    ("what", &["what is it?", "what is in the picture?", "what is shown?"]),
    ("exists", &["is there {n}?", "is there {n} in the picture?", "can you see {n}?"]),
    (
        "count",
        &[
            "how many {s} are there?",
            "how many {s} can you see?",
            "how many {s} are in the picture?",
        ],
    ),
    (
        "colour_background",
        &[
            "what colour is the background?",
            "which colour is the background?",
            "what is the colour of the background?",
        ],
    ),
    (
        "colour_thing",
        &["what colour is it?", "which colour is it?", "what is the colour of the thing?"],
    ),
    (
        "relation",
        &[
            "what is {rel} the {b}?",
            "which thing is {rel} the {b}?",
            "what can you see {rel} the {b}?",
        ],
    ),
    ("relation_yesno", &["is the {a} {rel} the {b}?", "can you see the {a} {rel} the {b}?"]),
    (
        "how_many_things",
        &[
            "how many things are there?",
            "how many things are in the picture?",
            "how many things can you see?",
        ],
    ),
];

/// Relations of the first to the second thing of a pair and back: beside, then stacked.
pub(crate) const RELATIONS: [[&str; 2]; 2] =
    [["to the left of", "to the right of"], ["above", "below"]];

/// Fills the slots of a template.
pub(crate) fn fill(template: &str, slots: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((slot, tail)) = after.split_once('}') else { break };
        out.push_str(slots.iter().find(|(name, _)| *name == slot).map_or("", |(_, text)| text));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Splits text into lower-case words and single punctuation marks.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            out.push(c.to_string());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}
