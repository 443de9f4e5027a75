//! Panics of decoders as refusals.

use super::refusal::Refusal;
use toolkit_system::unwind::caught;

/// Runs a decoder; a panic becomes a refusal, and its message is not printed.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // Nothing is shared with the decoder but the bytes, which it cannot change.
    caught(work).unwrap_or_else(|panic| {
        Err(Refusal::new(format!("its decoder stopped with a defect: {panic}")))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_refusal_that_says_where() {
        let refusal = guarded::<()>(|| panic!("index {} is out", 7)).unwrap_err();
        let reason = &refusal.reason;
        assert!(
            reason.contains("image/guard.rs:") && reason.ends_with("index 7 is out"),
            "{refusal:?}"
        );
        assert_eq!(guarded(|| Ok(3)), Ok(3));
    }
}
