//! Fetches sources into the standard store and prints where they are:
//! `cargo run -p toolkit-fetch --example get -- SOURCE..`; with `--plan` first, prints what would
//! be run.

use std::cell::Cell;
use std::io::{self, Write};
use std::process::ExitCode;
use toolkit_fetch::{FetchError, Fetcher};
use toolkit_store::{Digest, Source, StepProgress};

/// Steps on stderr, with megabytes at their end.
#[derive(Default)]
struct Lines(Cell<u64>);

impl StepProgress for Lines {
    fn begin(&self, what: &str, total: Option<u64>) {
        self.0.set(0);
        let total = total.map_or(String::new(), |bytes| format!(" ({:.1} MB)", bytes as f64 / 1e6));
        eprintln!("{what}{total} ..");
    }

    fn advance(&self, bytes: u64) {
        self.0.set(self.0.get() + bytes);
    }

    fn end(&self) {
        eprintln!("  {:.1} MB", self.0.get() as f64 / 1e6);
    }
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let plan = args.first().is_some_and(|arg| arg == "--plan");
    args.drain(..usize::from(plan));
    let fetcher = Fetcher::standard();
    let mut code = ExitCode::SUCCESS;
    for arg in &args {
        let result = arg.parse::<Source>().map_err(FetchError::from).and_then(|source| {
            if plan {
                return fetcher.plan(&source);
            }
            let path = fetcher.get(&source, &Digest::default(), &Lines::default())?;
            Ok(vec![path.display().to_string()])
        });
        match result {
            Ok(lines) => lines.iter().for_each(|line| {
                let _ = writeln!(io::stdout(), "{line}");
            }),
            Err(error) => {
                eprintln!("error: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
