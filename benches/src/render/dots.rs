//! Dots on a logarithmic axis, a line for each name: what bars cannot show honestly, since a bar
//! has no beginning there.

use std::fmt::Write;

use crate::number::short;

/// Dots on a logarithmic axis.
#[derive(Debug)]
pub(crate) struct Dots {
    pub(crate) title: String,
    /// With the unit.
    pub(crate) label: String,
    pub(crate) lines: Vec<Dot>,
    /// Small lines of text: where it was measured.
    pub(crate) footer: [String; 3],
}

/// A line with its dot.
#[derive(Debug)]
pub(crate) struct Dot {
    pub(crate) name: String,
    /// `None`: not measured.
    pub(crate) place: Option<Place>,
    /// Beside the dot, or instead of it.
    pub(crate) text: String,
    pub(crate) mark: Mark,
}

/// Where a dot is, and the smallest and largest measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) value: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Told apart by shape as well as by colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Disc,
    Square,
}

const WIDTH: f64 = 900.0;
/// Where the axis begins, behind the names, and ends, before the last text.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 780.0;
const TOP: f64 = 56.0;
const LINE_HEIGHT: f64 = 32.0;
const BOTTOM: f64 = 78.0;

impl Mark {
    /// Of the palette of charts: blue and vermilion.
    fn colour(self) -> &'static str {
        match self {
            Self::Disc => "#0072B2",
            Self::Square => "#D55E00",
        }
    }

    fn svg(self, x: f64, y: f64) -> String {
        let colour = self.colour();
        match self {
            Self::Disc => format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="6" fill="{colour}"/>"#),
            Self::Square => {
                let (x, y) = (x - 5.5, y - 5.5);
                format!(r#"<rect x="{x:.1}" y="{y:.1}" width="11" height="11" fill="{colour}"/>"#)
            }
        }
    }
}

impl Dots {
    /// As SVG.
    pub(crate) fn svg(&self) -> String {
        let count = crate::number::float(crate::number::wide(self.lines.len()));
        let end = TOP + count * LINE_HEIGHT;
        let height = end + BOTTOM;
        let mut svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" fill="{INK}">
<rect width="{WIDTH}" height="{height}" fill="white"/>
"#
        );
        svg += &text(Anchor::Middle, WIDTH / 2.0, 28.0, 19, &self.title);
        let axis = Axis::of(&self.lines);
        self.draw_axis(&axis, end, &mut svg);
        let middles = (0..).map(|index| TOP + (f64::from(index) + 0.5) * LINE_HEIGHT);
        for (line, y) in self.lines.iter().zip(middles) {
            line.draw(&axis, y, &mut svg);
        }
        for (line, y) in self.footer.iter().rev().zip([18.0, 33.0, 48.0]) {
            svg += &text(Anchor::Start, 12.0, height - y + 8.0, 11, line);
        }
        svg + "</svg>\n"
    }

    fn draw_axis(&self, axis: &Axis, end: f64, svg: &mut String) {
        for (number, is_labelled) in axis.ticks() {
            let (x, colour) = (axis.x(number), if is_labelled { GRID } else { FAINT_GRID });
            let _ = writeln!(
                svg,
                r#"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{end}" stroke="{colour}"/>"#
            );
            if is_labelled {
                *svg += &text(Anchor::Middle, x, end + 18.0, 13, &short(number));
            }
        }
        let label = format!("{} (logarithmic)", self.label);
        *svg += &text(Anchor::Middle, f64::midpoint(LEFT, RIGHT), end + 40.0, 14, &label);
    }
}

