//! One call of a handler: a coroutine that runs from step to step.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};

use super::current_call::{Current, Entered};
use super::probe::{CallProbe, RequestProbe};
use super::{HandlerRequest, HandlerResponse, HandlerStep, Process, Program, Resumed, ScriptError, stack};

type Handler = Coroutine<Resumed, HandlerStep, Result<HandlerResponse, ScriptError>, DefaultStack>;

/// One call of a handler, suspended between steps.
///
/// Dropping it ends the script where it stands and frees what it holds. It stays on the thread that made it.
pub struct HandlerCall {
    current: Rc<Current>,
    /// The coroutine until it ends, or why there is none.
    state: Result<Handler, Option<ScriptError>>,
}

impl HandlerCall {
    /// Nothing runs until the first [`HandlerCall::resume`].
    pub fn new(program: &Arc<Program>, process: &Process, handler: &str, request: HandlerRequest) -> HandlerCall {
        HandlerCall::probed(program, process, handler, request, None)
    }

    /// As [`HandlerCall::new`], with a probe that tells what the call reads and writes.
    pub fn probed(
        program: &Arc<Program>,
        process: &Process,
        handler: &str,
        request: HandlerRequest,
        probe: Option<Arc<RequestProbe>>,
    ) -> HandlerCall {
        let current = Current::new(process.clone(), program.limits(), probe.map(CallProbe::new));
        let state = match stack::take(program.limits().stack_bytes()) {
            Ok(stack) => Ok(start(stack, program.clone(), handler.to_owned(), request, current.clone())),
            Err(error) => Err(Some(ScriptError::new(format!(
                "no stack for another call: {error}; fewer requests at once need fewer stacks"
            )))),
        };
        HandlerCall { current, state }
    }

    /// Runs the script up to its next step. After `Done` it must not be called again.
    pub fn resume(&mut self) -> HandlerStep {
        self.resume_with(Resumed::Nothing)
    }

    /// As [`HandlerCall::resume`], with what the last step was to bring.
    pub fn resume_with(&mut self, answer: Resumed) -> HandlerStep {
        let coroutine = match &mut self.state {
            Ok(coroutine) => coroutine,
            Err(error) => {
                let error = error.take().unwrap_or_else(|| ScriptError::new("this call has ended already"));
                return HandlerStep::Done(Err(error));
            }
        };
        let outcome = {
            let _entered = Entered::new(Some(self.current.clone()));
            self.current.meter.resume();
            // What a panic leaves half done is the call's own: its scope is gone, its coroutine is never resumed.
            let outcome = catch_unwind(AssertUnwindSafe(|| coroutine.resume(answer)));
            self.current.meter.suspend();
            outcome
        };
        let result = match outcome {
            Ok(CoroutineResult::Yield(step)) => return step,
            Ok(CoroutineResult::Return(result)) => result,
            Err(panic) => Err(ScriptError::new(format!("the handler panicked: {}", panic_text(&*panic)))),
        };
        if let Some(stack) = self.end()
            && result.is_ok()
        {
            // What ran into a limit may have touched all of its stack; that memory is not to be kept.
            stack::give_back(stack);
        }
        HandlerStep::Done(result)
    }

    /// Ends the coroutine, unwinding it if it is suspended; its stack is free then.
    fn end(&mut self) -> Option<DefaultStack> {
        let mut coroutine = std::mem::replace(&mut self.state, Err(None)).ok()?;
        let _entered = Entered::new(None);
        coroutine.force_unwind();
        Some(coroutine.into_stack())
    }
}

impl Drop for HandlerCall {
    fn drop(&mut self) {
        if let Some(stack) = self.end() {
            stack::give_back(stack);
        }
    }
}

fn start(
    stack: DefaultStack,
    program: Arc<Program>,
    handler: String,
    request: HandlerRequest,
    current: Rc<Current>,
) -> Handler {
    Coroutine::with_stack(stack, move |yielder, _| current.run(yielder, || program.handle(&handler, request)))
}

/// What a panic says.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
