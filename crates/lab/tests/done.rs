//! The list of what was written, and what becomes of files that are no longer that.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::sync::Mutex;
use toolkit_lab::run::done::{DONE_FILE, Done, check};
use toolkit_lab::run::manifest::Manifest;
use toolkit_lab::{LabError, Reporter};
use toolkit_system::progress::{Progress, Silent};

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Reporter for Notes {
    fn task(&self, _: &str) -> Box<dyn Progress + Send> {
        Box::new(Silent)
    }
    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

const FILES: [&str; 7] = [
    "scores.json",
    "seconds.json",
    "samples.jsonl",
    "eval/step-000005.json",
    "stage2/metrics.jsonl",
    "stage2/step-0000009.safetensors",
    "stage2/step-0000009.optimizer.safetensors",
];

fn cell() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (at, name) in FILES.iter().enumerate() {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("file {at}")).unwrap();
    }
    // Neither pieces nor hidden files belong to what is done.
    std::fs::create_dir_all(dir.path().join("pieces")).unwrap();
    std::fs::write(dir.path().join("pieces/vqa.json"), "{}").unwrap();
    std::fs::write(dir.path().join(".lock"), "").unwrap();
    Done::default().seal(dir.path()).unwrap();
    dir
}

fn settle(dir: &Path) -> (Result<bool, String>, Vec<String>) {
    let notes = Notes::default();
    let done = Done::settle(dir, &notes).map(|done| done.whole).map_err(|e| e.to_string());
    (done, notes.0.into_inner().unwrap())
}

#[test]
fn a_list_holds_every_file_and_the_same_files_give_the_same_list() {
    let (a, b) = (cell(), cell());
    assert_eq!(settle(a.path()), (Ok(true), vec![]));
    let list = std::fs::read_to_string(a.path().join(DONE_FILE)).unwrap();
    assert!(
        FILES.iter().all(|name| list.contains(name))
            && !list.contains("pieces")
            && !list.contains("lock")
    );
    assert_eq!(list, std::fs::read_to_string(b.path().join(DONE_FILE)).unwrap());
}

#[test]
fn each_kind_of_file_has_its_remedy() {
    type Damage<'a> = &'a dyn Fn(&Path);
    let damage: [Damage<'_>; 2] = [&|path| std::fs::write(path, "file 8").unwrap(), &|path| {
        std::fs::remove_file(path).unwrap()
    }];
    for name in FILES {
        for damage in damage {
            let dir = cell();
            damage(&dir.path().join(name));
            let (found, notes) = settle(dir.path());
            if name.starts_with("eval/")
                || name == "stage2/metrics.jsonl"
                || name == "stage2/step-0000009.safetensors"
            {
                let error = found.unwrap_err();
                assert!(
                    error.contains(name)
                        && error.contains("hint: remove ")
                        && !error.contains('\n'),
                    "{error}"
                );
                continue;
            }
            let needless = name == "seconds.json" || name.contains("optimizer");
            assert_eq!(found, Ok(needless), "{name}");
            assert!(notes.len() == 1 && notes[0].contains(name), "{notes:?}");
            // It was said, and has left the list.
            assert_eq!(settle(dir.path()), (Ok(needless), vec![]));
            assert!(!Done::load(dir.path()).unwrap().unwrap().has(name));
            assert!(
                Done::load(dir.path()).unwrap().unwrap().damage(dir.path()).unwrap().is_empty()
            );
        }
    }
}

#[test]
fn the_hint_of_a_damaged_file_is_its_way_back() {
    let dir = cell();
    let hint = |name: &str| {
        std::fs::write(dir.path().join(name), "other").unwrap();
        let all = Done::load(dir.path()).unwrap().unwrap().damage(dir.path()).unwrap();
        let damage = all.into_iter().find(|damage| damage.file.ends_with(name)).unwrap();
        (damage.is_needless(), damage.hint())
    };
    let folder =
        format!("remove {}: the same `toolkit run` command trains it again", dir.path().display());
    for name in ["stage2/metrics.jsonl", "stage2/step-0000009.safetensors", "eval/step-000005.json"]
    {
        let (needless, hint) = hint(name);
        assert!(!needless && hint.starts_with(&folder), "{name}: {hint}");
    }
    assert_eq!(
        hint("samples.jsonl"),
        (false, "the same `toolkit run` command writes it again".to_owned())
    );
    for name in ["seconds.json", "stage2/step-0000009.optimizer.safetensors"] {
        assert!(hint(name).0, "{name}");
    }
}

#[test]
fn a_manifest_that_is_damaged_or_gone_says_what_to_remove() {
    let run = tempfile::tempdir().unwrap();
    let said = || Manifest::load(run.path()).unwrap_err().to_string();
    assert!(said().contains("not the folder of a run"));
    std::fs::create_dir(run.path().join("cells")).unwrap();
    let error = said();
    assert!(
        error.contains("manifest.json: it is gone; hint: the same `toolkit run` command"),
        "{error}"
    );
    std::fs::write(run.path().join(DONE_FILE), "{}").unwrap();
    let error = said();
    assert!(
        error.contains("it is gone; hint: remove ") && error.contains("done.json: the same"),
        "{error}"
    );
    std::fs::write(run.path().join("manifest.json"), "{").unwrap();
    let error = said();
    assert!(
        error.contains("manifest.json: EOF") && error.contains("hint: remove it and "),
        "{error}"
    );
    std::fs::write(run.path().join("manifest.json"), "{}").unwrap();
    Manifest::load(run.path()).unwrap();
}

