//! No text, no slip in a scenario and no override makes loading panic or go on for ever.

use proptest::prelude::*;

use super::*;

const SOURCES: &[&str] = &[
    include_str!("../../../scenarios/checkout.toml"),
    include_str!("../../../scenarios/clean_in_every_mode.toml"),
    include_str!("../../../scenarios/gunicorn_vs_uvicorn.toml"),
    include_str!("../../../tests/golden/many.toml"),
    include_str!("../../../tests/golden/matrix.toml"),
    include_str!("../../../tests/golden/request.toml"),
    include_str!("../../../tests/golden/wrong_type.toml"),
];

/// Bits that scenarios are made of, to be put where they do not belong.
const BITS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "${",
    "{canary}",
    "[load]\n",
    "[dirty]\n",
    "[matrix]\n",
    "server",
    "load.path",
    "= 5",
    "= []",
    "= {}",
    "-1",
    "1e999",
    "nan",
    "1979-05-27",
    "é",
    "\u{0}",
    "\r\n",
    "\u{feff}",
    "[[assert.that]]\n",
    "99999999999999999999",
    "a.b.c.d",
    "true",
];

fn check(source: &str, overrides: &[&str]) -> Result<(), TestCaseError> {
    if let Err(problems) = World::of(source).load_with(overrides) {
        prop_assert!(problems.count() > 0);
        prop_assert!(problems.to_string().starts_with("error: "));
        prop_assert!(!problems.render(true).is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_make_loading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes), &[])?;
    }

    #[test]
    fn no_slip_makes_loading_panic(
        source in prop::sample::select(SOURCES),
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(BITS)), 1..5),
    ) {
        let mut text: Vec<char> = source.chars().collect();
        for (at, cut, bit) in slips {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, bit.chars());
        }
        check(&text.into_iter().collect::<String>(), &[])?;
    }

    #[test]
    fn no_override_makes_loading_panic(
        source in prop::sample::select(SOURCES),
        key in "(server|load|dirty|matrix|assert|servers)?\\.?(mode|path|sleep|that|\"load.sleep\"|x)?(\\.[a-z'\"]{0,4})?",
        value in "=?(\\[|\\{|\"|[0-9a-z${}= \n]){0,6}",
    ) {
        check(source, &[&format!("{key}{value}")])?;
    }
}
