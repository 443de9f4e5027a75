//! The frame of a plot: its scales, grid, titles and the labels at its right.

use crate::draw::svg::{Anchor, Font, Svg};
use crate::text::write::decimals;

/// A linear scale from values to places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
}

impl Scale {
    /// The place of a value; values outside are moved to the edge.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }
}

/// Round values about `count` of which cover a range: the first is at or below `low`, the last at
/// or above `high`.
pub(crate) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
    let rough = (high - low) / count as f64;
    let power = libm::pow(10.0, libm::log10(rough).floor());
    let step = [1.0, 2.0, 2.5, 5.0]
        .iter()
        .map(|m| m * power)
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
    (first..=last).map(|at| at as f64 * step).collect()
}

/// Ticks as text, with as many decimals as tell them apart.
pub(crate) fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let step = if ticks.len() > 1 { ticks[1] - ticks[0] } else { 1.0 };
    let thousands = step >= 1000.0;
    let scaled = if thousands { step / 1000.0 } else { step };
    let places = (0..6).find(|&places| {
        let shifted = scaled * 10_f64.powi(places as i32);
        (shifted - shifted.round()).abs() < 1e-6 * shifted.max(1.0)
    });
    let write = |value: &f64| match (thousands, *value) {
        (_, 0.0) => "0".to_owned(),
        (true, value) => format!("{}k", decimals(value / 1000.0, places.unwrap_or(6))),
        (false, value) => decimals(value, places.unwrap_or(6)),
    };
    ticks.iter().map(write).collect()
}

/// The area of a plot.
pub(crate) struct Frame {
    pub x: Scale,
    pub y: Scale,
}

impl Frame {
    /// A frame of this size whose scales reach to round values around the ranges given.
    pub(crate) fn new(
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        x: (f64, f64),
        y: (f64, f64),
    ) -> Self {
        let ends = |range: (f64, f64)| {
            let ticks = ticks(range.0, range.1, 5);
            (ticks[0], ticks[ticks.len() - 1])
        };
        let high = if x.1 > x.0 { x.1 } else { x.0 + 1.0 };
        let (y_low, y_high) = ends(y);
        Frame {
            x: Scale { low: x.0, high, from: left, to: left + width },
            y: Scale { low: y_low, high: y_high, from: top + height, to: top },
        }
    }

    /// Grid lines, ticks and titles. `y_title` is left out if empty.
    pub(crate) fn draw(&self, svg: &mut Svg, title: &str, x_title: &str, y_title: &str) {
        let (left, right, top, bottom) = (self.x.from, self.x.to, self.y.to, self.y.from);
        let (grid, axis, soft) =
            (svg.paint.colour("grid"), svg.paint.colour("axis"), svg.paint.colour("soft"));
        let y_ticks = ticks(self.y.low, self.y.high, 5);
        for (value, label) in y_ticks.iter().zip(tick_labels(&y_ticks)) {
            let y = self.y.place(*value);
            svg.line((left, y), (right, y), &grid, 1.0, "");
            svg.text((left - 7.0, y + 4.0), &Font::new(Anchor::End, 12.0).tabular(), &soft, &label);
        }
        let count = ((right - left) / 52.0).clamp(2.0, 6.0) as usize;
        let mut x_ticks = ticks(self.x.low, self.x.high, count);
        x_ticks.retain(|value| *value >= self.x.low - 1e-9 && *value <= self.x.high + 1e-9);
        for (value, label) in x_ticks.iter().zip(tick_labels(&x_ticks)) {
            let x = self.x.place(*value);
            svg.line((x, bottom), (x, bottom + 4.0), &axis, 1.0, "");
            svg.text((x, bottom + 17.0), &Font::new(Anchor::Middle, 12.0).tabular(), &soft, &label);
        }
        svg.line((left, bottom), (right, bottom), &axis, 1.0, "");
        let ink = svg.paint.colour("ink");
        svg.text((left, top - 12.0), &Font::new(Anchor::Start, 13.0).bold(), &ink, title);
        svg.text(
            (f64::midpoint(left, right), bottom + 35.0),
            &Font::new(Anchor::Middle, 12.0),
            &soft,
            x_title,
        );
        if !y_title.is_empty() {
            svg.upright((left - 42.0, f64::midpoint(top, bottom)), 12.0, &soft, y_title);
        }
    }
}

/// A label for the right of a frame.
pub(crate) struct Label {
    /// Height at which the line that it names ends.
    pub y: f64,
    pub text: String,
    pub colour: String,
    pub strong: bool,
}

/// Writes labels at the right of the point where their lines end, apart from one another, with
/// leaders to them.
pub(crate) fn labels(svg: &mut Svg, frame: &Frame, mut labels: Vec<Label>) {
    const GAP: f64 = 14.5;
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    let wanted: Vec<f64> = labels.iter().map(|label| label.y).collect();
    let places = spread(&wanted, GAP, frame.y.to, frame.y.from);
    let x = frame.x.to;
    for (label, place) in labels.iter().zip(places) {
        let font = Font::new(Anchor::Start, 12.0);
        let font = if label.strong { font.bold() } else { font };
        let leader = svg.paint.colour("axis");
        svg.path(
            &[(x + 5.0, label.y), (x + 9.0, label.y), (x + 15.0, place), (x + 18.0, place)],
            &leader,
            0.8,
            "",
            1.0,
        );
        svg.text((x + 21.0, place + 4.0), &font, &label.colour, &label.text);
    }
}

/// Moves sorted places as little as needed to be `gap` apart, within `top` and `bottom` if they all
/// fit.
fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    // Groups of touching labels, each with the mean of what its members want as its middle.
    let mut groups: Vec<(f64, Vec<f64>)> = Vec::new();
    let middle = |members: &[f64]| {
        let half = gap * (members.len() - 1) as f64 / 2.0;
        let mean = members.iter().sum::<f64>() / members.len() as f64;
        mean.min(bottom - half).max(top + half)
    };
    for &want in wanted {
        groups.push((middle(&[want]), vec![want]));
        while let [.., (above, first), (below, second)] = groups.as_slice() {
            let reach = gap * (first.len() + second.len()) as f64 / 2.0;
            if below - above >= reach - 1e-9 {
                break;
            }
            let merged: Vec<f64> = first.iter().chain(second).copied().collect();
            groups.truncate(groups.len() - 2);
            groups.push((middle(&merged), merged));
        }
    }
    let place = |(middle, members): &(f64, Vec<f64>)| {
        let (start, n) = (middle - gap * (members.len() - 1) as f64 / 2.0, members.len());
        (0..n).map(move |at| start + gap * at as f64).collect::<Vec<_>>()
    };
    groups.iter().flat_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover() {
        assert_eq!(ticks(31.0, 64.0, 5), [30.0, 40.0, 50.0, 60.0, 70.0]);
        assert_eq!(ticks(0.0, 1.0, 5).len(), 6);
        assert_eq!(tick_labels(&[0.0, 0.25, 0.5]), ["0", "0.25", "0.50"]);
        assert_eq!(tick_labels(&[0.0, 2500.0]), ["0", "2.5k"]);
        assert!(!ticks(3.0, 3.0, 5).is_empty());
    }

    #[test]
    fn labels_do_not_overlap() {
        let places = spread(&[10.0, 11.0, 12.0, 90.0, 99.0, 100.0], 10.0, 0.0, 100.0);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 10.0 - 1e-9), "{places:?}");
        assert!(places[0] >= 0.0 && places[5] <= 100.0, "{places:?}");
        assert_eq!(spread(&[20.0, 60.0], 10.0, 0.0, 100.0), [20.0, 60.0]);
    }
}
