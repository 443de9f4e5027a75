//! What a run was made of and with.

use crate::plan::cells::Plan;
use crate::plan::fingerprint::card_hash;
use serde::Serialize;
use std::collections::BTreeMap;
use toolkit_system::digest::sha256_hex;
use toolkit_system::tool::question;

/// The versions that this program was built with.
const LOCK: &[u8] = include_bytes!("../../../../Cargo.lock");

/// `manifest.json` of a run folder.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// Version of the toolkit.
    pub toolkit: String,
    /// Revision of the working folder of the program, `-dirty` if it has changes, `unknown` outside
    /// of git.
    pub git: String,
    /// SHA-256 of the lock file that the program was built with: the versions of all crates.
    pub lock: String,
    /// Every version and revision that worked on this run; results of several may be mixed in it.
    pub builds: Vec<String>,
    /// The command line.
    pub command: Vec<String>,
    /// Device.
    pub device: String,
    /// Operating system and processor.
    pub machine: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Cards by kind and name: hash of what counts in them, weights included.
    pub cards: BTreeMap<String, String>,
    /// Weights by card: SHA-256.
    pub weights: BTreeMap<String, String>,
    /// Data by name: fingerprint of images and texts.
    pub data: BTreeMap<String, String>,
    /// Task cards by name: hash of what counts in them.
    pub tasks: BTreeMap<String, String>,
    /// Ids of the cells.
    pub cells: Vec<String>,
    /// Cells by id: the key of the stage-1 run they start from.
    pub stage1: BTreeMap<String, String>,
}

/// Revision of the working folder that the program lies in, as it does where cargo builds it. The
/// current folder may be of another project.
#[must_use]
pub fn git_revision() -> String {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(|path| path.parent()?.to_str()).unwrap_or("/");
    let git = |args: &[&str]| {
        // The folder's own settings may name programs; none of them is started for a revision.
        let args =
            [&["-C", folder, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"], args]
                .concat();
        let output = question("git", &args).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match git(&["rev-parse", "--short=12", "HEAD"]) {
        Some(revision)
            if git(&["status", "--porcelain", "--untracked-files=no"])
                .is_some_and(|s| !s.is_empty()) =>
        {
            format!("{revision}-dirty")
        }
        Some(revision) => revision,
        None => "unknown".to_owned(),
    }
}

/// Processor and system, as far as the system says.
#[must_use]
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name").and_then(|l| l.split_once(':')))
        .map_or("", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {}, {cores} cores, {cpu}", std::env::consts::OS, std::env::consts::ARCH)
}

impl Manifest {
    /// Of a plan that is about to be carried out.
    #[must_use]
    pub fn new(plan: &Plan, device: &str, command: &[String], mut builds: Vec<String>) -> Self {
        let build = format!("{} {}", env!("CARGO_PKG_VERSION"), git_revision());
        if !builds.contains(&build) {
            builds.push(build);
        }
        let (mut cards, mut weights, mut data) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for r in &plan.resolved {
            for card in [&r.vision.0, &r.bridge.0, &r.language.0] {
                cards.insert(format!("{}/{}", card.kind.folder(), card.name), card_hash(card));
                if let Some(w) = &card.weights {
                    weights.insert(card.name.clone(), w.identity());
                }
            }
        }
        let mut tasks = BTreeMap::new();
        for cell in &plan.cells {
            let eval = &cell.cell.spec.eval;
            let also = eval.also.iter().map(|also| &also.task);
            let names = [&eval.vqa, &eval.caption].into_iter().chain(also).chain([&eval.retrieve]);
            tasks.extend(names.cloned().zip(cell.cell.tasks.iter().cloned()));
        }
        for splits in &plan.splits {
            for set in [&splits.train, &splits.val, &splits.test].into_iter().chain(&splits.also) {
                data.insert(set.name().to_owned(), set.fingerprint());
            }
        }
        let mut seeds: Vec<u64> = plan.cells.iter().map(|c| c.cell.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        Self {
            toolkit: env!("CARGO_PKG_VERSION").to_owned(),
            git: git_revision(),
            lock: sha256_hex(LOCK),
            builds,
            command: command.to_vec(),
            device: device.to_owned(),
            machine: machine(),
            seeds,
            cards,
            weights,
            data,
            tasks,
            cells: plan.cells.iter().map(|c| c.cell.id.clone()).collect(),
            stage1: (plan.cells.iter())
                .filter_map(|c| Some((c.cell.id.clone(), plan.stage1[c.stage1?].key.clone())))
                .collect(),
        }
    }
}
