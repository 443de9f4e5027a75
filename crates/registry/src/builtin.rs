//! The families that come with the toolkit. The only file here that names them.

use crate::Registry;

pub(crate) fn register(registry: Registry) -> Registry {
    registry
}
