//! Calls of small programs of the system, such as `git` and `df`.

use std::process::Command;

/// Variables that `git` and `df` need. Secrets of ours, such as `HF_TOKEN`, are none of their
/// business.
const NAMES: [&str; 5] = ["PATH", "HOME", "LANG", "SYSTEMROOT", "USERPROFILE"];

/// Prepares a call of `program` with few variables and no input.
#[must_use]
pub fn question(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(std::process::Stdio::null());
    command.envs(NAMES.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_sees_few_variables() {
        let asked = question("env", &[]);
        assert!(asked.get_envs().all(|(name, _)| NAMES.iter().any(|known| name == *known)));
    }
}
