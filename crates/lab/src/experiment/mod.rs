//! The experiment file: its keys, their ranges, and the cells that its axes make.
//!
//! | module | purpose |
//! |---|---|
//! | [`kind`] | cells (ablation, training) or pre-training |
//! | [`spec`], `data_spec`, `train_data` | keys of an ablation or a training |
//! | `complete`, `check`, `ranges` | keys that it must have, and the values that they may have |
//! | [`pretrain_spec`] | keys of a pre-training |
//! | [`overrides`] | values of `--set` and `[smoke]` |
//! | [`cards`] | cards that the cells use |
//! | [`start`] | a checkpoint that a cell starts from |
//! | [`sweep`] | cells: combinations of axis values and seeds |

pub mod cards;
mod check;
mod complete;
mod data_spec;
pub mod kind;
pub mod overrides;
pub mod pretrain_spec;
pub(crate) mod ranges;
pub mod spec;
pub mod start;
pub mod sweep;
mod train_data;
