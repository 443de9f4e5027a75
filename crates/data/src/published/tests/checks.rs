//! The report.

use super::*;
use std::cell::RefCell;

#[test]
fn everything_is_counted() {
    let disk = Disk::of(
        "coco-captions",
        "images = 4\ncaptions = 99\n[md5]\n\"a.json\" = \"0123456789abcdef0123456789abcdef\"\n",
    );
    let text = r#"{"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.png"}, {"id": 1, "file_name": "1.jpg"},
        {"id": 3, "file_name": "gone.jpg"}, {"id": 4, "file_name": "empty.jpg"}, {"id": 5, "file_name": "../x.jpg"}],
        "annotations": [{"image_id": 1, "caption": "one"}, {"image_id": 1, "caption": "  "}, {"image_id": 77, "caption": "x"},
        {"image_id": 78, "caption": "x"}, {"image_id": 2, "caption": "two"}]}"#;
    // Its header is whole, its end is not.
    disk.put("a.json", text)
        .put("images/1.jpg", &JPG[..JPG.len() - 40])
        .put("images/2.png", PNG)
        .put("images/empty.jpg", "");
    let calls = RefCell::new(vec![]);
    let options = CheckOptions { examples: 1, decode: false };
    let report = check(&disk.config, disk.root.path(), "train", options, &|done, all| {
        calls.borrow_mut().push((done, all))
    })
    .unwrap();
    assert_eq!(calls.into_inner(), [(0, 4), (4, 4)]);
    assert_eq!(
        (report.images, report.captions, report.questions, report.sums_compared),
        (4, 3, 0, 1)
    );
    assert_eq!(report.groups["all"], 4);
    let counts: Vec<(Fault, u64)> =
        report.findings.iter().map(|(fault, finding)| (*fault, finding.count)).collect();
    assert_eq!(
        counts,
        [
            (Fault::WrongSum, 1),
            (Fault::BadRow, 1),
            // Pictures 3 and 4.
            (Fault::NoText, 2),
            (Fault::Orphan, 2),
            (Fault::Duplicate, 1),
            (Fault::EmptyCaption, 1),
            (Fault::MissingImage, 1),
            (Fault::UnreadableImage, 1),
            (Fault::WrongSize, 1)
        ]
    );
    assert!(report.findings.values().all(|finding| finding.examples.len() == 1));
    assert!(
        report.findings[&Fault::WrongSize].examples[0]
            .to_string()
            .contains("has 3 captions, 99 are published")
    );
    assert!(report.findings[&Fault::UnreadableImage].examples[0].to_string().contains("empty.jpg"));
    // Decoding finds the picture that is cut off.
    let options = CheckOptions { examples: 5, decode: true };
    let decoded = check(&disk.config, disk.root.path(), "train", options, &|_, _| {}).unwrap();
    assert_eq!(decoded.count(Fault::UnreadableImage), 2);
    let written = serde_json::to_string(&report).unwrap();
    assert!(written.contains(r#""missing-image":{"count":1"#), "{written}");
    let missing = report.findings[&Fault::MissingImage].examples[0].to_string();
    assert!(written.contains(&serde_json::to_string(&missing).unwrap()), "{written}");
}

#[test]
fn sums_that_fit_and_what_is_whole_are_clean() {
    // Of the two bytes `[]`, by md5sum and sha256sum.
    let disk = Disk::new(
        "[md5]\n\"b.json\" = \"73e4f5f5c2ac5c9b6d3a0a0a0a0a0a0a\"\n[splits.train]\nformat = \
        \"lavis-captions\"\nfiles = [\"b.json\"]\n",
    );
    disk.put("b.json", "[]");
    assert_eq!(sums::md5(&disk.path("b.json")).unwrap(), "d751713988987e9331980363e24189ce");
    assert_eq!(
        sums::sha256(&disk.path("b.json")).unwrap(),
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    );
    assert_eq!(disk.check().count(Fault::WrongSum), 1);
    let disk = Disk::new(
        "[md5]\n\"b.json\" = \"d751713988987e9331980363e24189ce\"\n[sha256]\n\
         \"b.json\" = \"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945\"\n\
         [splits.train]\nformat = \"lavis-captions\"\nfiles = [\"b.json\"]\nimages = 0\n",
    );
    disk.put("b.json", "[]");
    let report = disk.check();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.sums_compared, 2);
}

#[test]
fn many_pictures_are_reported_in_steps() {
    let disk = Disk::of("lavis-captions", "");
    let rows: Vec<String> =
        (0..1100).map(|at| format!(r#"{{"image": "{at}.png", "caption": "x"}}"#)).collect();
    disk.put("a.json", format!("[{}]", rows.join(",")));
    for at in 0..1099 {
        disk.put(&format!("images/{at}.png"), PNG);
    }
    let calls = RefCell::new(vec![]);
    let report =
        check(&disk.config, disk.root.path(), "train", CheckOptions::default(), &|done, all| {
            calls.borrow_mut().push((done, all));
        });
    assert_eq!(calls.into_inner(), [(0, 1100), (512, 1100), (1024, 1100), (1100, 1100)]);
    let report = report.unwrap();
    assert_eq!(report.count(Fault::MissingImage), 1);
    assert!(report.findings[&Fault::MissingImage].examples[0].to_string().contains("1099.png"));
}