impl Dot {
    fn draw(&self, axis: &Axis, y: f64, svg: &mut String) {
        *svg += &text(Anchor::End, LEFT - 14.0, y + 5.0, 14, &self.name);
        let Some(Place { value, min, max }) = self.place else {
            let said = text(Anchor::Start, LEFT + 8.0, y + 5.0, 13, &self.text);
            let _ = writeln!(svg, r#"<g fill="{FAINT}">{said}</g>"#);
            return;
        };
        let (from, to, colour) = (axis.x(min), axis.x(max), self.mark.colour());
        let _ = writeln!(
            svg,
            r#"<line x1="{from:.1}" y1="{y:.1}" x2="{to:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="3"/>"#
        );
        *svg += &self.mark.svg(axis.x(value), y);
        *svg += &text(Anchor::Start, to.max(axis.x(value)) + 12.0, y + 5.0, 13, &self.text);
    }
}

const INK: &str = "#323232";
const FAINT: &str = "#767676";
const GRID: &str = "#D7D7D7";
const FAINT_GRID: &str = "#F0F0F0";

/// Whole decades, from below the least to above the most.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    fn of(lines: &[Dot]) -> Self {
        let places = lines.iter().filter_map(|line| line.place);
        let ends = places.flat_map(|place| [place.min, place.max]).filter(|end| *end > 0.0);
        let (min, max) =
            ends.fold((f64::MAX, 0.0), |(a, b), end| (f64::min(a, end), f64::max(b, end)));
        if min > max {
            return Self { from: 0.0, to: 1.0 };
        }
        let from = min.log10().floor();
        Self { from, to: max.log10().ceil().max(from + 1.0) }
    }

    fn x(&self, number: f64) -> f64 {
        let share = (number.max(1e-9).log10() - self.from) / (self.to - self.from);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Each digit of each decade, and whether it has a label.
    fn ticks(&self) -> impl Iterator<Item = (f64, bool)> {
        let decades =
            (-3..13).map(f64::from).filter(|decade| (self.from..=self.to).contains(decade));
        let end = 10_f64.powf(self.to) * 1.001;
        let digits = |decade: f64| {
            (1..10).map(move |digit| (f64::from(digit) * 10_f64.powf(decade), digit == 1))
        };
        decades.flat_map(digits).filter(move |(number, _)| *number <= end)
    }
}

#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

fn text(anchor: Anchor, x: f64, y: f64, size: u32, text: &str) -> String {
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let text = escaped(text);
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{text}</text>\n"
    )
}

/// As text in XML and HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots() -> Dots {
        let place = |value| Some(Place { value, min: value * 0.8, max: value * 1.1 });
        let dot = |name: &str, place, mark| Dot {
            name: name.to_owned(),
            place,
            text: "a < b".to_owned(),
            mark,
        };
        Dots {
            title: "A & B".to_owned(),
            label: "commands/s".to_owned(),
            lines: vec![
                dot("one", place(120.0), Mark::Disc),
                dot("two", place(45_000.0), Mark::Square),
                dot("three", None, Mark::Square),
            ],
            footer: Default::default(),
        }
    }

    #[test]
    fn dots_stand_at_their_logarithms() {
        let dots = dots();
        let axis = Axis::of(&dots.lines);
        assert_eq!((axis.from, axis.to), (1.0, 5.0));
        assert_eq!((axis.x(10.0), axis.x(1e5)), (LEFT, RIGHT));
        let middle = axis.x(1e3);
        assert!((middle - f64::midpoint(LEFT, RIGHT)).abs() < 1e-9, "{middle}");
        assert_eq!(axis.ticks().filter(|(_, is_labelled)| *is_labelled).count(), 5);
    }

    #[test]
    fn text_is_escaped_and_what_is_missing_has_no_dot() {
        let svg = dots().svg();
        assert!(svg.contains("A &amp; B") && svg.contains("a &lt; b"), "{svg}");
        assert_eq!(
            (svg.matches("<circle").count(), svg.matches("fill=\"#D55E00\"").count()),
            (1, 1)
        );
        let none = Dots { lines: Vec::new(), ..dots() };
        assert!(none.svg().ends_with("</svg>\n"));
    }
}
