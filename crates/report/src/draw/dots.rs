//! Figures of points with intervals: final scores, and differences against zero.

use crate::draw::frame::{Scale, tick_labels, ticks};
use crate::draw::paint::{Paint, reference_dash};
use crate::draw::svg::{Anchor, Font, Svg, text_width};
use crate::draw::{Figure, WIDTH};
use crate::names;
use crate::stats::curves::references;
use crate::stats::grid::{Grid, GridRow};
use crate::stats::summary::Comparison;
use crate::text::cells::compared_rows;
use crate::text::write::{capital, score, signed};
use toolkit_metrics::{mean, t_interval};

/// A point, its interval over seeds, a second interval, and the single values.
struct Dot {
    label: String,
    /// Written at the right.
    value: String,
    series: usize,
    at: f64,
    interval: Option<(f64, f64)>,
    second: Option<(f64, f64)>,
    singles: Vec<f64>,
}

/// The final scores of all rows: the main figure if there are no curves.
pub(crate) fn finals(grid: &Grid, metric: &str, paint: Paint) -> Option<Figure> {
    let dot = |row: &GridRow| {
        let singles: Vec<f64> = row.by_seed(metric).into_values().collect();
        let at = mean(&singles)?;
        let interval =
            t_interval(&singles, 0.95).filter(|_| singles.len() > 2).map(|i| (i.low, i.high));
        Some(Dot {
            label: grid.label(&row.at),
            value: score(metric, at),
            series: row.first(),
            at,
            interval,
            second: None,
            singles,
        })
    };
    let dots: Vec<Dot> = grid.rows.iter().filter_map(dot).collect();
    let several = dots.iter().any(|dot| dot.singles.len() > 1);
    let lines = references(&grid.rows.iter().collect::<Vec<_>>(), metric);
    let title = format!("{}{}", names::long(metric), names::unit(metric));
    let mut caption = format!("Final {title}.");
    if several {
        caption.push_str(
            " Markers: mean over seeds; ticks: single seeds; bars: 95% t-interval of the mean, \
            from three seeds on.",
        );
    }
    if !lines.is_empty() {
        caption.push_str(" Vertical lines: controls, averaged over all rows.");
    }
    let limit = names::is_percent(metric).then_some((0.0, 100.0));
    (!dots.is_empty()).then(|| Figure { svg: draw(paint, &dots, &lines, &title, limit), caption })
}

/// Differences with their intervals. `None` if no row is compared.
pub(crate) fn differences(
    comparisons: &[Comparison],
    metric: &str,
    paint: Paint,
) -> Option<Figure> {
    let found: Vec<&Comparison> = comparisons.iter().filter(|c| c.metric == metric).collect();
    let dot = |comparison: &&Comparison| Dot {
        label: compared_rows(comparison),
        value: signed(metric, comparison.difference),
        series: 0,
        at: comparison.difference,
        interval: comparison.low.zip(comparison.high),
        second: comparison.questions_low.zip(comparison.questions_high),
        singles: Vec::new(),
    };
    let dots: Vec<Dot> = found.iter().map(dot).collect();
    let title = format!(
        "difference in {}{}",
        names::long(metric),
        if names::is_percent(metric) { " (points)" } else { "" }
    );
    let mut caption = format!("{}.", capital(&title));
    if dots.iter().any(|dot| dot.interval.is_some()) {
        caption.push_str(" Bars with caps: 95% t-interval over seeds.");
    }
    if dots.iter().any(|dot| dot.second.is_some()) {
        caption
            .push_str(" Broad pale bars: 95% bootstrap interval over images, these seeds given.");
    }
    if dots.iter().any(|dot| dot.interval.or(dot.second).is_some()) {
        caption.push_str(" An interval that crosses the line at zero does not settle the sign.");
    }
    (!dots.is_empty()).then(|| Figure {
        svg: draw(paint, &dots, &[("no difference", 0.0)], &title, None),
        caption,
    })
}

