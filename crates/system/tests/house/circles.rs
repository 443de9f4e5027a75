//! Circles: modules of a crate that import each other. A module and those inside of it may.

use super::source::{Source, in_name, words};
use std::collections::{BTreeMap, BTreeSet};

/// Path of a module or of an item from the root of its crate.
type Path = Vec<String>;

/// A path that a module names.
struct Import {
    line: usize,
    path: Path,
    /// Name that `use` gives to it in the module, from where others may import it again.
    name: Option<String>,
}

/// An import that is part of a circle.
#[derive(Debug, PartialEq)]
pub struct Link {
    /// Path of the file.
    pub file: String,
    pub line: usize,
    /// Module that imports.
    pub from: String,
    /// Module that is imported.
    pub to: String,
}

/// Lists the imports that are part of circles. `sources` are the files of a crate below `folder`.
pub fn circles(folder: &str, sources: &[Source]) -> Vec<Link> {
    let modules: BTreeMap<Path, (&Source, Vec<Import>)> =
        sources.iter().map(|one| (module(folder, &one.path), (one, imports(one)))).collect();
    let mut names = BTreeMap::new();
    for (own, (_, imports)) in &modules {
        for import in imports {
            let Some(name) = &import.name else { continue };
            if let Some(path) = absolute(&modules, own, &import.path) {
                names.insert(joined(own, std::slice::from_ref(name)), path);
            }
        }
    }
    let mut edges: BTreeMap<&Path, BTreeMap<&Path, usize>> = BTreeMap::new();
    for (own, (_, imports)) in &modules {
        for import in imports {
            let path = absolute(&modules, own, &import.path);
            let target = path.and_then(|path| resolve(&modules, &names, path));
            if let Some(target) = target.filter(|to| !to.starts_with(own) && !own.starts_with(to)) {
                edges.entry(own).or_default().entry(target).or_insert(import.line);
            }
        }
    }
    let reach: BTreeMap<&Path, BTreeSet<&Path>> =
        edges.keys().map(|from| (*from, reached(&edges, from))).collect();
    let mut links = Vec::new();
    for (from, targets) in &edges {
        for (to, line) in targets {
            if reach.get(to).is_some_and(|back| back.contains(from)) {
                links.push(Link {
                    file: modules[*from].0.path.clone(),
                    line: *line,
                    from: from.join("::"),
                    to: to.join("::"),
                });
            }
        }
    }
    links
}

/// Returns the module of a file.
fn module(folder: &str, path: &str) -> Path {
    let inner = path.strip_prefix(folder).unwrap().trim_start_matches('/');
    let mut parts: Path =
        inner.strip_suffix(".rs").unwrap().split('/').map(str::to_owned).collect();
    parts.pop_if(|last| *last == "mod" || *last == "lib");
    parts
}

fn joined(front: &[String], end: &[String]) -> Path {
    [front, end].concat()
}

/// Lists the paths that a file names: those of `use`, and those within the code that begin with
/// `crate` or `super`.
fn imports(source: &Source) -> Vec<Import> {
    let code = &source.code;
    let mut found = Vec::new();
    let mut declarations = Vec::new();
    for at in words(code, "use") {
        let Some(end) = code[at..].find(';').map(|length| at + length) else { continue };
        let tree = code[at + 3..end].trim();
        // `impl Trait + use<'a>` declares no import.
        if tree.starts_with('<') {
            continue;
        }
        declarations.push(at..end);
        for (path, name) in expand(&[], tree) {
            found.push(Import { line: source.line(at), path, name: Some(name) });
        }
    }
    for at in ["crate", "super"].iter().flat_map(|word| words(code, word)) {
        let length = code[at..].find(|c| !in_name(c) && c != ':').unwrap_or(code.len() - at);
        let inner = code[..at].ends_with([':', '$']);
        if inner || declarations.iter().any(|range| range.contains(&at)) {
            continue;
        }
        found.push(Import {
            line: source.line(at),
            path: segments(&code[at..at + length]),
            name: None,
        });
    }
    found
}

