//! Memory of this process.

/// Returns the resident memory of this process in bytes, where the system tells it (Linux).
#[must_use]
pub fn resident() -> Option<u64> {
    field("VmRSS:")
}

/// Returns the largest resident memory since the start in bytes, where the system tells it (Linux).
#[must_use]
pub fn peak_resident() -> Option<u64> {
    field("VmHWM:")
}

/// Reads a line of `/proc/self/status`, which is in units of 1,024 bytes.
fn field(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_is_written_to_counts() {
        let before = resident().unwrap_or_default();
        let held = vec![1_u8; 64 << 20];
        let after = resident().unwrap_or_default();
        assert!(before > 0 && after >= before + (32 << 20), "{before} {after}");
        assert!(peak_resident() >= resident());
        drop(held);
    }
}
