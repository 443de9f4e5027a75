//! The `toolkit` binary.
use std::process::ExitCode;
use toolkit_registry::Registry;

fn main() -> ExitCode {
    toolkit::run(Registry::builtin())
}
