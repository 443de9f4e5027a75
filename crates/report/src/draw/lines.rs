//! Curves: a score against training steps, with bands over seeds.

use crate::Results;
use crate::draw::frame::{Frame, Label, labels};
use crate::draw::paint::{Paint, dash, reference_dash};
use crate::draw::svg::{Anchor, Font, Svg, text_width};
use crate::draw::{Figure, WIDTH};
use crate::names;
use crate::stats::curves::{Line, Panel, panels};
use crate::stats::grid::Grid;
use crate::text::write::{capital, plural, score};

const LEFT: f64 = 58.0;
const TOP: f64 = 30.0;
const FOOT: f64 = 50.0;
const LEGEND: f64 = 40.0;

/// Draws the curves of a score, one panel for each combination of the other axes. `None` if no cell
/// has a curve.
pub(crate) fn curves(results: &Results, grid: &Grid, paint: Paint) -> Option<Figure> {
    let panels = panels(grid, &results.primary);
    (!panels.is_empty()).then(|| Figure {
        svg: draw(grid, &results.primary, &panels, paint),
        caption: caption(grid, &results.primary, &panels),
    })
}

fn caption(grid: &Grid, metric: &str, panels: &[Panel]) -> String {
    let mut out = format!(
        "{}{} in the course of training.",
        capital(&names::long(metric)),
        names::unit(metric)
    );
    let seeds = panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points).map(|p| p.seeds);
    let (least, most) = (seeds.clone().min().unwrap_or(0), seeds.max().unwrap_or(0));
    let number =
        if least == most { plural(most, "seed") } else { format!("{least} to {most} seeds") };
    match most {
        0 | 1 => out.push_str(" One seed per line."),
        2 => out.push_str(&format!(
            " Strong lines: mean over {number}; faint lines: single seeds; bands: their range."
        )),
        _ => {
            let few =
                if least < 3 { " (range where there are fewer than three seeds)" } else { "" };
            out.push_str(&format!(
                " Strong lines: mean over {number}; bands: 95% t-interval of the mean{few}; faint \
                lines: single seeds."
            ));
        }
    }
    out.push_str(" Numbers at the right: the last point of each line.");
    if panels.iter().any(|p| !p.references.is_empty()) {
        let of = if grid.axes.is_empty() { "" } else { ", averaged over the rows of the panel" };
        out.push_str(&format!(" Horizontal lines: controls at the end of training{of}."));
    }
    out
}

/// The range of steps and scores of all panels.
fn ranges(metric: &str, panels: &[Panel]) -> ((f64, f64), (f64, f64)) {
    let wide = |range: (f64, f64), value: f64| (range.0.min(value), range.1.max(value));
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut x, mut y) = (none, none);
    for panel in panels {
        y = panel.references.iter().fold(y, |y, reference| wide(y, reference.1));
        for line in &panel.lines {
            for point in line.seeds.iter().flatten() {
                (x, y) = (wide(x, point.0), wide(y, point.1));
            }
            for point in &line.points {
                y = wide(wide(y, point.low), point.high);
            }
        }
    }
    // The interval of a percentage may reach beyond what a percentage can be; the axis must not.
    let y = if names::is_percent(metric) { (y.0.max(0.0), y.1.min(100.0)) } else { y };
    (x, y)
}

fn end_label(metric: &str, line: &Line) -> String {
    line.points
        .last()
        .map_or_else(String::new, |p| format!("{} {}", line.label, score(metric, p.mean)))
}

fn draw(grid: &Grid, metric: &str, panels: &[Panel], paint: Paint) -> String {
    let mut svg = Svg::new(paint);
    let texts = panels.iter().flat_map(|panel| {
        let references = panel
            .references
            .iter()
            .map(|(name, value)| format!("{name} {}", score(metric, *value)));
        panel.lines.iter().map(|line| end_label(metric, line)).chain(references)
    });
    let margin = 26.0 + texts.map(|text| text_width(&text, 12.0)).fold(40.0, f64::max);
    // Only the first column has a title at its axis.
    let inner = 40.0;
    let width_of =
        |n: usize| (WIDTH - LEFT - inner * (n as f64 - 1.0) - margin * n as f64) / n as f64;
    let columns = match panels.len() {
        4 => 2,
        n if n > 2 && width_of(3) >= 150.0 => 3,
        n => n.min(2),
    };
    let width = width_of(columns).max(110.0);
    let most = panels.iter().map(|p| p.lines.len() + p.references.len()).max().unwrap_or(0);
    let height = if columns == 1 { 320.0 } else { 260.0_f64 }.max(most as f64 * 15.0);
    let legend = legend(&mut svg, panels);
    let (x, y) = ranges(metric, panels);
    for (at, panel) in panels.iter().enumerate() {
        let left = LEFT + (at % columns) as f64 * (width + margin + inner);
        let top = legend + TOP + (at / columns) as f64 * (height + TOP + FOOT + 8.0);
        let frame = Frame::new(left, top, width, height, x, y);
        let y_title = format!("{}{}", names::long(metric), names::unit(metric));
        frame.draw(
            &mut svg,
            &panel.title,
            "training step",
            if at % columns == 0 { &y_title } else { "" },
        );
        draw_panel(&mut svg, &frame, metric, panel);
    }
    let total = legend + panels.len().div_ceil(columns) as f64 * (height + TOP + FOOT + 8.0);
    let title =
        format!("{} in the course of training, by {}", names::long(metric), grid.axes_label());
    svg.finish(WIDTH, total - 8.0, &title)
}

