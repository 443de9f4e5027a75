//! Choice between cached and live features of the training pictures.

use crate::experiment::spec::{FeatureMode, Spec};
use crate::plan::model_plan::ModelPlan;
use crate::plan::splits::Splits;
use toolkit_core::product;
use toolkit_data::Augment;
use toolkit_system::problem::Problem;

/// Variable with the bytes that cached features of one data set may take.
pub const BUDGET_VARIABLE: &str = "TOOLKIT_CACHE_BYTES";

/// Bytes that cached features of one data set may take, unless [`BUDGET_VARIABLE`] is set.
pub const DEFAULT_BUDGET: u64 = 256 << 30;

/// Bytes of a number in the cache, which is kept in half precision.
pub(crate) const FEATURE_BYTES: usize = 2;

/// Source of the training features of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingFeatures {
    /// Computed before the training.
    Cached,
    /// Computed in each step.
    Live,
}

impl TrainingFeatures {
    /// Chooses the source of a stage with this augmentation.
    ///
    /// # Errors
    /// If cached features of augmented pictures are wanted, or the budget is no number.
    pub fn of(
        spec: &Spec,
        augment: &Augment,
        model_plan: &ModelPlan,
        splits: &Splits,
    ) -> Result<Self, Problem> {
        let (vision, augmented) = (&model_plan.vision.shape, !augment.is_none());
        let bytes = product([splits.train.len(), vision.tokens, vision.width, FEATURE_BYTES]);
        match spec.data.features {
            FeatureMode::Cached if augmented => {
                let what = "`data.features` is \"cached\", and a stage augments its pictures";
                Err(Problem::new(what).hint("set `data.features = \"live\"`, or leave it out"))
            }
            FeatureMode::Cached => Ok(Self::Cached),
            FeatureMode::Auto if !augmented && bytes.get() <= budget()? => Ok(Self::Cached),
            FeatureMode::Auto | FeatureMode::Live => Ok(Self::Live),
        }
    }

    /// Returns `true` if a stage of the cell needs the training split in the cache.
    ///
    /// # Errors
    /// As [`TrainingFeatures::of`].
    pub fn any_cached(
        spec: &Spec,
        model_plan: &ModelPlan,
        splits: &Splits,
    ) -> Result<bool, Problem> {
        let first = spec.stage1.iter().filter(|stage1| stage1.enabled).map(|one| &one.augment);
        let stages = first.chain(spec.stage2.iter().map(|two| &two.augment));
        let each = stages.map(|augment| Self::of(spec, augment, model_plan, splits));
        // All of them, so that a wrong setting of the second is found.
        Ok(each.collect::<Result<Vec<_>, _>>()?.contains(&Self::Cached))
    }
}

/// Reads the budget of a cache of features in bytes.
fn budget() -> Result<u64, Problem> {
    let Some(text) = std::env::var_os(BUDGET_VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(DEFAULT_BUDGET);
    };
    text.to_str().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
        let what = format!("{BUDGET_VARIABLE} is {text:?}, not a number of bytes");
        Problem::new(what).hint("write digits only, such as 100000000000")
    })
}
