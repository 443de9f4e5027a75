//! The columns of pictures and captions of a parquet file.

use super::super::texts::TextRule;
use crate::lists::keys::{CAPTION, PICTURE};
use parquet::basic::Type;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use toolkit_system::problem::Problem;

/// Names of columns with the bytes of a picture besides those of paths: webdataset's endings.
const BYTES: [&str; 5] = ["jpg", "jpeg", "png", "webp", "image_bytes"];

/// Columns by their number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Bytes of pictures.
    pub image: usize,
    /// Captions, if there are any.
    pub captions: Option<usize>,
}

impl Columns {
    /// Finds the columns that a rule names, or those with the usual names.
    ///
    /// # Errors
    /// If a column that is named is not there or has no bytes or texts; if there is no column of
    /// pictures.
    pub fn of(schema: &SchemaDescriptor, rule: &TextRule) -> Result<Self, Problem> {
        let columns: Vec<Leaf> = (0..schema.num_columns()).map(|at| Leaf::of(schema, at)).collect();
        let image = match &rule.image {
            Some(name) => named(&columns, "image", name, Leaf::has_bytes)?,
            None => image(&columns)?,
        };
        let captions = match &rule.field {
            Some(name) => Some(named(&columns, "caption", name, Leaf::has_texts)?),
            None => captions(&columns),
        };
        Ok(Self { image, captions })
    }
}

/// A column of plain values.
struct Leaf {
    /// Name of the column of the table.
    name: String,
    /// Name within it, of a part of a structure.
    inner: Option<String>,
    is_binary: bool,
    /// Values of a row.
    is_list: bool,
}

impl Leaf {
    fn of(schema: &SchemaDescriptor, at: usize) -> Self {
        let column: &ColumnDescriptor = &schema.column(at);
        let parts = column.path().parts();
        let is_list = column.max_rep_level() > 0;
        // A list is written as `NAME.list.element`.
        let inner = parts.get(1).filter(|_| !is_list).cloned();
        Self {
            name: parts.first().cloned().unwrap_or_default(),
            inner,
            is_binary: column.physical_type() == Type::BYTE_ARRAY,
            is_list: is_list && column.max_rep_level() == 1,
        }
    }

    /// Returns `true` if it may have pictures: one value a row, plain or in a structure.
    fn has_bytes(&self) -> bool {
        let inner = self.inner.as_deref();
        self.is_binary && !self.is_list && inner.is_none_or(|name| name == "bytes")
    }

    /// Returns `true` if it may have captions.
    fn has_texts(&self) -> bool {
        self.is_binary && self.inner.is_none()
    }
}

/// Finds the column that a card or a name of data names.
fn named(
    columns: &[Leaf],
    key: &str,
    name: &str,
    fits: impl Fn(&Leaf) -> bool,
) -> Result<usize, Problem> {
    if let Some(at) = columns.iter().position(|one| one.name == name && fits(one)) {
        return Ok(at);
    }
    let what = match columns.iter().any(|one| one.name == name) {
        true => format!("the column `{name}` has no values for `{key}`"),
        false => format!("there is no column `{name}` for `{key}`"),
    };
    Err(Problem::new(what).hint(format!("the columns are {}", listed(columns))))
}

/// Finds the column of pictures: of those with the usual names a structure with `bytes` first.
fn image(columns: &[Leaf]) -> Result<usize, Problem> {
    let usual = |one: &&Leaf| PICTURE.iter().chain(&BYTES).any(|name| *name == one.name);
    let all = || columns.iter().filter(|one| one.has_bytes());
    let structure = all().find(|one| one.inner.is_some());
    let only = || match all().filter(|one| one.inner.is_some()).count() {
        1 => structure,
        _ => None,
    };
    let found = all().filter(|one| one.inner.is_some()).find(usual).or_else(only);
    let found = found.or_else(|| all().find(usual));
    let at = found.and_then(|found| columns.iter().position(|one| std::ptr::eq(one, found)));
    at.ok_or_else(|| {
        let hint = format!(
            "name the column with the bytes as `image` in a card; the columns are {}",
            listed(columns)
        );
        Problem::new("no column has pictures").hint(hint)
    })
}

/// Finds the column of captions by the usual names.
fn captions(columns: &[Leaf]) -> Option<usize> {
    let called = |name: &&str| columns.iter().position(|one| one.name == *name && one.has_texts());
    CAPTION.iter().copied().flatten().find_map(called)
}

/// Writes the names of the columns.
fn listed(columns: &[Leaf]) -> String {
    let mut names: Vec<String> = columns.iter().map(|one| format!("`{}`", one.name)).collect();
    names.dedup();
    names.join(", ")
}
