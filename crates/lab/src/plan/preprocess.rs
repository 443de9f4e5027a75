//! Preprocessing of pictures, as the card of an encoder asks for it.

use crate::LabError;
use toolkit_data::Preprocess;
use toolkit_registry::Card;
use toolkit_system::problem::Problem;

/// Returns the preprocessing of a vision card.
///
/// # Errors
/// If there is none or the size is not square.
pub fn preprocess(card: &Card) -> Result<Preprocess, LabError> {
    let p = card.preprocess.as_ref().ok_or_else(|| {
        LabError::from(
            Problem::new(format_args!("card `{}` has no `[preprocess]`", card.name))
                .hint("add `size`, `mean` and `std`"),
        )
    })?;
    if p.size[0] != p.size[1] {
        return Err(Problem::new(format_args!(
            "card `{}` wants {}x{} images",
            card.name, p.size[0], p.size[1]
        ))
        .hint("only square images are supported")
        .into());
    }
    Ok(Preprocess::square(p.size[0] as u32, p.mean, p.std))
}
