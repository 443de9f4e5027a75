//! Alerts: conditions of a training that somebody should look at.
//!
//! | Alert | Condition, on average over windows of steps after the warm-up | Windows in a row |
//! |---|---|---|
//! | `itm_trivial` | `loss_itm` is that of a matcher that ignores its input | 4 |
//! | `above_blind` | another loss is above that of a model that ignores its input | 2 |
//! | `temperature_bound` | the temperature of the contrast is at its lower bound | 1 |
//! | `data_wait` | more than 20 % of the time goes into waiting for data | 1 |
//!
//! | File | Purpose |
//! |---|---|
//! | `rules.rs` | the conditions, as functions of the lines of the logs |
//! | `observer.rs` | [`Alerts`]: follows a training and writes the files |
//!
//! An alert that follows from `metrics.jsonl` is in `alerts.jsonl`, one that follows from
//! `timing.jsonl` in `timing-alerts.jsonl`. The first is a pure function of its log: a training
//! that was killed and resumed has the same. The second is measured, as times are.

mod observer;
mod rules;

pub use observer::{Alerts, FILES, find};
pub use rules::{MetricRules, TimingRules, Windows};

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// Name of an alert.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum AlertName {
    /// Matching is not learned.
    ItmTrivial,
    /// A loss is worse than that of a model that ignores its input.
    AboveBlind,
    /// The temperature of the contrast is at its lower bound.
    TemperatureBound,
    /// The device waits for data.
    DataWait,
}

impl AlertName {
    /// Returns the name as logs write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ItmTrivial => "itm_trivial",
            Self::AboveBlind => "above_blind",
            Self::TemperatureBound => "temperature_bound",
            Self::DataWait => "data_wait",
        }
    }

    /// Returns the number of windows in a row after which the condition is an alert. Matching is
    /// learned late: a healthy run of the nano tier passes three windows at the trivial loss.
    fn windows(self) -> u64 {
        match self {
            Self::ItmTrivial => 4,
            Self::AboveBlind => 2,
            Self::TemperatureBound | Self::DataWait => 1,
        }
    }
}

/// Beginning or end of a condition.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// The condition holds, and did not before.
    Begins,
    /// It no longer holds.
    Ends,
}

/// A line of `alerts.jsonl` or `timing-alerts.jsonl`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Alert {
    /// Name.
    pub alert: AlertName,
    /// Beginning or end.
    pub state: AlertState,
    /// Last step of the window, from 0.
    pub step: u64,
    /// Steps that the mean is of.
    pub steps: u64,
    /// Logged value that it is about, such as `loss_lm`.
    pub of: String,
    /// Mean of that value over these steps.
    pub value: f64,
    /// Value that it is compared with.
    pub limit: f64,
}

impl Display for Alert {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { of, step, steps, value, limit, .. } = self;
        let name = self.alert.name();
        let first = (step + 1).saturating_sub(*steps);
        let ended = if self.state == AlertState::Ends { " ended" } else { "" };
        write!(f, "`{name}`{ended} at step {step}: ")?;
        match self.alert {
            AlertName::DataWait => write!(
                f,
                "steps {first} to {step} waited for data {:.0} % of their time, the limit is \
                {:.0} %",
                100.0 * value,
                100.0 * limit
            ),
            AlertName::TemperatureBound => write!(
                f,
                "`{of}` was {value:.4} in steps {first} to {step}, its lower bound is {limit}"
            ),
            AlertName::ItmTrivial | AlertName::AboveBlind => write!(
                f,
                "`{of}` was {value:.4} in steps {first} to {step}, a model that ignores its \
                input has {limit:.4}"
            ),
        }
    }
}
