//! The commands, one file each.

pub mod caption;
pub mod data;
pub mod doctor;
pub mod inspect;
pub mod list;
pub mod plan;
mod pretrain;
pub mod report;
pub mod retrieve;
pub mod run;
pub mod vqa;
