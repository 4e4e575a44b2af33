use super::*;

#[test]
fn a_burst_is_clean_below_only_if_fewer_were_tried_and_never_showed_it() {
    assert!(clean_below(&[(2, 0), (2, 0), (3, 0), (5, 2)], 5));
    assert!(!clean_below(&[(2, 1), (3, 0), (5, 2)], 5), "two showed it once");
    assert!(!clean_below(&[(3, 2), (5, 0)], 3), "more that showed nothing say nothing");
    assert!(!clean_below(&[(5, 2)], 5), "nothing was tried with fewer");
}
