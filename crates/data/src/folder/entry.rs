//! A row of a list, as JSON or a table has it, becomes texts of one picture.

use super::names_of::Names;
use crate::image::is_picture;
use crate::lists::keys::{ANSWER, CAPTION, IMAGE_ID, PICTURE, QUESTION};
use crate::lists::row::{Row, elements, shown};
use crate::lists::several::{self, Notes, Under};
use crate::lists::table::{Table, is_numbered};
use crate::lists::values::{ANSWERS, CAPTIONS, Id, optional, path, texts};
use std::collections::BTreeSet;

const QUESTIONS: &str = "questions";
const KIND: &[&str] = &["kind", "question_type"];

/// A question with its answers, which are never none.
pub(crate) struct Asked {
    pub question: String,
    pub answers: Vec<String>,
    pub kind: Option<String>,
}

/// Texts of one picture.
pub(crate) struct Entry {
    /// The path as the list has it.
    pub picture: String,
    pub captions: Vec<String>,
    pub questions: Vec<Asked>,
    /// Why there is no text: "has no `caption`; it has ..".
    pub lacks: Option<String>,
}

impl Entry {
    /// Creates the entry of a picture without texts.
    pub fn new(picture: String) -> Self {
        Self { picture, captions: vec![], questions: vec![], lacks: None }
    }

    /// Reads an object of captions by picture: `{"a.png": "a dog"}`. None if the keys are no
    /// pictures.
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
    pub fn of_row(
        row: &Row<'_>,
        passed: &mut BTreeSet<String>,
        notes: &mut Notes,
    ) -> Result<Self, String> {
        let picture = match (row.first(PICTURE)?, row.first(IMAGE_ID)?) {
            (Some((key, value)), _) => path(key, value)?,
            // A picture that is called as its id is found without its ending.
            (None, Some((key, value))) => Id::read(key, value)?.to_string(),
            (None, None) => return Err(row.lacks(PICTURE[0])),
        };
        let mut entry = Self::new(picture);
        entry.captions = several::captions(row, CAPTION, notes)?.unwrap_or_default();
        if let Some((key, value)) = row.first(&[QUESTIONS])? {
            if value.first() != Some(&b'[') {
                return Err(format!("`{key}` is {}, not a list", shown(value)));
            }
            for value in elements(value)? {
                entry.questions.push(asked(&Row::parse(value)?, notes)?);
            }
        }
        if row.first(QUESTION)?.is_some() {
            entry.questions.push(asked(row, notes)?);
        }
        if entry.captions.is_empty() && entry.questions.is_empty() {
            entry.lacks = Some(row.lacks(CAPTION[0][0]));
        }
        let known = |key: &str| {
            let others = [PICTURE, IMAGE_ID, QUESTION, ANSWER, KIND];
            let mut keys = others.iter().chain(CAPTION).copied().flatten().chain([&QUESTIONS]);
            keys.any(|known| known.eq_ignore_ascii_case(key))
        };
        passed.extend(row.keys().filter(|key| !known(key)).map(str::to_owned));
        Ok(entry)
    }

    /// Reads a row of JSON by the names of its keys. Questions are not looked for.
    pub fn named(row: &Row<'_>, names: Names<'_>, notes: &mut Notes) -> Result<Self, String> {
        let keys = names.picture.as_slice();
        let keys = if keys.is_empty() { PICTURE } else { keys };
        let (key, value) = row.first(keys)?.ok_or_else(|| row.lacks(keys[0]))?;
        let mut entry = Self::new(path(key, value)?);
        entry.captions = match names.caption {
            None => several::captions(row, CAPTION, notes)?.unwrap_or_default(),
            Some(name) => match row.first(&[name])? {
                Some((key, value)) => texts(key, value, &CAPTIONS)?,
                None => vec![],
            },
        };
        Ok(entry)
    }