fn draw_panel(svg: &mut Svg, frame: &Frame, metric: &str, panel: &Panel) {
    let soft = svg.paint.colour("soft");
    let mut named = Vec::new();
    for (at, (name, value)) in panel.references.iter().enumerate() {
        let y = frame.y.place(*value);
        svg.line((frame.x.from, y), (frame.x.to, y), &soft, 1.3, reference_dash(at));
        named.push(Label {
            y,
            text: format!("{name} {}", score(metric, *value)),
            colour: soft.clone(),
            strong: false,
        });
    }
    for line in &panel.lines {
        let colour = svg.paint.series(line.series);
        let at = |step: f64, value: f64| (frame.x.place(step), frame.y.place(value));
        let upper = line.points.iter().map(|p| at(p.step, p.high));
        let lower = line.points.iter().rev().map(|p| at(p.step, p.low));
        if line.seeds.len() > 1 {
            svg.area(&upper.chain(lower).collect::<Vec<_>>(), &colour, 0.14);
            for seed in &line.seeds {
                svg.path(
                    &seed.iter().map(|p| at(p.0, p.1)).collect::<Vec<_>>(),
                    &colour,
                    0.9,
                    "",
                    0.4,
                );
            }
        }
    }
    for line in &panel.lines {
        let colour = svg.paint.series(line.series);
        let at = |step: f64, value: f64| (frame.x.place(step), frame.y.place(value));
        let places: Vec<(f64, f64)> = line.points.iter().map(|p| at(p.step, p.mean)).collect();
        svg.path(&places, &colour, 2.2, dash(line.series), 1.0);
        let every = line.points.len().div_ceil(14);
        let last = line.points.len().saturating_sub(1);
        for (index, (point, place)) in line.points.iter().zip(&places).enumerate() {
            if (last - index).is_multiple_of(every) {
                let title =
                    format!("{}, step {}: {}", line.label, point.step, score(metric, point.mean));
                svg.marker(line.series, *place, 4.2, &colour, &title);
            }
        }
        if let Some((_, y)) = places.last() {
            named.push(Label { y: *y, text: end_label(metric, line), colour, strong: true });
        }
    }
    labels(svg, frame, named);
}

/// The key to lines and markers; its height.
fn legend(svg: &mut Svg, panels: &[Panel]) -> f64 {
    let mut series: Vec<(usize, &str)> = panels
        .iter()
        .flat_map(|p| &p.lines)
        .map(|line| (line.series, line.label.as_str()))
        .collect();
    series.sort_unstable();
    series.dedup();
    let ink = svg.paint.colour("ink");
    let (mut x, mut y) = (LEFT, 14.0);
    let mut next = |text: &str| {
        let width = 46.0 + text_width(text, 12.5) + 20.0;
        if x + width > WIDTH {
            (x, y) = (LEFT, y + 20.0);
        }
        let place = (x, y);
        x += width;
        place
    };
    for (index, label) in series {
        let ((x, y), colour) = (next(label), svg.paint.series(index));
        svg.line((x, y), (x + 36.0, y), &colour, 2.2, dash(index));
        svg.marker(index, (x + 18.0, y), 4.2, &colour, label);
        svg.text((x + 43.0, y + 4.0), &Font::new(Anchor::Start, 12.5), &ink, label);
    }
    let controls = panels.iter().map(|p| &p.references).max_by_key(|r| r.len());
    for (at, (name, _)) in controls.into_iter().flatten().enumerate() {
        let ((x, y), soft) = (next(name), svg.paint.colour("soft"));
        svg.line((x, y), (x + 36.0, y), &soft, 1.3, reference_dash(at));
        svg.text((x + 43.0, y + 4.0), &Font::new(Anchor::Start, 12.5), &soft, name);
    }
    y - 14.0 + LEGEND
}
