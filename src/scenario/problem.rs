//! What is wrong with a scenario.
/// One problem.
#[derive(Debug)]
pub struct Problem {}
/// All problems of a file.
#[derive(Debug)]
pub struct Problems {}
