//! The conditions of alerts, as functions of the lines of the logs.

use super::{Alert, AlertName, AlertState};
use crate::fit::{MetricLine, TimingLine};
use crate::schedule::Schedule;
use crate::stage1::itc::SMALLEST_TEMPERATURE;
use std::collections::BTreeMap;

/// Share of its trivial loss above which matching counts as not learned.
const ITM_SHARE: f64 = 0.99;

/// Largest share of the time that may be spent waiting for data.
const MOST_WAITING: f64 = 0.2;

/// Windows of a training, in which values are averaged.
const WINDOWS: u64 = 20;

/// Fewest and most steps of a window.
const WINDOW_STEPS: (u64, u64) = (50, 1000);

/// Windows of steps, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Steps before the first window: those of the warm-up.
    pub warmup: u64,
    /// Steps of a window.
    pub steps: u64,
}

impl Windows {
    /// Returns the windows of a training: a twentieth of its steps, from 50 to 1,000.
    #[must_use]
    pub fn of(steps: u64, schedule: &Schedule) -> Self {
        let window = (steps / WINDOWS).clamp(WINDOW_STEPS.0, WINDOW_STEPS.1);
        Self { warmup: schedule.warmup, steps: window }
    }
}

/// A value of a window and what it is compared with.
struct Condition {
    alert: AlertName,
    of: String,
    value: f64,
    limit: f64,
    holds: bool,
}

/// Windows in a row in which a condition holds.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    windows: u64,
    /// Sum of their means.
    sum: f64,
}

/// Conditions that hold.
#[derive(Clone, Debug, Default)]
struct Held(BTreeMap<(AlertName, String), Streak>);

impl Held {
    /// Returns an alert if the condition begins or ends with the window that ends at `step`.
    fn settle(&mut self, found: Condition, step: u64, steps: u64) -> Option<Alert> {
        let Condition { alert, of, value, limit, holds } = found;
        let key = (alert, of.clone());
        if holds {
            let streak = self.0.entry(key).or_default();
            streak.windows += 1;
            streak.sum += value;
            let (windows, value) = (streak.windows, streak.sum / streak.windows as f64);
            let (state, steps) = (AlertState::Begins, steps * windows);
            let begins = windows == alert.windows();
            return begins.then_some(Alert { alert, state, step, steps, of, value, limit });
        }
        let state = AlertState::Ends;
        let ends = self.0.remove(&key).is_some_and(|streak| streak.windows >= alert.windows());
        ends.then_some(Alert { alert, state, step, steps, of, value, limit })
    }
}

/// Rules over `metrics.jsonl`.
#[derive(Clone, Debug)]
pub struct MetricRules {
    windows: Windows,
    count: u64,
    sums: BTreeMap<String, f64>,
    held: Held,
}

impl MetricRules {
    /// Creates the rules before the first line.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self { windows, count: 0, sums: BTreeMap::new(), held: Held::default() }
    }

    /// Follows a line; returns the alerts of a window that it completes.
    pub fn follow(&mut self, line: &MetricLine) -> Vec<Alert> {
        if line.step < self.windows.warmup {
            return Vec::new();
        }
        for (name, value) in &line.metrics {
            *self.sums.entry(name.clone()).or_default() += value;
        }
        self.count += 1;
        if self.count < self.windows.steps {
            return Vec::new();
        }
        let count = std::mem::take(&mut self.count) as f64;
        let sums = std::mem::take(&mut self.sums);
        let means: BTreeMap<String, f64> =
            sums.into_iter().map(|(name, sum)| (name, sum / count)).collect();
        let settle = |found| self.held.settle(found, line.step, self.windows.steps);
        conditions(&means).into_iter().filter_map(settle).collect()
    }
}

/// Compares the means of a window.
fn conditions(means: &BTreeMap<String, f64>) -> Vec<Condition> {
    let mut all = Vec::new();
    for (name, &limit) in means {
        let Some(loss) = name.strip_prefix("trivial_") else { continue };
        let of = format!("loss_{loss}");
        let Some(&value) = means.get(&of) else { continue };
        let (alert, holds) = match loss {
            "itm" => (AlertName::ItmTrivial, value >= ITM_SHARE * limit),
            _ => (AlertName::AboveBlind, value > limit),
        };
        all.push(Condition { alert, of, value, limit, holds });
    }
    let temperature = means.get("temperature").map(|&value| Condition {
        alert: AlertName::TemperatureBound,
        of: "temperature".to_owned(),
        value,
        limit: SMALLEST_TEMPERATURE,
        holds: value <= SMALLEST_TEMPERATURE,
    });
    all.extend(temperature);
    all
}

/// Rules over `timing.jsonl`.
#[derive(Clone, Debug)]
pub struct TimingRules {
    steps: u64,
    count: u64,
    seconds: f64,
    waited: f64,
    held: Held,
}

