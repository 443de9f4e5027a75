//! Vision encoders.

pub mod eva;
pub mod position;
pub mod vit;
