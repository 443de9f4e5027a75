//! Vision encoders.

pub mod vit;
