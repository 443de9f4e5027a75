//! The verdict in plain words.

use crate::names;
use crate::stats::grid::Grid;
use crate::stats::summary::{Comparison, Summary};
use crate::text::write::{capital, p_is, plural, score, signed};

/// More effects than this are counted, and only those that exclude zero are listed one by one.
const LISTED: usize = 6;

/// Mean of the points of a curve.
const ALONG: &str = "vqa.along";

/// A finding, and the numbers behind it.
pub(crate) struct Sentence {
    pub lead: String,
    pub rest: String,
}

impl Sentence {
    fn new(lead: impl Into<String>, rest: impl Into<String>) -> Self {
        Sentence { lead: lead.into(), rest: rest.into() }
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.lead, self.rest).trim().to_owned()
    }
}

/// The sentences of the verdict.
pub(crate) fn verdict(grid: &Grid, summary: &Summary) -> Vec<Sentence> {
    let effects: Vec<&Comparison> =
        summary.effects.iter().filter(|e| e.metric == summary.primary).collect();
    let mut out = Vec::new();
    if effects.is_empty() {
        out.push(without_comparison(grid, summary));
    } else if effects.len() > LISTED {
        out.push(Sentence::new(counted(&effects), ""));
        out.extend(effects.iter().filter(|e| excludes_zero(e)).map(|e| effect(e, effects.len())));
    } else {
        out.extend(effects.iter().map(|e| effect(e, effects.len())));
        // Curves that end alike may have risen one before the other.
        let along: Vec<&Comparison> =
            summary.effects.iter().filter(|e| e.metric == ALONG).collect();
        out.extend(along.iter().map(|e| effect(e, along.len())));
    }
    out.extend(
        few_seeds(&effects)
            .into_iter()
            .chain(controls(grid, summary))
            .map(|text| Sentence::new("", text)),
    );
    out
}

fn excludes_zero(effect: &Comparison) -> bool {
    matches!((effect.low, effect.high), (Some(low), Some(high)) if low > 0.0 || high < 0.0)
}

fn without_comparison(grid: &Grid, summary: &Summary) -> Sentence {
    let name = names::long(&summary.primary);
    let unit = names::unit(&summary.primary);
    let reached = |row: &crate::RowSummary| {
        let found = row.scores.get(&summary.primary)?;
        let interval = match (found.low, found.high) {
            (Some(low), Some(high)) => {
                let (low, high) = (score(&summary.primary, low), score(&summary.primary, high));
                format!(
                    " (95% interval over {} {low} to {high})",
                    plural(found.values.len(), "seed")
                )
            }
            _ => " (one seed: its spread is unknown)".to_owned(),
        };
        Some(format!("{} reaches {}{interval}", row.label, score(&summary.primary, found.mean)))
    };
    let rows: Vec<String> = summary.rows.iter().filter_map(reached).take(LISTED).collect();
    if rows.is_empty() {
        let why = summary.absent.get(&summary.primary);
        let why = why.map_or(String::new(), |why| format!("{}.", capital(why)));
        return Sentence::new(format!("No {name} was measured (`{}` is –).", summary.primary), why);
    }
    let lead = if grid.rows.len() > 1 {
        "No two rows differ only in the first axis:"
    } else {
        "There is one row, and nothing to compare it with:"
    };
    Sentence::new(lead, format!("in {name}{unit} {}.", rows.join("; ")))
}

fn counted(effects: &[&Comparison]) -> String {
    let (clear, up) = effects
        .iter()
        .filter(|e| excludes_zero(e))
        .fold((0, 0), |(clear, up), e| (clear + 1, up + usize::from(e.difference > 0.0)));
    let (of, name) = (effects.len(), names::long(&effects[0].metric));
    if clear == 0 {
        return format!(
            "In none of {of} comparisons of {name} does the 95% interval over seeds exclude zero."
        );
    }
    format!(
        "In {clear} of {of} comparisons of {name} the 95% interval over seeds excludes zero, {up} \
        of them upwards.",
    )
}

