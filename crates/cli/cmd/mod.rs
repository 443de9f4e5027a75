//! The commands, one file each.

pub mod attend;
pub mod bench;
pub mod caption;
pub mod chat;
pub mod convert;
pub mod data;
mod data_check;
pub mod diff;
pub mod doctor;
pub mod embed;
pub mod eval;
mod fetch;
pub mod inspect;
pub mod list;
pub mod matching;
pub mod plan;
mod pretrain;
pub mod report;
pub mod reproduce;
pub mod retrieve;
pub mod run;
pub mod score;
pub mod verify;
pub mod vqa;
