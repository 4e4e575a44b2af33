//! What a script may use up, and the stack that follows from it.

use std::time::Duration;

use rhai::Engine;

/// Levels of nested expressions and blocks: outside functions, and in them.
const EXPRESSION_LEVELS: usize = 64;
const FUNCTION_EXPRESSION_LEVELS: usize = 32;
const VARIABLES: usize = 1_000;
const FUNCTIONS: usize = 1_000;
pub(super) const MODULES: usize = 64;

/// Bytes of stack that rhai takes at most, with room above what the test `stack_of_a_level` measures.
struct Cost {
    /// One level of calls whose bodies nest as deep as they may.
    call: usize,
    /// One level of an array within an array, or of a map within a map, to compare or print it.
    nesting: usize,
    /// One operation of a loop that wraps closure in closure, to drop them all: no other limit counts those.
    operation: usize,
}

const COST: Cost = if cfg!(debug_assertions) {
    Cost { call: 160 << 10, nesting: 8 << 10, operation: 128 }
} else {
    Cost { call: 24 << 10, nesting: 3 << 10, operation: 48 }
};

/// Where limits are set to no limit at all.
const LARGEST_STACK: usize = 16 << 30;

/// What a script may use up. The same in debug and release builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub operations: u64,
    pub call_depth: usize,
    pub string_bytes: usize,
    pub array_items: usize,
    pub map_items: usize,
    /// For which a call may run, burn and block in all. Sleeping and fetching do not count.
    pub running: Duration,
    /// By which a call may drive up the memory of its process.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            operations: 5_000_000,
            call_depth: 64,
            string_bytes: 1_000_000,
            array_items: 10_000,
            map_items: 10_000,
            running: Duration::from_secs(30),
            memory_bytes: 256_000_000,
        }
    }
}

impl Limits {
    /// Sets every limit that rhai knows, so that none differs between debug and release builds.
    pub(super) fn apply(&self, engine: &mut Engine) {
        engine.set_max_operations(self.operations);
        engine.set_max_call_levels(self.call_depth);
        engine.set_max_expr_depths(EXPRESSION_LEVELS, FUNCTION_EXPRESSION_LEVELS);
        engine.set_max_string_size(self.string_bytes);
        engine.set_max_array_size(self.array_items);
        engine.set_max_map_size(self.map_items);
        engine.set_max_variables(VARIABLES);
        engine.set_max_functions(FUNCTIONS);
        engine.set_max_modules(MODULES);
    }

    /// A stack that outlasts every other limit: hundreds of megabytes of addresses, of which only what is touched costs
    /// memory, 14 KB for a handler that sleeps.
    pub(super) fn stack_bytes(&self) -> usize {
        let calls = self.call_depth.saturating_add(4).saturating_mul(COST.call);
        let data = self.array_items.saturating_add(self.map_items).saturating_mul(COST.nesting);
        let closures = usize::try_from(self.operations).unwrap_or(usize::MAX).saturating_mul(COST.operation);
        calls.saturating_add(data).saturating_add(closures).min(LARGEST_STACK)
    }
}
