//! The evaluator against its pieces.

use super::retrieval::{SPECIAL_TOKENS, features, hand};
use super::{Texts, Voice, WIDTH, item, prefix, tokenizer, vqa};
use crate::{
    CaptionTask, Control, LanguageParts, MeasureOptions, Measured, MeteorTables, ModelParts, Pool,
    RetrievalConfig, RetrievalTask, Task, TaskFamily, TextParts, VqaTask, captioned_items,
    derangement, majority_baseline, measure, question_pairs,
};
use burn::tensor::Tensor;
use toolkit_core::index;
use toolkit_metrics::scores;
use toolkit_registry::{Kind, Registry};
use toolkit_vlm::Decoding;

fn data() -> Texts {
    let one = |at: usize| {
        let (own, group) = (format!("w{at} w9"), if at < 5 { "seen" } else { "new_thing" });
        item(&format!("item {at}"), group, &[&own], &[("what", "w7 ?", &["w8"])])
    };
    Texts((3..7).map(one).collect())
}

/// Measures a task by a model whose bridge leaves features as they are.
fn measured(
    voice: &Voice,
    task: &dyn Task,
    data: &Texts,
    control: Option<Control<'_>>,
) -> Measured {
    let registry = Registry::builtin();
    let meteor = MeteorTables::new(&registry);
    let all = prefix(4, 3);
    let features = |items: &[usize]| Ok(all.clone().select(0, index(items, &all.device())));
    let connect = |features: Tensor<3>| {
        assert_eq!(features.dims()[1..], [3, WIDTH]);
        Ok(features)
    };
    let language = Some(LanguageParts { connect: &connect, generator: voice.generator() });
    let model = ModelParts { features: &features, language, text: None };
    let options = MeasureOptions { control, ..MeasureOptions::new(2, &meteor) };
    measure(&model, task, data, options).unwrap()
}

#[test]
fn questions_under_each_control() {
    let data = data();
    let questions = question_pairs(&data, None);
    let task = VqaTask {
        prompt: "{}".to_owned(),
        text_processor: None,
        decoding: Decoding::default(),
        limit: None,
    };
    let all = prefix(4, 3);
    for voice in Voice::both(24, 3) {
        let generator = voice.generator();
        let behind = |order: &[usize]| {
            let source = |items: &[usize]| {
                let items: Vec<usize> = items.iter().map(|&item| order[item]).collect();
                Ok(all.clone().select(0, index(&items, &all.device())))
            };
            vqa(&generator, Some(&source), &data, &questions, &task, 3).unwrap()
        };
        let blind = vqa(&generator, None, &data, &questions, &task, 3).unwrap();
        let majority = majority_baseline(&data, &data, &questions).unwrap();
        let cases = [
            (None, behind(&[0, 1, 2, 3])),
            (Some(Control::Shuffled { seed: 4 }), behind(&derangement(4, 4))),
            (Some(Control::NoImage), blind),
            (Some(Control::Majority(&data)), majority),
        ];
        for (control, wanted) in cases {
            let found = measured(&voice, &task, &data, control);
            assert_eq!(found.rows, Measured::of(&wanted.rows, Vec::new()).unwrap().rows);
            assert_eq!(found.items, [0, 1, 2, 3]);
            assert_eq!(Some(found.scores["overall"]), wanted.overall);
            assert_eq!(found.scores["kind.what"], wanted.per_kind["what"]);
            assert_eq!(found.scores["group.seen"], wanted.per_group["seen"]);
            let interval = found.intervals["overall"];
            assert!((interval.mean - wanted.overall.unwrap()).abs() < 0.01);
        }
    }
}

#[test]
fn captions_have_all_scores_in_their_units() {
    let task = CaptionTask { prompt: String::new(), decoding: Decoding::default(), limit: None };
    let found = measured(&Voice::opt(24, 3), &task, &data(), None);
    for name in ["cider", "bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "group.seen.cider"] {
        assert!(found.scores.contains_key(name), "{name}: {:?}", found.scores);
    }
    let meteor = found.scores.keys().any(|key| key.starts_with("meteor"));
    assert!(meteor && found.intervals.contains_key("cider") && found.rows.len() == 4);
}

#[test]
fn pictures_without_captions_are_left_out_of_captioning() {
    let mut data = data();
    data.0[1].captions.clear();
    let task = CaptionTask { prompt: String::new(), decoding: Decoding::default(), limit: None };
    let found = measured(&Voice::opt(24, 3), &task, &data, None);
    assert_eq!(found.items, captioned_items(&data, None));
    assert_eq!(found.items, [0, 2, 3]);
    assert!(found.rows.iter().all(|row| row["references"][0].is_string()));
    // A data set without any is an error before anything is generated.
    data.0.iter_mut().for_each(|item| item.captions.clear());
    let registry = Registry::builtin();
    let card = registry.card(Kind::Task, "scenes-caption").unwrap();
    let family = TaskFamily::of_card(&registry, &card).unwrap();
    let error = family.check_data(&card, &data).unwrap_err().to_string();
    assert!(error.starts_with("the data have no captions --> task `scenes-caption` on `texts`"));
    assert!(error.contains("; hint: take data with captions"), "{error}");
}

/// Retrieval among three items by a tower that is made by hand.
fn retrieved() -> Measured {
    let (tower, images) = hand();
    let one = |at: usize| item(&format!("item {at}"), "seen", &[&format!("w{}", 10 + at)], &[]);
    let data = Texts((0..3).map(one).collect());
    let config = RetrievalConfig { top_k: 2, ..RetrievalConfig::default() };
    let task = RetrievalTask {
        name: "texts".to_owned(),
        limit: None,
        pool: Pool::default(),
        text_processor: None,
        config,
    };
    let source = |items: &[usize]| features(&tower, &images, items);
    let text = TextParts {
        tower: &tower,
        tokenizer: &tokenizer(24),
        special_tokens: SPECIAL_TOKENS,
        positions: usize::MAX,
        contrast: true,
    };
    let model = ModelParts { features: &source, language: None, text: Some(text) };
    let registry = Registry::builtin();
    let meteor = MeteorTables::new(&registry);
    measure(&model, &task, &data, MeasureOptions::new(2, &meteor)).unwrap()
}

/// Returns `true` if the table of scores explains a key.
fn is_in_table(key: &str) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    match (scores::of(key), parts.as_slice()) {
        (None, [by, _]) => scores::PARTS.contains(by),
        (Some(_), [_]) => true,
        (Some(_), [method, _]) => [scores::ITC, scores::ITM, scores::CHANCE].contains(method),
        (Some(score), [scores::GROUP, _, _]) => score.key == scores::CIDER.key,
        _ => false,
    }
}

#[test]
fn every_score_of_a_built_in_task_is_in_the_table() {
    let (data, voice) = (data(), Voice::t5(24, 3));
    let vqa = VqaTask {
        prompt: "{}".to_owned(),
        text_processor: None,
        decoding: Decoding::default(),
        limit: None,
    };
    let caption = CaptionTask { prompt: String::new(), decoding: Decoding::default(), limit: None };
    let all = [
        (measured(&voice, &vqa, &data, None), 5),
        (measured(&voice, &vqa, &data, Some(Control::Majority(&data))), 5),
        (measured(&voice, &caption, &data, None), 9),
        (retrieved(), 21),
    ];
    for (found, count) in all {
        assert_eq!(found.scores.len(), count, "{:?}", found.scores);
        for key in found.scores.keys() {
            assert!(is_in_table(key), "{key}");
        }
        assert!(!found.intervals.is_empty());
        assert!(found.intervals.keys().all(|key| found.scores.contains_key(key)));
    }
}
