//! A run, in numbered steps.

pub mod done;
pub(crate) mod folder;
pub(crate) mod lock;
pub mod manifest;
pub mod sealed;
pub mod workers;

use self::done::Done;
use self::lock::Lock;
use self::manifest::Manifest;
use crate::experiment::spec::Spec;
use crate::experiment::sweep::{cells, resolve};
use crate::files::{read_json, write, write_json_pretty};
use crate::plan::cells::{DataHere, Plan, plan};
use crate::work::cell::CellJob;
use crate::work::stages::RunContext;
use crate::{LabError, Reporter, results::collect, work::blind};
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toolkit_registry::{Registry, Source};
use toolkit_report::Results;
use toolkit_system::files::sweep_temporaries;
use toolkit_system::problem::Problem;

/// What the command line says about a run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// `--set`.
    pub overrides: Vec<String>,
    /// `--smoke`.
    pub smoke: bool,
    /// `--out`; otherwise `runs/<name>`.
    pub out: Option<PathBuf>,
    /// `--jobs`; otherwise as the file says, or one for each core.
    pub jobs: Option<usize>,
    /// The command line, for the manifest.
    pub command: Vec<String>,
    /// Name of the device, for the manifest.
    pub device_name: String,
}

/// A planned run.
pub struct Run {
    /// The experiment file after overrides.
    pub spec: Spec,
    /// The file.
    pub source: Source,
    /// What will be done.
    pub plan: Plan,
    /// Where.
    pub out: PathBuf,
    /// Jobs at a time.
    pub jobs: usize,
}

impl Run {
    /// Steps 1 to 4: the file, its cells, its cards, its plan. Nothing is written.
    ///
    /// # Errors
    /// Whatever is wrong with the file, cards or data.
    pub fn prepare(
        source: Source,
        registry: &Registry,
        options: &RunOptions,
    ) -> Result<Self, LabError> {
        Self::planned(source, registry, options, DataHere::Required)
    }

    /// As [`Run::prepare`], to be shown and not carried out: the size of data that are not here is
    /// assumed.
    ///
    /// # Errors
    /// If something is wrong with the file, cards, or data that are here.
    pub fn sketch(
        source: Source,
        registry: &Registry,
        options: &RunOptions,
    ) -> Result<Self, LabError> {
        Self::planned(source, registry, options, DataHere::Assumed)
    }

    fn planned(
        source: Source,
        registry: &Registry,
        options: &RunOptions,
        here: DataHere,
    ) -> Result<Self, LabError> {
        // 1. What the file says, with what was set on the command line.
        let (spec, table) = resolve(&source, &options.overrides, options.smoke)?;
        // 2. Axes and seeds make cells.
        let cells = cells(&source, &spec, &table)?;
        // 3. and 4. Cards are looked up, widths checked, shared work found, costs counted.
        let jobs = match options.jobs.unwrap_or(spec.compute.jobs) {
            0 => (std::thread::available_parallelism().map_or(1, usize::from)
                / spec.compute.threads.max(1))
            .max(1),
            jobs => jobs,
        };
        let plan = plan(registry, cells, jobs, here)?;
        let name = if options.smoke { format!("{}-smoke", spec.name) } else { spec.name.clone() };
        let out = options.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
        Ok(Self { spec, source, plan, out, jobs })
    }

