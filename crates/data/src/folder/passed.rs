//! Words for files that are passed over.

use crate::lists::text::one_line;
use std::collections::BTreeMap;

/// Names that a remark has at most.
pub(super) const NAMED: usize = 5;

/// Names files that may hold captions by why they are not read, one line for each reason.
pub(super) fn by_reason(files: &BTreeMap<String, String>) -> Vec<String> {
    let line = |(why, names): (&str, Vec<&str>)| {
        let is = if names.len() > 1 { "are" } else { "is" };
        match why.starts_with("no") {
            true => format!("{} {is} not read: {why}", some(&names)),
            false => format!("{} {is} {why}", some(&names)),
        }
    };
    reasons(files).into_iter().map(line).collect()
}

/// Counts and names pictures by why they are passed over, one line for each reason.
pub(super) fn pictures(files: &BTreeMap<String, String>) -> Vec<String> {
    let line = |(why, names): (&str, Vec<&str>)| {
        let are = if names.len() > 1 { "pictures are" } else { "picture is" };
        format!("{} {are} passed over, {}: {why}", names.len(), some(&names))
    };
    reasons(files).into_iter().map(line).collect()
}

fn reasons(files: &BTreeMap<String, String>) -> BTreeMap<&str, Vec<&str>> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, why) in files {
        reasons.entry(why).or_default().push(name);
    }
    reasons
}

fn some(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| one_line(name)).collect();
    let more = if names.len() > NAMED {
        format!(" and {} more", names.len() - NAMED)
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}
