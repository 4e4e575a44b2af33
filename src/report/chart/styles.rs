//! How lines are told apart: by colour, and by their dashes and marks where there is none.

use plotters::style::RGBColor;

use super::canvas::{BLUE, GREEN, GREY, INK, Key, ORANGE, PURPLE, SKY, Shape, VERMILLION};

#[derive(Debug, Clone, Copy)]
pub(super) struct LineStyle {
    pub color: RGBColor,
    /// Lengths of dashes and gaps, in turns; an unbroken line has none.
    pub dashes: &'static [f64],
    pub shape: Shape,
}

impl LineStyle {
    /// As the legend has it, with its mark or without.
    pub fn key(self, with_mark: bool) -> Key {
        Key::Marked(self.color, self.dashes, with_mark.then_some(self.shape))
    }
}

/// More lines than this in one picture are not told apart.
pub(super) const MOST: usize = ALL.len();

const ALL: [LineStyle; 8] = [
    LineStyle { color: BLUE, dashes: &[], shape: Shape::Dot },
    LineStyle { color: VERMILLION, dashes: &[9.0, 4.0], shape: Shape::Square },
    LineStyle { color: GREEN, dashes: &[3.0, 3.0], shape: Shape::Triangle },
    LineStyle { color: PURPLE, dashes: &[11.0, 3.0, 2.0, 3.0], shape: Shape::Diamond },
    LineStyle { color: ORANGE, dashes: &[6.0, 2.0], shape: Shape::Ring },
    LineStyle { color: SKY, dashes: &[14.0, 4.0], shape: Shape::Cross },
    LineStyle { color: INK, dashes: &[2.0, 2.0], shape: Shape::Dot },
    LineStyle { color: GREY, dashes: &[7.0, 2.0, 2.0, 2.0, 2.0, 2.0], shape: Shape::Square },
];

/// The style of the line with this index.
pub(super) fn style(index: usize) -> LineStyle {
    ALL[index % MOST]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lines_share_their_dashes_so_that_colour_is_not_needed() {
        for (index, one) in ALL.iter().enumerate() {
            assert!(ALL[index + 1..].iter().all(|other| one.dashes != other.dashes && one.color != other.color));
        }
    }
}
