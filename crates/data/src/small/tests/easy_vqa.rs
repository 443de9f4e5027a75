//! The `easy-vqa` data set.

use super::Packages;
use crate::small::{EasyVqa, EasyVqaConfig};
use crate::{DataError, Dataset};
use std::collections::BTreeSet;

fn packages() -> Packages {
    let mut packages = Packages::new();
    for (part, count) in [("train", 10), ("test", 3)] {
        let mut rows = Vec::new();
        for number in 0..count {
            let picture = packages.picture();
            packages.write(
                "easy_vqa",
                &format!("easy_vqa/data/{part}/images/{number}.png"),
                &picture,
            );
            rows.push(format!(r#"["what shape is present?", "circle", {number}]"#));
            rows.push(format!(r#"["what color is the circle?", "teal", {number}]"#));
        }
        rows.push(r#"["is there a red shape?", "no", 0]"#.to_owned());
        packages.write(
            "easy_vqa",
            &format!("easy_vqa/data/{part}/questions.json"),
            format!("[{}]", rows.join(",")).as_bytes(),
        );
    }
    packages
}

fn open(packages: &Packages, val: usize, split: &str) -> Result<EasyVqa, DataError> {
    EasyVqa::open(&EasyVqaConfig { seed: 1, val }, &packages.folders, split)
}

fn ids(data: &EasyVqa) -> BTreeSet<String> {
    (0..data.len()).map(|at| data.item(at).id.clone()).collect()
}

#[test]
fn its_own_splits() {
    let packages = packages();
    let (train, test) = (open(&packages, 0, "train").unwrap(), open(&packages, 0, "test").unwrap());
    assert_eq!((train.len(), test.len()), (10, 3));
    let item = test.item(0);
    let kinds: Vec<(&str, &str)> =
        item.questions.iter().map(|q| (q.kind.as_str(), q.answer_type.as_str())).collect();
    assert_eq!(kinds, [("what", "other"), ("colour_thing", "other"), ("exists", "yes/no")]);
    assert_eq!(
        (item.id.as_str(), item.questions[2].answers.as_slice()),
        ("test-0000", ["no".to_owned()].as_slice())
    );
    assert_eq!(test.image(2).unwrap().dimensions(), (6, 5));
    assert_ne!(train.fingerprint(), test.fingerprint());
    let questions = |data: &EasyVqa| -> BTreeSet<u64> {
        (0..data.len())
            .flat_map(|at| data.item(at).questions.iter().map(|q| q.id).collect::<Vec<_>>())
            .collect()
    };
    assert_eq!(questions(&train).len(), 21);
    assert!(questions(&train).is_disjoint(&questions(&test)));
}

#[test]
fn val_is_kept_back_from_train() {
    let packages = packages();
    let (train, val) = (open(&packages, 4, "train").unwrap(), open(&packages, 4, "val").unwrap());
    assert_eq!((train.len(), val.len()), (6, 4));
    assert!(ids(&train).is_disjoint(&ids(&val)));
    assert_eq!(ids(&val), ids(&open(&packages, 4, "val").unwrap()));
    assert_ne!(train.fingerprint(), open(&packages, 0, "train").unwrap().fingerprint());
}

#[test]
fn errors_say_what_to_do() {
    let packages = packages();
    let error = |val, split: &str| open(&packages, val, split).err().unwrap().to_string();
    assert!(error(0, "val").contains("hint: the splits are train and test"));
    assert!(error(10, "train").contains("leaves none"));
    packages.write("easy_vqa", "easy_vqa/data/test/questions.json", b"[[1]]");
    assert!(error(0, "test").contains("`toolkit data fetch easy-vqa`"));
    packages.write("easy_vqa", "easy_vqa/data/test/questions.json", br#"[["is it?", "no", 77]]"#);
    assert!(error(0, "test").contains("77.png"));
    let none = EasyVqa::open(&EasyVqaConfig::default(), &Default::default(), "train")
        .err()
        .unwrap()
        .to_string();
    assert!(none.contains("`toolkit data fetch easy-vqa`") && none.contains("easy_vqa"), "{none}");
}
