//! Vision encoders.

pub mod dinov2;
pub mod efficientnet;
pub mod eva;
pub mod position;
pub mod vit;
