//! The command line.
use std::process::ExitCode;
use toolkit_lab::{Reporter, pretrain};
use toolkit_registry::{Registry, Source};

struct Log;
struct Task(String);
impl toolkit_train::Progress for Task {
    fn start(&self, done: u64, total: u64) { eprintln!("{}: {done}/{total}", self.0); }
    fn step(&self, done: u64, line: &toolkit_train::fit::MetricLine) { if done % 50 == 0 { eprintln!("{} {done} {:?}", self.0, line.parts); } }
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}
impl Reporter for Log {
    fn task(&self, name: &str) -> Box<dyn toolkit_train::Progress + Send> { Box::new(Task(name.to_owned())) }
    fn note(&self, line: &str) { eprintln!("{line}"); }
}

/// Temporary.
pub fn run(registry: Registry) -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&args[1]).expect("file");
    let spec: pretrain::PretrainSpec = Source::new(args[1].clone(), text).and_then(|s| s.parse()).expect("spec");
    let device = burn::tensor::Device::flex();
    match pretrain::run(&spec, &registry, std::path::Path::new(&args[2]), &device, 2, &Log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => { eprintln!("error: {e}"); ExitCode::from(2) }
    }
}
