//! Preprocessing of pictures, as the card of an encoder asks for it.

use crate::LabError;
use toolkit_data::Preprocess;
use toolkit_registry::Card;

/// Returns the preprocessing of a vision card.
///
/// # Errors
/// If there is none or the size is not square.
pub fn preprocess(card: &Card) -> Result<Preprocess, LabError> {
    let p = card.preprocess.as_ref().ok_or_else(|| {
        LabError::new(
            format!("card `{}` has no `[preprocess]`", card.name),
            "add `size`, `mean` and `std`",
        )
    })?;
    if p.size[0] != p.size[1] {
        return Err(LabError::new(
            format!("card `{}` wants {}x{} images", card.name, p.size[0], p.size[1]),
            "only square images are supported",
        ));
    }
    Ok(Preprocess::square(p.size[0] as u32, p.mean, p.std))
}