    /// Steps 5 to 9: trains and evaluates what is not done, and writes the report.
    ///
    /// # Errors
    /// The first failure; everything finished until then is kept and will be skipped.
    pub fn carry_out(
        &self,
        registry: &Registry,
        device: &Device,
        reporter: &dyn Reporter,
        options: &RunOptions,
    ) -> Result<Results, LabError> {
        let began = Instant::now();
        // 5. The run folder, with what the run is made of.
        std::fs::create_dir_all(&self.out).map_err(|e| LabError::io(&self.out, &e))?;
        let _lock = Lock::take(&self.out)?;
        sweep_temporaries(&self.out);
        // It alone knows the device and the builds of earlier calls; all else of the run folder is
        // written anew.
        done::check(&self.out, &[sealed::MANIFEST], &sealed::manifest_hint(&self.out))?;
        let held = match self.out.join(sealed::MANIFEST).exists() {
            true => sealed::manifest(&self.out)?,
            false => serde_json::Value::default(),
        };
        self.same_device(held["device"].as_str(), &options.device_name)?;
        let builds = held["builds"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|b| b.as_str())
            .map(str::to_owned);
        let builds: Vec<String> = builds.collect();
        self.open_seal(reporter)?;
        write(&self.out.join("experiment.toml"), self.source.text().as_bytes())?;
        let resolved = toml::to_string_pretty(&self.spec).map_err(Problem::defect)?;
        write(&self.out.join("spec.toml"), resolved.as_bytes())?;
        self.write_json("plan.json", &self.plan.estimate)?;
        self.write_json(
            sealed::MANIFEST,
            &Manifest::new(&self.plan, &options.device_name, &options.command, builds),
        )?;
        // 6. Features, stage 1 and cells, each as soon as what it stands on is there.
        let context = RunContext::new(registry, &self.out, device.clone(), reporter);
        workers::run(self.jobs_of(&context), self.jobs, self.spec.compute.threads)
            .map_err(|(job, e)| e.in_job(&job))?;
        self.note_cost(began.elapsed().as_secs_f64())?;
        // 7. to 9. Everything joined, as data and as a page.
        let results = collect::collect(self, &context, options)?;
        self.write_json("results.json", &results)?;
        write(&self.out.join("report.html"), toolkit_report::html(&results).as_bytes())?;
        write(&self.out.join("report.md"), toolkit_report::markdown(&results).as_bytes())?;
        write(&self.out.join("figure.svg"), toolkit_report::figure_svg(&results).as_bytes())?;
        sealed::seal(&self.out)?;
        Ok(results)
    }

    /// Says which files of the run folder are damaged, all of which are written anew, and takes
    /// away its list until then.
    fn open_seal(&self, reporter: &dyn Reporter) -> Result<(), LabError> {
        let path = self.out.join(done::DONE_FILE);
        let Some(held) = Done::load(&self.out)? else { return Ok(()) };
        for damage in held.damage(&self.out)? {
            reporter.note(&format!("{damage}; it is written again"));
            if damage.file.ends_with(COST_FILE) {
                // It would be added to.
                let _ = std::fs::remove_file(&damage.file);
            }
        }
        std::fs::remove_file(&path).map_err(|e| LabError::io(&path, &e))
    }

