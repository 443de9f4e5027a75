//! The losses of each training stage: small multiples with what a trivial model reaches.

use crate::draw::frame::{Frame, Label, labels};
use crate::draw::paint::{Paint, dash};
use crate::draw::svg::{Svg, text_width};
use crate::draw::{Figure, WIDTH};
use crate::names;
use crate::text::write::capital;
use crate::{Results, StageRun};
use std::collections::BTreeMap;

/// Single values drawn per run; more could not be distinguished.
const DRAWN: usize = 240;

/// A curve: the runs with one label.
struct Course {
    label: String,
    series: usize,
    raw: Vec<Vec<(f64, f64)>>,
    smooth: Vec<(f64, f64)>,
}

/// Draws a figure for each stage that has losses, with the name of the stage.
pub(crate) fn figures(results: &Results, paint: Paint) -> Vec<(String, Figure)> {
    let mut names: Vec<&str> = Vec::new();
    for stage in &results.stages {
        if !names.contains(&stage.name.as_str()) {
            names.push(&stage.name);
        }
    }
    names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), figure(results, name, paint)?)))
        .collect()
}

fn figure(results: &Results, name: &str, paint: Paint) -> Option<Figure> {
    let runs: Vec<&StageRun> = results.stages.iter().filter(|run| run.name == name).collect();
    let mut keys: Vec<&str> = Vec::new();
    // The losses of BLIP-2 in their order, then others, then accuracies.
    let order = ["loss_itc", "loss_itm", "loss_itg", "loss_lm"];
    let mut found: Vec<&str> =
        runs.iter().flat_map(|run| run.losses.keys()).map(String::as_str).collect();
    // The sum says nothing that its parts do not.
    let parts = found.iter().any(|key| key.starts_with("loss_"));
    found.retain(|key| !(key.starts_with("trivial_") || parts && *key == "loss"));
    found.sort_by_key(|key| {
        (order.iter().position(|k| k == key).unwrap_or(9), key.starts_with("accuracy"), *key)
    });
    for key in found {
        if !keys.contains(&key)
            && runs.iter().any(|run| run.losses.get(key).is_some_and(|c| c.len() > 1))
        {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        return None;
    }
    let columns = if keys.len() == 4 { 2 } else { keys.len().min(3) };
    let mut svg = Svg::new(paint);
    let longest = runs.iter().map(|run| text_width(&run.label, 12.0)).fold(0.0, f64::max);
    let margin = (30.0 + longest).max(70.0);
    let slot = WIDTH / columns as f64;
    let (width, height, step) = ((slot - 58.0 - margin).clamp(110.0, 620.0), 190.0, 190.0 + 96.0);
    for (at, key) in keys.iter().enumerate() {
        let left = 58.0 + (at % columns) as f64 * slot;
        let top = 34.0 + (at / columns) as f64 * step;
        let title = results.loss_titles.get(*key).cloned().unwrap_or_else(|| names::loss(key));
        panel(&mut svg, &runs, (key, &title), Area { left, top, width, height });
    }
    let total = keys.len().div_ceil(columns) as f64 * step;
    let mut caption = format!(
        "{} losses. Strong lines: moving average over a twentieth of the steps, mean over seeds; \
        faint lines: single runs.",
        capital(name)
    );
    if runs.iter().any(|run| run.losses.keys().any(|key| key.starts_with("trivial_"))) {
        caption.push_str(
            " Dashed: what a trivial model reaches that ignores its input, so a loss near it means \
            that nothing was learned.",
        );
    }
    Some(Figure { svg: svg.finish(WIDTH, total - 6.0, &format!("{name} losses")), caption })
}

/// Place of a panel in the drawing.
#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

fn panel(svg: &mut Svg, runs: &[&StageRun], (key, title): (&str, &str), area: Area) {
    let courses = courses(runs, key);
    let trivial = trivial(runs, key);
    let frame = frame(runs, &courses, &trivial, area);
    let unit = if key.starts_with("loss_") { "loss (nats)" } else { "share" };
    frame.draw(svg, title, "training step", unit);
    let at = |p: &(f64, f64)| (frame.x.place(p.0), frame.y.place(p.1));
    let mut named = Vec::new();
    for course in &courses {
        let colour = svg.paint.series(course.series);
        for raw in &course.raw {
            let every = raw.len().div_ceil(DRAWN);
            svg.path(&raw.iter().step_by(every).map(at).collect::<Vec<_>>(), &colour, 0.7, "", 0.3);
        }
    }
    for points in &trivial {
        let soft = svg.paint.colour("soft");
        let (first, last) = (frame.y.place(points[0].1), frame.y.place(points[points.len() - 1].1));
        let inner = points.iter().map(at);
        let places: Vec<(f64, f64)> =
            [(frame.x.from, first)].into_iter().chain(inner).chain([(frame.x.to, last)]).collect();
        svg.path(&places, &soft, 1.4, "5 4", 1.0);
        named.push(Label { y: last, text: "trivial".to_owned(), colour: soft, strong: false });
    }
    for course in &courses {
        let colour = svg.paint.series(course.series);
        let places: Vec<(f64, f64)> = course.smooth.iter().map(at).collect();
        svg.path(&places, &colour, 2.0, dash(course.series), 1.0);
        if let Some(end) = course.smooth.last() {
            let text =
                if course.label.is_empty() { "model".to_owned() } else { course.label.clone() };
            named.push(Label { y: frame.y.place(end.1), text, colour, strong: true });
        }
    }
    labels(svg, &frame, named);
}

/// Collects the distinct curves of the trivial loss that belongs to `key`.
fn trivial(runs: &[&StageRun], key: &str) -> Vec<Vec<(f64, f64)>> {
    // Accuracies have no trivial value in the log, and must not be given that of the loss.
    let name = key.strip_prefix("loss_").unwrap_or_default();
    let end = |points: &[(f64, f64)]| points.last().map(|p| (p.1 * 1e3).round());
    // Frozen language models differ in what they reach without an image, so there may be several.
    let mut distinct: Vec<Vec<(f64, f64)>> = Vec::new();
    for points in runs.iter().filter_map(|run| run.losses.get(&format!("trivial_{name}"))) {
        let points: Vec<(f64, f64)> = finite(points).collect();
        if !points.is_empty() && distinct.iter().all(|known| end(known) != end(&points)) {
            distinct.push(points);
        }
    }
    distinct
}

/// Chooses scales that hold all smoothed curves and nearly all single values.
fn frame(
    runs: &[&StageRun],
    courses: &[Course],
    trivial: &[Vec<(f64, f64)>],
    Area { left, top, width, height }: Area,
) -> Frame {
    let single = || courses.iter().flat_map(|course| course.raw.iter().flatten());
    let planned = runs.iter().map(|run| run.steps as f64);
    let steps = (0.0, single().map(|p| p.0).chain(planned).fold(0.0, f64::max));
    let mut raw: Vec<f64> = single().map(|p| p.1).collect();
    raw.sort_by(f64::total_cmp);
    // A few wild steps must not flatten the rest: they are drawn at the edge.
    let edge = |share: f64| {
        raw.get((share * raw.len().saturating_sub(1) as f64) as usize).copied().unwrap_or(0.0)
    };
    let smooth = courses.iter().flat_map(|course| &course.smooth);
    let (low, high) = smooth
        .chain(trivial.iter().flatten())
        .fold((edge(0.01), edge(0.99)), |(low, high), p| (low.min(p.1), high.max(p.1)));
    let low = if low > 0.0 && low < 0.4 * high { 0.0 } else { low };
    Frame::new(left, top, width, height, steps, (low, high))
}

fn finite(points: &[(u64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().filter(|p| p.1.is_finite()).map(|p| (p.0 as f64, p.1))
}

/// The curves of a loss. The style of a label is the same in all panels of the stage.
fn courses(runs: &[&StageRun], key: &str) -> Vec<Course> {
    let mut labels: Vec<&str> = Vec::new();
    for run in runs {
        if !labels.contains(&run.label.as_str()) {
            labels.push(&run.label);
        }
    }
    let course = |(series, label): (usize, &&str)| {
        let of_label = runs.iter().filter(|run| run.label == **label);
        let raw: Vec<Vec<(f64, f64)>> =
            of_label.filter_map(|run| Some(finite(run.losses.get(key)?).collect())).collect();
        let smooth = smooth(&average(&raw));
        (!smooth.is_empty()).then(|| Course { label: (*label).to_owned(), series, raw, smooth })
    };
    labels.iter().enumerate().filter_map(course).collect()
}

/// The mean over runs at the steps that all of them have (all steps if they share none).
fn average(raw: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let mut at_step: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for &(step, value) in raw.iter().flatten() {
        let sum = at_step.entry(step as u64).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
    }
    let most = at_step.values().map(|sum| sum.1).max().unwrap_or(0);
    let full = at_step.into_iter().filter(|(_, sum)| sum.1 == most);
    full.map(|(step, (sum, n))| (step as f64, sum / n as f64)).collect()
}

/// The centred moving average; its window shrinks at the ends so that it stays centred.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = points.len() / 40;
    let window = |at: usize| {
        let reach = reach.min(at).min(points.len() - 1 - at);
        let around = &points[at - reach..=at + reach];
        (points[at].0, around.iter().map(|p| p.1).sum::<f64>() / around.len() as f64)
    };
    let every = points.len().div_ceil(2 * DRAWN).max(1);
    (0..points.len()).filter(|at| at % every == 0 || at + 1 == points.len()).map(window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_lines_straight() {
        let line: Vec<(f64, f64)> =
            (0..200).map(|at| (f64::from(at), 2.0 * f64::from(at))).collect();
        for (x, y) in smooth(&line) {
            assert!((y - 2.0 * x).abs() < 1e-9);
        }
        assert!(smooth(&[]).is_empty());
        assert_eq!(average(&[vec![(1.0, 2.0), (2.0, 4.0)], vec![(1.0, 4.0)]]), [(1.0, 3.0)]);
    }
}
