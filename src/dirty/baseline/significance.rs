//! Statistical significance: how likely is it that chance alone looks like identity?

/// Personas that showed the same thing whenever they were asked alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub personas: u32,
    /// How often they were asked, in total.
    pub replies: u32,
}

/// The greatest probability with which a value drawn at random for each response, whatever its distribution, would look as
/// if it belonged to personas that fall into groups of these sizes.
///
/// Let `r_g` of `r` responses belong to group `g`. A value that is drawn with the probabilities `q_g` is constant within
/// each group with the probability `prod q_g^r_g`, which is greatest for `q_g = r_g / r`. The personas (`k_g` of `k`)
/// could have fallen into such groups in `k! / prod k_g!` ways.
///
/// Draws must be independent of who asks. What follows the worker or the connection is so only if each solo request goes
/// over a fresh connection and their order changes from round to round.
pub fn of_looking_like_identity(groups: &[Group]) -> f64 {
    let replies = f64::from(groups.iter().map(|group| group.replies).sum::<u32>());
    let personas = groups.iter().map(|group| group.personas).sum();
    let constant: f64 =
        groups.iter().map(|group| f64::from(group.replies) * (f64::from(group.replies) / replies).ln()).sum();
    let ways = ln_factorial(personas) - groups.iter().map(|group| ln_factorial(group.personas)).sum::<f64>();
    (constant + ways).exp().min(1.0)
}

fn ln_factorial(n: u32) -> f64 {
    (2..=n).map(|factor| f64::from(factor).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_looks_like_identity_as_often_as_counting_says() {
        // Two personas, twice each: the first shows one side, the second the other. 2 of 16 sequences.
        let group = Group { personas: 1, replies: 2 };
        assert!((of_looking_like_identity(&[group, group]) - 2.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn one_group_tells_nothing() {
        assert!((of_looking_like_identity(&[Group { personas: 4, replies: 16 }]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_further_round_makes_chance_less_likely() {
        let chance = |rounds| {
            let (one, three) = (Group { personas: 1, replies: rounds }, Group { personas: 3, replies: 3 * rounds });
            of_looking_like_identity(&[one, three])
        };
        assert!(chance(3) > 4e-3 && chance(3) < 5e-3);
        assert!(chance(7) < 1e-6);
    }
}
