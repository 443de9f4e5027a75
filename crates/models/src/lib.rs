//! The model families, one file each.

pub mod bridge;
pub mod connector;
pub mod language;
pub mod layers;
pub mod vision;
pub mod weights;
