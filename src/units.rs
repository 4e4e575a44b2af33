//! Durations, rates, percentages and sizes: parsed and printed in one place.
//!
//! Units are always written (`"100ms"`, `"2000/s"`, `"0.1%"`, `"200MB"`); a bare number is an error that says so.

use std::time::Duration;

mod quantity;

pub use quantity::Quantity;

/// Why a text is not a quantity. The text fits after "error: " and ends in a remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// The longest duration that a scenario may name: one day.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Parses `"100ms"`, `"1.5s"`, `"1m30s"`, `"2h"`; units `us`, `ms`, `s`, `m`, `h`, at most [`LONGEST`].
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let bad = |why: &str| UnitError(format!("`{text}` is not a duration: {why}, as in \"100ms\", \"2s\" or \"1m30s\""));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad("write a number with a unit"));
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let (number, unit, after) = split_quantity(rest).ok_or_else(|| bad("write a number with a unit"))?;
        let seconds = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "" if after.starts_with(',') => return Err(bad("decimals come after a point, not a comma")),
            "" if !after.is_empty() => return Err(bad("write a number with a unit")),
            "" => return Err(bad("a bare number has no unit; write one")),
            _ => return Err(bad(&format!("`{unit}` is not a unit of time; use us, ms, s, m or h"))),
        };
        total += number * seconds;
        rest = after;
    }
    if total > LONGEST.as_secs_f64() {
        return Err(bad("it is longer than a day; write at most \"24h\""));
    }
    Ok(Duration::from_nanos((total * 1e9).round() as u64))
}

/// Parses a sleep as requests name it: plain seconds (`0.1`) or a duration with a unit (`100ms`).
pub fn parse_sleep(text: &str) -> Result<Duration, UnitError> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST.as_secs_f64()).contains(&seconds) => {
            Ok(Duration::from_nanos((seconds * 1e9).round() as u64))
        }
        Ok(_) => {
            Err(UnitError(format!("`{text}` is not a sleep: write seconds from 0 to 86400, or a unit as in \"100ms\"")))
        }
        Err(_) => parse_duration(text),
    }
}

/// A rate in events per second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// Parses `"2000/s"`, `"90/m"`, `"1.5k/s"`.
pub fn parse_rate(text: &str) -> Result<Rate, UnitError> {
    let bad = || {
        UnitError(format!("`{text}` is not a rate: write a number per second or minute, as in \"2000/s\" or \"90/m\""))
    };
    let (number, unit, rest) = split_quantity(text.trim()).ok_or_else(bad)?;
    let scale = match unit {
        "" => 1.0,
        "k" => 1e3,
        _ => return Err(bad()),
    };
    let per = match rest {
        "/s" => 1.0,
        "/m" | "/min" => 1.0 / 60.0,
        _ => return Err(bad()),
    };
    Ok(Rate(number * scale * per))
}

/// Parses `"0.1%"` into the fraction 0.001; from 0 to 100 %.
pub fn parse_percentage(text: &str) -> Result<f64, UnitError> {
    let bad = || {
        UnitError(format!(
            "`{text}` is not a percentage: write a number from 0 to 100 with a percent sign, as in \"0.1%\""
        ))
    };
    let number = text.trim().strip_suffix('%').ok_or_else(bad)?.trim();
    match number.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value / 100.0),
        _ => Err(bad()),
    }
}

/// Parses `"200MB"` into bytes; units `B`, `kB`, `MB`, `GB` (powers of 1000) and `KiB`, `MiB`, `GiB` (powers of 1024).
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let bad = || {
        UnitError(format!(
            "`{text}` is not a size: write a number with B, kB, MB, GB, KiB, MiB or GiB, as in \"200MB\""
        ))
    };
    let (number, unit, rest) = split_quantity(text.trim()).ok_or_else(bad)?;
    let scale: f64 = match unit {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(bad()),
    };
    let bytes = number * scale;
    if !rest.is_empty() || bytes > 1e15 {
        return Err(bad());
    }
    Ok(bytes.round() as u64)
}

/// Splits `"1.5ms30s"` into `(1.5, "ms", "30s")`. The number is plain decimal and not negative.
fn split_quantity(text: &str) -> Option<(f64, &str, &str)> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let number: f64 = text[..number_end].replace('_', "").parse().ok()?;
    let rest = text[number_end..].trim_start();
    let unit_end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    Some((number, &rest[..unit_end], rest[unit_end..].trim_start()))
}

/// Prints a duration as a scenario would write it, exactly: `100ms`, `1m30s`, `1.5s`.
pub fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0ms".to_owned();
    }
    if nanos < 1_000_000 {
        return format!("{}us", trim_number(nanos as f64 / 1e3, 3));
    }
    if nanos < 1_000_000_000 {
        return format!("{}ms", trim_number(nanos as f64 / 1e6, 6));
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let seconds = duration.as_secs_f64() - (hours * 3600 + minutes * 60) as f64;
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if minutes > 0 {
        text += &format!("{minutes}m");
    }
    if seconds > 0.0 {
        text += &format!("{}s", trim_number(seconds, 9));
    }
    text
}

