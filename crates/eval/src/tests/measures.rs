//! The evaluator against its pieces.

use super::{Texts, Voice, WIDTH, item, prefix, vqa};
use crate::{
    CaptionTask, Control, LanguageParts, MeasureOptions, Measured, MeteorTables, ModelParts, Task,
    VqaTask, derangement, majority_baseline, measure, question_pairs,
};
use burn::tensor::Tensor;
use toolkit_core::index;
use toolkit_registry::Registry;
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
    let task = VqaTask { prompt: "{}".to_owned(), decoding: Decoding::default(), limit: None };
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
