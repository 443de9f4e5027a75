//! Data without the pictures that cannot be read, in the order that is left.

use crate::LabError;
use crate::plan::splits::Splits;
use crate::work::feature_store::SplitFeatures;
use image::RgbImage;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use toolkit_data::{Alpha, DataError, Dataset, Findings, Item, SourceRows};
use toolkit_system::problem::Problem;
use toolkit_train::features::Features;

/// Readable items of a data set. It keeps the fingerprint: unreadable pictures follow from the
/// same files.
struct Readable {
    data: Arc<dyn Dataset>,
    kept: Vec<usize>,
}

impl Dataset for Readable {
    fn name(&self) -> &str {
        self.data.name()
    }
    fn len(&self) -> usize {
        self.kept.len()
    }
    fn item(&self, index: usize) -> Cow<'_, Item> {
        self.data.item(self.kept[index])
    }
    fn training_captions(&self, index: usize) -> Vec<String> {
        self.data.training_captions(self.kept[index])
    }
    fn is_sequential(&self) -> bool {
        self.data.is_sequential()
    }
    fn sources(&self) -> Vec<SourceRows> {
        let place = |row: usize| self.kept.partition_point(|&kept| kept < row);
        let kept = |rows: Range<usize>| place(rows.start)..place(rows.end);
        let sources = self.data.sources().into_iter();
        sources.map(|source| SourceRows { rows: kept(source.rows.clone()), ..source }).collect()
    }
    fn source_of(&self, index: usize) -> usize {
        self.data.source_of(self.kept[index])
    }
    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        // Beyond the end there is no item of the whole data set either.
        self.data.image(self.kept.get(index).copied().unwrap_or(usize::MAX))
    }
    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        self.data.image_as(self.kept.get(index).copied().unwrap_or(usize::MAX), alpha)
    }
    fn fingerprint(&self) -> String {
        self.data.fingerprint()
    }
    fn training_fingerprint(&self) -> String {
        self.data.training_fingerprint()
    }
    fn left_out(&self) -> Findings {
        self.data.left_out()
    }
    fn remarks(&self) -> Vec<String> {
        self.data.remarks()
    }
}

fn without(data: &Arc<dyn Dataset>, features: &Features) -> Result<Arc<dyn Dataset>, LabError> {
    leaving_out(data, features.unreadable())
}

/// Leaves out what cannot be read of a split that may not be there.
fn zipped(
    data: &Option<Arc<dyn Dataset>>,
    features: &Option<Arc<Features>>,
) -> Result<Option<Arc<dyn Dataset>>, LabError> {
    let both = data.as_ref().zip(features.as_ref());
    both.map(|(data, features)| without(data, features)).transpose()
}

/// Decodes every picture of a data set and returns the items whose pictures cannot be read, with
/// the reasons.
#[must_use]
pub fn unreadable(data: &dyn Dataset, each: &(dyn Fn() + Sync)) -> Vec<(usize, DataError)> {
    let one = |item: usize| {
        let error = data.image(item).err().filter(DataError::is_unreadable);
        each();
        error.map(|error| (item, error))
    };
    (0..data.len()).into_par_iter().filter_map(one).collect()
}

/// Leaves items out of a data set; the others stay in their order. `unreadable` is sorted.
///
/// # Errors
/// If nothing is left.
pub fn leaving_out(
    data: &Arc<dyn Dataset>,
    unreadable: &[usize],
) -> Result<Arc<dyn Dataset>, LabError> {
    if unreadable.is_empty() {
        return Ok(data.clone());
    }
    let kept: Vec<usize> =
        (0..data.len()).filter(|item| unreadable.binary_search(item).is_err()).collect();
    if kept.is_empty() {
        let what = format!("`{}`: none of its {} pictures can be read", data.name(), data.len());
        return Err(Problem::new(what)
            .hint("`toolkit data check` names them with the reasons")
            .into());
    }
    Ok(Arc::new(Readable { data: data.clone(), kept }))
}

impl Splits {
    /// Returns the data that have features: item for item the rows of `features`.
    ///
    /// # Errors
    /// If nothing of a split can be read.
    pub fn readable(&self, features: &SplitFeatures) -> Result<Self, LabError> {
        let also =
            self.also.iter().zip(&features.also).map(|(data, features)| without(data, features));
        Ok(Self {
            train: match &features.train {
                Some(train) => without(&self.train, train)?,
                None => self.train.clone(),
            },
            val: zipped(&self.val, &features.val)?,
            test: zipped(&self.test, &features.test)?,
            also: also.collect::<Result<_, _>>()?,
            max_damaged: self.max_damaged,
        })
    }
}

/// Most names in a line.
const NAMED: usize = 10;

/// Names the pictures that could not be read, in a line for each split that has some.
#[must_use]
pub fn left_out(splits: &Splits, features: &SplitFeatures) -> Vec<String> {
    let train = features.train.as_ref().map(|train| (&splits.train, train));
    let val = splits.val.as_ref().zip(features.val.as_ref());
    let test = splits.test.as_ref().zip(features.test.as_ref());
    let main = train.into_iter().chain(val).chain(test);
    let all = main.chain(splits.also.iter().zip(&features.also));
    all.filter_map(|(data, features)| left_out_of(&**data, features)).collect()
}

fn left_out_of(data: &dyn Dataset, features: &Features) -> Option<String> {
    let unreadable = features.unreadable();
    let names: Vec<String> =
        unreadable.iter().take(NAMED).map(|&item| data.item(item).id.clone()).collect();
    let more = if unreadable.len() > NAMED { ", .." } else { "" };
    (!unreadable.is_empty()).then(|| {
        format!(
            "{} of {} pictures of `{}` could not be read and are left out: {}{more}.",
            unreadable.len(),
            data.len(),
            data.name(),
            names.join(", ")
        )
    })
}
