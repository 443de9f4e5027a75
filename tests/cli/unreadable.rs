//! Pictures of a run that no decoder reads.

use super::support::{TINY, called, experiment, files, folder, run_command, text, toolkit};
use serde_json::Value;
use std::path::Path;

/// Twelve pictures with captions; those of `broken` are cut off.
fn pictures(dir: &Path, broken: &[u32]) {
    std::fs::create_dir_all(dir).unwrap();
    for at in 0..12_u32 {
        let path = dir.join(format!("{at:02}.png"));
        let colour =
            |x: u32, y: u32| image::Rgb([(x * 5 + at * 19) as u8, (y * 7) as u8, (at * 20) as u8]);
        image::RgbImage::from_fn(40, 30, colour).save(&path).unwrap();
        std::fs::write(path.with_extension("txt"), format!("a dog number {at}\n")).unwrap();
        if broken.contains(&at) {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..50]).unwrap();
        }
    }
}

/// The losses of stage 2 of the only cell.
fn losses(run: &Path) -> Vec<f64> {
    let log = files(run).into_iter().find(|path| path.ends_with("stage2/metrics.jsonl")).unwrap();
    let log = std::fs::read_to_string(run.join(log)).unwrap();
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap())
        .collect()
}

#[test]
fn they_are_left_out_of_a_run_that_allows_for_them() {
    let dir = folder();
    let (whole, damaged) = (dir.path().join("whole"), dir.path().join("damaged"));
    pictures(&whole, &[]);
    pictures(&damaged, &[3, 7]);
    std::fs::remove_file(whole.join("03.png")).unwrap();
    std::fs::remove_file(whole.join("07.png")).unwrap();
    for caption in ["03.txt", "07.txt"] {
        std::fs::remove_file(whole.join(caption)).unwrap();
    }
    let start = TINY.find("\n[sweep]").unwrap();
    let file = |train: &Path| {
        let text = TINY[..start].replace("tiny:train", &format!("folder:{}", train.display()));
        experiment(
            dir.path(),
            &text.replace("steps = 60", "steps = 6").replace("every = 20", "every = 3"),
        )
    };
    let outs = ["a", "b", "c"].map(|name| dir.path().join(name));

    // Strict by default: the picture and the option are named.
    called(&mut run_command(&file(&damaged), &outs[0], &[]))
        .fails_last_with(&["03.png", "max_damaged = 2"]);
    called(&mut run_command(&file(&damaged), &outs[0], &["--set", "data.max_damaged=1"]))
        .fails_last_with(&["07.png", "there are 2", "`[data] max_damaged` is 1"]);

    // Two are two too many no longer.
    let allowed = ["--set", "data.max_damaged=2"];
    let said = called(&mut run_command(&file(&damaged), &outs[1], &allowed)).ok();
    assert!(
        said.stderr.contains("left out: ") && said.stderr.contains("03.png"),
        "{}",
        said.stderr
    );
    let results: Value =
        serde_json::from_slice(&std::fs::read(outs[1].join("results.json")).unwrap()).unwrap();
    let note = results["notes"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|note| note.as_str().filter(|n| n.contains("left out")));
    let note = note.unwrap();
    assert!(note.starts_with("2 of 12 pictures") && note.contains("03.png, 07.png"), "{note}");
    assert!(
        std::fs::read_to_string(outs[1].join("report.md")).unwrap().contains("2 of 12 pictures")
    );
    let again = called(&mut run_command(&file(&damaged), &outs[1], &allowed)).ok();
    assert_eq!(again.stdout, said.stdout);

    // It trained on what the folder without them has, in the same order.
    called(&mut run_command(&file(&whole), &outs[2], &[])).ok();
    let [damaged, whole] = [losses(&outs[1]), losses(&outs[2])];
    assert_eq!(damaged.len(), 6);
    assert!(damaged.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-4), "{damaged:?} {whole:?}");
    toolkit(&[
        "eval",
        text(&outs[1]),
        "--tasks",
        "scenes-vqa",
        "--data",
        "tiny:test",
        "--limit",
        "4",
    ])
    .ok();
}
