//! How wide texts are. The font is known only where a picture is shown: so each character counts as in the wider of DejaVu Sans
//! and Helvetica, between which the other fonts of the list lie.

/// The first of these that is there.
pub(super) const FAMILY: &str = "-apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Helvetica, Arial, sans-serif";

/// The advance of the characters from space to `~`, in thousandths of the size: the larger of that of DejaVu Sans 2.37 (its
/// table `hmtx`) and that of Helvetica (Adobe's metrics of the 14 standard fonts).
const ADVANCE: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 556, 1015, 684, 686, 722, 770, 667, 611, 778, 752, 295, 500, 667, 557, 863,
    748, 787, 667, 787, 722, 667, 611, 732, 684, 989, 685, 667, 685, 390, 337, 390, 838, 556, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
];
/// Of any other character, as that of a wide script.
const OTHER: u16 = 1000;
/// Letters with accents, and signs such as the micro sign, are no wider than this.
const LATIN: u16 = 838;

/// How wide a text is at most.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| f64::from(advance(c))).sum::<f64>() / 1000.0 * size
}

/// The text, cut off where it would be wider.
pub(super) fn fitted(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if text_width(&kept, size) + text_width("…", size) > width {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

fn advance(c: char) -> u16 {
    let index = (c as usize).checked_sub(0x20);
    match index.and_then(|index| ADVANCE.get(index)) {
        Some(advance) => *advance,
        None if (c as u32) < 0x250 => LATIN,
        None => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_wide_as_in_the_wider_of_two_fonts() {
        // DejaVu Sans has 636 for a digit and Helvetica 556; of `C` they have 698 and 722.
        assert!((text_width("0", 1000.0) - 636.0).abs() < 1e-9 && (text_width("C", 1000.0) - 722.0).abs() < 1e-9);
        assert!((text_width("~", 1000.0) - 838.0).abs() < 1e-9);
        assert!(text_width("+675.9 to +708.8 ms", 11.5) > 124.0);
        let cut = fitted("server.mode=threaded load.concurrency=1000", 100.0, 12.0);
        assert!(cut.ends_with('…') && text_width(&cut, 12.0) <= 100.0 && cut.starts_with("server.mode"), "{cut}");
        assert_eq!(fitted("async", 100.0, 12.0), "async");
        assert!(text_width("µs", 10.0) > 12.0 && text_width("日本", 10.0) >= 20.0);
    }
}
