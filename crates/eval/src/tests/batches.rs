//! An evaluation that was killed goes on with the texts it wrote.

use super::{Texts, Voice, caption, item, prefix, vqa};
use crate::{Batches, CaptionTask, EvalError, TextStore, VqaTask, question_pairs};
use std::cell::RefCell;
use std::collections::BTreeMap;
use toolkit_core::index;
use toolkit_vlm::Decoding;

#[derive(Default)]
struct Kept(BTreeMap<usize, Vec<String>>);

impl TextStore for Kept {
    fn get(&self, at: usize) -> Option<Vec<String>> {
        self.0.get(&at).cloned()
    }
    fn put(&mut self, at: usize, texts: &[String]) -> Result<(), EvalError> {
        assert!(self.0.insert(at, texts.to_vec()).is_none(), "batch {at} was written twice");
        Ok(())
    }
}

/// Items with 3, 1, 5, 2 and 1 questions: some span batches of any size.
fn data() -> Texts {
    let one = |(at, count): (usize, usize)| {
        let questions = vec![("what", "w7 ?", ["w8"].as_slice()); count];
        item(&format!("item {at}"), "seen", &["w9"], &questions)
    };
    Texts([3, 1, 5, 2, 1].into_iter().enumerate().map(one).collect())
}

#[test]
fn what_is_left_is_computed_in_the_batches_it_would_have_been() {
    let data = data();
    let prompt = "w5 {}".to_owned();
    let task = VqaTask { prompt, text_processor: None, decoding: Decoding::default(), limit: None };
    let questions = question_pairs(&data, None);
    for voice in Voice::both(24, 3) {
        for batch in 1..=5 {
            let made = RefCell::new(Vec::<Vec<usize>>::new());
            let source = |items: &[usize]| {
                made.borrow_mut().push(items.to_vec());
                let all = prefix(5, 3);
                Ok(all.clone().select(0, index(items, &all.device())))
            };
            let mut all = Kept::default();
            let kept = Batches::stored(batch, &mut all);
            let whole =
                vqa(&voice.generator(), Some(&source), &data, &questions, &task, kept).unwrap();
            let groups = made.take();
            assert_eq!(all.0.len(), questions.len().div_ceil(batch));
            for before in 0..=all.0.len() {
                let mut some = Kept(
                    all.0.iter().take(before).map(|(at, texts)| (*at, texts.clone())).collect(),
                );
                let kept = Batches::stored(batch, &mut some);
                let found =
                    vqa(&voice.generator(), Some(&source), &data, &questions, &task, kept).unwrap();
                assert_eq!((&found, &some.0), (&whole, &all.0), "batch {batch}, {before} before");
                // The same groups of prefixes, from some of them on.
                let made = made.take();
                assert!(
                    groups.ends_with(&made),
                    "batch {batch}, {before} before: {made:?} of {groups:?}"
                );
            }
            // Texts of another number of samples are not taken.
            let mut other = Kept([(0, vec!["x".to_owned(); batch + 1])].into());
            other.0.extend(all.0.iter().skip(1).map(|(at, texts)| (*at, texts.clone())));
            let held = Held(other);
            let mut held = held;
            let kept = Batches::stored(batch, &mut held);
            assert_eq!(
                vqa(&voice.generator(), Some(&source), &data, &questions, &task, kept).unwrap(),
                whole
            );
        }
    }
}

/// A [`Kept`] that lets a batch be written again.
struct Held(Kept);

impl TextStore for Held {
    fn get(&self, at: usize) -> Option<Vec<String>> {
        self.0.get(at)
    }
    fn put(&mut self, at: usize, texts: &[String]) -> Result<(), EvalError> {
        self.0.0.insert(at, texts.to_vec());
        Ok(())
    }
}

#[test]
fn captions_too() {
    let data = data();
    let task = CaptionTask { prompt: "w5".to_owned(), decoding: Decoding::default(), limit: None };
    let items = [4, 0, 2, 3, 1];
    for voice in Voice::both(24, 3) {
        let source = |items: &[usize]| {
            let all = prefix(5, 3);
            Ok(all.clone().select(0, index(items, &all.device())))
        };
        let mut all = Kept::default();
        let whole = caption(
            &voice.generator(),
            Some(&source),
            &data,
            &items,
            &task,
            Batches::stored(2, &mut all),
        )
        .unwrap();
        assert_eq!(
            whole,
            caption(&voice.generator(), Some(&source), &data, &items, &task, 2).unwrap()
        );
        for before in 0..=3 {
            let mut some =
                Kept(all.0.iter().take(before).map(|(at, texts)| (*at, texts.clone())).collect());
            let kept = Batches::stored(2, &mut some);
            assert_eq!(
                caption(&voice.generator(), Some(&source), &data, &items, &task, kept).unwrap(),
                whole
            );
            assert_eq!(some.0, all.0);
        }
    }
}
