//! The bar of where the time of an experiment went.

use crate::Results;
use crate::draw::paint::Paint;
use crate::draw::svg::{Anchor, Font, Svg, text_width};
use crate::draw::{Figure, WIDTH};
use crate::text::write::seconds;

/// Draws where the time went, as one bar. `None` if no part of the time is known.
pub(crate) fn bar(results: &Results, paint: Paint) -> Option<Figure> {
    let parts: Vec<&(String, f64)> =
        results.cost.parts.iter().filter(|part| part.1 > 0.0 && part.1.is_finite()).collect();
    let total: f64 = parts.iter().map(|part| part.1).sum();
    if parts.is_empty() {
        return None;
    }
    let mut svg = Svg::new(paint);
    let (mut x, mut key_x, mut key_y) = (0.0, 0.0, 52.0);
    let (ink, paper) = (paint.colour("ink"), paint.colour("paper"));
    for (at, (name, time)) in parts.iter().enumerate() {
        let (width, colour) = (WIDTH * time / total, paint.series(at));
        svg.rect(x, 6.0, width, 22.0, &colour);
        if at > 0 {
            svg.line((x, 6.0), (x, 28.0), &paper, 2.0, "");
        }
        x += width;
        let text = format!("{name} {} ({:.0}%)", seconds(*time), 100.0 * time / total);
        let needed = text_width(&text, 12.5) + 40.0;
        if key_x + needed > WIDTH {
            (key_x, key_y) = (0.0, key_y + 20.0);
        }
        svg.rect(key_x, key_y - 10.0, 12.0, 12.0, &colour);
        svg.text((key_x + 18.0, key_y), &Font::new(Anchor::Start, 12.5), &ink, &text);
        key_x += needed;
    }
    let caption = "Where the time went, in the order of the bar from left to right.".to_owned();
    Some(Figure { svg: svg.finish(WIDTH, key_y + 8.0, "Where the time went"), caption })
}
