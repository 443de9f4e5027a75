//! A row of a list, as JSON or a table has it, becomes texts of one picture.

use crate::image::is_picture;
use crate::lists::keys::{ANSWER, CAPTION, IMAGE_ID, PICTURE, QUESTION};
use crate::lists::row::{Row, elements, text_of};
use crate::lists::table::Table;
use crate::lists::values::{ANSWERS, CAPTIONS, Id, optional, path, texts};
use std::collections::BTreeSet;

const QUESTIONS: &str = "questions";
const KIND: &[&str] = &["kind", "question_type"];

/// A question with its answers, which are never none.
pub(super) struct Asked {
    pub question: String,
    pub answers: Vec<String>,
    pub kind: Option<String>,
}

/// Texts of one picture.
pub(super) struct Entry {
    /// The path as the list has it.
    pub picture: String,
    pub captions: Vec<String>,
    pub questions: Vec<Asked>,
    /// Why there is no text: "has no `caption`; it has ..".
    pub lacks: Option<String>,
}

impl Entry {
    fn new(picture: String) -> Self {
        Self { picture, captions: vec![], questions: vec![], lacks: None }
    }

    /// Reads an object of captions by picture: `{"a.png": "a dog"}`. None if the keys are no pictures.
    pub fn by_picture(row: &Row<'_>) -> Option<Result<Vec<Self>, String>> {
        if row.keys().next().is_none() || !row.keys().all(is_picture) {
            return None;
        }
        let one = |(key, value): (&str, &[u8])| {
            Ok(Self { captions: texts(key, value, &CAPTIONS)?, ..Self::new(key.to_owned()) })
        };
        Some(row.fields().map(one).collect())
    }

    /// Reads a row of JSON; keys that mean nothing here are added to `passed`.
    pub fn of_row(row: &Row<'_>, passed: &mut BTreeSet<String>) -> Result<Self, String> {
        let picture = match (row.first(PICTURE)?, row.first(IMAGE_ID)?) {
            (Some((key, value)), _) => path(key, value)?,
            // A picture that is called as its id is found without its ending.
            (None, Some((key, value))) => Id::read(key, value)?.to_string(),
            (None, None) => return Err(row.lacks(PICTURE[0])),
        };
        let mut entry = Self::new(picture);
        if let Some((key, value)) = row.first(CAPTION)? {
            entry.captions = texts(key, value, &CAPTIONS)?;
        }
        if let Some((key, value)) = row.first(&[QUESTIONS])? {
            if value.first() != Some(&b'[') {
                return Err(format!("`{key}` is {}, not a list", crate::lists::row::shown(value)));
            }
            for value in elements(value)? {
                entry.questions.push(asked(&Row::parse(value)?)?);
            }
        }
        if row.first(QUESTION)?.is_some() {
            entry.questions.push(asked(row)?);
        }
        if entry.captions.is_empty() && entry.questions.is_empty() {
            entry.lacks = Some(row.lacks(CAPTION[0]));
        }
        let known = |key: &str| {
            [PICTURE, IMAGE_ID, CAPTION, QUESTION, ANSWER, KIND].iter().any(|keys| keys.contains(&key))
                || key == QUESTIONS
        };
        passed.extend(row.keys().filter(|key| !known(key)).map(str::to_owned));
        Ok(entry)
    }

    /// Reads the cells of a table's row.
    pub fn of_cells(cells: &[String], columns: &Columns) -> Result<Self, String> {
        // Some tools write a space behind each comma.
        let cell = |at: usize| cells.get(at).map_or_else(String::new, |cell| cell.trim().to_owned());
        let picture = cell(columns.picture);
        if picture.is_empty() {
            return Err("no picture is named".to_owned());
        }
        let mut entry = Self::new(picture);
        for &at in &columns.captions {
            entry.captions.extend(listed(cell(at))?);
        }
        if let Some((question, answer)) = columns.question {
            let (question, answers) = (cell(question), listed(cell(answer))?);
            if !question.trim().is_empty() {
                entry.questions.push(with_answer(Asked { question, answers, kind: None })?);
            }
        }
        // Tables have a cell in every column; of numbered captions some may be empty.
        if columns.captions.len() > 1 && entry.captions.iter().any(|text| !text.trim().is_empty()) {
            entry.captions.retain(|text| !text.trim().is_empty());
        }
        Ok(entry)
    }
}

/// The columns of a table that are read.
pub(super) struct Columns {
    pub picture: usize,
    pub captions: Vec<usize>,
    pub question: Option<(usize, usize)>,
}

impl Columns {
    /// The columns by the heading; says what is missing.
    pub fn of(table: &Table) -> Result<Self, String> {
        let has: Vec<String> = table.heading.iter().map(|name| format!("`{name}`")).collect();
        let lacks = |what: &str| format!("no column is called `{what}`; there are {}", has.join(", "));
        let found = Self {
            picture: table.picture().ok_or_else(|| lacks(PICTURE[1]))?,
            captions: table.captions(),
            question: table.questions(),
        };
        match found.captions.is_empty() && found.question.is_none() {
            true => Err(lacks(CAPTION[0])),
            false => Ok(found),
        }
    }

    /// The heading's names that are not read.
    pub fn passed<'t>(&self, table: &'t Table) -> impl Iterator<Item = &'t str> {
        let read = |at: usize| {
            at == self.picture || self.captions.contains(&at) || self.question.is_some_and(|(q, a)| at == q || at == a)
        };
        let names = table.heading.iter().enumerate().filter(move |(at, name)| !read(*at) && !name.is_empty());
        names.map(|(_, name)| name.as_str()).collect::<Vec<_>>().into_iter()
    }
}

fn asked(row: &Row<'_>) -> Result<Asked, String> {
    let (key, value) = row.need(QUESTION)?;
    let question = text_of(key, value)?;
    let answers = match row.first(ANSWER)? {
        Some((key, value)) => texts(key, value, &ANSWERS)?,
        None => return Err(format!("'{question}' {}", row.lacks(ANSWER[1]))),
    };
    with_answer(Asked { question, answers, kind: optional(row, KIND)? })
}

fn with_answer(asked: Asked) -> Result<Asked, String> {
    if asked.answers.iter().all(|answer| answer.trim().is_empty()) {
        return Err(format!("'{}' has no answer", asked.question));
    }
    Ok(asked)
}

/// The texts of a cell: a list in JSON, or one text.
fn listed(cell: String) -> Result<Vec<String>, String> {
    let list = cell.starts_with('[').then(|| serde_json::from_str::<Vec<String>>(&cell));
    if let Some(Ok(all)) = list { Ok(all) } else { Ok(vec![cell]) }
}
