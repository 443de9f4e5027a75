//! A small writer of SVG.

use crate::draw::paint::Paint;
use crate::text::write::escape;
use std::fmt::Write;

/// Point of a text that is fixed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Form of a text: the point of it that is fixed, its size, and more CSS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Font {
    pub anchor: Anchor,
    pub size: f64,
    /// Further style, such as `font-weight:600`.
    pub css: &'static str,
}

impl Font {
    pub(crate) const fn new(anchor: Anchor, size: f64) -> Self {
        Self { anchor, size, css: "" }
    }

    pub(crate) const fn bold(self) -> Self {
        Self { css: "font-weight:600", ..self }
    }

    /// Gives all digits the same width.
    pub(crate) const fn tabular(self) -> Self {
        Self { css: "font-variant-numeric:tabular-nums", ..self }
    }
}

/// A drawing under construction.
pub(crate) struct Svg {
    pub paint: Paint,
    body: String,
}

/// Width that a text of this size takes, about.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

impl Svg {
    pub(crate) fn new(paint: Paint) -> Self {
        Svg { paint, body: String::new() }
    }

    fn add(&mut self, element: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }

    /// A straight line.
    pub(crate) fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        colour: &str,
        width: f64,
        dash: &str,
    ) {
        let dash = dashed(dash);
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" style="stroke:{colour};stroke-width:{width}{dash}"/>"#
        ));
    }

    /// A line through points.
    pub(crate) fn path(
        &mut self,
        points: &[(f64, f64)],
        colour: &str,
        width: f64,
        dash: &str,
        opacity: f64,
    ) {
        if points.len() < 2 {
            return;
        }
        let (data, dash) = (path_data(points), dashed(dash));
        self.add(format_args!(
            r#"<path d="{data}" style="fill:none;stroke:{colour};stroke-width:{width};stroke-opacity:{opacity};stroke-linejoin:round{dash}"/>"#
        ));
    }

    /// A filled area.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], colour: &str, opacity: f64) {
        let data = path_data(points);
        self.add(format_args!(
            r#"<path d="{data}Z" style="fill:{colour};fill-opacity:{opacity};stroke:none"/>"#
        ));
    }

    /// A rectangle.
    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" style="fill:{colour}"/>"#
        ));
    }

    /// Writes a text at a point.
    pub(crate) fn text(&mut self, at: (f64, f64), font: &Font, colour: &str, text: &str) {
        let anchor = match font.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, size, css) = (at.0, at.1, font.size, font.css);
        let text = escape(text);
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" style="fill:{colour};{css}">{text}</text>"#
        ));
    }

    /// A text that reads upwards, centred at a point.
    pub(crate) fn upright(&mut self, at: (f64, f64), size: f64, colour: &str, text: &str) {
        let (x, y, text) = (at.0, at.1, escape(text));
        self.add(format_args!(
            r#"<text transform="translate({x:.1} {y:.1}) rotate(-90)" text-anchor="middle" font-size="{size}" style="fill:{colour}">{text}</text>"#
        ));
    }

    /// The marker of a series, with a text that shows when pointed at.
    pub(crate) fn marker(
        &mut self,
        series: usize,
        at: (f64, f64),
        radius: f64,
        colour: &str,
        title: &str,
    ) {
        let (x, y, r) = (at.0, at.1, radius);
        let shape = match series % 5 {
            0 => format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{r:.1}""#),
            1 => {
                let (left, top, side) = (x - 0.9 * r, y - 0.9 * r, 1.8 * r);
                format!(r#"<rect x="{left:.1}" y="{top:.1}" width="{side:.1}" height="{side:.1}""#)
            }
            2 => {
                polygon(&[(x, y - 1.2 * r), (x + 1.1 * r, y + 0.8 * r), (x - 1.1 * r, y + 0.8 * r)])
            }
            3 => polygon(&[(x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y)]),
            _ => {
                polygon(&[(x, y + 1.2 * r), (x + 1.1 * r, y - 0.8 * r), (x - 1.1 * r, y - 0.8 * r)])
            }
        };
        let (paper, name) = (
            self.paint.colour("paper"),
            shape[1..].split(' ').next().unwrap_or_default().to_owned(),
        );
        let title = escape(title);
        self.add(format_args!(
            r#"{shape} style="fill:{colour};stroke:{paper};stroke-width:1"><title>{title}</title></{name}>"#
        ));
    }

    /// The finished drawing. `title` is read out instead of it.
    pub(crate) fn finish(self, width: f64, height: f64, title: &str) -> String {
        let (title, body) = (escape(title), self.body);
        let (prolog, size, ground) = match self.paint {
            Paint::Page => ("", String::new(), String::new()),
            Paint::File => (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                format!(r#" width="{width:.0}" height="{height:.0}""#),
                r#"<rect width="100%" height="100%" style="fill:#ffffff"/>"#.to_owned(),
            ),
        };
        format!(
            "{prolog}<svg xmlns=\"http://www.w3.org/2000/svg\" \
             viewBox=\"0 0 {width:.0} {height:.0}\"{size} role=\"img\" \
             font-family=\"system-ui, Segoe UI, Helvetica Neue, Arial, \
                 sans-serif\">\n<title>{title}</title>\n{ground}{body}</svg>\n"
        )
    }
}

fn dashed(dash: &str) -> String {
    if dash.is_empty() { String::new() } else { format!(";stroke-dasharray:{dash}") }
}

fn path_data(points: &[(f64, f64)]) -> String {
    let mut out = String::with_capacity(points.len() * 12);
    for (at, (x, y)) in points.iter().enumerate() {
        let _ = write!(out, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
    }
    out
}

fn polygon(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!(r#"<polygon points="{}""#, points.join(" "))
}
