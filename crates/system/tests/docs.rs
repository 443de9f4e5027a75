//! Checks of the documentation of the whole repository: links, paths, widths, indexes, layers.
//!
//! They stand in this crate because it builds in seconds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders whose paths, in backticks, must exist.
const CHECKED: [&str; 7] =
    ["crates/", "tests/", "docs/", "benches/", "examples/", "experiments/", "registry/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Lists the pages: those at the root, and all below `docs` except reports, which are generated.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)).into();
    let mut folders = vec![root().join("docs"), root().join(".github")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("docs/reports") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// Lists the lines outside of code blocks, with their number from one.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut code = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            lines.push((at + 1, line));
        }
    }
    lines
}

/// Returns the name by which a heading is linked to: lower case, hyphens for blanks, no signs.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = prose(&text).into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line)).collect()
}

/// Lists the texts between `open` and `close`.
fn between<'a>(line: &'a str, open: &str, close: char) -> Vec<&'a str> {
    let starts = line.match_indices(open).map(|(at, _)| &line[at + open.len()..]);
    starts.filter_map(|rest| rest.split_once(close).map(|(inner, _)| inner)).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut lost = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (at, line) in prose(&text) {
            for target in between(line, "](", ')') {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let path = match file {
                    "" => page.clone(),
                    file => page.parent().unwrap().join(file),
                };
                let known = path.exists()
                    && (heading.is_empty() || path.is_dir() || anchors(&path).contains(heading));
                if !known {
                    lost.push(format!("{}:{at}: {target}", page.display()));
                }
            }
        }
    }
    assert!(lost.is_empty(), "links that lead nowhere:\n{}", lost.join("\n"));
}

/// Writes out `a/{b,c}.rs`.
fn alternatives(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(a, rest)| Some((a, rest.split_once('}')?))) {
        Some((before, (inner, after))) => inner
            .split(',')
            .flat_map(|one| alternatives(&format!("{before}{}{after}", one.trim())))
            .collect(),
        None => vec![path.to_owned()],
    }
}

#[test]
fn paths_in_backticks_exist() {
    let mut lost = Vec::new();
    for page in pages().iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = std::fs::read_to_string(page).unwrap();
        for (at, line) in prose(&text) {
            // Every second piece is inside of backticks.
            for path in line.split('`').skip(1).step_by(2) {
                // A placeholder in capitals or angle brackets, or a command, is no path.
                let plain = !path.contains([' ', '<', '*', '$', '|']) && !path.contains("NAME");
                if !plain || !CHECKED.iter().any(|folder| path.starts_with(folder)) {
                    continue;
                }
                for one in alternatives(path.split([':', '#']).next().unwrap()) {
                    if !root().join(&one).exists() {
                        lost.push(format!("{}:{at}: {one}", page.display()));
                    }
                }
            }
        }
    }
    assert!(lost.is_empty(), "paths that are not there:\n{}", lost.join("\n"));
}

#[test]
fn pages_are_wrapped_at_100_columns() {
    let mut wide = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (at, line) in prose(&text) {
            let exempt = line.starts_with('|')
                || line.contains("](")
                || line.contains("import")
                || line.starts_with('#');
            if line.chars().count() > 100 && !exempt {
                wide.push(format!("{}:{at}", page.display()));
            }
        }
    }
    assert!(wide.is_empty(), "lines over 100 columns:\n{}", wide.join("\n"));
}

#[test]
fn indexes_list_every_page() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let (summary, decisions) = (read("docs/SUMMARY.md"), read("docs/decisions/README.md"));
    for page in pages() {
        let name = page.file_name().unwrap().to_str().unwrap();
        let index = match page.parent().unwrap() {
            folder if folder == root().join("docs/decisions") => &decisions,
            folder if folder == root().join("docs") => &summary,
            _ => continue,
        };
        let listed = index.contains(&format!("({name})")) || name == "SUMMARY.md";
        assert!(listed || name == "README.md", "{name} is in no index");
    }
}

/// Lists the crates of the workspace that a crate of `crates` depends on, those of its tests left
/// out.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = root().join("crates").join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let lines = text.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let own = lines.take_while(|line| !line.starts_with('['));
    let names = own.filter_map(|line| line.strip_prefix("toolkit-")?.split(['.', ' ', '=']).next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_table_of_layers_is_that_of_the_manifests() {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let section = text.split("\n## Layers\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let rows: Vec<Vec<&str>> =
        cells.map(|cell| cell.trim().trim_matches('`').split("`, `").collect()).collect();
    let row = |name: &str| rows.iter().position(|row| row.contains(&name));
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let own = row(&name).unwrap_or_else(|| panic!("`{name}` is in no row"));
        // The command line is the root crate, above all others.
        if name == "cli" {
            assert_eq!(own, 0);
            continue;
        }
        for below in dependencies(&name) {
            assert!(
                row(&below) > Some(own),
                "`{name}` depends on `{below}`, which is not below it"
            );
        }
    }
}
