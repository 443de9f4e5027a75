//! The jobs of a run: features, stage 1, stage 2, evaluation, and pre-training of parts.
//!
//! | module | purpose |
//! |---|---|
//! | [`context`] | registry, folder, device and features that all jobs share |
//! | [`feature_store`] | features of the frozen encoder |
//! | [`readable`] | data without the pictures that cannot be read |
//! | [`captions`] | captions as stage 1 reads them |
//! | [`stage1`] | trains a bridge |
//! | [`cell_job`] | a cell with its model, data and stage 1 |
//! | [`cell`] | trains stage 2 and evaluates it |
//! | [`tasks`] | the tasks of an experiment and their data |
//! | `curve_points` | evaluates along stage 2 |
//! | [`evaluate`], [`texts`] | scores of a cell and of a stage-1 run |
//! | [`blind`] | the language model's answers without images |
//! | [`pretrain`] | trains the backbones of the nano tier |

pub mod blind;
pub mod captions;
pub mod cell;
pub mod cell_job;
pub mod context;
mod curve_points;
pub mod evaluate;
pub mod feature_store;
mod language;
pub mod pretrain;
pub mod readable;
pub mod stage1;
pub mod tasks;
pub mod texts;
mod training_source;
