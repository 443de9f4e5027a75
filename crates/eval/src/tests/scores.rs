//! Scoring, controls, selection and files, by hand.

use super::{Texts, Voice, caption, item, prefix, vqa};
use crate::task::{answers, caption as captions};
use crate::{
    CaptionTask, EvalError, PAPER, RetrievalConfig, RetrievalTask, Task, TaskFamily, TaskSettings,
    VqaRowResult, VqaTask, captioned_items, derangement, majority_baseline, published,
    question_pairs, read_samples, task_data, task_split, unique_captions, write_samples,
};
use std::cell::RefCell;
use toolkit_core::index;
use toolkit_data::{Dataset, Scenes, ScenesConfig};
use toolkit_registry::{Card, Kind, Origin, Registry};
use toolkit_vlm::Decoding;

fn data() -> Texts {
    Texts(vec![
        item(
            "a",
            "seen",
            &["a dog", "an animal"],
            &[("what", "what ?", &["t-shirt"]), ("exists", "cat ?", &["no"])],
        ),
        item(
            "b",
            "seen",
            &["a cat", "an animal"],
            &[("what", "what ?", &["dog"]), ("exists", "dog ?", &["yes"])],
        ),
        item(
            "c",
            "new_thing",
            &["an animal"],
            &[("what", "what ?", &["dog"]), ("how", "how ?", &["red", "red", "blue"])],
        ),
        item("d", "new_thing", &[], &[]),
    ])
}