/// Prints a measured time for people, three significant digits: `850 us`, `12.3 ms`, `2.01 s`.
pub fn show_time(seconds: f64) -> String {
    Quantity::time(seconds).text()
}

/// Prints a rate for people: `9.98/s`, `4,950/s`, `123,456/s`.
pub fn show_rate(per_second: f64) -> String {
    Quantity::rate(per_second).text()
}

/// Prints a fraction as a percentage with three significant digits: `0.0998 %`. Nothing but none and all is 0 and 100 %.
pub fn show_percentage(fraction: f64) -> String {
    let quantity = Quantity::percentage(fraction);
    let sides = [quantity.beside(0.0), quantity.beside(1.0)].map(|quantity| quantity.text());
    // More digits tell it from both.
    sides.into_iter().max_by_key(String::len).unwrap_or_default()
}

/// Prints bytes for people: `64.0 MB`.
pub fn show_size(bytes: u64) -> String {
    Quantity::size(bytes as f64).text()
}

/// Prints a count with thousands separators: `12,345`.
pub fn show_count(count: u64) -> String {
    quantity::with_separators(&count.to_string())
}

/// Prints a count and what is counted: `1 user`, `12,345 users`, `2 crashes`.
pub fn counted(count: u64, noun: &str) -> String {
    let ending = match noun {
        _ if count == 1 => "",
        noun if noun.ends_with(['s', 'x', 'h']) => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", show_count(count))
}

/// At most `digits` decimals, without trailing zeros.
fn trim_number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_parse_with_their_units() {
        for (text, millis) in
            [("100ms", 100), ("1.5s", 1500), ("1m30s", 90_000), ("2h", 7_200_000), ("0ms", 0), ("1m 30s", 90_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
    }

    #[test]
    fn a_bare_number_is_not_a_duration_and_the_error_says_so() {
        assert!(parse_duration("100").unwrap_err().to_string().contains("has no unit"));
        for text in ["", "ms", "-1s", "1 fortnight", "1s2", "25h", "1..2s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sleep_may_be_plain_seconds() {
        assert_eq!(parse_sleep("0.1"), Ok(Duration::from_millis(100)));
        assert_eq!(parse_sleep("30ms"), Ok(Duration::from_millis(30)));
        assert!(parse_sleep("-1").is_err() && parse_sleep("nan").is_err() && parse_sleep("inf").is_err());
    }

    #[test]
    fn rates_percentages_and_sizes_parse() {
        assert_eq!(parse_rate("2000/s"), Ok(Rate(2000.0)));
        assert_eq!(parse_rate("90/m"), Ok(Rate(1.5)));
        assert_eq!(parse_rate("1.5k/s"), Ok(Rate(1500.0)));
        assert!(parse_rate("2000").is_err() && parse_rate("5/h").is_err());
        assert_eq!(parse_percentage("0.1%"), Ok(0.001));
        assert!(parse_percentage("101%").is_err() && parse_percentage("5").is_err());
        assert_eq!(parse_size("200MB"), Ok(200_000_000));
        assert_eq!(parse_size("1 KiB"), Ok(1024));
        assert!(parse_size("200").is_err() && parse_size("2 megs").is_err());
    }

    #[test]
    fn people_read_three_digits() {
        assert_eq!(show_time(0.000_85), "850 us");
        assert_eq!(show_time(0.012_34), "12.3 ms");
        assert_eq!(show_time(0.999_9), "1.00 s");
        assert_eq!(show_time(10.0), "10.0 s");
        assert_eq!(show_rate(9.98), "9.98/s");
        assert_eq!(show_rate(123_456.0), "123,456/s");
        assert_eq!(show_percentage(0.000_998), "0.0998 %");
        assert_eq!(show_size(64_000_000), "64.0 MB");
        assert_eq!(show_count(1_234_567), "1,234,567");
    }

    #[test]
    fn only_none_is_0_percent_and_only_all_is_100() {
        let of = |count: u64, all: u64| show_percentage(count as f64 / all as f64);
        assert_eq!([of(0, 3), of(3, 3)], ["0 %", "100 %"]);
        assert_eq!(of(9_997, 10_000), "99.97 %");
        assert_eq!(of(1, 3_000_000), "0.00003 %");
        assert_eq!(of(2_999_999, 3_000_000), "99.99997 %");
        assert_eq!(show_percentage(1.003), "100.3 %");
    }

    #[test]
    fn one_is_singular() {
        let all = [(0, "user"), (1, "user"), (1200, "user"), (1, "crash"), (2, "crash")];
        let all = all.map(|(count, noun)| counted(count, noun));
        assert_eq!(all, ["0 users", "1 user", "1,200 users", "1 crash", "2 crashes"]);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(nanos in 0u64..86_400_000_000_000) {
            let duration = Duration::from_nanos(nanos);
            let back = parse_duration(&show_duration(duration)).unwrap();
            prop_assert!(back.abs_diff(duration) < Duration::from_micros(1), "{duration:?} {back:?}");
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,20}") {
            let _ = (parse_duration(&text), parse_sleep(&text), parse_rate(&text), parse_percentage(&text), parse_size(&text));
        }
    }
}
