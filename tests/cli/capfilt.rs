//! `data capfilt`: captions are drawn and ranked, all scores are kept, and a kill costs one shard.

use super::published::matcher;
use super::support::{
    TINY, called, command, files, finished, fixture, folder, picture, run_command, text, toolkit,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The call on 10 scenes, 4 of them a shard.
fn capfilt(out: &Path, more: &[&str]) -> Command {
    let mut command = command();
    let run = text(finished().0);
    command.args(["data", "capfilt", "tiny:train", "--captioner", run, "--out", text(out)]);
    for (option, value) in [("--limit", "10"), ("--shard-size", "4"), ("--captions", "4")] {
        if !more.contains(&option) {
            command.args([option, value]);
        }
    }
    command.args(["--max-new-tokens", "6", "--min-new-tokens", "2", "--temperature", "2"]);
    command.args(more);
    command
}

/// Members of a tar file by name.
fn members(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let (mut all, mut at) = (BTreeMap::new(), 0);
    let word = |at: usize, length: usize| {
        let field = &bytes[at..at + length];
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
        String::from_utf8(field[..end].to_vec()).unwrap()
    };
    while bytes[at] != 0 {
        let length = usize::from_str_radix(word(at + 124, 12).trim(), 8).unwrap();
        all.insert(word(at, 100), bytes[at + 512..at + 512 + length].to_vec());
        at += 512 + length.next_multiple_of(512);
    }
    all
}

/// The JSON of all samples of a folder, in order.
fn samples(out: &Path) -> Vec<Value> {
    let shards = files(out).into_iter().filter(|file| file.extension().is_some_and(|e| e == "tar"));
    let members = shards.flat_map(|shard| members(&out.join(shard)));
    let json = members.filter(|(name, _)| name.ends_with(".json"));
    json.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap()
}

/// Checks that captions are the best candidates by a score, and that nothing is lost.
fn check_ranks(samples: &[Value], by: &str) {
    for sample in samples {
        let candidates = list(sample, "candidates");
        let scores: Vec<f64> = candidates.iter().map(|one| one[by].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        let kept: Vec<&Value> =
            candidates.iter().filter(|one| one["kept"] == true).map(|one| &one["text"]).collect();
        assert_eq!(list(sample, "captions").iter().collect::<Vec<_>>(), kept);
        let best: Vec<&Value> = candidates.iter().take(2).map(|one| &one["text"]).collect();
        assert_eq!(kept, best);
        for own in list(sample, "web") {
            let found = candidates.iter().find(|one| one["text"] == *own).unwrap();
            assert_eq!(found["from"], "web");
        }
        let draws: u64 = candidates.iter().map(|one| one["draws"].as_u64().unwrap()).sum();
        assert!((1..=4).contains(&draws), "{draws}");
    }
}

#[test]
fn the_best_texts_are_kept_and_all_scores_with_them() {
    let dir = folder();
    let (out, by_itm) = (dir.path().join("itc"), dir.path().join("itm"));
    let said = called(&mut capfilt(&out, &["--json"])).json();
    let summary = &said["summary"];
    assert_eq!(
        (summary["shards"].as_u64(), summary["rows"].as_u64(), summary["pictures"].as_u64()),
        (Some(3), Some(10), Some(10))
    );
    assert_eq!(summary["captions"], 20);
    assert_eq!(list(summary, "damaged").len(), 0);
    let all = samples(&out);
    assert_eq!(all.len(), 10);
    check_ranks(&all, "itc");
    let web = |sample: &Value| {
        let kept = list(sample, "candidates").iter();
        kept.filter(|one| one["kept"] == true && one["from"] == "web").count() as u64
    };
    assert_eq!(summary["web_captions"], all.iter().map(web).sum::<u64>());

    called(&mut capfilt(&by_itm, &["--rank-by", "itm"])).ok();
    let other = samples(&by_itm);
    check_ranks(&other, "itm");
    // The same texts were drawn, whatever they are ranked by; another seed draws others.
    let texts = |samples: &[Value]| -> Vec<Vec<String>> {
        let of = |sample: &Value| {
            let texts = list(sample, "candidates").iter();
            let mut texts: Vec<String> = texts.map(|one| one["text"].to_string()).collect();
            texts.sort();
            texts
        };
        samples.iter().map(of).collect()
    };
    assert_eq!(texts(&all), texts(&other));
    let seeded = dir.path().join("seeded");
    called(&mut capfilt(&seeded, &["--seed", "1"])).ok();
    assert_ne!(texts(&all), texts(&samples(&seeded)));

    // What is drawn for a picture does not depend on the shards.
    let one_shard = dir.path().join("one");
    called(&mut capfilt(&one_shard, &["--shard-size", "3"])).ok();
    assert_eq!(samples(&one_shard), all);

    // Training sees the kept texts, and the id of the item is not lost.
    let name = format!("shards:{}", text(&out));
    let shown = toolkit(&["data", "preview", &name, "--json"]).json();
    assert_eq!(shown["items"], 10);
    assert_eq!(shown["samples"][0]["captions"], all[0]["captions"]);
    let plain = toolkit(&["data", "preview", "tiny:train", "--json"]).json();
    assert_eq!(all[0]["toolkit"]["id"], plain["samples"][0]["id"]);
    assert_eq!(plain["samples"][0]["captions"], all[0]["web"]);
    let (file, run) = (dir.path().join("filtered.toml"), dir.path().join("run"));
    std::fs::write(&file, TINY.replace("tiny:train", &name)).unwrap();
    called(&mut run_command(&file, &run, &["--smoke"])).ok();
}

#[test]
fn scores_are_those_of_match() {
    let dir = folder();
    let out = dir.path().join("out");
    called(&mut capfilt(&out, &[])).ok();
    let first = members(&out.join("00000.tar"));
    let (name, png) = first.iter().find(|(name, _)| name.ends_with(".png")).unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, png).unwrap();
    let sample: Value = serde_json::from_slice(&first[&name.replace(".png", ".json")]).unwrap();
    let candidates = list(&sample, "candidates");
    let mut call = vec!["match", text(finished().0), text(&file), "--json"];
    for one in candidates {
        call.extend(["--text", one["text"].as_str().unwrap()]);
    }
    let matched = toolkit(&call).json();
    for (one, matched) in candidates.iter().zip(list(&matched[0], "texts")) {
        for score in ["itc", "itm"] {
            let (a, b) = (one[score].as_f64().unwrap(), matched[score].as_f64().unwrap());
            assert!((a - b).abs() < 1e-5, "{score} of {}: {a}, {b}", one["text"]);
        }
    }
}

#[test]
fn published_models_caption_and_rank() {
    let dir = folder();
    let (matcher, hub) = (matcher(), fixture("hub-opt"));
    let call = |captioner: &str, matcher: &str, out: &Path| {
        let mut call = vec!["data", "capfilt", "tiny:train", "--quiet", "--limit", "5"];
        call.extend(["--captioner", captioner, "--matcher", matcher, "--out", text(out)]);
        toolkit(&[&call[..], &["--captions", "3", "--temperature", "2"]].concat())
    };
    // Two published models; and a run with a published model, which sees transparency otherwise.
    for (at, captioner) in [hub.as_str(), text(finished().0)].into_iter().enumerate() {
        let out = dir.path().join(at.to_string());
        call(captioner, text(matcher.path()), &out).ok();
        let all = samples(&out);
        assert_eq!(all.len(), 5);
        assert!(all.iter().all(|sample| list(sample, "captions").len() == 2));
    }
    // What a model lacks is found before anything is written.
    let out = dir.path().join("none");
    let bare = fixture("blip2-itm-tiny");
    call(&hub, &bare, &out).fails_last_with(&["no tokenizer"]);
    call(text(matcher.path()), &bare, &out).fails_last_with(&["no language model"]);
    call(&hub, &hub, &out).fails_last_with(&["no text side"]);
    assert!(!out.exists());
}

#[test]
fn killed_and_resumed_it_writes_the_same_bytes() {
    let dir = folder();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    called(&mut capfilt(&whole, &[])).ok();
    // After the first shard, and before and after the record of the second.
    for there in ["00000_stats.json", "00001.tar", "00001_stats.json"] {
        let mut command = capfilt(&out, &[]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !out.join(there).exists() {
            assert!(child.try_wait().unwrap().is_none(), "it was over before it was killed");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(!out.join("00002_stats.json").exists(), "it was over before it was killed");
    called(&mut capfilt(&out, &[])).ok();
    let again = called(&mut capfilt(&out, &["--json"])).json();
    assert_eq!(again["summary"]["pictures"], 10);
    let visible = |dir: &Path| -> Vec<_> {
        let hidden = |file: &Path| file.to_str().unwrap().starts_with('.');
        files(dir).into_iter().filter(|file| !hidden(file)).collect()
    };
    assert_eq!(visible(&whole), visible(&out));
    for file in visible(&whole) {
        let (a, b) = (std::fs::read(whole.join(&file)), std::fs::read(out.join(&file)));
        assert!(a.unwrap() == b.unwrap(), "{} differs", file.display());
    }
    // Other settings would mix captions.
    called(&mut capfilt(&out, &["--quiet", "--keep", "1"]))
        .fails_last_with(&["the folder has shards of other data, or with other settings"]);
}

#[test]
fn damaged_pictures_are_left_out_by_name() {
    let dir = folder();
    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        picture(&photos.join(name));
    }
    let bytes = std::fs::read(photos.join("b.png")).unwrap();
    std::fs::write(photos.join("b.png"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(photos.join("c.txt"), "a picture of the web\n").unwrap();
    let (data, out) = (format!("folder:{}", text(&photos)), dir.path().join("out"));
    let run = text(finished().0);
    let mut call = vec!["data", "capfilt", &data, "--captioner", run, "--out", text(&out)];
    call.extend(["--captions", "2", "--max-new-tokens", "4", "--min-new-tokens", "1"]);
    toolkit(&call).fails_last_with(&["1 pictures are damaged", "b.png", "--max-damaged"]);
    call.extend(["--max-damaged", "0.4", "--json"]);
    for _ in 0..2 {
        let said = toolkit(&call).json();
        let damaged = list(&said["summary"], "damaged");
        assert_eq!((damaged.len(), &damaged[0]["id"]), (1, &Value::from("b.png")));
        assert_eq!(said["summary"]["pictures"], 2);
    }
    assert!(std::fs::read_to_string(out.join("damaged.jsonl")).unwrap().contains("b.png"));
    let names: Vec<String> = members(&out.join("00000.tar")).into_keys().collect();
    assert!(names.contains(&"000000002.png".to_owned()), "{names:?}");
    assert!(!names.contains(&"000000001.png".to_owned()), "{names:?}");
    let whole = members(&out.join("00000.tar"));
    assert!(whole["000000002.png"] == std::fs::read(photos.join("c.png")).unwrap());
}

#[test]
fn wrong_settings_are_errors() {
    let dir = folder();
    let call = |more: &[&str]| {
        let out = dir.path().join("out");
        called(&mut capfilt(&out, &[&["--quiet"], more].concat()))
    };
    call(&["--keep", "9"]).fails_last_with(&["9 of 4 draws are to be kept"]);
    call(&["--keep", "0"]).fails_last_with(&["nothing is kept"]);
    call(&["--captions", "0"]).fails_last_with(&["`answers` = 0"]);
    call(&["--top-p", "0"]).fails_last_with(&["`top_p` = 0"]);
    call(&["--max-damaged", "2"]).fails_last_with(&["`2` is no share"]);
    assert!(files(dir.path()).is_empty(), "nothing was written");
}
