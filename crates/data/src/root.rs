//! The folder of a data set whose files users get themselves.

use crate::DataError;
use std::path::PathBuf;

/// The environment variable that names the folder of all data sets, each in a folder called as its
/// card.
pub const DATA_VARIABLE: &str = "TOOLKIT_DATA";

/// Reads an environment variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the folder of the data set `card_name`: `root` of its card, else the folder of that name
/// in the folder that the environment variable `TOOLKIT_DATA` names. `at_home` is added to the
/// advice.
///
/// # Errors
/// If neither is given, or `root` starts with `~/` and there is no home folder. Whether the folder
/// is there is not looked at.
pub(crate) fn data_root(
    root: Option<&str>,
    card_name: &str,
    at_home: &str,
    variable: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<PathBuf, DataError> {
    if let Some(root) = root {
        let Some(rest) = root.strip_prefix('~') else { return Ok(PathBuf::from(root)) };
        let home = variable("HOME").filter(|_| rest.is_empty() || rest.starts_with('/'));
        let home = home.ok_or_else(|| {
            let what =
                format!("the root '{root}' of the data set '{card_name}' needs a home folder");
            DataError::new(what, "write the whole path as `root` in [config]")
        })?;
        return Ok(home.join(rest.trim_start_matches('/')));
    }
    variable(DATA_VARIABLE).map(|folder| folder.join(card_name)).ok_or_else(|| {
        DataError::new(
            format!("nothing says where the data set '{card_name}' is"),
            format!(
                "put `root = \"/path/to/{card_name}\"` into [config] of a card of your own, or set \
                 {DATA_VARIABLE} to the folder that has the folder '{card_name}'{at_home}"
            ),
        )
    })
}
