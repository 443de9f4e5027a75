//! Fuzzing for as long as one likes: `cargo run -p toolkit-fuzz -- pictures --minutes 60`.
//!
//! An input that makes a reader fail is written to `tests/fuzz/corpus/TARGET`, where the tests find
//! it. A reader that hangs is ended with the process; its input is written first.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use toolkit_fuzz::mutate::mutate;
use toolkit_fuzz::targets::{ALL, Target, named};
use toolkit_fuzz::trial::{LONGEST, trial};
use toolkit_fuzz::{corpus, memory};
use toolkit_seed::Stream;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Damages files of the repository and gives them to a reader, until time is up or one makes it
/// fail
#[derive(Parser)]
struct Args {
    /// Reader: pictures, safetensors, pth, gguf, onnx, tokenizers, configs, cards, annotations,
    /// scores, archives [default: each]
    target: Option<String>,
    /// Minutes for each reader
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Names the damage
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The input that is being read, and since when.
type Watched = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

fn main() -> ExitCode {
    let args = Args::parse();
    let targets: Vec<Target> = match &args.target {
        None => ALL.to_vec(),
        Some(name) => named(name).into_iter().collect(),
    };
    if targets.is_empty() {
        say("error: there is no such reader; hint: see --help");
        return ExitCode::from(2);
    }
    let failed = targets.into_iter().filter(|target| !fuzz(*target, &args)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Fuzzes one reader; returns whether nothing made it fail.
fn fuzz(target: Target, args: &Args) -> bool {
    let files = corpus::of(target);
    let watched: Watched = Arc::default();
    watch(target, watched.clone());
    std::panic::set_hook(Box::new(|_| ()));
    let (began, mut draw, mut tried, mut failures) =
        (Instant::now(), Stream::new(args.seed, target.name, 0), 0_u64, 0);
    while began.elapsed() < Duration::from_secs_f64(60.0 * args.minutes) && failures < 20 {
        let (one, other) = (draw.below(files.len()), draw.below(files.len()));
        let input = mutate(&files[one].1, &files[other].1, &mut draw);
        *watched.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), input.clone()));
        let answer = trial(target, &input);
        *watched.lock().unwrap_or_else(PoisonError::into_inner) = None;
        tried += 1;
        if let Err(failure) = answer {
            failures += 1;
            let kept = keep(target, &input);
            say(&format!(
                "{}: {failure:?} --> {kept} (from {})",
                target.name,
                files[one].0.display()
            ));
        }
    }
    say(&format!(
        "{}: {tried} inputs, {failures} failures, {:.0} s",
        target.name,
        began.elapsed().as_secs_f64()
    ));
    failures == 0
}

/// Ends the process when an input takes much too long.
fn watch(target: Target, watched: Watched) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let held = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((_, input)) = held.filter(|(since, _)| since.elapsed() > 3 * LONGEST) {
                say(&format!("{}: hangs --> {}", target.name, keep(target, &input)));
                std::process::exit(1);
            }
        }
    });
}

/// Writes an input beside the others and returns its name.
fn keep(target: Target, input: &[u8]) -> String {
    let folder = corpus::kept(target);
    let path = folder.join(format!("{:016x}", toolkit_seed::key(input)));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
    written.map_or_else(|error| format!("not written: {error}"), |()| path.display().to_string())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
