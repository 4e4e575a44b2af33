//! The names that agents and coordinators meet under: subjects, streams and buckets.

/// What both sides speak. It counts up when a message changes its meaning.
pub(super) const PROTOCOL: u32 = 1;

/// Who is there? Agents answer with [`super::message::AgentInfo`].
pub(super) const DISCOVER: &str = "runner.discover";

/// The last part of each generator, by [`part`].
pub(super) const PARTS: &str = "RUNNER_PARTS";
/// All subjects of [`PARTS`].
pub(super) const PART_SUBJECTS: &str = "runner.part.>";
/// What is to be done at night: a work queue.
pub(super) const BLOCKS: &str = "RUNNER_BLOCKS";
/// All subjects of [`BLOCKS`].
pub(super) const BLOCK_SUBJECTS: &str = "runner.block.>";
/// The bucket that says how far each block is.
pub(super) const LEDGER: &str = "RUNNER_LEDGER";
/// The object store of the files that agents need, by their SHA-256.
pub(super) const BUNDLES: &str = "RUNNER_BUNDLES";
/// The object store of records, `<run>/<block>/<attempt>`.
pub(super) const RECORDS: &str = "RUNNER_RECORDS";

/// A request to an agent: `clock`, `prepare` or `start`.
pub(super) fn agent(id: &str, what: &str) -> String {
    format!("runner.agent.{id}.{what}")
}

/// How far a generator has come.
pub(super) fn progress(run: &str, generator: u32) -> String {
    format!("runner.run.{run}.progress.{generator}")
}

/// How far all generators of a run have come.
pub(super) fn all_progress(run: &str) -> String {
    format!("runner.run.{run}.progress.*")
}

/// The coordinator of a run is still there.
pub(super) fn beat(run: &str) -> String {
    format!("runner.run.{run}.beat")
}

/// A load of a run is to end.
pub(super) fn stop(run: &str) -> String {
    format!("runner.run.{run}.stop")
}

/// What a generator has measured so far of a load.
pub(super) fn part(run: &str, load: u32, generator: u32) -> String {
    format!("runner.part.{run}.{load}.{generator}")
}

/// What all generators have measured so far of a load.
pub(super) fn all_parts(run: &str, load: u32) -> String {
    format!("runner.part.{run}.{load}.*")
}

/// A block of a pool.
pub(super) fn block(pool: &str, run: &str, block: u32) -> String {
    format!("runner.block.{pool}.{run}.{block}")
}

/// A name for an agent or a run that nobody else has.
pub(super) fn drawn_id() -> String {
    format!("{:012x}", rand::random::<u64>() & 0xffff_ffff_ffff)
}

/// Why a name cannot be part of a subject, if it cannot.
pub fn refuse_name(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let wrong = name.is_empty() || name.len() > 64 || !name.chars().all(fits);
    wrong.then(|| format!("`{name}` is not a name: letters, digits, - and _, at most 64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_into_other_subjects() {
        for name in ["", "a.b", "*", ">", "a b", "é"] {
            assert!(refuse_name(name).is_some(), "{name}");
        }
        assert!(refuse_name("nightly-2_b").is_none());
    }
}
