//! Caption scoring: 5,000 images with 5 references each, tokenised and scored with BLEU, ROUGE-L
//! and CIDEr.
//!
//! `cargo bench -p toolkit-metrics --bench captions` times it; with `-- --write FOLDER` it also
//! writes the captions in COCO's form, `annotations.json` and `results.json`, for
//! `benches/peers/captions.py`, which times `toolkit score captions` and the official tools on them
//! in turn.

#![expect(clippy::print_stdout, reason = "a benchmark reports on its standard output")]

use serde_json::json;
use std::path::Path;
use std::time::Instant;
use toolkit_metrics::caption_scores;
use toolkit_seed::Stream;

const IMAGES: usize = 5000;
const REFERENCES: usize = 5;
const ROUNDS: usize = 5;

const SYLLABLES: [&str; 16] = [
    "ba", "to", "mi", "ren", "ka", "sol", "du", "pe", "lin", "gra", "vo", "shi", "mer", "tan",
    "fu", "nel",
];
const FREQUENT: [&str; 16] = [
    "a", "the", "on", "of", "in", "with", "and", "man", "two", "is", "sitting", "to", "near",
    "man's", "t-shirt", "3",
];

/// One of about 4,000 words, the frequent ones more often, as in captions.
fn word(rng: &mut Stream) -> String {
    if rng.below(100) < 55 {
        return FREQUENT[rng.below(16)].to_owned();
    }
    // The smaller of two numbers, for a long tail.
    let rare = rng.below(4096).min(rng.below(4096));
    [rare % 16, rare / 16 % 16, rare / 256].map(|syllable| SYLLABLES[syllable]).concat()
}

/// A caption of 8 to 14 words that shares about half of them with `topic`.
fn caption(topic: &[String], rng: &mut Stream) -> String {
    let mut words: Vec<String> = (0..8 + rng.below(7))
        .map(|at| if rng.below(2) == 0 { topic[at].clone() } else { word(rng) })
        .collect();
    words[0].get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    words.join(" ") + [".", "", "!", " ."][rng.below(4)]
}

fn main() {
    let mut rng = Stream::new(2026, "captions", 0);
    let mut references = Vec::with_capacity(IMAGES);
    let mut hypotheses = Vec::with_capacity(IMAGES);
    for _ in 0..IMAGES {
        let topic: Vec<String> = (0..14).map(|_| word(&mut rng)).collect();
        references.push((0..REFERENCES).map(|_| caption(&topic, &mut rng)).collect::<Vec<_>>());
        hypotheses.push(caption(&topic, &mut rng));
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--write");
    if let (Some(_), Some(folder)) = (arguments.next(), arguments.next()) {
        let annotation = |(at, caption): (usize, &String)| json!({"id": at, "image_id": at / REFERENCES, "caption": caption});
        let annotations: Vec<_> = references.iter().flatten().enumerate().map(annotation).collect();
        let images: Vec<_> = (0..IMAGES).map(|id| json!({ "id": id })).collect();
        let results = hypotheses
            .iter()
            .enumerate()
            .map(|(id, caption)| json!({"image_id": id, "caption": caption}));
        for (name, value) in [
            ("annotations.json", json!({"images": images, "annotations": annotations})),
            ("results.json", results.collect()),
        ] {
            std::fs::write(Path::new(&folder).join(name), value.to_string())
                .expect("the folder can be written to");
        }
    }
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(caption_scores(&hypotheses, &references));
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let scores = caption_scores(&hypotheses, &references).expect("there are images");
    let summary = json!({
        "images": IMAGES,
        "seconds_median": seconds[ROUNDS / 2],
        "seconds_min": seconds[0],
        "Bleu_4": scores.bleu4,
        "ROUGE_L": scores.rouge_l,
        "CIDEr": scores.cider,
    });
    println!("{summary}");
}
