//! The experiment file: its keys, their ranges, and the cells that its axes make.
//!
//! | module | purpose |
//! |---|---|
//! | [`kind`] | ablation or pre-training |
//! | [`spec`], `data_spec`, `check`, `ranges` | keys of an ablation, and the values that they may have |
//! | [`pretrain_spec`] | keys of a pre-training |
//! | [`overrides`] | values of `--set` and `[smoke]` |
//! | [`cards`] | cards that the cells use |
//! | [`sweep`] | cells: combinations of axis values and seeds |

pub mod cards;
mod check;
mod data_spec;
pub mod kind;
pub mod overrides;
pub mod pretrain_spec;
pub(crate) mod ranges;
pub mod spec;
pub mod sweep;
