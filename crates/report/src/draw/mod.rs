//! Figures as SVG. Nothing here needs a font, a browser or another crate.
//!
//! | module | purpose |
//! |---|---|
//! | [`svg`] | writer of SVG elements |
//! | [`paint`] | colours, dash patterns and markers of the series |
//! | [`frame`] | scales, ticks, grid and labels of a plot |
//! | [`lines`] | curves: the primary score against training steps |
//! | [`dots`] | points with intervals: final scores and differences |
//! | [`losses`] | small multiples: the losses of each training stage |
//! | [`time`] | the bar of where the time went |

pub(crate) mod dots;
pub(crate) mod frame;
pub(crate) mod lines;
pub(crate) mod losses;
pub(crate) mod paint;
pub(crate) mod svg;
pub(crate) mod time;

use crate::Results;
use crate::stats::grid::Grid;
use paint::Paint;

/// A drawing and its caption.
pub(crate) struct Figure {
    pub svg: String,
    pub caption: String,
}

/// Width of all figures, in pixels of the drawing.
pub(crate) const WIDTH: f64 = 960.0;

/// Draws the main figure: curves if there are any, else the final scores. `None` if the primary
/// score was measured nowhere.
pub(crate) fn main_figure(results: &Results, grid: &Grid, paint: Paint) -> Option<Figure> {
    lines::curves(results, grid, paint).or_else(|| dots::finals(grid, &results.primary, paint))
}
