//! Memory and disk of this machine.

use crate::text::bytes;
use toolkit_system::tool::question;

/// Returns the free and total memory.
pub(super) fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| bytes(kilobytes * 1024))
    };
    match (of("MemAvailable:"), of("MemTotal:")) {
        (Some(free), Some(total)) => format!("{free} free of {total}"),
        _ => "unknown".to_owned(),
    }
}

/// Returns the free space of the working folder, as `df` gives it: the standard library does not.
pub(super) fn disk() -> String {
    let output = question("df", &["-Pk", "."]).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let free =
        text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    free.map_or_else(
        || "unknown".to_owned(),
        |kilobytes| format!("{} free", bytes(kilobytes * 1024)),
    )
}