    /// Reads the cells of a table's row.
    pub fn of_cells(
        cells: &[String],
        columns: &Columns,
        notes: &mut Notes,
    ) -> Result<Self, String> {
        // Some tools write a space behind each comma.
        let cell =
            |at: usize| cells.get(at).map_or_else(String::new, |cell| cell.trim().to_owned());
        let picture = cell(columns.picture);
        if picture.is_empty() {
            return Err("no picture is named".to_owned());
        }
        let mut entry = Self::new(picture);
        let under = |at: usize| listed(columns.name(at), cell(at));
        let meaning =
            |same: &Vec<usize>| same.iter().map(|&at| under(at)).collect::<Result<Vec<_>, _>>();
        let captions = columns.captions.iter().map(|same| Ok(numbered_together(meaning(same)?)));
        entry.captions = several::first_meaning(captions.collect::<Result<_, String>>()?, notes);
        if let Some((question, answers)) = &columns.question {
            let question = cell(*question);
            if !question.is_empty() {
                let answers = several::most(meaning(answers)?, false, notes);
                entry.questions.push(with_answer(Asked { question, answers, kind: None })?);
            }
        }
        Ok(entry)
    }
}

/// Makes one list of numbered columns. Tables have a cell in every column, so some of them may be
/// empty.
fn numbered_together(found: Vec<Under<'_>>) -> Vec<Under<'_>> {
    let (numbered, mut others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|under| is_numbered(under.key));
    let Some(key) = numbered.first().map(|under| under.key) else { return others };
    let mut texts: Vec<String> = numbered.into_iter().flat_map(|under| under.texts).collect();
    if texts.iter().any(|text| !text.trim().is_empty()) {
        texts.retain(|text| !text.trim().is_empty());
    }
    others.push(Under { key, texts, is_list: false });
    others
}

/// The columns of a table that are read.
pub(crate) struct Columns {
    pub picture: usize,
    /// Those of one meaning together.
    pub captions: Vec<Vec<usize>>,
    /// The question and its answers.
    pub question: Option<(usize, Vec<usize>)>,
    /// Names of all columns; empty without a heading.
    pub names: Vec<String>,
}

impl Columns {
    /// Finds the columns by the heading. The error names the missing one.
    pub fn of(table: &Table) -> Result<Self, String> {
        let has: Vec<String> = table.heading.iter().map(|name| format!("`{name}`")).collect();
        let lacks =
            |what: &str| format!("no column is called `{what}`; there are {}", has.join(", "));
        let found = Self {
            picture: table.picture().ok_or_else(|| lacks(PICTURE[1]))?,
            captions: table.captions(),
            question: table.questions(),
            names: table.heading.clone(),
        };
        match found.captions.is_empty() && found.question.is_none() {
            true => Err(lacks(CAPTION[0][0])),
            false => Ok(found),
        }
    }

    fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    /// Returns the names of the heading that are not read.
    pub fn passed(&self) -> impl Iterator<Item = &str> {
        let asked =
            |at: usize| self.question.as_ref().is_some_and(|(q, a)| at == *q || a.contains(&at));
        let read = move |at: usize| {
            at == self.picture || asked(at) || self.captions.iter().any(|c| c.contains(&at))
        };
        let names =
            self.names.iter().enumerate().filter(move |(at, name)| !read(*at) && !name.is_empty());
        names.map(|(_, name)| name.as_str())
    }
}

fn asked(row: &Row<'_>, notes: &mut Notes) -> Result<Asked, String> {
    let question = several::question(row, notes)?;
    let answers = several::answers(row, &ANSWERS, false, notes)?;
    let answers = answers.ok_or_else(|| format!("'{question}' {}", row.lacks(ANSWER[1])))?;
    with_answer(Asked { question, answers, kind: optional(row, KIND)? })
}

fn with_answer(asked: Asked) -> Result<Asked, String> {
    if asked.answers.iter().all(|answer| answer.trim().is_empty()) {
        return Err(format!("'{}' has no answer", asked.question));
    }
    Ok(asked)
}

/// Reads the texts of a cell: a list in JSON, or one text. Another language's list would be one
/// wrong text.
fn listed(key: &str, cell: String) -> Result<Under<'_>, String> {
    if cell.starts_with('[') {
        if let Ok(texts) = serde_json::from_str::<Vec<String>>(&cell) {
            return Ok(Under { key, texts, is_list: true });
        }
        if key.ends_with('s') && cell.ends_with(']') {
            return Err(format!(
                "`{key}` is a list written as a text, {}: write it as JSON",
                shown(cell.as_bytes())
            ));
        }
    }
    Ok(Under { key, texts: vec![cell], is_list: false })
}
