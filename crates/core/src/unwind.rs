//! Panics of other people's code as errors.
//!
//! Readers of foreign formats must not end the process: whoever calls one that is known to panic on damaged files calls it
//! through [`caught`] and names the file in the error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is about to be caught.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Makes the process's hook silent for threads that are inside [`caught`]; every other panic is reported as before.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
}

/// Runs `work` on this thread. Nothing is printed if it panics. Values that `work` changes before it panics must not be
/// used afterwards.
///
/// # Errors
/// The message of the panic, on one line.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    silence();
    let outer = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message_and_the_next_call_works() {
        assert_eq!(caught(|| 3), Ok(3));
        let index = std::hint::black_box(4);
        let panic = caught(|| [1, 2, 3][index]).unwrap_err();
        assert!(panic.contains("index out of bounds"), "{panic}");
        assert_eq!(caught(|| -> u8 { panic!("two\nlines") }), Err("two lines".to_owned()));
        let nested = caught(|| caught(|| -> u8 { panic!("inside") }));
        assert_eq!(nested, Ok(Err("inside".to_owned())));
        assert!(!QUIET.get(), "outside of `caught`, panics are reported");
    }
}
