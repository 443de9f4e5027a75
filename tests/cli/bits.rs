//! The same bits with any instruction set, number of threads and C library, and as they were
//! (`docs/bits.md`).

use super::support::{TINY, called, command, experiment, files, finished, folder, run_command};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolkit_system::digest::sha256_hex;

/// Hides AVX2 and FMA from the C library, which then computes functions otherwise: names of old and
/// of new versions.
const PLAIN_C_LIBRARY: (&str, &str) =
    ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable");

/// The SHA-256 of files of a run that end with one of `names`.
fn sums(run: &Path, names: &[&str]) -> BTreeMap<PathBuf, String> {
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        names.iter().any(|end| name.ends_with(end)) && !name.ends_with(".optimizer.safetensors")
    };
    let sum = |path: PathBuf| {
        let sum = sha256_hex(&std::fs::read(run.join(&path)).unwrap());
        (path, sum)
    };
    files(run).into_iter().filter(wanted).map(sum).collect()
}

#[test]
fn instruction_sets_threads_and_the_c_library_change_no_bit() {
    let results =
        ["metrics.jsonl", "scores.json", "samples.jsonl", "captions.jsonl", ".safetensors"];
    let want = sums(finished().0, &results);
    for name in &results[..3] {
        assert!(want.keys().any(|path| path.ends_with(name)), "no {name}");
    }
    for (isa, threads) in [("avx2", "2"), ("wide", "3")] {
        let dir = folder();
        let (file, out) = (experiment(dir.path(), TINY), dir.path().join("out"));
        let threads = format!("compute.threads={threads}");
        let mut run = run_command(&file, &out, &["--jobs", "1", "--set", &threads]);
        called(run.env("TOOLKIT_ISA", isa).env(PLAIN_C_LIBRARY.0, PLAIN_C_LIBRARY.1)).ok();
        let got = sums(&out, &results);
        assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
        for (path, sum) in &want {
            assert!(got[path] == *sum, "{isa}, {threads}: {} differs", path.display());
        }
    }
}

/// The hashes of the logs of a smoke run, sorted: ids of cells may change where numbers do not.
fn logs(name: &str, isa: Option<&str>) -> Vec<String> {
    let dir = folder();
    let out = dir.path().join("out");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments").join(name);
    let mut run = command();
    run.arg("run").arg(file.with_extension("toml")).args(["--smoke", "--jobs", "2", "--out"]);
    // Features of its own: they are part of the numbers.
    run.arg(&out).env("TOOLKIT_CACHE", &out);
    run.envs(isa.map(|isa| ("TOOLKIT_ISA", isa)));
    called(&mut run).ok();
    let mut logs: Vec<String> = sums(&out, &["metrics.jsonl"]).into_values().collect();
    logs.sort();
    logs
}

/// Numbers of this build against those in the repository, which another machine computed.
///
/// A change that is meant to change numbers rewrites them: `TOOLKIT_GOLDEN=write cargo test --test
/// tests cli::bits`.
#[test]
#[cfg(target_arch = "x86_64")]
fn smoke_runs_log_the_numbers_that_they_logged_elsewhere() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden.toml");
    let ways =
        [("ablate_stage1", None), ("ablate_losses", Some("avx2")), ("ablate_bridge", Some("wide"))];
    let found: BTreeMap<&str, Vec<String>> =
        ways.map(|(name, isa)| (name, logs(name, isa))).into_iter().collect();
    if std::env::var_os("TOOLKIT_GOLDEN").is_some_and(|value| value == "write") {
        let head = "# SHA-256 of each `metrics.jsonl` of a smoke run, sorted: the same on every \
            x86-64 machine with AVX2.\n# `TOOLKIT_GOLDEN=write cargo test --test tests cli::bits` \
            writes this file.\n";
        std::fs::write(&path, format!("{head}{}", toml::to_string_pretty(&found).unwrap()))
            .unwrap();
    }
    let golden: BTreeMap<String, Vec<String>> =
        toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (name, logs) in &found {
        let changed = golden[*name].iter().zip(logs).filter(|(a, b)| a != b).count();
        let same = changed == 0 && golden[*name].len() == logs.len();
        assert!(same, "{name}: {changed} of {} logs have other numbers", logs.len());
    }
}