impl TimingRules {
    /// Creates the rules before the first line.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        let Windows { steps, .. } = windows;
        Self { steps, count: 0, seconds: 0.0, waited: 0.0, held: Held::default() }
    }

    /// Follows a line; returns the alert of a window that it completes.
    pub fn follow(&mut self, line: &TimingLine) -> Option<Alert> {
        self.count += 1;
        self.seconds += line.seconds;
        self.waited += line.waited;
        if self.count < self.steps {
            return None;
        }
        self.count = 0;
        let seconds = std::mem::take(&mut self.seconds).max(1e-9);
        let value = std::mem::take(&mut self.waited) / seconds;
        let found = Condition {
            alert: AlertName::DataWait,
            of: "waited".to_owned(),
            value,
            limit: MOST_WAITING,
            holds: value > MOST_WAITING,
        };
        self.held.settle(found, line.step, self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: Windows = Windows { warmup: 10, steps: 50 };

    /// Alerts of 400 steps whose values are those of `metrics`.
    fn alerts(metrics: impl Fn(u64) -> Vec<(&'static str, f64)>) -> Vec<(String, u64)> {
        let mut rules = MetricRules::new(WINDOWS);
        let line = |step| {
            let values = metrics(step).into_iter();
            let metrics = values.map(|(name, value)| (name.to_owned(), value)).collect();
            MetricLine { step, metrics, ..MetricLine::default() }
        };
        let found = (0..400).flat_map(|step| rules.follow(&line(step)));
        let short = |alert: Alert| {
            let ends = if alert.state == AlertState::Ends { "-" } else { "" };
            (format!("{ends}{} {}", alert.alert.name(), alert.of), alert.step)
        };
        found.map(short).collect()
    }

    #[test]
    fn matching_that_is_not_learned_alarms_until_it_is() {
        let trivial = 0.636_514;
        // The noise of batches crosses the trivial loss in both directions.
        let noise = |step: u64| 0.02 * libm::sin(step as f64 * 1.7);
        let stuck = |step| vec![("loss_itm", trivial + noise(step)), ("trivial_itm", trivial)];
        assert_eq!(alerts(stuck), [("itm_trivial loss_itm".to_owned(), 209)]);
        let healthy = |step: u64| {
            let loss = trivial * libm::exp(-(step as f64) / 200.0);
            vec![("loss_itm", loss + noise(step)), ("trivial_itm", trivial)]
        };
        assert_eq!(alerts(healthy), []);
        let late = |step| if step < 250 { stuck(step) } else { healthy(step) };
        let expected =
            [("itm_trivial loss_itm".to_owned(), 209), ("-itm_trivial loss_itm".to_owned(), 259)];
        assert_eq!(alerts(late), expected);
        // As in a healthy run of the nano tier.
        let soon = |step| if step < 200 { stuck(step) } else { healthy(step) };
        assert_eq!(alerts(soon), []);
    }

    #[test]
    fn losses_above_blind_and_a_bounded_temperature_alarm() {
        let values = |step: u64| {
            // Above blind in the warm-up only.
            let captions = if step < 10 { 9.0 } else { 2.0 };
            let temperature = if step < 210 { 0.07 } else { 0.0009 };
            vec![
                ("loss_itg", captions),
                ("trivial_itg", 3.0),
                ("loss_lm", 3.2),
                ("trivial_lm", 3.1),
                ("loss", 99.0),
                ("temperature", temperature),
            ]
        };
        let expected = [
            ("above_blind loss_lm".to_owned(), 109),
            ("temperature_bound temperature".to_owned(), 259),
        ];
        assert_eq!(alerts(values), expected);
    }

    #[test]
    fn waiting_alarms_above_a_fifth_of_the_time() {
        let found = |waited: f64| {
            let mut rules = TimingRules::new(WINDOWS);
            let line = |step| TimingLine { step, seconds: 0.5, waited, ..TimingLine::default() };
            (0..400).filter_map(|step| rules.follow(&line(step))).collect::<Vec<_>>()
        };
        assert_eq!(found(0.09), []);
        let [alert] = &found(0.15)[..] else { panic!("one alert") };
        assert_eq!((alert.alert, alert.step, alert.limit), (AlertName::DataWait, 49, 0.2));
        assert_eq!(
            alert.to_string(),
            "`data_wait` at step 49: steps 0 to 49 waited for data 30 % of their time, the limit \
            is 20 %"
        );
    }

    #[test]
    fn windows_follow_from_the_length_of_the_training() {
        let windows = |steps| Windows::of(steps, &Schedule::cosine(1e-3, 0.0, 40));
        assert_eq!(windows(100), Windows { warmup: 40, steps: 50 });
        assert_eq!(windows(1500).steps, 75);
        assert_eq!(windows(250_000).steps, 1000);
    }
}
