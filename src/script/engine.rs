//! The rhai engine as scripts find it: which functions there are, and which are not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage, CorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Engine, ImmutableString, Position, Token};

use super::{Limits, current_call, fetch, functions, request, respond, size_limits};

/// Property names beyond these are found through the indexers, which is slower.
const MOST_NAMES: usize = 1_000;

/// The names that a script writes after a dot, collected while it is parsed.
#[derive(Clone, Default)]
pub(super) struct PropertyNames(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    after_dot: bool,
    found: BTreeSet<ImmutableString>,
}

impl PropertyNames {
    pub fn found(&self) -> Vec<ImmutableString> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).found.iter().cloned().collect()
    }

    fn see(&self, token: &Token) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Token::Identifier(name) = token
            && names.after_dot
            && names.found.len() < MOST_NAMES
        {
            names.found.insert(name.as_str().into());
        }
        names.after_dot = matches!(token, Token::Period | Token::Elvis);
    }
}

/// An engine with every function of the handlers but the state objects, which [`super::state::register`] adds once
/// the names of their properties are known.
///
/// Left out of rhai's own packages is what reads a clock; its `sleep`, which would block, is covered by ours.
pub(super) fn new(limits: Limits) -> (Engine, PropertyNames) {
    let mut engine = Engine::new_raw();
    CorePackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BitFieldPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicBlobPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    limits.apply(&mut engine);
    engine.disable_symbol("eval");
    // `f = f.curry(f)` doubles, and rhai does not measure what closures hold.
    engine.disable_symbol("curry");
    // The cache of strings is one lock for all threads of a worker, and rhai waits 10 ms for a lock that is taken.
    engine.set_max_strings_interned(0);
    // Clock and memory are looked at between operations; rhai counts those itself.
    engine.on_progress(|operations| current_call::check(operations).err().map(Into::into));
    size_limits::register(&mut engine, limits);
    functions::register(&mut engine, limits);
    fetch::register(&mut engine);
    request::register(&mut engine);
    respond::register(&mut engine, limits);
    #[cfg(test)]
    super::tests::native::register(&mut engine);
    let names = PropertyNames::default();
    watch_tokens(&mut engine, names.clone());
    (engine, names)
}

/// Lets the probe of a call see the variables by which a script names parts of values.
#[expect(deprecated, reason = "how rhai marks what may change between its versions; Cargo.toml pins the version")]
pub(super) fn watch_variables(engine: &mut Engine) {
    engine.on_var(|name, _, context| {
        current_call::see_variable(name, || context.scope().get(name).cloned());
        Ok(None)
    });
}

/// rhai reserves the word `thread` and does not use it; here it is an object.
#[expect(deprecated, reason = "how rhai marks what may change between its versions; Cargo.toml pins the version")]
fn watch_tokens(engine: &mut Engine, names: PropertyNames) {
    engine.on_parse_token(move |token: Token, _: Position, _| {
        let token = match token {
            Token::Reserved(word) if word.as_str() == "thread" => Token::Identifier(word),
            token => token,
        };
        names.see(&token);
        token
    });
}
