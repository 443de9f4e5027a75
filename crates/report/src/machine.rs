//! The tables of cost and of what was not trained, and the bar of where the time went.

use crate::Results;
use crate::figure::{Figure, WIDTH};
use crate::grid::{Grid, Row};
use crate::names;
use crate::paint::Paint;
use crate::svg::{Anchor, Svg, text_width};
use crate::table::{Cell, Table, TableRow};
use crate::write::{bytes, count, score, seconds};
use toolkit_metrics::mean;

/// Name and text of the facts about the run.
pub(crate) fn facts(results: &Results) -> Vec<(&'static str, String)> {
    let cost = &results.cost;
    let known = |value: f64| if value > 0.0 { seconds(value) } else { String::new() };
    let memory = if cost.peak_rss_bytes > 0 { bytes(cost.peak_rss_bytes) } else { String::new() };
    let mut facts = vec![
        ("wall time", known(cost.wall_seconds)),
        ("processor time", known(cost.cpu_seconds)),
        ("peak memory", memory),
        ("device", results.device.clone()),
        (
            "toolkit",
            [results.toolkit_version.as_str(), results.git.as_str()].join(" ").trim().to_owned(),
        ),
        ("date", results.created.clone()),
    ];
    facts.retain(|(_, text)| !text.is_empty());
    facts
}

/// Time and trained parameters of each row.
pub(crate) fn cells(grid: &Grid) -> Table {
    let row = |row: &Row| {
        let time =
            mean(&row.cells.iter().map(|cell| cell.seconds).collect::<Vec<_>>()).unwrap_or(0.0);
        let params = row.cells.iter().map(|cell| cell.trained_params).max().unwrap_or(0);
        let seeds: Vec<String> = row.seeds().iter().map(u64::to_string).collect();
        let told = if params == 0 { "–".to_owned() } else { count(params) };
        let time = if time > 0.0 { seconds(time) } else { "–".to_owned() };
        TableRow {
            head: grid.label(&row.at),
            cells: [seeds.join(", "), time, told].into_iter().map(Cell::new).collect(),
            rule: false,
        }
    };
    Table {
        caption: "Cost of one model of each row, mean over seeds.".to_owned(),
        corner: grid.axes_label(),
        head: ["seeds", "time", "trained parameters"].map(str::to_owned).to_vec(),
        rows: grid.rows.iter().map(row).collect(),
        words: false,
    }
}

/// The parts that were not trained.
pub(crate) fn frozen(results: &Results) -> Table {
    let row = |part: &crate::FrozenPart| {
        let scores: Vec<String> = part
            .scores
            .iter()
            .map(|(key, value)| {
                format!(
                    "{} {}{}",
                    names::short(key),
                    score(key, *value),
                    names::unit(key).replace([' ', '(', ')'], "")
                )
            })
            .collect();
        let digest: String = part.sha256.chars().take(16).collect();
        TableRow {
            head: part.role.clone(),
            cells: [part.name.clone(), count(part.params), digest, scores.join(", ")]
                .into_iter()
                .map(Cell::new)
                .collect(),
            rule: false,
        }
    };
    Table {
        caption:
            "Frozen parts: their weights are the same in every row and were not trained here. \
            SHA-256: first 16 digits."
                .to_owned(),
        corner: "role".to_owned(),
        head: ["card", "parameters", "SHA-256", "scores before this experiment"]
            .map(str::to_owned)
            .to_vec(),
        rows: results.frozen.iter().map(row).collect(),
        words: true,
    }
}

/// Where the time went, as one bar. `None` without parts.
pub(crate) fn parts(results: &Results, paint: Paint) -> Option<Figure> {
    let parts: Vec<&(String, f64)> =
        results.cost.parts.iter().filter(|part| part.1 > 0.0 && part.1.is_finite()).collect();
    let total: f64 = parts.iter().map(|part| part.1).sum();
    if parts.is_empty() {
        return None;
    }
    let mut svg = Svg::new(paint);
    let (mut x, mut key_x, mut key_y) = (0.0, 0.0, 52.0);
    let (ink, paper) = (paint.colour("ink"), paint.colour("paper"));
    for (at, (name, time)) in parts.iter().enumerate() {
        let (width, colour) = (WIDTH * time / total, paint.series(at));
        svg.rect(x, 6.0, width, 22.0, &colour);
        if at > 0 {
            svg.line((x, 6.0), (x, 28.0), &paper, 2.0, "");
        }
        x += width;
        let text = format!("{name} {} ({:.0}%)", seconds(*time), 100.0 * time / total);
        let needed = text_width(&text, 12.5) + 40.0;
        if key_x + needed > WIDTH {
            (key_x, key_y) = (0.0, key_y + 20.0);
        }
        svg.rect(key_x, key_y - 10.0, 12.0, 12.0, &colour);
        svg.text((key_x + 18.0, key_y), Anchor::Start, 12.5, &ink, "", &text);
        key_x += needed;
    }
    let caption = "Where the time went, in the order of the bar from left to right.".to_owned();
    Some(Figure { svg: svg.finish(WIDTH, key_y + 8.0, "Where the time went"), caption })
}
