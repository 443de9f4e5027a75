//! Files as large as the published ones. Run by hand: `cargo test -p toolkit-data --release --
//! --ignored --nocapture big`.

use super::*;
use std::fmt::Write;
use std::io::Write as _;
use std::time::Instant;

/// Resident memory now, in MB, where the system says so.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn report(what: &str, disk: &Disk) -> Published {
    let size: u64 = ["a.json", "b.json"]
        .iter()
        .filter_map(|f| disk.path(f).metadata().ok())
        .map(|m| m.len())
        .sum();
    let (before, start) = (memory(), Instant::now());
    let data = disk.open();
    let mut text = String::new();
    write!(text, "{what}: {} MB of JSON in {:.1} s, ", size >> 20, start.elapsed().as_secs_f64())
        .unwrap();
    writeln!(text, "{} MB of memory, {} items", memory().saturating_sub(before), data.len())
        .unwrap();
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    data
}

#[test]
#[ignore = "writes 900 MB"]
fn big_files_are_streamed() {
    let disk = Disk::of(
        "vqa",
        "answers = [\"b.json\"]\nimage_name = \"train2014/COCO_train2014_{id:012}.jpg\"",
    );
    let mut questions = String::from("{\"questions\": [");
    let mut answers = String::from("{\"annotations\": [");
    for at in 0..658_111_u64 {
        let comma = if at == 0 { "" } else { ", " };
        let (image, id) = (at / 5, at);
        write!(
            questions,
            "{comma}{{\"image_id\": {image}, \"question\": \"What color is the boat {at}?\", \
            \"question_id\": {id}}}"
        )
        .unwrap();
        write!(
            answers,
            "{comma}{{\"question_type\": \"what color is the\", \"multiple_choice_answer\": \
            \"red\", \"answers\": ["
        )
        .unwrap();
        for one in 1..=10 {
            let comma = if one == 1 { "" } else { ", " };
            write!(
                answers,
                "{comma}{{\"answer\": \"red\", \"answer_confidence\": \"maybe\", \
                \"answer_id\": {one}}}"
            )
            .unwrap();
        }
        write!(
            answers,
            "], \"image_id\": {image}, \"answer_type\": \"other\", \"question_id\": {id}}}"
        )
        .unwrap();
    }
    disk.put("a.json", questions + "]}").put("b.json", answers + "]}");
    let data = report("vqa", &disk);
    assert_eq!((0..data.len()).map(|at| data.item(at).questions.len()).sum::<usize>(), 658_111);
    drop(data);

    let disk = Disk::of("visual-genome-regions", "image_name = \"{id}.jpg\"");
    let mut text = String::from("[");
    for image in 0..108_077 {
        let comma = if image == 0 { "" } else { ", " };
        write!(text, "{comma}{{\"regions\": [").unwrap();
        for region in 0..50 {
            let comma = if region == 0 { "" } else { ", " };
            write!(
                text,
                "{comma}{{\"region_id\": {region}, \"width\": 82, \"height\": 139, \"image_id\": {image}, \"phrase\": \
                 \"the clock is green in colour {region}\", \"y\": 57, \"x\": 421}}"
            )
            .unwrap();
        }
        write!(text, "], \"id\": {image}}}").unwrap();
    }
    disk.put("a.json", text + "]");
    let data = report("regions", &disk);
    assert_eq!((0..data.len()).map(|at| data.item(at).captions.len()).sum::<usize>(), 108_077 * 50);
}
