//! Alerts of a training: a stuck one has them, a healthy one has none, a resumed one has the same.

use super::fit::{Toy, config, toy};
use burn::optim::GradientsParams;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use toolkit_system::problem::Problem;
use toolkit_train::TrainError;
use toolkit_train::alerts::{Alert, AlertName, Alerts, FILES, Windows, find};
use toolkit_train::fit::{FitConfig, Objective, StepLoss, fit};

/// A training whose matching is stuck until step `learns`.
struct Matching {
    learns: u64,
}

impl Objective<Toy> for Matching {
    fn step(&mut self, model: &Toy, step: u64) -> Result<StepLoss, TrainError> {
        let grads = GradientsParams::from_grads(model.sum().backward(), model);
        let loss = if step < self.learns { 0.637 } else { 0.3 };
        let values = [("loss", loss), ("loss_itm", loss), ("trivial_itm", 0.6365)];
        let metrics = values.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let (samples, waited) = (vec![0, 1], Duration::ZERO);
        Ok(StepLoss { grads, metrics, samples, images: 2, tokens: 8, waited })
    }
}

fn long(save_seconds: u64) -> FitConfig {
    FitConfig { steps: 320, ..config(save_seconds) }
}

/// Trains until step `stop`; returns the names that were noted.
fn train(dir: &Path, learns: u64, save_seconds: u64, stop: Option<u64>) -> Vec<AlertName> {
    let (noted, config) = (Mutex::new(Vec::new()), long(save_seconds));
    let note = |alert: &Alert| noted.lock().unwrap().push(alert.alert);
    let mut alerts = Alerts::new(&config, dir, &note);
    let mut stopper = |step: u64, _: &Toy| {
        if stop == Some(step) { Err(Problem::new("stopped").into()) } else { Ok(()) }
    };
    let trained =
        fit(&config, toy(4), &mut Matching { learns }, dir, &mut [&mut alerts, &mut stopper]);
    assert_eq!(trained.is_err(), stop.is_some());
    drop(alerts);
    noted.into_inner().unwrap()
}

#[test]
fn stuck_matching_alarms_and_healthy_matching_does_not() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(train(dir.path(), 0, 1000, None), []);
    assert!(FILES.iter().all(|name| !dir.path().join(name).exists()));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(train(dir.path(), 1000, 1000, None), [AlertName::ItmTrivial]);
    let written = std::fs::read_to_string(dir.path().join(FILES[0])).unwrap();
    assert_eq!(
        written,
        "{\"alert\":\"itm_trivial\",\"state\":\"begins\",\"step\":201,\"steps\":200,\"of\":\"loss_itm\",\
        \"value\":0.637,\"limit\":0.6365}\n"
            .replace("0.637,", &format!("{},", mean_of_windows(0.637)))
            .replace("0.6365}", &format!("{}}}", mean(0.6365)))
    );
    let windows = Windows::of(320, &long(0).schedule);
    assert_eq!(find(dir.path(), windows).unwrap().len(), 1);
}

/// The mean of 50 equal values, with the rounding of their sum.
fn mean(value: f64) -> f64 {
    (0..50).fold(0.0, |sum, _| sum + value) / 50.0
}

/// The mean of four such means.
fn mean_of_windows(value: f64) -> f64 {
    (0..4).fold(0.0, |sum, _| sum + mean(value)) / 4.0
}

#[test]
fn a_resumed_training_has_the_alerts_of_one_that_was_not_interrupted() {
    let whole = tempfile::tempdir().unwrap();
    train(whole.path(), 210, 1000, None);
    let alerts = |dir: &Path| std::fs::read_to_string(dir.join(FILES[0])).unwrap();
    let wanted = alerts(whole.path());
    // Matching is stuck in the windows to step 201, and is learned in the one to step 251.
    assert_eq!(wanted.lines().count(), 2, "{wanted}");
    for (save_seconds, stops) in [(0, &[202, 252][..]), (1000, &[1, 51, 201, 202, 252, 319])] {
        for &stop in stops {
            let dir = tempfile::tempdir().unwrap();
            train(dir.path(), 210, save_seconds, Some(stop));
            // A kill can leave an alert of a step that is done again, and half a line.
            let torn = "{\"alert\":\"itm_trivial\",\"state\":\"be";
            std::fs::write(dir.path().join(FILES[0]), torn).unwrap();
            train(dir.path(), 210, save_seconds, None);
            assert_eq!(alerts(dir.path()), wanted, "stopped at {stop}");
        }
    }
}
