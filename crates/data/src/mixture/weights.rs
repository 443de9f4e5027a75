//! Shares of the samples of a mixture.

use super::config::NaturalShare;
use super::source::OpenSource;
use crate::SourceRows;

/// Returns the sources with their rows and weights. A source that is a mixture is replaced by its
/// own sources.
pub(super) fn source_rows(sources: &[OpenSource], by: NaturalShare) -> Vec<SourceRows> {
    let inner: Vec<Vec<SourceRows>> = sources.iter().map(inner_rows).collect();
    let is_weighted = sources.iter().any(|one| one.ratio.is_some() || one.repeat != 1)
        || (by == NaturalShare::Row && sources.len() > 1)
        || inner.iter().flatten().any(|one| one.weight.is_some());
    let weighted = |(source, mut rows): (&OpenSource, Vec<SourceRows>)| {
        let share = source.ratio.unwrap_or_else(|| source.natural_weight(by));
        let part = |one: &SourceRows| one.weight.unwrap_or(one.rows.len() as f64);
        let total: f64 = rows.iter().map(part).sum();
        for one in &mut rows {
            one.weight = is_weighted.then(|| share * part(one) / total);
        }
        rows
    };
    sources.iter().zip(inner).flat_map(weighted).collect()
}

/// Returns the sources inside of a source, with rows of the mixture; itself if it is none.
fn inner_rows(source: &OpenSource) -> Vec<SourceRows> {
    let within = source.data.sources();
    if within.len() < 2 {
        return vec![SourceRows {
            name: source.name.clone(),
            rows: source.first..source.first + source.len(),
            weight: None,
            is_sequential: source.data.is_sequential(),
        }];
    }
    let at = |row: usize| source.first + source.items_before(row);
    let inner = within.into_iter().map(|one| SourceRows {
        name: format!("{}/{}", source.name, one.name),
        rows: at(one.rows.start)..at(one.rows.end),
        ..one
    });
    // A limit may leave nothing of a source.
    inner.filter(|one| !one.rows.is_empty()).collect()
}
