//! The table of all comparisons with their tests.

use crate::summary::Comparison;
use crate::table::{Cell, Mark, Table, TableRow};
use crate::tables::{difference, head};
use crate::write::p;

/// Which tests could be made: columns of tests that were not are left out.
pub(crate) struct Tests {
    pub seeds: bool,
    pub questions: bool,
}

impl Tests {
    pub(crate) fn of(found: &[&Comparison]) -> Self {
        Tests {
            seeds: found.iter().any(|c| c.p_seeds.is_some()),
            questions: found.iter().any(|c| c.p_questions.is_some()),
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.seeds || self.questions
    }

    /// Those of something for seeds and something for questions that were tested.
    pub(crate) fn pick<T>(&self, [seeds, questions]: [T; 2]) -> impl Iterator<Item = T> {
        self.seeds.then_some(seeds).into_iter().chain(self.questions.then_some(questions))
    }
}

/// The full account of comparisons. `None` if nothing was compared.
pub(crate) fn comparisons(found: &[Comparison], what: &str) -> Option<Table> {
    let first = found.first()?;
    let several = found.iter().filter(|c| c.metric == first.metric).count() > 1;
    let tests = Tests::of(&found.iter().collect::<Vec<_>>());
    let mut caption = what.to_owned();
    for told in tests.pick([
        " Over seeds: paired t-test, one pair per seed; interval of the difference in brackets.",
        " Over questions: paired permutation test, questions about the same image swapped together, scores averaged \
         over seeds.",
    ]) {
        caption.push_str(told);
    }
    if several && tests.any() {
        caption.push_str(" Holm: corrected for the number of comparisons in the same score.");
    }
    let mut table = Table { caption, corner: "comparison".to_owned(), ..Table::default() };
    table.head = ["score", "difference", "seeds"].map(str::to_owned).to_vec();
    table.head.extend(tests.pick(["p, seeds", "p, questions"].map(str::to_owned)));
    table.head.extend(tests.questions.then(|| "questions (images)".to_owned()));
    let with_holm = |plain: Option<f64>, corrected: Option<f64>| Cell {
        main: p(plain),
        small: if several && plain.is_some() {
            format!("(Holm {})", p(corrected))
        } else {
            String::new()
        },
        mark: Mark::None,
    };
    let mut metric = "";
    for c in found {
        let asked = if c.questions == 0 {
            "–".to_owned()
        } else {
            format!("{} ({})", c.questions, c.images)
        };
        let mut cells =
            vec![Cell::new(head(&c.metric)), difference(c), Cell::new(c.seeds.to_string())];
        let (seeds, questions) = ((c.p_seeds, c.p_seeds_holm), (c.p_questions, c.p_questions_holm));
        cells.extend(
            tests.pick([seeds, questions]).map(|(plain, corrected)| with_holm(plain, corrected)),
        );
        cells.extend(tests.questions.then(|| Cell::new(asked)));
        let rule = !metric.is_empty() && metric != c.metric;
        table.rows.push(TableRow { head: crate::dots::pair(c), cells, rule });
        metric = &c.metric;
    }
    Some(table)
}