fn segments(path: &str) -> Path {
    path.split("::").map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

/// Writes out a tree of `use`: `a::{b, c::d as e}` is `a::b` and `a::c::d`, named `e`.
fn expand(front: &[String], tree: &str) -> Vec<(Path, String)> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for c in tree.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => (),
        }
        match c {
            ',' if depth == 0 => items.push(String::new()),
            _ => items.last_mut().unwrap().push(c),
        }
    }
    let mut found = Vec::new();
    for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
        if let Some((before, inner)) = item.split_once('{') {
            let inner = inner.strip_suffix('}').unwrap_or(inner);
            found.extend(expand(&joined(front, &segments(before)), inner));
            continue;
        }
        let (path, name) = item.split_once(" as ").map_or((item, None), |(a, b)| (a, Some(b)));
        let mut path = joined(front, &segments(path));
        path.pop_if(|last| *last == "*" || (*last == "self" && !front.is_empty()));
        let name = name.map(str::trim).or(path.last().map(String::as_str)).unwrap_or_default();
        found.push((path.clone(), name.to_owned()));
    }
    found
}

/// Returns a path from the root of the crate; none if it leads to another crate.
fn absolute<T>(modules: &BTreeMap<Path, T>, own: &Path, path: &[String]) -> Option<Path> {
    let supers = path.iter().take_while(|one| *one == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some(joined(own, &path[1..])),
        "super" => Some(joined(&own[..own.len().checked_sub(supers)?], &path[supers..])),
        first => {
            let child = joined(own, &[first.to_owned()]);
            modules.contains_key(&child).then(|| joined(own, path))
        }
    }
}

/// Returns the module that defines what a path leads to. It follows names that `use` gives.
fn resolve<'a, T>(
    modules: &'a BTreeMap<Path, T>,
    names: &BTreeMap<Path, Path>,
    mut path: Path,
) -> Option<&'a Path> {
    // Renamings may form a circle of their own.
    for _ in 0..8 {
        let length = (0..=path.len()).rev().find(|end| modules.contains_key(&path[..*end]))?;
        let item = path.get(..=length).and_then(|item| names.get(item));
        match item {
            Some(origin) => path = joined(origin, &path[length + 1..]),
            None => return modules.get_key_value(&path[..length]).map(|(module, _)| module),
        }
    }
    None
}

/// Returns the modules that a module imports, those that they import, and so on.
fn reached<'a>(
    edges: &BTreeMap<&'a Path, BTreeMap<&'a Path, usize>>,
    from: &'a Path,
) -> BTreeSet<&'a Path> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(one) = open.pop() {
        for to in edges.get(one).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(*to) {
                open.push(to);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the links of a crate, as `from > to`.
    fn links(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> =
            files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let links = circles("src", &sources);
        links.iter().map(|link| format!("{} > {}", link.from, link.to)).collect()
    }

    #[test]
    fn a_circle_is_found() {
        let root = ("src/lib.rs", "mod a;\nmod b;\nmod c;");
        let found = links(&[
            root,
            ("src/a.rs", "use crate::b::{B, inner::{D, E}};"),
            ("src/b/mod.rs", "fn f() -> super::c::C {}"),
            ("src/b/inner.rs", ""),
            ("src/c.rs", "use std::fmt;\nuse super::{a, x::Y};"),
        ]);
        assert_eq!(found, ["a > b", "b > c", "c > a"]);
        let found = links(&[
            root,
            ("src/a.rs", "// use crate::b::B;\n#[cfg(test)]\nmod tests { use crate::b::B; }"),
            ("src/b.rs", "use crate::a::A;"),
            ("src/c.rs", "use crate::{a::A, b::B};"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_module_and_its_children_are_none() {
        let found = links(&[
            ("src/lib.rs", "mod a;"),
            ("src/a/mod.rs", "mod b;\npub use b::B;"),
            ("src/a/b.rs", "use super::A;\nuse crate::a::C;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn imported_names_lead_to_their_module() {
        let found = links(&[
            ("src/lib.rs", "mod a;\nmod c;\npub(crate) use a::{b::B as Z, D};"),
            ("src/a/mod.rs", "mod b;\nmod d;\nuse d::D;"),
            ("src/a/b.rs", "use crate::c::C;"),
            ("src/a/d.rs", ""),
            ("src/c.rs", "use crate::{D, Z};"),
        ]);
        assert_eq!(found, ["a::b > c", "c > a::b"]);
    }
}
