//! Stacks for coroutines: large in address space, small in memory, and used again.

use std::cell::RefCell;
use std::io;

use corosensei::stack::{DefaultStack, Stack};
use rustix::mm::{Advice, madvise};

/// Stacks that a thread keeps for its next calls. Each holds the pages that its deepest call touched, some 20 KB.
const KEPT: usize = 256;

thread_local! {
    static FREE: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// A stack of at least `bytes`: one that an earlier call of this thread left, or a new one.
pub(super) fn take(bytes: usize) -> io::Result<DefaultStack> {
    let kept = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten();
    match kept {
        Some(stack) if length(&stack) >= bytes => Ok(stack),
        _ => allocate(bytes),
    }
}

/// Keeps a stack whose coroutine has ended.
pub(super) fn give_back(stack: DefaultStack) {
    // A thread that is ending has no list any more; the stack is then simply freed.
    let _ = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        if free.len() < KEPT {
            free.push(stack);
        }
    });
}

fn length(stack: &DefaultStack) -> usize {
    stack.base().get() - stack.limit().get()
}

fn allocate(bytes: usize) -> io::Result<DefaultStack> {
    let stack = DefaultStack::new(bytes)?;
    forbid_huge_pages(&stack);
    Ok(stack)
}

/// Where the kernel uses huge pages for everything, the first byte touched of a stack would cost 2 MB.
#[expect(unsafe_code, reason = "madvise takes a raw address range")]
fn forbid_huge_pages(stack: &DefaultStack) {
    let start = stack.limit().get();
    // SAFETY: the range is exactly the mapping that `stack` owns and that nothing uses yet; this advice changes which
    // pages back it, never what they hold. A kernel without huge pages refuses it, which is as good.
    let _ = unsafe { madvise(start as *mut _, length(stack), Advice::LinuxNoHugepage) };
}
