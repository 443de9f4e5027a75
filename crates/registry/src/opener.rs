//! Opening of data by name, also of those that a mixture is made of.

use crate::{Kind, Registry};
use std::sync::Arc;
use toolkit_data::{DataError, DataName, Dataset, Folder, ShardForm, ShardOptions, Shards};
use toolkit_system::problem::Problem;

/// A callback that returns data in place of those that cannot be opened, from their name and the
/// error.
pub type Instead<'a> = &'a dyn Fn(&str, DataError) -> Result<Arc<dyn Dataset>, DataError>;

/// A way to open data by name.
pub(crate) struct Opener<'a> {
    registry: &'a Registry,
    instead: Instead<'a>,
    /// Names of the data that are being opened, the outermost first.
    within: Vec<String>,
}

impl<'a> Opener<'a> {
    /// Creates the way from outside of all mixtures.
    pub fn new(registry: &'a Registry, instead: Instead<'a>) -> Self {
        Self { registry, instead, within: Vec::new() }
    }

    /// Opens `card:split` or files. `caption` is the field or column of captions, for files that
    /// have several.
    ///
    /// # Errors
    /// If a name is unknown, files are missing or damaged, or a mixture contains itself.
    pub fn open(&self, name: &str, caption: Option<&str>) -> Result<Arc<dyn Dataset>, DataError> {
        if self.within.iter().any(|outer| outer == name) {
            let way = [&self.within[..], &[name.to_owned()]].concat().join(" > ");
            let what = format!("the mixture `{name}` contains itself: {way}");
            return Err(DataError::new(what, "take one of these sources out"));
        }
        self.open_here(name, caption).or_else(|error| (self.instead)(name, error))
    }

    fn open_here(&self, name: &str, caption: Option<&str>) -> Result<Arc<dyn Dataset>, DataError> {
        let without_fields = |data: Arc<dyn Dataset>| match caption {
            None => Ok(data),
            Some(field) => {
                let what = format!("`{name}` has no field `{field}` to take captions from");
                let hint =
                    "leave `caption` out: it is for `shards:`; a card of shards says it itself";
                Err(DataError::from(Problem::new(what).hint(hint)))
            }
        };
        match DataName::parse(name) {
            DataName::Folder(path) => {
                without_fields(Arc::new(Folder::open_kept(path, &self.registry.opening())?))
            }
            DataName::Shards(patterns) => self.shards(name, patterns, ShardForm::Tar, caption),
            DataName::Table(patterns) => self.shards(name, patterns, ShardForm::Table, caption),
            DataName::Parquet(patterns) => self.shards(name, patterns, ShardForm::Parquet, caption),
            DataName::Split { card, split } => {
                let card = self.registry.card(Kind::Dataset, card)?;
                let within = [&self.within[..], &[name.to_owned()]].concat();
                let inner = Self { registry: self.registry, instead: self.instead, within };
                let open = |name: &str, caption: Option<&str>| inner.open(name, caption);
                without_fields(self.registry.dataset_of(&card)?.open_with(split, &open)?)
            }
            DataName::Card(_) => {
                let what = format!("`{name}` names no split");
                Err(DataError::new(what, format!("write {}", DataName::FORMS)))
            }
        }
    }

    fn shards(
        &self,
        name: &str,
        patterns: &str,
        form: ShardForm,
        caption: Option<&str>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let name = DataName::parse(name).label();
        let caption = caption.map(str::to_owned);
        let options = ShardOptions { form, caption, ..ShardOptions::default() };
        let opening = self.registry.opening();
        Ok(Arc::new(Shards::open(name, &[patterns.to_owned()], &options, &opening)?))
    }
}
