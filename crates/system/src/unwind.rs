//! Panics of other people's code as errors.
//!
//! Readers of foreign formats must not end the process: one bad file must not end a run of
//! thousands. Whoever calls a reader that is known to panic on damaged files calls it through
//! [`caught`] and names the file in the error.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Inside [`caught`] on this thread: the last panic's message.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work` on this thread. Nothing is printed if it panics. Values that `work` changes before
/// it panics must not be used afterwards.
///
/// # Errors
/// The place and the message of the panic, on one line.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let outer = CAUGHT.replace(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(work));
    let message = CAUGHT.replace(outer).unwrap_or_default();
    result.map_err(|_| message.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Puts a hook before the one that is there, once: messages of threads inside [`caught`] are kept,
/// others go their way.
fn install() {
    static ONCE: Once = Once::new();
    // A thread that is panicking may not change the hook.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            match CAUGHT
                .with_borrow_mut(|kept| kept.as_mut().map(|kept| *kept = place_and_message(info)))
            {
                Some(()) => {}
                None => before(info),
            }
        }));
    });
}

fn place_and_message(info: &PanicHookInfo) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(place) => {
            format!("{}:{}: {message}", from_package(place.file()), place.line())
        }
        None => message.to_owned(),
    }
}

/// Cuts a source file's path to the package's folder on: the place of packages on this machine
/// helps nobody.
fn from_package(file: &str) -> String {
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    // `registry/src/INDEX/PACKAGE/..` for packages of registries.
    let registry = parts.windows(2).position(|pair| pair == ["registry", "src"]);
    let from = registry.map_or(parts.len().saturating_sub(3), |at| (at + 3).min(parts.len() - 1));
    parts[from..].join("/")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message_and_the_next_call_works() {
        assert_eq!(caught(|| 3), Ok(3));
        let index = std::hint::black_box(4);
        let panic = caught(|| [1, 2, 3][index]).unwrap_err();
        assert!(
            panic.contains("src/unwind.rs:") && panic.contains("index out of bounds"),
            "{panic}"
        );
        let panic = caught(|| -> u8 { panic!("two\nlines") }).unwrap_err();
        assert!(panic.ends_with("two lines"), "{panic}");
        let nested = caught(|| caught(|| -> u8 { panic!("inside") })).unwrap().unwrap_err();
        assert!(nested.ends_with("inside"), "{nested}");
        assert_eq!(
            from_package("/home/x/.cargo/registry/src/index-1/zune-1.0/lib.rs"),
            "zune-1.0/lib.rs"
        );
        assert_eq!(from_package("/somewhere/crates/system/src/unwind.rs"), "system/src/unwind.rs");
        assert_eq!(from_package("lib.rs"), "lib.rs");
        assert!(CAUGHT.with_borrow(Option::is_none), "outside of `caught`, panics are reported");
    }
}
