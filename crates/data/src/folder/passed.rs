//! Words for files that are passed over.

use crate::lists::text::one_line;
use std::collections::BTreeMap;

/// Names that a remark has at most.
pub(super) const NAMED: usize = 5;

/// Files by why they are not read, one line for each reason.
pub(super) fn by_reason(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, why) in files {
        reasons.entry(why).or_default().push(name);
    }
    let line = |(why, names): (&str, Vec<&str>)| {
        let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        let shown: Vec<String> = names.iter().take(NAMED).map(|name| one_line(name)).collect();
        let is = if names.len() > 1 { "are" } else { "is" };
        match why.starts_with("no") {
            true => format!("{}{more} {is} not read: {why}", shown.join(", ")),
            false => format!("{}{more} {is} {why}", shown.join(", ")),
        }
    };
    reasons.into_iter().map(line).collect()
}
