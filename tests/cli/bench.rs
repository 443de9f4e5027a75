//! `toolkit bench`, and what it times made of the cards that it is given.

use super::support::{called, command, folder, picture, text, toolkit};

#[test]
fn every_piece_of_a_run_is_timed() {
    let small =
        ["--batch", "2", "--rounds", "2", "--threads", "2", "--new-tokens", "4", "--beams", "2"];
    let all = toolkit(&[&["bench", "--json"][..], &small].concat()).json();
    assert_eq!(all["threads"], 2);
    let works = all["works"].as_array().unwrap();
    let names: Vec<&str> = works.iter().map(|work| work["work"].as_str().unwrap()).collect();
    assert_eq!(names, ["data", "encode", "stage1", "stage2", "decode"]);
    for work in works {
        let seconds: Vec<f64> =
            work["seconds"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
        assert_eq!(seconds.len(), 2);
        assert!(seconds.iter().all(|&s| s > 0.0));
        assert!((work["median"].as_f64().unwrap() - (seconds[0] + seconds[1]) / 2.0).abs() < 1e-9);
        assert!(work["items"].as_f64().unwrap() > 0.0);
    }
    // Made-up weights, real losses.
    let loss = |at: usize| works[at]["facts"]["loss"].as_f64().unwrap();
    assert!(loss(2).is_finite() && loss(3) > 1.0);
    assert!(works[4]["facts"]["bytes_per_step"].as_f64().unwrap() > 1e6);

    let dir = folder();
    picture(&dir.path().join("a.png"));
    let table =
        toolkit(&["bench", "data", "--images", text(dir.path()), "--size", "32", "--rounds", "1"])
            .ok();
    assert!(table.stdout.contains("1 pictures to 32 x 32"), "{}", table.stdout);
}

#[test]
fn shards_are_timed_as_training_reads_them() {
    let dir = folder();
    let shards = dir.path().join("shards");
    toolkit(&["data", "pack", "scenes:val", "--out", text(&shards), "--limit", "5"]).ok();
    let pattern = format!("{}/*.tar", text(&shards));
    let sizes = ["--size", "32", "--batch", "2", "--rounds", "1", "--threads", "2"];
    for augment in ["none", "blip2_image_train", "blip_image_train"] {
        let data = ["bench", "data", "--json", "--shards", &pattern, "--augment", augment];
        let found = toolkit(&[&data[..], &sizes].concat()).json();
        assert_eq!(found["works"][0]["items"], 5.0);
        assert!(found["works"][0]["median"].as_f64().unwrap() > 0.0);
    }
    toolkit(&["bench", "data", "--augment", "blip"]).fails_with(&["blip2_image_train"]);
    let nothing = format!("{}/*.tar", text(&dir.path().join("nothing")));
    toolkit(&["bench", "data", "--shards", &nothing]).fails_with(&["nothing", "hint: "]);
}

/// The memory that `plan` states is what a step takes. The nano tier is mostly program; larger ones
/// are nearer (docs/performance.md).
#[test]
fn memory_is_what_was_planned() {
    for work in ["stage1", "stage2"] {
        let found =
            toolkit(&["bench", work, "--json", "--batch", "32", "--rounds", "2", "--threads", "2"])
                .json();
        let bytes = |name: &str| found["works"][0][name].as_f64().unwrap();
        let (peak, planned) = (bytes("peak_bytes"), bytes("planned_bytes"));
        assert!(planned > 4e7);
        // No system but Linux tells the peak.
        assert!(
            peak == 0.0 || (peak / planned - 1.0).abs() < 0.2,
            "{work}: {peak} bytes, {planned} planned"
        );
    }
}

#[test]
fn what_cannot_be_timed_is_said_at_once() {
    toolkit(&["bench", "encode", "--vision", "vit-nanno"])
        .fails_with(&["vit-nanno", "did you mean `vit-nano`?"]);
    toolkit(&["bench", "stage1", "--bridge", "mlp-nano"])
        .fails_with(&["`mlp-nano` has no text tower", "hint: "]);
    toolkit(&["bench", "decode", "--model", "blip2-itm-vit-g"])
        .fails_with(&["has no language model", "hint: "]);
    let dir = folder();
    toolkit(&["bench", "data", "--images", text(dir.path())])
        .fails_with(&["no picture is in this folder", "hint: "]);
    toolkit(&["bench", "decode", "--rounds", "0"]).fails_with(&["--rounds"]);
}

#[test]
fn an_experiment_fetches_what_its_further_tasks_need() {
    // Nothing has been fetched into this folder, so the plan is everything.
    let dir = folder();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/ablate_stage1_small.toml");
    let plan =
        called(command().env("XDG_CACHE_HOME", dir.path()).args(["data", "fetch", "--plan", file]))
            .ok();
    assert!((plan.stdout + &plan.stderr).contains("easy-vqa"));
}
