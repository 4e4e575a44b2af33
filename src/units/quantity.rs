//! A number as people read it: with this many decimals as tell it from what it is compared with.

use std::cmp::Ordering;

/// No more decimals than these make a difference.
const MOST_DECIMALS: usize = 17;
/// Two numbers that differ by a smaller part of them are one, but for how they were computed.
const GRAIN: f64 = 1e-12;

/// A number in a unit, to be rounded to some decimals.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    /// In the base unit: seconds, per second, a fraction, bytes.
    value: f64,
    /// What one of `unit` is in the base unit.
    scale: f64,
    decimals: usize,
    /// Without zeros at the end.
    trimmed: bool,
    unit: &'static str,
}

impl Quantity {
    /// Three significant digits: `850 us`, `12.3 ms`, `2.01 s`.
    pub fn time(seconds: f64) -> Quantity {
        let (scale, unit) = match seconds {
            s if s < 0.9995e-3 => (1e-6, " us"),
            s if s < 0.9995 => (1e-3, " ms"),
            _ => (1.0, " s"),
        };
        Quantity::three_digits(seconds, scale, unit)
    }

    /// Three significant digits, or all before the point: `9.98/s`, `4,950/s`.
    pub fn rate(per_second: f64) -> Quantity {
        Quantity::three_digits(per_second, 1.0, "/s")
    }

    /// Three significant digits; of a small one, four decimals.
    pub fn percentage(fraction: f64) -> Quantity {
        match Quantity::three_digits(fraction, 0.01, " %") {
            small if fraction * 100.0 < 0.1 => Quantity { decimals: 4, trimmed: true, ..small },
            usual => usual,
        }
    }

    /// Three significant digits: `64.0 MB`.
    pub fn size(bytes: f64) -> Quantity {
        match bytes {
            b if b < 1e3 => Quantity { decimals: 0, ..Quantity::three_digits(b, 1.0, " B") },
            b if b < 1e6 => Quantity::three_digits(b, 1e3, " kB"),
            b if b < 1e9 => Quantity::three_digits(b, 1e6, " MB"),
            b => Quantity::three_digits(b, 1e9, " GB"),
        }
    }

    /// A whole number.
    pub fn count(count: f64) -> Quantity {
        Quantity { value: count, scale: 1.0, decimals: 0, trimmed: false, unit: "" }
    }

    /// Two decimals.
    pub fn number(number: f64) -> Quantity {
        Quantity { decimals: 2, ..Quantity::count(number) }
    }

    fn three_digits(value: f64, scale: f64, unit: &'static str) -> Quantity {
        let decimals = match (value / scale).abs() {
            v if v >= 99.95 => 0,
            v if v >= 9.995 => 1,
            _ => 2,
        };
        Quantity { value, scale, decimals, trimmed: false, unit }
    }

    /// With as many decimals as it takes to be on the same side of the limit when it is read as when it was measured.
    pub fn beside(self, limit: f64) -> Quantity {
        let side = self.value.partial_cmp(&limit);
        self.until(|shown| compare(shown, limit) == side)
    }

    /// With as many decimals as it has.
    pub fn exact(self) -> Quantity {
        self.beside(self.value)
    }

    /// With the ends of its interval, and no more digits than that supports: `810/s (770 to 850)`. In the base unit, too.
    pub fn with_ends(self, low: f64, high: f64) -> String {
        let [value, low, high] = [self.value, low, high].map(|value| Quantity { value, ..self }.supported(high - low));
        let number = |quantity: &Quantity| {
            let text = quantity.text();
            text.strip_suffix(self.unit).unwrap_or(&text).to_owned()
        };
        match (number(&low), number(&high)) {
            (low, high) if low == high => value.text(),
            (low, high) => format!("{} ({low} to {high})", value.text()),
        }
    }

    /// Rounded to the decimal place of the first digit of half this width.
    fn supported(self, width: f64) -> Quantity {
        let (half, most) = (width.abs() / 2.0 / self.scale, self.value.abs() / self.scale);
        if !half.is_finite() || half <= 0.0 || most <= 0.0 {
            return self;
        }
        let place = half.min(most).log10().floor() as i32;
        let grain = 10f64.powi(place);
        let value = (self.value / self.scale / grain).round() * grain * self.scale;
        Quantity { value, decimals: self.decimals.min(usize::try_from(-place).unwrap_or(0)), ..self }
    }

