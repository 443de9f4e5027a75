//! A run in numbered steps.

use crate::experiment::overrides::resolve;
use crate::experiment::sweep::cells;
use crate::files::{write, write_json_pretty};
use crate::plan::check::check_parts;
use crate::plan::estimate::estimate;
use crate::plan::losses;
use crate::plan::run_plan::{MissingData, RunPlan};
use crate::run::done::{self, Done};
use crate::run::folder::{COST_FILE, MANIFEST_FILE, manifest_hint};
use crate::run::lock::Lock;
use crate::run::manifest::Manifest;
use crate::run::start::find_starts;
use crate::run::{Run, RunOptions, cost, jobs, sealed};
use crate::work::context::RunContext;
use crate::{LabError, Reporter, results::collect};
use burn::tensor::Device;
use std::path::Path;
use std::time::Instant;
use toolkit_registry::{Registry, Source};
use toolkit_report::Results;
use toolkit_store::Store;
use toolkit_system::files::sweep_temporaries;
use toolkit_system::problem::Problem;

impl Run {
    /// Prepares a run that will be carried out (steps 1 to 3). Nothing is written.
    ///
    /// # Errors
    /// If something is wrong with the file, cards or data.
    pub fn prepare(
        source: Source,
        registry: &Registry,
        options: &RunOptions,
    ) -> Result<Self, LabError> {
        Self::planned(source, registry, options, MissingData::Refused)
    }

    /// Prepares a run that is only shown: the size of data that are not here is assumed.
    ///
    /// # Errors
    /// If something is wrong with the file, cards, or data that are here.
    pub fn sketch(
        source: Source,
        registry: &Registry,
        options: &RunOptions,
    ) -> Result<Self, LabError> {
        Self::planned(source, registry, options, MissingData::Assumed)
    }

    fn planned(
        source: Source,
        registry: &Registry,
        options: &RunOptions,
        missing: MissingData,
    ) -> Result<Self, LabError> {
        // 1. Parse the file, with the values of the command line.
        let (spec, table) = resolve(&source, &options.overrides, options.smoke)?;
        // 2. Make one cell for each combination of axis values and seeds.
        let mut cells = cells(&source, &spec, &table)?;
        losses::check(registry, &source, &spec, &cells, &options.overrides)?;
        // 3. Look up cards, check widths, find work that cells share, count costs.
        find_starts(registry, &mut cells, missing)?;
        let jobs = match options.jobs.unwrap_or(spec.compute.jobs) {
            0 => (cores() / spec.compute.threads.max(1)).max(1),
            jobs => jobs,
        };
        let plan = RunPlan::new(registry, cells, missing)?;
        let estimate = estimate(&plan, jobs);
        let name = if options.smoke { format!("{}-smoke", spec.name) } else { spec.name.clone() };
        let out = options.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
        Ok(Self { spec, source, plan, estimate, out, jobs })
    }

    /// Checks tokenizers and weights, which [`Run::carry_out`] would otherwise find unusable after
    /// hours (step 4). Nothing is written.
    ///
    /// # Errors
    /// At the first tokenizer, text or weight that cannot be used.
    pub fn check(&self, registry: &Registry, device: &Device) -> Result<(), LabError> {
        check_parts(&self.plan, registry, device)
    }

    /// Trains and evaluates what is not done yet, and writes the report (steps 5 to 9).
    ///
    /// # Errors
    /// The first failure. Everything finished until then stays, and the next call skips it.
    pub fn carry_out(
        &self,
        registry: &Registry,
        device: &Device,
        reporter: &dyn Reporter,
        options: &RunOptions,
    ) -> Result<Results, LabError> {
        let began = Instant::now();
        // 5. Take the run folder, and write there what the run is made of.
        std::fs::create_dir_all(&self.out).map_err(|e| LabError::io(&self.out, &e))?;
        let _lock = Lock::take(&self.out)?;
        sweep_temporaries(&self.out);
        let earlier = self.earlier_manifest(&options.device_name)?;
        self.open_seal(reporter)?;
        self.write_inputs(earlier, options)?;
        // 6. Compute features, train and evaluate: each job as soon as its inputs are there.
        let cache = options.cache.clone().unwrap_or_else(|| Store::standard().root().to_owned());
        let context = RunContext::new(registry, &self.out, device.clone(), reporter, &cache);
        jobs::graph(self, &context)?
            .run(self.jobs, self.spec.compute.threads)
            .map_err(|failed| failed.error.in_job(&failed.job))?;
        cost::add(&self.out, began.elapsed().as_secs_f64())?;
        // 7. Join the results of all cells.
        let results = collect::collect(self, &context, options)?;
        // 8. Write the report.
        self.write_report(&results)?;
        // 9. List all files with their hashes.
        sealed::seal(&self.out)?;
        Ok(results)
    }

    /// Returns the manifest of an earlier call in this folder, if there is one. It alone knows the
    /// device and the builds of earlier calls; all other files of the run folder are written anew.
    fn earlier_manifest(&self, device: &str) -> Result<Option<Manifest>, LabError> {
        done::check(&self.out, &[MANIFEST_FILE], &manifest_hint(&self.out))?;
        if !self.out.join(MANIFEST_FILE).exists() {
            return Ok(None);
        }
        let earlier = Manifest::load(&self.out)?;
        // Devices differ in the last bits, so a run stays on the device that began it.
        if !earlier.device.is_empty() && earlier.device != device {
            let what = format!(
                "{}: this run was begun with `--device {}`, not `{device}`",
                self.out.display(),
                earlier.device
            );
            let hint = "use that device, or choose another folder with `--out`";
            return Err(Problem::new(what).hint(hint).into());
        }
        Ok(Some(earlier))
    }

    /// Notes the files of the run folder that are damaged, all of which are written anew, and
    /// removes the list of files until then.
    fn open_seal(&self, reporter: &dyn Reporter) -> Result<(), LabError> {
        let path = self.out.join(done::DONE_FILE);
        let Some(list) = Done::load(&self.out)? else { return Ok(()) };
        for damage in list.damage(&self.out)? {
            reporter.note(&format!("{damage}; it is written again"));
            if damage.file.ends_with(COST_FILE) {
                // Costs are added to this file, so a damaged one must go.
                let _ = std::fs::remove_file(&damage.file);
            }
        }
        std::fs::remove_file(&path).map_err(|e| LabError::io(&path, &e))
    }

    fn write_inputs(
        &self,
        earlier: Option<Manifest>,
        options: &RunOptions,
    ) -> Result<(), LabError> {
        let file = |name: &str| self.out.join(name);
        write(&file("experiment.toml"), self.source.text().as_bytes())?;
        let spec = toml::to_string_pretty(&self.spec).map_err(Problem::defect)?;
        write(&file("spec.toml"), spec.as_bytes())?;
        write_json_pretty(&file("plan.json"), &self.estimate)?;
        let builds = earlier.map(|manifest| manifest.builds).unwrap_or_default();
        let manifest = Manifest::new(&self.plan, &options.device_name, &options.command, builds);
        write_json_pretty(&file(MANIFEST_FILE), &manifest)
    }

    fn write_report(&self, results: &Results) -> Result<(), LabError> {
        let file = |name: &str| self.out.join(name);
        write_json_pretty(&file("results.json"), results)?;
        write(&file("report.html"), toolkit_report::html(results).as_bytes())?;
        write(&file("report.md"), toolkit_report::markdown(results).as_bytes())?;
        write(&file("figure.svg"), toolkit_report::figure_svg(results).as_bytes())
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
