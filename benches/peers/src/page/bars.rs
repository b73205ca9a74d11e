//! A chart with a bar for each system.

use annals_bench::{BenchError, Spread, human};
use plotters::prelude::*;

use crate::{page::is_annals, system::Peer};

/// A chart with a bar for each system, the best on top.
#[derive(Debug)]
pub(super) struct Bars {
    pub(super) title: String,
    pub(super) lines: Vec<Bar>,
    /// Small lines below: where it was measured.
    pub(super) footer: [String; 3],
}

/// What a bar shows.
#[derive(Debug)]
pub(super) struct Bar {
    name: &'static str,
    pub(super) value: Spread,
    colour: RGBColor,
}

const WIDTH: i32 = 900;
const LINE: i32 = 24;
const TOP: i32 = 46;
const BOTTOM: i32 = 30;
/// Where bars begin, and where the longest ends.
const LEFT: i32 = 190;
const RIGHT: i32 = 790;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(50, 50, 50);
const FAINT: RGBColor = RGBColor(130, 130, 130);
/// Told apart with every kind of colour vision (Okabe and Ito 2008).
const OF_ANNALS: RGBColor = RGBColor(0, 114, 178);
const OF_OTHERS: RGBColor = RGBColor(230, 159, 0);

impl Bar {
    pub(super) fn new(peer: &Peer, value: Spread) -> Self {
        let colour = if is_annals(peer.name) { OF_ANNALS } else { OF_OTHERS };
        Self { name: peer.name, value, colour }
    }

    pub(super) fn raw(value: Spread) -> Self {
        Self { name: "raw disk, one caller", value, colour: FAINT }
    }
}

impl Bars {
    pub(super) fn svg(&self) -> Result<String, BenchError> {
        let lines = i32::try_from(self.lines.len()).unwrap_or(0);
        let height = TOP + lines * LINE + BOTTOM;
        let mut svg = String::new();
        {
            let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            self.draw(&area, height).map_err(|error| BenchError::Plot(error.to_string()))?;
        }
        Ok(svg)
    }

    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        height: i32,
    ) -> Result<(), Box<dyn std::error::Error>> {
        area.fill(&WHITE)?;
        area.draw(&Text::new(self.title.clone(), (14, 12), style(19, &INK)))?;
        let longest = self.lines.iter().map(|bar| bar.value.max).fold(f64::MIN_POSITIVE, f64::max);
        for (bar, y) in self.lines.iter().zip((TOP..).step_by(24)) {
            let x = |value: f64| LEFT + rounded(value / longest * f64::from(RIGHT - LEFT));
            let Spread { median, min, max } = bar.value;
            area.draw(&Text::new(bar.name, (14, y + 3), style(13, &INK)))?;
            let corners = [(LEFT, y), (x(median).max(LEFT + 1), y + LINE - 6)];
            area.draw(&Rectangle::new(corners, bar.colour.filled()))?;
            let middle = y + (LINE - 6) / 2;
            area.draw(&PathElement::new([(x(min), middle), (x(max), middle)], INK))?;
            let place = (x(max) + 8, y + 3);
            area.draw(&Text::new(human(median), place, style(13, &INK)))?;
        }
        let footer = self.footer.join("; ");
        area.draw(&Text::new(footer, (14, height - 20), style(11, &FAINT)))?;
        Ok(())
    }
}

fn style(size: i32, colour: &RGBColor) -> TextStyle<'_> {
    TextStyle::from((FONT, size)).color(colour)
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a place in a picture")]
fn rounded(place: f64) -> i32 {
    place.round() as i32
}
