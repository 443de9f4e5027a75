//! One input against one target.

use crate::memory;
use crate::targets::Target;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Longest time for one input.
pub const LONGEST: Duration = Duration::from_secs(10);

/// Most memory of one input: ten times its length and this.
pub const MOST_BYTES: usize = 256 << 20;

/// A way in which a reader failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It panicked.
    Panic(String),
    /// It took longer than [`LONGEST`].
    Slow(Duration),
    /// It held more memory than an input of that length may take.
    Memory(usize),
    /// The refusal is no single line.
    Lines(String),
}

/// Gives `bytes` to a reader.
///
/// # Errors
/// If the reader fails in one of the ways that no input may bring about.
pub fn trial(target: Target, bytes: &[u8]) -> Result<(), Failure> {
    let began = Instant::now();
    let (answer, held) = memory::peak(|| catch_unwind(AssertUnwindSafe(|| (target.read)(bytes))));
    let took = began.elapsed();
    match answer {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(Failure::Panic(text.to_owned()))
        }
        Ok(Err(refusal)) if refusal.contains('\n') => Err(Failure::Lines(refusal)),
        Ok(_) if took > LONGEST => Err(Failure::Slow(took)),
        Ok(_) if held > MOST_BYTES + 10 * bytes.len() => Err(Failure::Memory(held)),
        Ok(_) => Ok(()),
    }
}
