//! Numbers for people: medians, spreads, ratios, and how they are written.

/// Several measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Spread {
    /// In the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// `None`: there is no measurement.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let (min, max, upper) = (*values.first()?, *values.last()?, *values.get(middle)?);
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

/// A count as a number to calculate with.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "for people")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A length as a number to calculate with.
pub fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How many on average. 0, if there is nothing to share among.
pub fn per(total: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { total / float(count) }
}

/// With three significant digits or more, and thousands apart.
pub fn human(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        0.0..0.1 => format!("{number:.3}"),
        0.1..10.0 => format!("{number:.2}"),
        10.0..100.0 => format!("{number:.1}"),
        _ => thousands(&format!("{number:.0}")),
    }
}

/// As [`human`], in k and M, for the axis of a plot.
pub(crate) fn short(number: f64) -> String {
    let (scaled, unit) = match number.abs() {
        0.0..1e3 => (number, ""),
        1e3..1e6 => (number / 1e3, "k"),
        1e6..1e9 => (number / 1e6, "M"),
        _ => (number / 1e9, "G"),
    };
    let digits = format!("{scaled:.3}");
    format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A count with thousands apart.
pub fn human_count(count: u64) -> String {
    thousands(&count.to_string())
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        let odd = Spread { median: 2.0, min: 1.0, max: 9.0 };
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(odd));
        let even = Spread { median: 3.0, min: 1.0, max: 9.0 };
        assert_eq!(Spread::of([4.0, 9.0, 1.0, 2.0]), Some(even));
    }

    #[test]
    fn numbers_are_short_and_legible() {
        let written = [0.0, 0.0421, 0.953, 12.34, 999.6, 1_234_567.0, -1234.0].map(human);
        assert_eq!(written, ["0", "0.042", "0.95", "12.3", "1,000", "1,234,567", "-1,234"]);
        assert_eq!([0.5, 100.0, 2_500.0, 3e6, 1e9].map(short), ["0.5", "100", "2.5k", "3M", "1G"]);
    }
}
