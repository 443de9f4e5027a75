//! Writes the example as files, to look at: `$CARGO_TARGET_DIR/tmp/report.html` and others.

mod common;

use common::{axis, cell, example};
use std::path::Path;
use toolkit_report::{FIGURE_FILE, Results, figure_svg, html, markdown, table};

#[test]
fn write_the_example() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let results = example();
    std::fs::write(folder.join("report.html"), html(&results))?;
    std::fs::write(folder.join("report.md"), markdown(&results))?;
    std::fs::write(folder.join("table.txt"), table(&results))?;
    std::fs::write(folder.join(FIGURE_FILE), figure_svg(&results))?;
    std::fs::write(folder.join("many.html"), html(&many()))?;
    std::fs::write(folder.join("five.html"), html(&five_values()))
}

/// One axis of five numbers, a seed each, no curves and no stage 1, compared with one row.
fn five_values() -> Results {
    let values = ["4", "8", "16", "32", "64"];
    let scored = |(at, value): (usize, &&str)| {
        let overall = 50.0 + 5.0 * at as f64 - 0.7 * (at * at) as f64;
        let scores = [
            ("vqa.overall", overall),
            ("vqa.no_image.overall", 36.0),
            ("vqa.majority.overall", 34.9),
        ];
        cell(&[("queries", value)], 1, &scores)
    };
    Results {
        name: "queries".into(),
        axes: vec![axis("queries", "queries", &values)],
        baseline: [("queries".to_owned(), "32".to_owned())].into(),
        primary: "vqa.overall".into(),
        cells: values.iter().enumerate().map(scored).collect(),
        ..Results::default()
    }
}

/// Seven values of one axis, five of another.
fn many() -> Results {
    let mut results = example();
    let (first, second) =
        (["1", "2", "4", "8", "16", "32", "64"], ["tiny", "small", "medium", "large", "huge"]);
    results.axes =
        vec![axis("queries", "queries", &first), axis("vision", "vision encoder", &second)];
    results.baseline =
        [("queries".to_owned(), "16".to_owned()), ("vision".to_owned(), "tiny".to_owned())].into();
    let models = std::mem::take(&mut results.cells);
    for at in 0..35 {
        for seed in 0..2 {
            let mut model = models[(at * 5 + seed) % models.len()].clone();
            model.axes =
                cell(&[("queries", first[at % 7]), ("vision", second[at / 7])], 0, &[]).axes;
            model.seed = seed as u64;
            results.cells.push(model);
        }
    }
    results
}
