//! Signals: Ctrl-C in a command that goes on where it was, and limits on the size of files.

use crate::progress::Log;
use std::path::Path;

/// Exit code of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Makes Ctrl-C end the program with a line that says how to resume.
pub fn say_how_to_go_on(log: &Log, out: &Path) {
    let (log, line) =
        (log.clone(), format!("interrupted; the same command goes on --> {}", out.display()));
    // A handler that is there stays, as does the ignoring of the signal by `nohup` and by `&` in
    // scripts.
    let _ = ctrlc::try_set_handler(move || {
        log.line(&line);
        std::process::exit(INTERRUPTED);
    });
}

/// Makes writing past the limit of `ulimit -f` an error with a reason. Otherwise SIGXFSZ would end
/// the process without a message.
pub fn let_size_limits_be_errors() {
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "a function of the C library")]
    // SAFETY: no handler of ours runs; ignoring a signal is allowed at any time.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
