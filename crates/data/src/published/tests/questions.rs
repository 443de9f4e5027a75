//! Formats with questions.

use super::*;

#[test]
fn vqa_with_all_ten_answers() {
    let disk = Disk::of(
        "vqa",
        "answers = [\"b.json\"]\nimage_name = \"val2014/COCO_val2014_{id:012}.jpg\"",
    );
    let ten: Vec<String> = (1..=10)
        .map(|id| {
            let answer = if id < 9 { "red" } else { "dark red" };
            format!(r#"{{"answer": "{answer}", "answer_confidence": "yes", "answer_id": {id}}}"#)
        })
        .collect();
    disk.put(
        "a.json",
        r#"{"info": {}, "task_type": "Open-Ended", "data_type": "mscoco", "questions": [
            {"image_id": 42, "question": "What color is the boat?", "question_id": 42000},
            {"image_id": 42, "question": "How many?", "question_id": 42001},
            {"image_id": 7, "question": "Is it?", "question_id": 7000}]}"#,
    )
    .put(
        "b.json",
        format!(
            r#"{{"annotations": [
            {{"question_id": 7000, "image_id": 7, "question_type": "is it", "answer_type": "yes/no", "multiple_choice_answer": "yes", "answers": [{{"answer": "yes", "answer_id": 1}}]}},
            {{"question_id": 42000, "image_id": 42, "question_type": "what color is the", "answer_type": "other", "answers": [{}]}},
            {{"question_id": 42001, "image_id": 42, "answers": [{{"answer": "3", "raw_answer": "three", "answer_id": 1}}]}}]}}"#,
            ten.join(",")
        ),
    )
    .put("images/val2014/COCO_val2014_000000000042.jpg", JPG);
    let mut answers = vec!["red"; 8];
    answers.extend(["dark red"; 2]);
    let data = disk.open();
    assert_eq!(
        questions(&data),
        vec![
            ("42", 42000, "What color is the boat?", answers, "what color is the", "other"),
            ("42", 42001, "How many?", vec!["3"], "other", "number"),
            ("7", 7000, "Is it?", vec!["yes"], "is it", "yes/no"),
        ]
    );
    assert_eq!(data.item(0).depicts, "val2014/COCO_val2014_000000000042.jpg");
    assert!(data.image(0).is_ok());
    // OK-VQA's words as typed.
    let mut disk = disk;
    disk.config.splits.get_mut("train").unwrap().raw_answers = true;
    assert_eq!(questions(&disk.open())[1].3, ["three"]);
    // A test split: the answers are kept back.
    let split = disk.config.splits.get_mut("train").unwrap();
    split.answers.clear();
    split.raw_answers = false;
    assert_eq!(questions(&disk.open())[0].3, Vec::<&str>::new());
}

#[test]
fn lavis_vqa_keeps_weights() {
    let disk = Disk::of("lavis-vqa", "");
    let answers: Vec<&str> = [["yes"; 7].as_slice(), &["no"; 3]].concat();
    disk.put(
        "a.json",
        format!(
            r#"[{{"question_id": 42000, "question": "Sunny?", "answer": {}, "image": "val2014/COCO_val2014_000000000042.jpg", "dataset": "vqa"}},
               {{"question_id": "42001", "question": "What?", "answer": "boat", "image": "val2014/COCO_val2014_000000000042.jpg"}}]"#,
            serde_json::to_string(&answers).unwrap()
        ),
    );
    let data = disk.open();
    assert_eq!(
        questions(&data),
        vec![
            ("42", 42000, "Sunny?", answers, "other", "yes/no"),
            ("42", 42001, "What?", vec!["boat"], "other", "other")
        ]
    );
    assert_eq!(data.len(), 1);
    disk.put("a.json", r#"[{"question_id": 1, "question": "Sunny?", "image": "a.jpg"}]"#);
    assert_eq!(questions(&disk.open()), vec![("a.jpg", 1, "Sunny?", vec![], "other", "other")]);
}

#[test]
fn gqa_of_both_kinds_has_the_same_ids() {
    let official = Disk::of("gqa", "image_name = \"{id}.jpg\"");
    official.put(
        "a.json",
        r#"{"05515938": {"imageId": "n161313", "question": "What is left of the cup?", "answer": "spoon",
             "fullAnswer": "The spoon is left of the cup.", "isBalanced": true, "types": {"structural": "query", "semantic": "rel"},
             "semantic": [{"operation": "select"}]},
            "2": {"imageId": "17", "question": "Is it?", "answer": "yes"}}"#,
    );
    let lavis = Disk::of("lavis-gqa", "");
    lavis.put(
        "a.json",
        r#"[{"question_id": 5515938, "image": "n161313.jpg", "question": "What is left of the cup?", "answer": "spoon"},
            {"question_id": "2", "image": "17.jpg", "question": "Is it?", "answer": ["yes"]}]"#,
    );
    let (official, lavis) = (official.open(), lavis.open());
    assert_eq!(
        questions(&official),
        vec![
            ("n161313", 5515938, "What is left of the cup?", vec!["spoon"], "query", "other"),
            ("17", 2, "Is it?", vec!["yes"], "other", "yes/no")
        ]
    );
    let plain = |data: &Published| -> Vec<(u64, String)> {
        questions(data).iter().map(|q| (q.1, q.3.join(","))).collect()
    };
    assert_eq!(plain(&official), plain(&lavis));
    assert_eq!(official.item(0).depicts, lavis.item(0).depicts);
}

#[test]
fn visual_genome_of_both_kinds() {
    let disk = Disk::of("visual-genome-qa", "image_name = \"{id}.jpg\"");
    disk.put(
        "a.json",
        r#"[{"id": 1, "qas": [{"qa_id": 986768, "image_id": 1, "question": "What color is the clock?", "answer": "Green.", "a_objects": []},
                             {"qa_id": 986777, "image_id": 1, "question": "How tall?", "answer": "Very."}]}]"#,
    );
    assert_eq!(
        questions(&disk.open()),
        vec![
            ("1", 986768, "What color is the clock?", vec!["Green."], "other", "other"),
            ("1", 986777, "How tall?", vec!["Very."], "other", "other")
        ]
    );
    let disk = Disk::of("visual-genome-qa", "");
    disk.put(
        "a.json",
        r#"[{"image": "VG_100K/1.jpg", "question": "What?", "answer": "red", "dataset": "vg"},
            {"image": "VG_100K/2.jpg", "question": "Who?", "answer": "he"}, {"image": "VG_100K/1.jpg", "question": "Where?", "answer": "here"}]"#,
    );
    let data = disk.open();
    let ids: Vec<(u64, &str)> = questions(&data).iter().map(|q| (q.1, q.2)).collect();
    assert_eq!(ids, [(0, "What?"), (2, "Where?"), (1, "Who?")]);
    assert_eq!(data.item(0).id, "VG_100K/1.jpg");
}
