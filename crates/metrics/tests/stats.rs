//! Statistics against scipy and statsmodels (`tests/fixtures/make_stats.py`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use toolkit_metrics::{bootstrap, holm, paired_permutation, paired_t, t_interval};

#[derive(Deserialize)]
struct Fixture {
    t_interval: Vec<TInterval>,
    paired_t: Vec<PairedT>,
    holm: Vec<Holm>,
    permutation: Vec<Permutation>,
    clustered: Vec<Permutation>,
    bootstrap: Vec<Bootstrap>,
}

#[derive(Deserialize)]
struct TInterval {
    values: Vec<f64>,
    level: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct PairedT {
    a: Vec<f64>,
    b: Vec<f64>,
    p: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Holm {
    p: Vec<f64>,
    corrected: Vec<f64>,
}

#[derive(Deserialize)]
struct Permutation {
    a: Vec<f64>,
    b: Vec<f64>,
    clusters: Option<Vec<u64>>,
    p: f64,
}

#[derive(Deserialize)]
struct Bootstrap {
    values: Vec<f64>,
    low: f64,
    high: f64,
    error: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../tests/fixtures/stats.json")).unwrap()
}

#[track_caller]
fn near(got: f64, wanted: f64) {
    assert!((got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{got}, wanted {wanted}");
}

#[test]
fn student_is_that_of_scipy() {
    let all = fixture();
    for case in &all.t_interval {
        let found = t_interval(&case.values, case.level).unwrap();
        near(found.low, case.low);
        near(found.high, case.high);
    }
    for case in &all.paired_t {
        let found = paired_t(&case.a, &case.b).unwrap();
        near(found.p, case.p);
        near(found.difference.low, case.low);
        near(found.difference.high, case.high);
    }
}

#[test]
fn holm_is_that_of_statsmodels() {
    for case in &fixture().holm {
        for (got, wanted) in holm(&case.p).into_iter().zip(&case.corrected) {
            near(got, *wanted);
        }
    }
}

#[test]
fn enumerated_swaps_are_those_of_scipy() {
    let all = fixture();
    for case in all.permutation.iter().chain(&all.clustered) {
        near(paired_permutation(&case.a, &case.b, case.clusters.as_deref(), 1 << 12, 1), case.p);
    }
}

#[test]
fn percentile_intervals_are_those_of_scipy() {
    for case in &fixture().bootstrap {
        let found = bootstrap(&case.values, None, 50_000, 3).unwrap();
        // Ends of intervals of 50,000 draws differ between draws by a few hundredths of the
        // standard error.
        let slack = 0.05 * case.error;
        assert!((found.low - case.low).abs() < slack, "{} against {}", found.low, case.low);
        assert!((found.high - case.high).abs() < slack, "{} against {}", found.high, case.high);
    }
}
