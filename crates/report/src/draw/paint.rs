//! Colours, line styles and markers. A series has all three, so that none is needed to tell it
//! apart.

/// Destination of a figure: the page, which has light and dark colours, or a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Colours are variables of the page's style sheet.
    Page,
    /// Colours are written out.
    File,
}

/// Name, light and dark value of every colour.
const COLOURS: [(&str, &str, &str); 18] = [
    ("series0", "#1f6fd0", "#5aa2f5"),
    ("series1", "#d4541a", "#f08a52"),
    ("series2", "#0f8a63", "#3fc79a"),
    ("series3", "#7146b8", "#b394f0"),
    ("series4", "#b3215e", "#f07aa6"),
    ("series5", "#8a6a00", "#d9b43a"),
    ("ink", "#1b1d21", "#e6e7ea"),
    ("soft", "#4c5159", "#b3b8c1"),
    ("faint", "#6b717b", "#8f96a1"),
    ("grid", "#e4e6ea", "#2d3138"),
    ("axis", "#9aa0a9", "#5d646f"),
    ("paper", "#ffffff", "#14161a"),
    ("panel", "#f6f7f9", "#1c1f25"),
    ("rule", "#d3d6dc", "#363b44"),
    ("good", "#0b7a43", "#4fcf8d"),
    ("bad", "#b3261e", "#ff8a80"),
    ("part", "#8a6a00", "#d9b43a"),
    ("link", "#1a5fb4", "#7db4ff"),
];

/// Number of series colours.
const SERIES: usize = 6;
/// Dash patterns of the series.
const DASHES: [&str; 5] = ["", "7 3.5", "2 3", "9 3 2 3", "13 4"];
/// Dash patterns of the reference lines.
const REFERENCE_DASHES: [&str; 4] = ["1.5 3.5", "5 4", "10 3 1.5 3", "3 2"];

impl Paint {
    /// A colour by its name, as CSS.
    pub(crate) fn colour(self, name: &str) -> String {
        let known = COLOURS.iter().find(|(known, _, _)| *known == name);
        match (self, known) {
            (Paint::Page, Some(_)) => format!("var(--{name})"),
            (Paint::File, Some((_, light, _))) => (*light).to_owned(),
            (_, None) => "currentColor".to_owned(),
        }
    }

    /// The colour of a series.
    pub(crate) fn series(self, index: usize) -> String {
        self.colour(&format!("series{}", index % SERIES))
    }
}

/// The dash pattern of a series; empty if it is solid.
pub(crate) fn dash(index: usize) -> &'static str {
    DASHES[index % DASHES.len()]
}

/// The dash pattern of a reference line.
pub(crate) fn reference_dash(index: usize) -> &'static str {
    REFERENCE_DASHES[index % REFERENCE_DASHES.len()]
}

/// The definitions of the page's colour variables.
pub(crate) fn variables() -> String {
    let list =
        |pick: fn(&(&str, &str, &str)) -> String| COLOURS.iter().map(pick).collect::<String>();
    let light = list(|(name, light, _)| format!("--{name}:{light};"));
    let dark = list(|(name, _, dark)| format!("--{name}:{dark};"));
    format!(
        ":root{{color-scheme:light dark;{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n\
         @media print{{:root{{color-scheme:light;{light}}}}}\n"
    )
}
