//! Prints METEOR of captions: `meteor FOLDER < lines.json`, a line for each image: `{"hyp": "...",
//! "refs": ["..."]}` of PTB tokens. Writes a score a line, then the corpus score; times go to the
//! error output.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::io::BufRead;
use std::time::Instant;

use toolkit_metrics::{Meteor, MeteorScores};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name the folder of pycocoevalcap, or `none`")?;
    let began = Instant::now();
    let meteor =
        if folder == "none" { Meteor::without_tables() } else { Meteor::open(folder.as_ref())? };
    eprintln!("tables: {:.2} s", began.elapsed().as_secs_f64());
    let (mut hypotheses, mut references) = (Vec::new(), Vec::new());
    let words = |text: &serde_json::Value| -> Vec<String> {
        text.as_str()
            .unwrap_or_default()
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    for line in std::io::stdin().lock().lines() {
        let record: serde_json::Value = serde_json::from_str(&line?)?;
        hypotheses.push(words(&record["hyp"]));
        references.push(
            record["refs"].as_array().ok_or("no refs")?.iter().map(words).collect::<Vec<_>>(),
        );
    }
    // The first time, the file of paraphrases is read for these words.
    let mut scores = MeteorScores::default();
    for reads in ["with", "without"] {
        let began = Instant::now();
        scores = meteor.score(&hypotheses, &references)?;
        eprintln!(
            "{} images: {:.2} s {reads} paraphrases to read",
            hypotheses.len(),
            began.elapsed().as_secs_f64()
        );
    }
    scores.each.iter().for_each(|score| println!("{score}"));
    println!("{}", scores.overall.unwrap_or(f64::NAN));
    Ok(())
}
