//! Signals: Ctrl-C in a command that goes on where it was, and limits on the size of files.

use crate::progress::Log;
use std::path::Path;

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// From now on Ctrl-C ends the program with a line that says how to go on.
pub fn say_how_to_go_on(log: &Log, out: &Path) {
    let (log, line) =
        (log.clone(), format!("interrupted; the same command goes on --> {}", out.display()));
    // Where somebody else handles or ignores the signal, as `nohup` and `&` in scripts do, that
    // stays.
    let _ = ctrlc::try_set_handler(move || {
        log.line(&line);
        std::process::exit(INTERRUPTED);
    });
}

/// Lets writing past a limit on the size of files (`ulimit -f`) be an error with a reason: SIGXFSZ
/// would end the process without a word.
pub fn let_size_limits_be_errors() {
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "a function of the C library")]
    // SAFETY: no handler of ours runs; ignoring a signal is allowed at any time.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
