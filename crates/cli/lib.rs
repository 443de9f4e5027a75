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
    let registry = match std::env::var("REG") { Ok(r) => registry.overlay(r.into()).expect("overlay"), _ => registry };
    let source = Source::new(args[1].clone(), text).expect("toml");
    let device = burn::tensor::Device::flex();
    let outcome = match toolkit_lab::sweep::kind(&source) {
        Ok(toolkit_lab::sweep::Experiment::Pretrain(spec)) => pretrain::run(&spec, &registry, std::path::Path::new(&args[2]), &device, 2, &Log),
        Ok(_) => (|| {
            let options = toolkit_lab::run::RunOptions { overrides: args[3..].to_vec(), out: Some(args[2].clone().into()), device_name: "flex".into(), command: args.clone(), ..Default::default() };
            let run = toolkit_lab::run::Run::prepare(source, &registry, &options)?;
            eprintln!("{:?}", run.plan.estimate);
            let results = run.carry_out(&registry, &device, &Log, &options)?;
            for c in &results.cells { println!("{} {:?}", c.id, c.scores); }
            for c in &results.cells { println!("{} {:?}", c.id, c.curve.iter().map(|p| (p.step, p.scores["vqa.overall"])).collect::<Vec<_>>()); }
            println!("{:?}", results.cost);
            Ok(())
        })(),
        Err(e) => Err(e),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => { eprintln!("error: {e}"); ExitCode::from(2) }
    }
}