fn draw(
    paint: Paint,
    dots: &[Dot],
    lines: &[(&'static str, f64)],
    title: &str,
    limit: Option<(f64, f64)>,
) -> String {
    const ROW: f64 = 32.0;
    let mut svg = Svg::new(paint);
    let left = (20.0 + dots.iter().map(|dot| text_width(&dot.label, 13.0)).fold(0.0, f64::max))
        .min(WIDTH * 0.5);
    let (top, right) =
        (if lines.is_empty() { 12.0 } else { 14.0 + 15.0 * lines.len() as f64 }, WIDTH - 74.0);
    let bottom = top + ROW * dots.len() as f64;
    let ends = |range: &Option<(f64, f64)>| range.map_or(vec![], |(low, high)| vec![low, high]);
    let values: Vec<f64> = dots
        .iter()
        .flat_map(|d| [vec![d.at], ends(&d.interval), ends(&d.second), d.singles.clone()].concat())
        .chain(lines.iter().map(|line| line.1))
        .collect();
    let (mut low, mut high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    if let Some(limit) = limit {
        (low, high) = (low.max(limit.0), high.min(limit.1));
    }
    let marks = ticks(low, high, 7);
    let x = Scale { low: marks[0], high: marks[marks.len() - 1], from: left, to: right };
    let [grid, axis, soft, ink] = ["grid", "axis", "soft", "ink"].map(|name| paint.colour(name));
    for (mark, label) in marks.iter().zip(tick_labels(&marks)) {
        let place = x.place(*mark);
        svg.line((place, top), (place, bottom), &grid, 1.0, "");
        svg.text((place, bottom + 17.0), &Font::new(Anchor::Middle, 12.0), &soft, &label);
    }
    svg.line((left, bottom), (right, bottom), &axis, 1.0, "");
    draw_lines(&mut svg, &x, lines, bottom);
    for (at, dot) in dots.iter().enumerate() {
        row(&mut svg, &x, top + ROW * (at as f64 + 0.5), dot);
        let y = top + ROW * (at as f64 + 0.5) + 4.5;
        svg.text((left - 10.0, y), &Font::new(Anchor::End, 13.0), &ink, &dot.label);
        svg.text((right + 12.0, y), &Font::new(Anchor::Start, 13.0).bold(), &ink, &dot.value);
    }
    svg.text(
        (f64::midpoint(left, right), bottom + 36.0),
        &Font::new(Anchor::Middle, 12.0),
        &soft,
        title,
    );
    svg.finish(WIDTH, bottom + 46.0, title)
}

/// Vertical lines, each with its name above, placed so that no line runs through the name of
/// another.
fn draw_lines(svg: &mut Svg, x: &Scale, lines: &[(&'static str, f64)], bottom: f64) {
    let soft = svg.paint.colour("soft");
    let middle = lines.iter().map(|line| line.1).sum::<f64>() / lines.len().max(1) as f64;
    let at_left = x.place(middle) <= f64::midpoint(x.from, x.to);
    let mut order: Vec<(usize, &(&'static str, f64))> = lines.iter().enumerate().collect();
    order.sort_by(|a, b| if at_left { a.1.1.total_cmp(&b.1.1) } else { b.1.1.total_cmp(&a.1.1) });
    for (level, (at, (name, value))) in order.into_iter().enumerate() {
        let (place, y) = (x.place(*value), 12.0 + 15.0 * level as f64);
        let (dash, text) = match *value {
            0.0 => ("", (*name).to_owned()),
            value => (reference_dash(at), format!("{name} {value:.1}")),
        };
        svg.line((place, y + 4.0), (place, bottom), &soft, 1.3, dash);
        svg.text(
            (place, y),
            &Font::new(if at_left { Anchor::Start } else { Anchor::End }, 12.0),
            &soft,
            &text,
        );
    }
}

fn row(svg: &mut Svg, x: &Scale, y: f64, dot: &Dot) {
    let colour = svg.paint.series(dot.series);
    if let Some((low, high)) = dot.second {
        let (from, to) = (x.place(low), x.place(high));
        svg.area(&[(from, y - 7.0), (to, y - 7.0), (to, y + 7.0), (from, y + 7.0)], &colour, 0.22);
    }
    if let Some((low, high)) = dot.interval {
        let (from, to) = (x.place(low), x.place(high));
        svg.line((from, y), (to, y), &colour, 2.0, "");
        for cap in [from, to] {
            svg.line((cap, y - 5.0), (cap, y + 5.0), &colour, 2.0, "");
        }
    }
    for single in dot.singles.iter().filter(|_| dot.singles.len() > 1) {
        let place = x.place(*single);
        svg.line((place, y - 8.0), (place, y + 8.0), &colour, 1.2, "");
    }
    svg.marker(
        dot.series,
        (x.place(dot.at), y),
        5.5,
        &colour,
        &format!("{}: {}", dot.label, dot.value),
    );
}
