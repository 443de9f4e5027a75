//! The jobs of a run: features, stage 1, stage 2, evaluation, pre-training of parts.

pub mod blind;
pub mod cell;
pub mod evaluate;
pub mod pretrain;
pub mod readable;
pub mod stages;
pub mod texts;
