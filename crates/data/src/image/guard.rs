//! Panics of decoders as errors.
//!
//! Decoders are other people's code, run over files from anywhere. One bad picture must not end a run of thousands.

use super::refusal::Refusal;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// While a decoder runs on this thread: the last panic's message.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a decoder; a panic becomes a refusal, and its message is not printed.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    install();
    let outer = CAUGHT.replace(Some(String::new()));
    // Nothing is shared with the decoder but the bytes, which it cannot change.
    let result = catch_unwind(AssertUnwindSafe(work));
    let message = CAUGHT.replace(outer).unwrap_or_default();
    result.unwrap_or_else(|_| Err(Refusal::new(format!("its decoder stopped with a defect: {message}"))))
}

/// Puts a hook before the one that is there, once: messages of guarded threads are kept, others go the usual way.
fn install() {
    static ONCE: Once = Once::new();
    // A thread that is panicking may not change the hook.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            match CAUGHT.with_borrow_mut(|kept| kept.as_mut().map(|kept| *kept = said(info))) {
                Some(()) => {}
                None => before(info),
            }
        }));
    });
}

/// Returns the place and the message of a panic.
fn said(info: &PanicHookInfo) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(place) => {
            // From the package's folder on: where packages lie on this machine tells nobody anything.
            let mut parts: Vec<&str> = place.file().rsplit(['/', '\\']).take(3).collect();
            parts.reverse();
            format!("{}:{}: {message}", parts.join("/"), place.line())
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_refusal_that_says_where() {
        let refusal = guarded::<()>(|| panic!("index {} is out", 7)).unwrap_err();
        assert!(
            refusal.reason.contains("image/guard.rs:") && refusal.reason.ends_with("index 7 is out"),
            "{refusal:?}"
        );
        // The thread is as it was: the next panic goes to the hook of the program.
        assert!(CAUGHT.with_borrow(Option::is_none));
        assert_eq!(guarded(|| Ok(3)), Ok(3));
    }
}
