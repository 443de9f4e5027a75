//! Questions about pictures, and their answers.

use super::{AGAIN, Builder};
use crate::lists::at::At;
use crate::lists::fault::Fault;
use crate::{DataError, Question};
use std::collections::hash_map::Entry;

impl Builder<'_> {
    /// Adds a question to a picture. Its id must be new.
    pub fn question(&mut self, at: At, item: usize, question: Question) -> Result<(), DataError> {
        let place = (item as u32, self.items[item].questions.len() as u32);
        match self.by_question.entry(question.id) {
            Entry::Occupied(_) => self.fault(
                Fault::Duplicate,
                Some(at),
                format_args!("question {} is there again", question.id),
                AGAIN,
            ),
            Entry::Vacant(entry) => {
                entry.insert(place);
                self.items[item].questions.push(question);
                Ok(())
            }
        }
    }

    /// Returns an id for a question that has none: its number.
    pub fn number(&mut self) -> u64 {
        self.next_question += 1;
        self.next_question - 1
    }

    /// Returns the item of the question with an id and its place there, for answers that follow
    /// questions.
    pub fn asked(&mut self, at: At, id: u64) -> Result<Option<(usize, usize)>, DataError> {
        let known = self.by_question.get(&id).map(|&(item, place)| (item as usize, place as usize));
        if known.is_none() {
            let hint = "do the questions and the answers belong to the same split?";
            self.fault(Fault::Orphan, Some(at), format_args!("there is no question {id}"), hint)?;
        }
        Ok(known)
    }

    /// Checks that either every question has answers, or none, as in a split whose answers are not
    /// published.
    pub fn finish(&mut self) -> Result<(), DataError> {
        for item in &mut self.items {
            item.captions.shrink_to_fit();
            item.questions.shrink_to_fit();
        }
        let all = || self.items.iter().flat_map(|item| &item.questions);
        if all().all(|question| question.answers.is_empty()) {
            return Ok(());
        }
        let open: Vec<u64> = all()
            .filter(|question| question.answers.is_empty())
            .map(|question| question.id)
            .collect();
        for id in open {
            let hint = "other questions have answers; is the file with the answers whole?";
            self.fault(
                Fault::Unanswered,
                None,
                format_args!("question {id} has no answers"),
                hint,
            )?;
        }
        Ok(())
    }
}
