//! Text processors of task cards.

use super::{Texts, item};
use crate::{CaptionTask, Pool, RetrievalTask, VqaTask, unique_captions};
use toolkit_data::{TextProcessor, TextRules};
use toolkit_registry::{Card, Kind, Origin, Registry};

fn card(text: &str) -> Card {
    Card::parse(Kind::Task, "x", Origin::Embedded, text).unwrap()
}

fn data() -> Texts {
    let question = ("what", "What color is the U.S. flag? ", &["red"][..]);
    Texts(vec![
        item("a", "seen", &["A dog.", "It's #1!"], &[question]),
        item("b", "seen", &["a dog", "A cat;"], &[]),
    ])
}

#[test]
fn questions_are_asked_as_the_processor_makes_them() {
    let text = "kind = \"vqa\"\nversion = 1\n[prompt]\nvqa = \"Question: {} Answer:\"\n";
    let asked = |text: &str| {
        let task = VqaTask::from_card(&card(text), &[]).unwrap();
        task.samples(&data(), &[(0, 0)]).remove(0).prompt
    };
    assert_eq!(asked(text), "Question: What color is the U.S. flag?  Answer:");
    let processed = format!("{text}[text_processor]\nname = \"blip_question\"\n");
    assert_eq!(asked(&processed), "Question: what color is the us flag? Answer:");
}

#[test]
fn texts_are_searched_as_the_processor_makes_them() {
    let processor = TextProcessor::new(TextRules::BlipCaption);
    let all = Pool::All.of(&data(), None, Some(&processor));
    let wanted = [(0, vec!["a dog", "it's 1"]), (1, vec!["a dog", "a cat"])];
    assert_eq!(
        all,
        wanted.map(|(item, texts)| (item, texts.into_iter().map(str::to_owned).collect()))
    );
    // Captions that become the same are nobody's own.
    let own = |processor| {
        let unique = unique_captions(&data(), &[0, 1], processor);
        unique.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    assert_eq!(own(None), ["A dog.", "a dog"]);
    assert_eq!(own(Some(&processor)), ["it's 1", "a cat"]);
}

#[test]
fn references_of_captions_have_no_processor() {
    let text = "kind = \"caption\"\nversion = 1\n[text_processor]\nname = \"blip_caption\"\n";
    let error = CaptionTask::from_card(&card(text), &[]).unwrap_err().to_string();
    assert!(error.contains("registry/tasks/x.toml:3:1"), "{error}");
    assert!(error.contains("captions are compared as"), "{error}");
}

#[test]
fn tasks_of_published_data_have_the_processor_of_lavis_and_no_others_do() {
    let registry = Registry::builtin();
    for name in registry.names(Kind::Task) {
        let card = registry.card(Kind::Task, &name).unwrap();
        let wanted = match name.as_str() {
            "vqav2" | "ok-vqa" | "gqa" => Some(TextRules::BlipQuestion),
            "coco-retrieval" | "flickr30k-retrieval" => Some(TextRules::BlipCaption),
            _ => None,
        };
        assert_eq!(card.text_processor, wanted.map(TextProcessor::new), "{name}");
        if card.family == "retrieval" {
            let task = RetrievalTask::from_card(&card).unwrap();
            assert_eq!(task.text_processor, card.text_processor);
        }
    }
}
