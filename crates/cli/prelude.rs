//! One `use` for a crate that adds models, data sets, losses or tasks.
//!
//! | to add | implement | register with |
//! |---|---|---|
//! | a vision encoder | [`VisionEncoder`] | `Registry::vision` |
//! | a bridge | [`Bridge`] | `Registry::bridge` |
//! | a language model | [`LanguageModel`] | `Registry::language` |
//! | a data-set format | [`DatasetFormat`] | `Registry::dataset` |
//! | a loss of stage 1 | [`Stage1Loss`] | [`RegisterLoss::loss`] |
//! | a kind of task | [`TaskKind`] | [`RegisterTask::task`] |
//!
//! ```
//! use toolkit::prelude::*;
//!
//! #[derive(Default)]
//! struct Zero;
//!
//! impl Stage1Loss for Zero {
//!     fn title(&self) -> &'static str {
//!         "a loss that teaches nothing"
//!     }
//!
//!     fn compute(&self, pass: &Stage1Pass<'_>) -> LossValue {
//!         let queries = pass.images.queries.clone();
//!         LossValue { loss: queries.mean() * 0.0, accuracies: Vec::new() }
//!     }
//! }
//!
//! let registry = Registry::builtin().loss::<Zero>("zero");
//! // In `main`: `toolkit::run(registry)`.
//! # drop(registry);
//! ```

pub use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, Bridge, BridgeShape, Cost, LanguageModel, LanguageShape,
    ShapeError, TextTower, VisionEncoder, VisionShape,
};
pub use toolkit_data::{DataError, Dataset, DatasetCard, DatasetFormat, Item, Items, Question};
pub use toolkit_eval::{
    EvalError, Measured, Measurement, Needs, RegisterTask, Sample, Task, TaskKind, TaskSettings,
};
pub use toolkit_lab::plan::losses::RegisterLoss;
pub use toolkit_registry::{Card, Kind, Registry};
pub use toolkit_system::problem::Problem;
pub use toolkit_train::stage1::{Accuracy, Corpus, LossValue, Stage1Loss, Stage1Pass};
