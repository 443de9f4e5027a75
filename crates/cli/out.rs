//! The two streams: data on standard output, everything else on standard error.

use anyhow::anyhow;
use serde::Serialize;
use std::io::{ErrorKind, Write};

/// Writes `text` to standard output. A reader that has had enough (`toolkit list | head -1`) is no error.
///
/// # Errors
/// If it cannot be written, such as on a full disk.
pub fn out(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow!(
            "cannot write the result --> standard output: {error}; hint: check that the disk it goes to has room"
        )),
        _ => Ok(()),
    }
}

/// Writes `value` to standard output as JSON.
///
/// # Errors
/// As [`out`].
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    out(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Writes a line to standard error. If nobody listens there, there is nobody to tell.
pub fn log(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
