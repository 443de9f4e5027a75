//! Vision encoders.
//!
//! | module | family |
//! |---|---|
//! | [`vit`] | ViT of CLIP's form |
//! | [`eva`] | EVA-CLIP's ViT-g |
//! | [`dinov2`] | DINOv2 |
//! | [`efficientnet`] | EfficientNet-Lite, a convolutional network |
//! | [`position`] | position tables at another resolution |

pub mod dinov2;
pub mod efficientnet;
pub mod eva;
pub mod position;
mod sizes;
pub mod vit;
