//! Numbers and tables for people.

use crate::out::shown;

/// Renders a table: columns are two spaces apart, columns of numbers are aligned to the right.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let columns = head.len();
    // A cell is one line, whatever it holds.
    let cell = |row: &[String], column: usize| {
        row.get(column).map(|text| shown(text).into_owned()).unwrap_or_default()
    };
    let width = |column: usize| {
        let widest = rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        widest.max(head[column].chars().count())
    };
    let numeric = |column: usize| {
        let number = |text: &str| {
            text.chars().next().is_some_and(|c| c.is_ascii_digit() || "-–".contains(c))
                && !text.contains('x')
        };
        !rows.is_empty()
            && rows.iter().all(|row| {
                cell(row, column).split(' ').next().is_some_and(number)
                    && cell(row, column).len() < 14
            })
    };
    let layout: Vec<(usize, bool)> =
        (0..columns).map(|column| (width(column), numeric(column))).collect();
    let line = |row: &[String]| {
        let cells = layout.iter().enumerate().map(|(column, &(width, right))| {
            let text = cell(row, column);
            if right { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let head: Vec<String> = head.iter().map(|&text| text.to_owned()).collect();
    std::iter::once(line(&head)).chain(rows.iter().map(|row| line(row))).collect()
}

/// Renders a number with `places` decimals: never `-0.00`, and `–` if it is not finite.
#[must_use]
pub fn decimals(value: impl Into<f64>, places: usize) -> String {
    let value: f64 = value.into();
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.places$}");
    match text.strip_prefix('-') {
        Some(digits) if !digits.contains(|c| ('1'..='9').contains(&c)) => digits.to_owned(),
        _ => text,
    }
}

/// Renders a count, such as `1.23 M`.
#[must_use]
pub fn count(n: f64) -> String {
    let (value, unit) = scaled(n, 1000.0, &["", " k", " M", " G", " T", " P", " E"]);
    if unit.is_empty() { format!("{value:.0}") } else { format!("{value:.2}{unit}") }
}

/// Renders a size, such as `1.2 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let (value, unit) = scaled(n as f64, 1000.0, &[" B", " kB", " MB", " GB", " TB"]);
    if unit == " B" { format!("{value:.0}{unit}") } else { format!("{value:.1}{unit}") }
}

fn scaled<'a>(mut value: f64, step: f64, units: &[&'a str]) -> (f64, &'a str) {
    let mut at = 0;
    while value.abs() >= step && at + 1 < units.len() {
        value /= step;
        at += 1;
    }
    (value, units[at])
}

/// Renders a duration, such as `3 min 20 s`.
#[must_use]
pub fn seconds(s: f64) -> String {
    let whole = s.round().max(0.0) as u64;
    match whole {
        0 if s > 0.0 => format!("{s:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, decimals, seconds, table};

    #[test]
    fn numbers_and_tables_read_well() {
        assert_eq!([count(12.0), count(1234.0), count(2.5e12)], ["12", "1.23 k", "2.50 T"]);
        assert_eq!([bytes(999), bytes(1_500_000)], ["999 B", "1.5 MB"]);
        assert_eq!(
            [seconds(0.2), seconds(59.0), seconds(200.0), seconds(7260.0)],
            ["0.2 s", "59 s", "3 min 20 s", "2 h 1 min"]
        );
        assert_eq!(
            [decimals(-0.0, 4), decimals(-0.00004, 4), decimals(-0.00006, 4)],
            ["0.0000", "0.0000", "-0.0001"]
        );
        assert_eq!(
            [decimals(2.5, 2), decimals(f64::NAN, 2), decimals(f64::INFINITY, 0)],
            ["2.50", "–", "–"]
        );
        let rows = [vec!["a".to_owned(), "5".to_owned()], vec!["long".to_owned(), "10".to_owned()]];
        assert_eq!(table(&["name", "n"], &rows), "name   n\na      5\nlong  10\n");
    }
}
