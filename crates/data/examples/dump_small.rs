//! Writes the `small` data set to a folder, for programs in other languages: every picture as PNG,
//! `small.tsv` with a line for each caption (id, source, split, depicts, caption, picture) and
//! `questions.tsv` (id, split, kind, question, right answers parted by `|`).
//!
//! `cargo run -p toolkit-data --example dump_small -- OUT stamps=FOLDER gcompris=FOLDER
//! pysiogame=FOLDER \ google_emoji=FOLDER emojibase=FOLDER`; only the sources whose folders are
//! given are used, and `twemoji`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toolkit_data::{Dataset, Small, SmallConfig, SmallSource};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let out = PathBuf::from(args.next().ok_or("the first argument is the folder to write to")?);
    let mut folders = BTreeMap::new();
    for arg in args {
        let (name, path) =
            arg.split_once('=').ok_or_else(|| format!("'{arg}' is not NAME=FOLDER"))?;
        folders.insert(name.to_owned(), PathBuf::from(path));
    }
    let given = |source: &SmallSource| {
        source.packages().iter().all(|package| folders.contains_key(*package))
    };
    let sources = SmallSource::ALL.into_iter().filter(given).collect();
    let config = SmallConfig { sources, ..SmallConfig::default() };
    std::fs::create_dir_all(out.join("images"))?;
    let mut table = String::from("id\tsource\tsplit\tshows\tcaption\tpicture\n");
    let mut questions = String::from("id\tsplit\tkind\tquestion\tanswers\n");
    let mut number = 0;
    for split in ["train", "val", "test"] {
        let data = Small::open(&config, &folders, split)?;
        for index in 0..data.len() {
            let item = data.item(index);
            let path = Path::new("images").join(format!("{number:05}.png"));
            number += 1;
            data.image(index)?.save(out.join(&path))?;
            for caption in &item.captions {
                let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
                let (id, group, depicts) = (&item.id, &item.group, &item.depicts);
                writeln!(
                    table,
                    "{id}\t{group}\t{split}\t{depicts}\t{caption}\t{}",
                    path.display()
                )?;
            }
            for question in &item.questions {
                let (text, answers) = (&question.text, question.answers.join("|"));
                writeln!(questions, "{}\t{split}\t{}\t{text}\t{answers}", item.id, question.kind)?;
            }
        }
    }
    std::fs::write(out.join("small.tsv"), table)?;
    std::fs::write(out.join("questions.tsv"), questions)?;
    Ok(())
}
