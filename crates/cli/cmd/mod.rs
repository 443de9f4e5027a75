//! The commands, one file each.

pub mod attend;
pub mod bench;
pub mod caption;
pub mod chat;
pub mod convert;
pub mod data;
pub mod diff;
pub mod doctor;
pub mod embed;
pub mod eval;
pub mod inspect;
pub mod list;
pub mod matching;
pub mod plan;
pub mod report;
pub mod reproduce;
pub mod retrieve;
pub mod run;
pub mod score;
pub mod verify;
pub mod vqa;