#[test]
fn a_damaged_list_is_an_error() {
    let whole = cell();
    let list = std::fs::read(whole.path().join(DONE_FILE)).unwrap();
    for at in (0..list.len()).step_by(5) {
        let mut bytes = list.clone();
        bytes[at] ^= 1;
        std::fs::write(whole.path().join(DONE_FILE), &bytes).unwrap();
        let (found, notes) = settle(whole.path());
        // White space between words may change into nothing that is read.
        let same = serde_json::from_slice::<serde_json::Value>(&bytes).ok()
            == serde_json::from_slice::<serde_json::Value>(&list).ok();
        assert!(same || found.is_err() || !notes.is_empty(), "byte {at}");
        std::fs::write(whole.path().join(DONE_FILE), &list).unwrap();
    }
}

#[test]
fn a_piece_is_computed_once() {
    let dir = tempfile::tempdir().unwrap();
    let compute = || -> Result<Vec<f64>, LabError> { Ok(vec![0.1 + 0.2, f64::MIN_POSITIVE]) };
    let notes = Notes::default();
    let mut done = Done::default();
    let first = done.once(dir.path(), "pieces/a.json", &notes, compute).unwrap();
    // After a kill.
    let mut done = Done::settle(dir.path(), &Notes::default()).unwrap();
    assert!(!done.whole);
    let never = || -> Result<Vec<f64>, LabError> { panic!("it is there") };
    let again = done.once(dir.path(), "pieces/a.json", &notes, never).unwrap();
    assert_eq!(
        again.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        first.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    );
    // Damaged, it is computed again.
    std::fs::write(dir.path().join("pieces/a.json"), "[0.5]").unwrap();
    let mut done = Done::settle(dir.path(), &Notes::default()).unwrap();
    assert_eq!(done.once(dir.path(), "pieces/a.json", &notes, compute).unwrap(), first);
    assert!(notes.0.into_inner().unwrap().is_empty());
}

#[test]
fn a_piece_of_another_form_is_computed_again() {
    let dir = tempfile::tempdir().unwrap();
    let notes = Notes::default();
    let mut done = Done::default();
    let old = || -> Result<Vec<f64>, LabError> { Ok(vec![0.5]) };
    done.once(dir.path(), "pieces/a.json", &notes, old).unwrap();
    done.once(dir.path(), "eval/step-000005.json", &notes, old).unwrap();
    // Another version reads other fields. The files are those that were written.
    type Scores = std::collections::BTreeMap<String, f64>;
    let scores = Scores::from([("overall".to_owned(), 50.0)]);
    let compute = || -> Result<Scores, LabError> { Ok(scores.clone()) };
    let mut done = Done::settle(dir.path(), &notes).unwrap();
    assert!(notes.0.lock().unwrap().is_empty());
    assert_eq!(done.once(dir.path(), "pieces/a.json", &notes, compute).unwrap(), scores);
    let lines = std::mem::take(&mut *notes.0.lock().unwrap());
    assert!(lines.len() == 1 && lines[0].contains("pieces/a.json"), "{lines:?}");
    assert!(lines[0].ends_with("it is made again"), "{lines:?}");
    // After a kill it is there, in the new form.
    let never = || -> Result<Scores, LabError> { panic!("it is there") };
    let mut done = Done::settle(dir.path(), &notes).unwrap();
    assert_eq!(done.once(dir.path(), "pieces/a.json", &notes, never).unwrap(), scores);
    // A point of the curve needs the model of its step, which is gone.
    let error = done.once(dir.path(), "eval/step-000005.json", &notes, never).unwrap_err();
    assert!(error.to_string().contains("step-000005.json"), "{error}");
    assert!(notes.0.into_inner().unwrap().is_empty());
}

#[test]
fn what_was_trained_must_not_change_before_it_is_listed_for_good() {
    let dir = cell();
    let mut done = Done::default();
    done.add(dir.path(), "eval/step-000005.json").unwrap();
    done.add(dir.path(), "seconds.json").unwrap();
    std::fs::write(dir.path().join("seconds.json"), "later").unwrap();
    done.clone().seal(dir.path()).unwrap();
    std::fs::write(dir.path().join("eval/step-000005.json"), "other").unwrap();
    assert!(done.seal(dir.path()).unwrap_err().to_string().contains("eval/step-000005.json"));
}

#[test]
fn some_files_can_be_asked_for() {
    let dir = cell();
    std::fs::write(dir.path().join("scores.json"), "x").unwrap();
    check(dir.path(), &["samples.jsonl"], "h").unwrap();
    let error =
        check(dir.path(), &["samples.jsonl", "scores.json"], "do it").unwrap_err().to_string();
    assert!(
        error.contains("scores.json: its SHA-256 is") && error.ends_with("hint: do it"),
        "{error}"
    );
    std::fs::remove_file(dir.path().join(DONE_FILE)).unwrap();
    check(dir.path(), &["scores.json"], "h").unwrap();
}
