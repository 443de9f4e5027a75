//! The table of all comparisons with their tests.

use crate::stats::grid::Grid;
use crate::stats::summary::{Comparison, Summary};
use crate::text::cells::{Tests, compared_rows, difference, head};
use crate::text::table::{Emphasis, Table, TableCell, TableRow};
use crate::text::write::{capital, p};

/// Makes the tables of comparisons: within panels, and with the baseline row where that is
/// something else.
pub(crate) fn compared(grid: &Grid, summary: &Summary) -> Vec<Table> {
    let first = grid.axes.first().map_or_else(String::new, |axis| capital(&axis.label));
    let equal = if grid.axes.len() > 1 { ", other axes equal" } else { "" };
    let within = comparisons(&summary.effects, &format!("{first} compared{equal}."));
    let with_baseline = (summary.comparisons != summary.effects)
        .then(|| comparisons(&summary.comparisons, "Every row compared with its baseline row."));
    within.into_iter().chain(with_baseline.flatten()).collect()
}

/// Makes the full account of comparisons. `None` if nothing was compared.
fn comparisons(found: &[Comparison], what: &str) -> Option<Table> {
    let first = found.first()?;
    let several = found.iter().filter(|c| c.metric == first.metric).count() > 1;
    let tests = Tests::of(&found.iter().collect::<Vec<_>>());
    let mut caption = what.to_owned();
    for sentence in tests.pick([
        " Over seeds: paired t-test, one pair per seed; interval of the difference in brackets.",
        " Over questions: paired permutation test, questions about the same image swapped \
         together, scores averaged over seeds.",
    ]) {
        caption.push_str(sentence);
    }
    if several && tests.any() {
        caption.push_str(" Holm: corrected for the number of comparisons in the same score.");
    }
    let mut table = Table { caption, corner: "comparison".to_owned(), ..Table::default() };
    table.head = ["score", "difference", "seeds"].map(str::to_owned).to_vec();
    table.head.extend(tests.pick(["p, seeds", "p, questions"].map(str::to_owned)));
    table.head.extend(tests.questions.then(|| "questions (images)".to_owned()));
    let with_holm = |plain: Option<f64>, corrected: Option<f64>| TableCell {
        main: p(plain),
        small: if several && plain.is_some() {
            format!("(Holm {})", p(corrected))
        } else {
            String::new()
        },
        emphasis: Emphasis::None,
    };
    let mut metric = "";
    for c in found {
        let counted = if c.questions == 0 {
            "–".to_owned()
        } else {
            format!("{} ({})", c.questions, c.images)
        };
        let mut cells = vec![
            TableCell::new(head(&c.metric)),
            difference(c),
            TableCell::new(c.seeds.to_string()),
        ];
        let (seeds, questions) = ((c.p_seeds, c.p_seeds_holm), (c.p_questions, c.p_questions_holm));
        cells.extend(
            tests.pick([seeds, questions]).map(|(plain, corrected)| with_holm(plain, corrected)),
        );
        cells.extend(tests.questions.then(|| TableCell::new(counted)));
        let rule = !metric.is_empty() && metric != c.metric;
        table.rows.push(TableRow { head: compared_rows(c), cells, rule });
        metric = &c.metric;
    }
    Some(table)
}
