//! Checks of the house rules of `CONTRIBUTING.md` over the sources of all crates, tests left out.
//!
//! They read text only and stand in this crate because it builds in seconds. A finding is
//! `FILE:LINE: RULE`. What a rule does not fit is in [`EXCEPTIONS`], by name and with the reason.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod circles;
mod functions;
mod prose;
mod source;

use source::Source;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Columns of a line.
const COLUMNS: usize = 100;
/// Lines of a file, tests included.
const FILE_LINES: usize = 400;
/// Lines of a function.
const FUNCTION_LINES: usize = 60;
/// Arguments of a function, `self` included.
const ARGUMENTS: usize = 6;
/// Lines over 100 columns in a thousand of a crate; links and long words have no place to break.
const WIDE_PER_MILLE: usize = 5;
/// Doc comments that open badly in a thousand of a crate.
const OPENINGS_PER_MILLE: usize = 10;

/// Exceptions: rule, subject and reason. One that is not needed any more fails its test.
const EXCEPTIONS: &[(Rule, &str, &str)] = &[
    (
        Rule::FunctionLength,
        "crates/formats/src/torch/opcodes.rs step",
        "a table from the instructions of pickles to their effects",
    ),
    (
        Rule::Order,
        "crates/models/src/vision/efficientnet.rs",
        "burn adds up a depthwise convolution place after place, on every machine",
    ),
    (Rule::Order, "crates/cli/device.rs", "tries out whether a device multiplies"),
];

/// Operations of burn whose order of sums depends on the machine (`docs/bits.md`).
const OF_THE_MACHINE: [&str; 5] = ["matmul", "sum_dim", "log_softmax", "conv2d", "einsum"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Width,
    FileLength,
    FunctionLength,
    Arguments,
    Hint,
    Circle,
    Opening,
    Order,
}

/// A crate with its sources.
struct Crate {
    /// Folder from the root of the repository.
    folder: String,
    sources: Vec<Source>,
}

/// A breach of a rule.
struct Finding {
    /// Name in [`EXCEPTIONS`]: a crate, a file, or a file and a function.
    subject: String,
    /// `FILE:LINE: RULE`.
    text: String,
}