#[test]
fn answers_are_scored() {
    let data = data();
    let questions = question_pairs(&data, None);
    assert_eq!(questions, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
    let answers = ["T-shirt.", "yes", "a dog", "yes", "cat", "red"]
        .map(|raw| ("p".to_owned(), raw.to_owned()));
    let found = answers::scored(&data, &questions, answers.to_vec());
    let scores: Vec<f64> = found.rows.iter().map(|row| row.score).collect();
    // The last: fewer than ten answers are a list of right ones.
    assert_eq!(scores, [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
    assert_eq!(found.rows[0].answer, "t shirt");
    assert_eq!((found.rows[0].id.as_str(), found.rows[5].group.as_str()), ("a", "new_thing"));
    assert_eq!(found.overall, Some(66.67));
    let kinds: Vec<_> = found.per_kind.iter().map(|(k, s)| (k.as_str(), *s)).collect();
    assert_eq!(kinds, [("exists", 50.0), ("how", 100.0), ("what", 66.67)]);
    let groups: Vec<_> = found.per_group.iter().map(|(k, s)| (k.as_str(), *s)).collect();
    assert_eq!(groups, [("new_thing", 50.0), ("seen", 75.0)]);
    assert_eq!(found.per_answer_type["yes/no"], 50.0);
    // Ten annotators: the official formula. Saying nothing is never right.
    let ten = ["red", "red", "red", "blue", "blue", "x", "y", "z", "u", "v"];
    let data = Texts(vec![item("a", "seen", &[], &[("how", "?", &ten), ("what", "?", &["the"])])]);
    let given = ["blue", ""].map(|raw| ("p".to_owned(), raw.to_owned()));
    let found = answers::scored(&data, &[(0, 0), (0, 1)], given.to_vec());
    // Two of ten say blue: leaving one out leaves 1 of three wanted twice, and 2 of three eight
    // times.
    assert!(
        (found.rows[0].score - (2.0 / 3.0 + 8.0 * 2.0 / 3.0) / 10.0).abs() < 1e-12,
        "{:?}",
        found.rows[0]
    );
    assert_eq!(found.rows[1].score, 0.0);
}

#[test]
fn the_commonest_training_answer() {
    let train = Texts(vec![
        item(
            "t",
            "seen",
            &[],
            &[("what", "?", &["cat"]), ("what", "?", &["dog"]), ("what", "?", &["dog"])],
        ),
        item("u", "seen", &[], &[("exists", "?", &["yes"]), ("exists", "?", &["no"])]),
    ]);
    let found = majority_baseline(&train, &data(), &question_pairs(&data(), None)).unwrap();
    let raw: Vec<&str> = found.rows.iter().map(|row| row.raw.as_str()).collect();
    // A tie goes to `no`; `how` is new, and `dog` the commonest of all.
    assert_eq!(raw, ["dog", "no", "dog", "no", "dog", "dog"]);
    assert_eq!(found.overall, Some(50.0));
    assert!(majority_baseline(&Texts(vec![]), &data(), &[(0, 0)]).is_err());
    assert!(
        majority_baseline(&train, &data(), &[(3, 0)])
            .unwrap_err()
            .to_string()
            .contains("no question 0 of item 3")
    );
}

#[test]
fn nothing_stays_in_its_place() {
    for n in [2, 3, 7, 500] {
        for seed in 0..20 {
            let order = derangement(n, seed);
            assert!(order.iter().enumerate().all(|(i, &j)| i != j));
            assert_eq!(order, derangement(n, seed));
            let mut sorted = order;
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
        }
    }
    assert_ne!(derangement(500, 1), derangement(500, 2));
    assert_eq!((derangement(0, 1), derangement(1, 1)), (vec![], vec![0]));
}

#[test]
fn selection() {
    let data = data();
    assert_eq!(captioned_items(&data, None), [0, 1, 2]);
    let unique: Vec<(usize, String)> =
        [(0, "a dog"), (1, "a cat")].map(|(i, c)| (i, c.to_owned())).to_vec();
    assert_eq!(unique_captions(&data, &[0, 1, 2, 3], None), unique);
    assert_eq!(unique_captions(&data, &[2], None), [(2, "an animal".to_owned())]);
    let some = question_pairs(&data, Some(3));
    assert!(some.len() == 3 && some.is_sorted() && some == question_pairs(&data, Some(3)));
    assert_eq!(question_pairs(&data, Some(99)).len(), 6);
}

fn task(decoding: Decoding) -> VqaTask {
    VqaTask { prompt: "w5 {} w6".to_owned(), text_processor: None, decoding, limit: None }
}

#[test]
fn every_image_is_read_once_and_rows_keep_their_order() {
    let data = data();
    for voice in Voice::both(24, 3) {
        let asked = RefCell::new(Vec::<usize>::new());
        let source = |items: &[usize]| {
            asked.borrow_mut().extend(items);
            let all = prefix(4, 3);
            Ok(all.clone().select(0, index(items, &all.device())))
        };
        let questions = [(2, 1), (0, 1), (1, 0), (0, 0), (2, 0), (1, 1)];
        let task = task(Decoding { beams: 2, ..Decoding::default() });
        let whole = vqa(&voice.generator(), Some(&source), &data, &questions, &task, 64).unwrap();
        assert_eq!(asked.take(), [0, 1, 2]);
        for batch in [1, 2, 3, 4] {
            let small =
                vqa(&voice.generator(), Some(&source), &data, &questions, &task, batch).unwrap();
            assert_eq!(small, whole);
            assert_eq!(asked.take(), [0, 1, 2], "batch {batch}");
        }
        let ids: Vec<_> = whole.rows.iter().map(|row| (row.id.as_str(), row.question_id)).collect();
        assert_eq!(ids, [("c", 1), ("a", 1), ("b", 0), ("a", 0), ("c", 0), ("b", 1)]);
        assert_eq!(whole.rows[0].prompt, "w5 how ? w6");
        let blind = vqa(&voice.generator(), None, &data, &questions, &task, 64).unwrap();
        // Blind, the same question has the same answer whatever the image.
        assert_eq!(blind.rows[2].raw, blind.rows[3].raw);
        assert_ne!(whole.rows[2].raw, whole.rows[3].raw);
    }
}

#[test]
fn questions_whose_answers_are_kept_back_are_not_scored() {
    let mut data = data();
    data.0[1].questions[0].answers.clear();
    let voice = Voice::t5(24, 0);
    let task = VqaTask {
        prompt: "{}".to_owned(),
        text_processor: None,
        decoding: Decoding::default(),
        limit: None,
    };
    let asked =
        |questions: &[(usize, usize)]| vqa(&voice.generator(), None, &data, questions, &task, 4);
    asked(&[(0, 0), (1, 1)]).unwrap();
    let error = asked(&[(0, 0), (1, 0)]).unwrap_err().to_string();
    assert!(error.contains("question 0 has no answers") && error.contains("hint: "), "{error}");
}

#[test]
fn captions_are_scored() {
    let data = data();
    let written = ["a dog", "a dog", "an animal"].map(str::to_owned).to_vec();
    let found = captions::scored(&data, &[0, 1, 2], "", written);
    let mean = found.rows.iter().map(|row| row.cider).sum::<f64>() / 3.0;
    assert!(
        found.rows[0].cider > found.rows[1].cider
            && (found.overall.unwrap().cider - mean).abs() < 1e-12
    );
    assert_eq!((found.overall.unwrap().images, found.per_group["seen"].images), (3, 2));
    assert!(
        (found.per_group["seen"].cider - (found.rows[0].cider + found.rows[1].cider) / 2.0).abs()
            < 1e-12
    );
    assert!((found.per_group["new_thing"].bleu1 - 1.0).abs() < 1e-6);
    assert_eq!(found.rows[0].references, ["a dog", "an animal"]);
    let voice = Voice::t5(24, 0);
    let task = CaptionTask { prompt: String::new(), decoding: Decoding::default(), limit: None };
    let source = |items: &[usize]| Ok(prefix(items.len(), 3));
    let run = caption(&voice.generator(), Some(&source), &data, &[1, 0], &task, 1).unwrap();
    assert_eq!((run.rows[0].id.as_str(), run.rows[1].id.as_str()), ("b", "a"));
}

#[test]
fn rows_survive_a_file() {
    let folder = std::env::temp_dir().join(format!("toolkit-eval-{}", std::process::id()));
    let path = folder.join("a/rows.jsonl");
    let answers = [("q".to_owned(), "dog \"x\"".to_owned())];
    let rows = answers::scored(&data(), &[(2, 1)], answers.to_vec()).rows;
    write_samples(&path, &rows).unwrap();
    assert_eq!(read_samples::<VqaRowResult>(&path).unwrap(), rows);
    std::fs::write(&path, "{}\n").unwrap();
    assert!(read_samples::<VqaRowResult>(&path).unwrap_err().to_string().contains("rows.jsonl:1"));
    std::fs::remove_dir_all(folder).unwrap();
}

fn open(card: &Card, settings: &TaskSettings<'_>) -> Result<Box<dyn Task>, EvalError> {
    TaskFamily::of_card(&Registry::builtin(), card)?.open(card, settings)
}

#[test]
fn task_cards() {
    let registry = Registry::builtin();
    let language = registry.card(Kind::Language, "opt-nano").unwrap();
    let card = |name: &str| registry.card(Kind::Task, name).unwrap();
    let vqa = VqaTask::from_card(&card("scenes-vqa"), &[&language]).unwrap();
    let decoding = Decoding {
        beams: 3,
        max_new_tokens: 5,
        min_new_tokens: 1,
        length_penalty: -1.0,
        ..Decoding::default()
    };
    assert_eq!(
        (vqa.prompt.as_str(), card("scenes-vqa").version, vqa.decoding),
        (language.prompt["vqa"].as_str(), 1, decoding)
    );
    let caption = CaptionTask::from_card(&card("scenes-caption"), &[&language]).unwrap();
    assert_eq!((caption.prompt.as_str(), caption.decoding.max_new_tokens), ("", 24));
    let retrieval = RetrievalTask::from_card(&card("scenes-retrieval")).unwrap();
    let split = task_split(&card("scenes-retrieval")).unwrap();
    assert_eq!((split.as_str(), retrieval.config), ("test", RetrievalConfig::default()));
    let wrong = |text: &str| {
        let card = Card::parse(Kind::Task, "x", Origin::Embedded, text).unwrap();
        open(&card, &TaskSettings::default()).unwrap_err().to_string()
    };
    assert!(wrong("kind = \"vqaa\"\nversion = 1\n").contains("`vqaa`"));
    assert!(wrong("kind = \"vqa\"\nversion = 1\n").contains("no `{}`"));
    assert!(wrong("kind = \"caption\"\nversion = 1\n[decoding]\nbeam = 3\n").contains("x.toml:4"));
    assert!(
        wrong("kind = \"caption\"\nversion = 1\n[decoding]\nbeams = 0\n").contains("`beams` = 0")
    );
    assert!(wrong("kind = \"retrieval\"\nversion = 1\n[config]\ntopk = 3\n").contains("x.toml:4"));
}

/// Rows of the paper's tables without released weights.
const UNRELEASED: [&str; 3] =
    ["blip2-vit-l-opt-2.7b", "blip2-vit-l-flan-t5-xl", "blip2-itm-vit-l-coco"];

#[test]
fn published_scores_are_of_models_data_and_presets_that_there_are() {
    let registry = Registry::builtin();
    let language = registry.card(Kind::Language, "opt-nano").unwrap();
    let models = registry.names(Kind::Model);
    let mut rows = std::collections::BTreeMap::new();
    for name in registry.names(Kind::Task) {
        let card = registry.card(Kind::Task, &name).unwrap();
        let all = published(&card).unwrap();
        if let Some(data) = task_data(&card).unwrap() {
            let (dataset, split) = data.split_once(':').unwrap();
            let dataset = registry.card(Kind::Dataset, dataset).unwrap();
            if dataset.family == "published" {
                let config: toolkit_data::PublishedConfig = dataset.config().unwrap();
                assert!(
                    config.splits.contains_key(split),
                    "{name}: `{}` has no split `{split}`",
                    dataset.name
                );
            }
        }
        for row in &all {
            assert!(
                models.contains(&row.model) || UNRELEASED.contains(&row.model.as_str()),
                "{name}: {}",
                row.model
            );
            let preset = Some(row.preset.as_str());
            open(&card, &TaskSettings { preset, prompts: &[&language], prompt: None }).unwrap();
            let known: &[&str] = match card.family.as_str() {
                "vqa" => &["overall"],
                "caption" => &["cider", "bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l"],
                _ => &[
                    "itm.txt_r1",
                    "itm.txt_r5",
                    "itm.txt_r10",
                    "itm.img_r1",
                    "itm.img_r5",
                    "itm.img_r10",
                ],
            };
            assert!(
                known.contains(&row.score.as_str()) || row.score.starts_with("group."),
                "{name}: {}",
                row.score
            );
            assert!(row.value > 0.0 && row.tolerance > 0.0 && !row.source.is_empty());
        }
        let of_paper = all.iter().filter(|row| row.preset == PAPER).map(|row| row.model.clone());
        rows.insert(name, of_paper.collect::<std::collections::BTreeSet<_>>().len());
    }
    // Table 2 has six rows of BLIP-2, table 3 three, table 5 two.
    for (task, count) in
        [("vqav2", 6), ("ok-vqa", 6), ("gqa", 6), ("nocaps", 3), ("coco-caption", 3)]
    {
        assert_eq!(rows[task], count, "{task}");
    }
    assert_eq!((rows["flickr30k-retrieval"], rows["coco-retrieval"]), (2, 2));
}

#[test]
fn the_cards_fit_the_scenes() {
    let test = Scenes::open(&ScenesConfig::default(), "test").unwrap();
    // Word-level tokens: marks stand alone.
    let tokens = |text: &str| text.split_whitespace().count() + text.matches([',', '.']).count();
    let items = || test.items().iter();
    let caption = items().flat_map(|item| &item.captions).map(|c| tokens(c)).max().unwrap();
    let answer = items()
        .flat_map(|item| &item.questions)
        .flat_map(|q| &q.answers)
        .map(|a| tokens(a))
        .max()
        .unwrap();
    assert!(caption < 24 && answer < 5, "{caption}, {answer}");
    let unique = unique_captions(&test, &captioned_items(&test, None), None);
    assert!(unique.len() > test.len() * 9 / 10, "{} of {}", unique.len(), test.len());
}