    fn until(self, enough: impl Fn(f64) -> bool) -> Quantity {
        let more = (self.decimals..=MOST_DECIMALS).map(|decimals| Quantity { decimals, ..self });
        more.into_iter().find(|quantity| enough(quantity.read())).unwrap_or(self)
    }

    /// What a reader takes it for, in the base unit.
    fn read(&self) -> f64 {
        self.digits().parse::<f64>().map_or(f64::NAN, |number| number * self.scale)
    }

    fn digits(&self) -> String {
        let digits = format!("{:.*}", self.decimals, self.value / self.scale);
        if self.trimmed && digits.contains('.') {
            return digits.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        digits
    }

    /// `4,499.6/s`.
    pub fn text(&self) -> String {
        let digits = self.digits();
        let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
        format!("{}{rest}{}", with_separators(whole), self.unit)
    }
}

fn compare(shown: f64, limit: f64) -> Option<Ordering> {
    if (shown - limit).abs() <= limit.abs() * GRAIN { Some(Ordering::Equal) } else { shown.partial_cmp(&limit) }
}

/// `12,345` of `12345`.
pub(super) fn with_separators(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        let is_inside = digits[..index].ends_with(|c: char| c.is_ascii_digit());
        if is_inside && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_that_is_not_its_limit_does_not_read_as_if() {
        let time = |value, limit| Quantity::time(value).beside(limit).text();
        assert_eq!(time(0.100_04, 0.1), "100.04 ms");
        assert_eq!(time(0.100_4, 0.1), "100.4 ms");
        assert_eq!(time(0.1, 0.1), "100 ms");
        assert_eq!(time(0.12, 0.1), "120 ms");
        assert_eq!(time(0.999_6, 1.0), "0.9996 s");
        assert_eq!(Quantity::rate(4_499.7).beside(4_500.0).text(), "4,499.7/s");
        assert_eq!(Quantity::size(200_400_000.0).beside(2e8).text(), "200.4 MB");
        assert_eq!(Quantity::number(0.801).beside(0.8).text(), "0.801");
        assert_eq!(Quantity::count(1_234_567.0).beside(1_234_568.0).text(), "1,234,567");
    }

    #[test]
    fn a_limit_is_shown_as_it_is() {
        assert_eq!(Quantity::time(2.345).exact().text(), "2.345 s");
        assert_eq!(Quantity::time(0.25).exact().text(), "250 ms");
        assert_eq!(Quantity::percentage(0.9995).exact().text(), "99.95 %");
        assert_eq!(Quantity::percentage(0.001).exact().text(), "0.10 %");
        assert_eq!(Quantity::rate(4500.0).exact().text(), "4,500/s");
    }

    #[test]
    fn an_interval_has_the_digits_that_it_supports() {
        assert_eq!(Quantity::rate(812.3).with_ends(773.0, 848.0), "810/s (770 to 850)");
        assert_eq!(Quantity::rate(38.24).with_ends(36.1, 40.3), "38/s (36 to 40)");
        assert_eq!(Quantity::time(0.000_583).with_ends(0.000_52, 0.000_64), "580 us (520 to 640)");
        assert_eq!(Quantity::time(0.100_2).with_ends(0.100_1, 0.100_3), "100 ms");
        assert_eq!(Quantity::rate(12_345.0).with_ends(12_345.0, 12_345.0), "12,345/s");
        assert_eq!(Quantity::number(2.0).with_ends(0.1, 30.0), "2 (0.1 to 30)");
        assert_eq!(Quantity::rate(5.0).with_ends(f64::NEG_INFINITY, f64::INFINITY), "5.00/s (-inf to inf)");
    }

    #[test]
    fn what_rounds_up_beyond_the_limit_gets_more_digits_as_well() {
        assert_eq!(Quantity::time(2.349).beside(2.3495).text(), "2.349 s");
    }

    proptest! {
        #[test]
        fn what_is_read_is_on_the_side_of_the_limit_that_was_measured(value in 0u32..3_000_000, limit in 0u32..3_000_000) {
            let (value, limit) = (f64::from(value) / 1e6, f64::from(limit) / 1e6);
            for of in [Quantity::time, Quantity::rate, Quantity::percentage, Quantity::number] {
                let (shown, expected) = (of(value).beside(limit), of(limit).exact());
                prop_assert_eq!(compare(shown.read(), limit), value.partial_cmp(&limit), "{}", shown.text());
                prop_assert_eq!(compare(expected.read(), limit), Some(Ordering::Equal), "{}", expected.text());
            }
        }
    }
}