/// All crates, read once.
static CRATES: LazyLock<Vec<Crate>> = LazyLock::new(|| {
    let folders = std::fs::read_dir(root().join("crates")).unwrap();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|folder| read(folder)).collect()
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Reads the sources of a crate: `src`, or the folder itself, as for the command line.
fn read(folder: &Path) -> Crate {
    let src = folder.join("src");
    let own = if src.is_dir() { src } else { folder.to_owned() };
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let (mut sources, mut open) = (Vec::new(), vec![own.clone()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|stem| stem == "tests" || stem == "benches") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push(Source::new(&name(&path), &text));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Crate { folder: name(&own), sources }
}

/// Fails with the findings that are no exceptions, and with the exceptions without a finding.
fn check(rule: Rule, findings: &[Finding]) {
    let exceptions = || EXCEPTIONS.iter().filter(|(of, ..)| *of == rule);
    let excepted = |one: &&Finding| !exceptions().any(|(_, subject, _)| *subject == one.subject);
    let mut left: Vec<String> =
        findings.iter().filter(excepted).map(|one| one.text.clone()).collect();
    for (_, subject, _) in exceptions() {
        if !findings.iter().any(|one| one.subject == *subject) {
            left.push(format!("{subject}: keeps the rule; delete its exception"));
        }
    }
    assert!(left.is_empty(), "{rule:?}:\n{}", left.join("\n"));
}

/// Lists findings, of each file of each crate.
fn of_files(find: impl Fn(&Source) -> Vec<Finding>) -> Vec<Finding> {
    CRATES.iter().flat_map(|one| &one.sources).flat_map(find).collect()
}

/// Lists the findings of crates that have more than `per_mille` of `total`.
fn beyond(
    per_mille: usize,
    rule: &str,
    find: impl Fn(&Source) -> (Vec<usize>, usize),
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Crate { folder, sources } in &*CRATES {
        let (mut lines, mut total) = (Vec::new(), 0);
        for source in sources {
            let (found, of) = find(source);
            lines.extend(found.into_iter().map(|line| format!("{}:{line}: {rule}", source.path)));
            total += of;
        }
        if lines.len() * 1000 > total * per_mille {
            let found = lines.into_iter();
            findings.extend(found.map(|text| Finding { subject: folder.clone(), text }));
        }
    }
    findings
}

#[test]
fn lines_have_at_most_100_columns() {
    let found = beyond(WIDE_PER_MILLE, "over 100 columns, in a crate with too many", |source| {
        let wide = source.lines.iter().filter(|line| line.text.chars().count() > COLUMNS);
        (wide.map(|line| line.line).collect(), source.lines.len())
    });
    check(Rule::Width, &found);
}

#[test]
fn files_have_at_most_400_lines() {
    let found = of_files(|source| {
        let long = (source.length > FILE_LINES).then(|| Finding {
            subject: source.path.clone(),
            text: format!("{}:1: a file of {} lines", source.path, source.length),
        });
        long.into_iter().collect()
    });
    check(Rule::FileLength, &found);
}

/// Lists the functions that break a rule.
fn of_functions(breaks: impl Fn(&functions::Function) -> Option<String>) -> Vec<Finding> {
    of_files(|source| {
        let mut found = Vec::new();
        for one in functions::functions(source) {
            if let Some(rule) = breaks(&one) {
                let subject = format!("{} {}", source.path, one.name);
                let text = format!("{}:{}: `{}` has {rule}", source.path, one.line, one.name);
                found.push(Finding { subject, text });
            }
        }
        found
    })
}

#[test]
fn functions_have_at_most_60_lines() {
    let found =
        of_functions(|one| (one.lines > FUNCTION_LINES).then(|| format!("{} lines", one.lines)));
    check(Rule::FunctionLength, &found);
}

#[test]
fn functions_have_at_most_six_arguments() {
    let found = of_functions(|one| {
        (one.arguments > ARGUMENTS).then(|| format!("{} arguments", one.arguments))
    });
    check(Rule::Arguments, &found);
}

#[test]
fn only_problem_writes_hints() {
    let found = of_files(|source| {
        let own = source.path == "crates/system/src/problem.rs";
        let lines = if own { Vec::new() } else { prose::hints(source) };
        let rule = "`hint: ` in a literal; use `Problem`";
        lines
            .into_iter()
            .map(|line| Finding {
                subject: source.path.clone(),
                text: format!("{}:{line}: {rule}", source.path),
            })
            .collect()
    });
    check(Rule::Hint, &found);
}

#[test]
fn modules_form_no_circles() {
    let mut found = Vec::new();
    for Crate { folder, sources } in &*CRATES {
        for link in circles::circles(folder, sources) {
            let text = format!(
                "{}:{}: a circle of modules: `{}` imports `{}`",
                link.file, link.line, link.from, link.to
            );
            found.push(Finding { subject: folder.clone(), text });
        }
    }
    check(Rule::Circle, &found);
}

#[test]
fn documentation_opens_with_a_verb_or_a_noun() {
    let found = beyond(OPENINGS_PER_MILLE, "opens badly, in a crate with too many", |source| {
        let openings = prose::openings(source);
        let bad = openings.iter().filter(|one| prose::opens_badly(&one.text));
        (bad.map(|one| one.line).collect(), openings.len())
    });
    check(Rule::Opening, &found);
}

#[test]
fn sums_have_the_order_of_our_kernels() {
    let found = of_files(|source| {
        let kernels = source.path.starts_with("crates/kernels/");
        let burns = OF_THE_MACHINE.iter().filter(|_| !kernels);
        let all = burns.flat_map(|name| source::words(&source.code, name));
        all.map(|at| Finding {
            subject: source.path.clone(),
            text: format!(
                "{}:{}: burn's sums depend on the machine; use `toolkit_kernels`",
                source.path,
                source.line(at)
            ),
        })
        .collect()
    });
    check(Rule::Order, &found);
}

#[test]
fn all_crates_are_read() {
    let files: usize = CRATES.iter().map(|one| one.sources.len()).sum();
    assert!(files > 500, "{files} files");
    assert!(CRATES.iter().all(|one| !one.sources.is_empty()));
}