    /// The cell at `index`, with what it stands on.
    #[must_use]
    pub fn cell_job<'a>(&'a self, context: &'a RunContext<'a>, index: usize) -> CellJob<'a> {
        let cell = &self.plan.cells[index];
        CellJob {
            context,
            cell: &cell.cell,
            resolved: &self.plan.resolved[cell.resolved],
            splits: &self.plan.splits[cell.splits],
            stage1: cell.stage1.map(|at| self.plan.stage1[at].key.as_str()),
        }
    }

    fn jobs_of<'a>(&'a self, context: &'a RunContext<'a>) -> Vec<workers::Job<'a, LabError>> {
        let mut jobs: Vec<workers::Job<'a, LabError>> = Vec::new();
        // Features: once for each encoder and data; computing them twice at a time would only waste
        // one of the two.
        let mut features = Vec::new();
        for cell in &self.plan.cells {
            let key = (
                crate::plan::fingerprint::card_hash(&self.plan.resolved[cell.resolved].vision.0),
                cell.splits,
            );
            if !features.iter().any(|(k, _)| *k == key) {
                features.push((key, jobs.len()));
                let (resolved, splits) =
                    (&self.plan.resolved[cell.resolved], &self.plan.splits[cell.splits]);
                jobs.push(workers::Job {
                    name: "features".to_owned(),
                    after: vec![],
                    run: Box::new(move || {
                        context.with_features(|| context.features(resolved, splits)).map(|_| ())
                    }),
                });
            }
        }
        let feature_job = |cell: &crate::plan::cells::CellPlan| {
            let key = (
                crate::plan::fingerprint::card_hash(&self.plan.resolved[cell.resolved].vision.0),
                cell.splits,
            );
            features.iter().find(|(k, _)| *k == key).map_or(0, |(_, at)| *at)
        };
        // The blind control: once for each language model and data.
        let (mut keys, mut controls) = (Vec::new(), Vec::new());
        for (index, cell) in self.plan.cells.iter().enumerate() {
            let key = blind::key(&self.cell_job(context, index));
            if !keys.contains(&key) {
                keys.push(key);
                let job = self.cell_job(context, index);
                let name = format!("control {}", cell.cell.spec.model.language);
                controls.push(jobs.len());
                // Without pictures it needs no features, but for the list of those that cannot be
                // read.
                let after =
                    if job.splits.max_damaged > 0 { vec![feature_job(cell)] } else { vec![] };
                let run = Box::new(move || context.with_features(|| blind::run(&job)));
                jobs.push(workers::Job { name, after, run });
            }
        }
        let first_stage1 = jobs.len();
        for run in &self.plan.stage1 {
            let cell = &self.plan.cells[run.cell];
            let (resolved, splits, spec) = (
                &self.plan.resolved[cell.resolved],
                &self.plan.splits[cell.splits],
                &cell.cell.spec,
            );
            let after = vec![feature_job(cell)];
            let work = move || {
                context.with_features(|| context.stage1(spec, resolved, splits, run.seed, &run.key))
            };
            jobs.push(workers::Job {
                name: format!("stage 1 seed {}", run.seed),
                after,
                run: Box::new(work),
            });
        }
        for index in 0..self.plan.cells.len() {
            let cell = &self.plan.cells[index];
            let job = self.cell_job(context, index);
            let key = blind::key(&job);
            let mut after = vec![feature_job(cell)];
            after.extend(cell.stage1.map(|at| first_stage1 + at));
            after.extend(keys.iter().position(|known| *known == key).map(|at| controls[at]));
            jobs.push(workers::Job {
                name: cell.cell.id.clone(),
                after,
                run: Box::new(move || context.with_features(|| job.run())),
            });
        }
        jobs
    }

    fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), LabError> {
        write_json_pretty(&self.out.join(name), value)
    }

    /// Devices differ in the last bits, so what another one began is not gone on with.
    fn same_device(&self, held: Option<&str>, device: &str) -> Result<(), LabError> {
        match held {
            Some(held) if held != device => Err(LabError::new(
                format!(
                    "{}: this run was begun with `--device {held}`, not `{device}`",
                    self.out.display()
                ),
                "use that device, or choose another folder with `--out`",
            )),
            _ => Ok(()),
        }
    }

    /// Adds to what earlier, interrupted attempts took.
    fn note_cost(&self, wall: f64) -> Result<(), LabError> {
        let path = self.out.join(COST_FILE);
        let mut cost: MeasuredCost = read_json(&path).unwrap_or_default();
        // A call that found everything done measures nothing.
        if wall > 2.0 || cost.wall_seconds == 0.0 {
            let (cpu, peak) = process_usage();
            cost.wall_seconds += wall;
            cost.cpu_seconds += cpu;
            cost.peak_rss_bytes = cost.peak_rss_bytes.max(peak);
        }
        self.write_json(COST_FILE, &cost)
    }
}

/// Name of the file that says what earlier calls took.
const COST_FILE: &str = "cost.json";

/// `cost.json`.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct MeasuredCost {
    /// Seconds of all attempts that ended well.
    pub wall_seconds: f64,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// Largest resident memory.
    pub peak_rss_bytes: u64,
}

/// Processor seconds and peak memory of this process, from /proc; zeros where there is none.
pub(crate) fn process_usage() -> (f64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields after the parenthesised name; user and system time are the 14th and 15th of all, in
    // hundredths of a second.
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .map(|f| f.parse().unwrap_or(0))
        .collect();
    let ticks = fields.get(11).copied().unwrap_or(0) + fields.get(12).copied().unwrap_or(0);
    (ticks as f64 / 100.0, peak.unwrap_or(0) * 1024)
}