/// Writes one effect: the finding and its numbers.
fn effect(effect: &Comparison, of: usize) -> Sentence {
    let metric = effect.metric.as_str();
    let place = if effect.context.is_empty() {
        String::new()
    } else {
        format!("With {}, ", effect.context)
    };
    let (a, b) = (&effect.row, &effect.against);
    let higher = if effect.difference > 0.0 { "higher" } else { "lower" };
    let seeds = plural(effect.seeds, "seed");
    let (finding, interval) = match (effect.low, effect.high) {
        (Some(low), Some(high)) => {
            let finding = if !excludes_zero(effect) {
                format!("no difference between {a} and {b} is settled (the interval includes zero)")
            } else if effect.p_seeds_holm.unwrap_or(1.0) >= 0.05 {
                format!(
                    "{a} is {higher} than {b}, but not beyond chance once corrected for {of} \
                    comparisons"
                )
            } else {
                format!("{a} is {higher} than {b}")
            };
            (
                finding,
                format!(
                    ", 95% interval over {seeds} [{}, {}]",
                    signed(metric, low),
                    signed(metric, high)
                ),
            )
        }
        _ if effect.seeds == 0 => {
            (format!("{a} is {higher} than {b}, but no seed was run with both"), String::new())
        }
        _ => (format!("{a} is {higher} than {b} in the one seed run"), String::new()),
    };
    let name = names::long(metric);
    let numbers = format!(
        "{name} {} against {}, difference {}{}{interval}{}.",
        score(metric, effect.mean),
        score(metric, effect.against_mean),
        signed(metric, effect.difference),
        names::points(metric),
        tests(effect, of),
    );
    Sentence::new(format!("{}:", capital(&format!("{place}{finding}"))), numbers)
}

/// The p-values, corrected if there are several comparisons.
fn tests(effect: &Comparison, of: usize) -> String {
    let over = |p: Option<f64>, what: &str| p.map(|p| format!("{} over {what}", p_is(p)));
    let found: Vec<String> = over(effect.p_seeds_holm, "seeds")
        .into_iter()
        .chain(over(effect.p_questions_holm, "questions"))
        .collect();
    match (found.is_empty(), of > 1) {
        (true, _) => String::new(),
        (false, true) => format!("; {} (Holm-corrected)", found.join(", ")),
        (false, false) => format!("; {}", found.join(", ")),
    }
}

fn few_seeds(effects: &[&Comparison]) -> Option<String> {
    let fewest = effects.iter().map(|e| e.seeds).filter(|&seeds| seeds > 0).min()?;
    match fewest {
        1 => Some(
            "One seed says nothing about the spread between seeds: other seeds may turn the sign."
                .to_owned(),
        ),
        2..5 => Some(format!(
            "The intervals rest on only {fewest} seeds, so they are wide, and a true difference \
            may go unnoticed."
        )),
        _ => None,
    }
}

/// Compares the best row with its controls, which lack the right image.
fn controls(grid: &Grid, summary: &Summary) -> Option<String> {
    let primary = summary.primary.as_str();
    let mean =
        |row: &crate::RowSummary, key: &str| row.scores.get(key).map(|estimate| estimate.mean);
    let best = summary.rows.iter().filter(|row| mean(row, primary).is_some()).max_by(|a, b| {
        mean(a, primary).unwrap_or(0.0).total_cmp(&mean(b, primary).unwrap_or(0.0))
    })?;
    let written: Vec<String> = names::CONTROLS
        .iter()
        .filter_map(|(control, name, _)| {
            Some(format!(
                "{name} {}",
                score(primary, mean(best, &names::control_key(primary, control))?)
            ))
        })
        .collect();
    let which = if grid.rows.len() > 1 {
        format!("The highest row ({})", best.label)
    } else {
        "It".to_owned()
    };
    let reached = score(primary, mean(best, primary)?);
    (!written.is_empty()).then(|| {
        format!("{which} reaches {reached} with its images; controls: {}.", written.join(", "))
    })
}
