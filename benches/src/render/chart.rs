//! A chart with lines: logarithmic axes, a legend beside it.

use plotters::{
    coord::{
        Shift,
        ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    },
    prelude::*,
};

use crate::{error::BenchError, number::short};

/// A chart.
#[derive(Debug)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// In the order of the legend.
    pub lines: Vec<Line>,
    /// Small lines of text below the legend: where it was measured.
    pub footer: [String; 3],
}

/// What an axis shows.
#[derive(Debug)]
pub struct Axis {
    /// With the unit.
    pub label: String,
    /// How numbers become places.
    pub scale: Scale,
}

/// How numbers become places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 on.
    Linear,
    /// Whole numbers alone: first, second, third.
    Ordinal,
    /// Each decade as long as the next.
    Logarithmic,
    /// Microseconds, logarithmic.
    Time,
    /// The number of nines of a percentile.
    Nines,
}

/// A line of a chart.
#[derive(Debug)]
pub struct Line {
    /// As in the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<Point>,
    /// What others are compared with.
    pub is_reference: bool,
    /// Whether each point is marked.
    pub is_marked: bool,
    /// Which colour of the palette it has, so that a thing has the same in all charts; `None`: the
    /// next one.
    pub colour: Option<usize>,
    /// How its points are joined.
    pub stroke: Stroke,
}

/// How points are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// By a line.
    Solid,
    /// By dashes: told apart not by colour alone.
    Dashed,
    /// Not at all: their order says nothing.
    None,
}

impl Line {
    /// Joined and marked, in the next colour.
    pub(crate) fn marked(name: impl Into<String>, points: Vec<Point>) -> Self {
        Self {
            name: name.into(),
            points,
            is_reference: false,
            is_marked: true,
            colour: None,
            stroke: Stroke::Solid,
        }
    }
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From left to right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// The smallest and the largest measurement.
    pub spread: Option<(f64, f64)>,
}

const WIDTH: i32 = 900;
const HEIGHT: i32 = 480;
const LEGEND_WIDTH: i32 = 210;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(215, 215, 215);
const FAINT_GRID: RGBColor = RGBColor(240, 240, 240);
const REFERENCE: RGBColor = RGBColor(130, 130, 130);

/// Told apart with every kind of colour vision (Okabe and Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

impl Chart {
    /// As SVG.
    ///
    /// # Errors
    /// [`BenchError::Plot`]: it cannot be drawn.
    pub fn svg(&self) -> Result<String, BenchError> {
        let mut svg = String::new();
        let size = (WIDTH.unsigned_abs(), HEIGHT.unsigned_abs());
        {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            self.draw(&root).map_err(|error| BenchError::Plot(error.to_string()))?;
        }
        Ok(svg)
    }

    fn draw(&self, root: &Area<'_>) -> Drawn {
        root.fill(&WHITE)?;
        let (main, beside) = root.split_horizontally(WIDTH - LEGEND_WIDTH);
        self.draw_legend(&beside)?;
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x = Places::new(self.x.scale, all().map(|point| point.x));
        let y = Places::new(self.y.scale, all().flat_map(Point::extent));
        let mut plane = ChartBuilder::on(&main)
            .caption(&self.title, (FONT, 19).into_font().color(&INK))
            .margin(14)
            .x_label_area_size(46)
            .y_label_area_size(70)
            .build_cartesian_2d(x, y)?;
        plane
            .configure_mesh()
            .x_desc(self.x.description())
            .y_desc(self.y.description())
            .bold_line_style(GRID)
            .light_line_style(FAINT_GRID)
            .axis_style(INK)
            .label_style((FONT, 13).into_font().color(&INK))
            .axis_desc_style((FONT, 14).into_font().color(&INK))
            .draw()?;
        for (line, colour) in self.lines.iter().zip(self.colours()) {
            line.draw(&mut plane, colour)?;
        }
        Ok(())
    }

    fn draw_legend(&self, area: &Area<'_>) -> Drawn {
        let style = |size, colour| (FONT, size).into_font().color(colour);
        for ((line, colour), y) in self.lines.iter().zip(self.colours()).zip((60..).step_by(24)) {
            let dashes: &[(i32, i32)] = match line.stroke {
                Stroke::None => &[],
                Stroke::Solid if !line.is_reference => &[(0, 19)],
                Stroke::Solid | Stroke::Dashed => &[(0, 7), (12, 19)],
            };
            for (from, to) in dashes {
                area.draw(&PathElement::new([(*from, y), (*to, y)], colour.stroke_width(3)))?;
            }
            if line.is_marked {
                area.draw(&Circle::new((10, y), 4, colour.filled()))?;
            }
            area.draw(&Text::new(line.name.clone(), (26, y - 6), style(13, &INK)))?;
        }
        for (text, y) in self.footer.iter().zip((HEIGHT - 62..).step_by(16)) {
            area.draw(&Text::new(text.clone(), (0, y), style(11, &REFERENCE)))?;
        }
        Ok(())
    }

    /// A colour for each line.
    fn colours(&self) -> impl Iterator<Item = RGBColor> {
        let mut colours = COLOURS.into_iter().cycle();
        self.lines.iter().map(move |line| {
            let own = line.colour.and_then(|index| COLOURS.get(index).copied());
            let next = || if line.is_reference { Some(REFERENCE) } else { colours.next() };
            own.or_else(next).unwrap_or(INK)
        })
    }
}

