//! What a script may use up, and the stack that follows from it.

use rhai::Engine;

/// Levels of nested expressions and blocks: outside functions, and in them.
const EXPRESSION_LEVELS: usize = 64;
const FUNCTION_EXPRESSION_LEVELS: usize = 32;
const VARIABLES: usize = 1_000;
const FUNCTIONS: usize = 1_000;
pub(super) const MODULES: usize = 64;

/// Bytes of stack that rhai needs for one level of calls whose bodies nest as deep as they may.
const BYTES_PER_CALL: usize = if cfg!(debug_assertions) { 160 << 10 } else { 32 << 10 };
/// Bytes of stack to clone, measure or drop one level of an array within an array, or of a map within a map.
const BYTES_PER_NESTING: usize = if cfg!(debug_assertions) { 2 << 10 } else { 1 << 10 };

/// What a script may use up. The same in debug and release builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub operations: u64,
    pub call_depth: usize,
    pub string_bytes: usize,
    pub array_items: usize,
    pub map_items: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            operations: 5_000_000,
            call_depth: 64,
            string_bytes: 1_000_000,
            array_items: 100_000,
            map_items: 10_000,
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

    /// A stack that outlasts every other limit. Only pages that are touched cost memory.
    pub(super) fn stack_bytes(&self) -> usize {
        let calls = (self.call_depth + 4) * BYTES_PER_CALL;
        let data = (self.array_items + self.map_items) * BYTES_PER_NESTING;
        calls + data
    }
}
