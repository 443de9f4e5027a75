//! Tensors that do not fit, as one line of an error.

use std::fmt::{Display, Formatter};
use toolkit_core::params::Mismatch;
use toolkit_system::problem::one_line;

/// Number of names of each kind that an error shows.
const SHOWN: usize = 8;

/// Displays a mismatch by kind: `2 missing (a, b), 1 unexpected (c)`.
pub(super) struct Listing<'a>(pub(super) &'a Mismatch);

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("missing", &self.0.missing),
            ("unexpected", &self.0.unexpected),
            ("misshaped", &self.0.misshaped),
        ];
        let mut separator = "";
        for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            let shown =
                names.iter().take(SHOWN).map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
            write!(f, "{separator}{} {kind} ({shown}", names.len())?;
            if names.len() > SHOWN {
                write!(f, " and {} more", names.len() - SHOWN)?;
            }
            f.write_str(")")?;
            separator = ", ";
        }
        Ok(())
    }
}