impl Line {
    fn draw(&self, plane: &mut Plane<'_, '_>, colour: RGBColor) -> Drawn {
        let points = || self.points.iter().map(|point| (point.x, point.y));
        let thick = colour.stroke_width(2);
        if self.is_reference {
            plane.draw_series(DashedLineSeries::new(points(), 7, 5, thick))?;
            return Ok(());
        }
        match self.stroke {
            Stroke::Solid => {
                plane.draw_series(LineSeries::new(points(), thick))?;
            }
            Stroke::Dashed => {
                plane.draw_series(DashedLineSeries::new(points(), 7, 4, thick))?;
            }
            Stroke::None => {}
        }
        let spreads = self.points.iter().filter_map(|point| Some((point.x, point.spread?)));
        plane.draw_series(spreads.map(|(x, (min, max))| {
            PathElement::new([(x, min), (x, max)], colour.stroke_width(1))
        }))?;
        let marked = points().filter(|_| self.is_marked);
        plane.draw_series(marked.map(|place| Circle::new(place, 4, colour.filled())))?;
        Ok(())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Places, Places>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

impl Point {
    fn extent(&self) -> [f64; 3] {
        let (min, max) = self.spread.unwrap_or((self.y, self.y));
        [min, self.y, max]
    }
}

impl Axis {
    /// Its label, and that it is logarithmic where it is.
    fn description(&self) -> String {
        match self.scale {
            Scale::Logarithmic | Scale::Time => format!("{} (logarithmic)", self.label),
            Scale::Linear | Scale::Ordinal | Scale::Nines => self.label.clone(),
        }
    }
}

/// An axis with its range and its ticks.
struct Places {
    scale: Scale,
    /// In places: logarithms, if it is logarithmic.
    range: std::ops::Range<f64>,
}

impl Places {
    fn new(scale: Scale, numbers: impl Iterator<Item = f64>) -> Self {
        let places = numbers.map(|number| scale.place(number));
        let (min, max) = places.fold((f64::MAX, f64::MIN), |(a, b), n| (a.min(n), b.max(n)));
        let (min, max) = if min > max { (0.0, 1.0) } else { (min, max) };
        let range = match scale {
            Scale::Linear => 0.0..(max * 1.08).max(1e-9),
            Scale::Ordinal => min - 0.5..max + 0.5,
            Scale::Nines => 0.0..max.max(1.0),
            Scale::Logarithmic | Scale::Time => min - 0.12..max + 0.12,
        };
        Self { scale, range }
    }

    /// Where ticks are, in places; with the faint ones in between, or without.
    fn ticks(&self, with_faint: bool) -> Vec<f64> {
        let decades = (-3..12).map(f64::from);
        let within = |digits: &'static [f64]| {
            (-3..12).flat_map(move |n| digits.iter().map(move |d| f64::from(n) + d.log10()))
        };
        let is_wide = self.range.end - self.range.start > 2.5;
        let ticks: Vec<f64> = match self.scale {
            Scale::Linear => linear_ticks(self.range.end),
            Scale::Ordinal => {
                // At most a dozen, so that labels do not overlap.
                let step = (self.range.end / 12.0).ceil().max(1.0);
                (1..=12).map(|index| f64::from(index) * step).collect()
            }
            // And the median, which everyone looks for.
            Scale::Nines => decades.chain([2_f64.log10()]).collect(),
            _ if with_faint => within(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]).collect(),
            _ if is_wide => decades.collect(),
            _ => within(&[1.0, 2.0, 5.0]).collect(),
        };
        ticks.into_iter().filter(|place| self.range.contains(place)).collect()
    }
}

/// Four to ten ticks at round numbers.
fn linear_ticks(end: f64) -> Vec<f64> {
    let decade = 10_f64.powf((end / 4.0).log10().floor());
    let fits = |step: &f64| end / step < 8.0;
    let step = [1.0, 2.0, 5.0].map(|d| d * decade).into_iter().find(fits).unwrap_or(10.0 * decade);
    (0..10).map(|index| f64::from(index) * step).collect()
}

impl Scale {
    fn place(self, number: f64) -> f64 {
        match self {
            Self::Linear | Self::Ordinal | Self::Nines => number,
            Self::Logarithmic | Self::Time => number.max(1e-9).log10(),
        }
    }

    fn number(self, place: f64) -> f64 {
        match self {
            Self::Linear | Self::Ordinal | Self::Nines => place,
            Self::Logarithmic | Self::Time => 10_f64.powf(place),
        }
    }

    fn label(self, number: f64) -> String {
        match self {
            Self::Linear | Self::Ordinal | Self::Logarithmic => short(number),
            Self::Time if number < 999.0 => format!("{} us", short(number)),
            Self::Time if number < 999e3 => format!("{} ms", short(number / 1e3)),
            Self::Time => format!("{} s", short(number / 1e6)),
            Self::Nines => {
                let percent = short(100.0 - 100.0 * 10_f64.powf(-number));
                format!("p{percent}")
            }
        }
    }
}

impl Ranged for Places {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = self.range.end - self.range.start;
        let share = (self.scale.place(*value) - self.range.start) / length;
        let pixels = f64::from(limit.1 - limit.0) * share;
        limit.0 + pixel(pixels)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let ticks = self.ticks(hint.weight().allow_light_points());
        ticks.into_iter().map(|place| self.scale.number(place)).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Places {
    fn format_ext(&self, value: &f64) -> String {
        self.scale.label(*value)
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it saturates")]
fn pixel(place: f64) -> i32 {
    place.round() as i32
}
