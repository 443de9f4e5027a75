//! Parquet files with the bytes of pictures, as Hugging Face data sets store them.
//!
//! | module | purpose |
//! |---|---|
//! | `columns` | the columns of pictures and of captions, named or guessed |
//! | `pages` | pages of a column, one at a time |
//! | `captions` | texts of a row group |
//! | `cache` | pages that were read last |
//!
//! A picture is found by the page that it is in and its number there. Rows have the keys `row0`,
//! `row1` and so on.

mod cache;
mod captions;
mod columns;
mod pages;

use super::container::{Container, OpenShard};
use super::found::{Found, Sample};
use super::place::{Place, Sum};
use super::texts::{TextRule, Texts};
use crate::DataError;
use crate::lists::fault::Fault;
use cache::Pages;
use captions::RowTexts;
use columns::Columns;
use pages::{Column, DataPage, PageFile};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::sync::Arc;
use toolkit_system::input;
use toolkit_system::unwind::caught;

/// Bytes that are hashed at once.
const BLOCK: usize = 1 << 20;

/// The kind of parquet files.
pub(super) struct ParquetShards;

impl Container for ParquetShards {
    fn scan(
        &self,
        path: &Path,
        rule: &TextRule,
        found: &mut Found<'_, '_>,
    ) -> std::result::Result<Sum, DataError> {
        let fail = |source| DataError::Read { path: path.to_owned(), source };
        let sum = hash(&mut input::open(path).map_err(fail)?, found).map_err(fail)?;
        // The crate that reads them is not made for hostile files: a panic is a damaged file.
        let scanned = caught(|| scan(path, rule, found));
        let damage = match scanned {
            Ok(Ok(())) => return Ok(sum),
            Ok(Err(Stop::Error(error))) => return Err(error),
            Ok(Err(Stop::Damage(what))) => what,
            Err(panic) => panic,
        };
        found.faults.add(Fault::DamagedFile, "", damage, "get the file again");
        Ok(sum)
    }

    fn open(&self, path: &Path, rule: &TextRule) -> Result<Arc<dyn OpenShard>> {
        let opened = caught(|| OpenParquet::open(path, rule));
        opened.unwrap_or_else(|panic| Err(Error::new(ErrorKind::InvalidData, panic)))
    }
}

/// The end of a scan before the end of the file.
enum Stop {
    Damage(String),
    Error(DataError),
}

impl From<ParquetError> for Stop {
    fn from(error: ParquetError) -> Self {
        Self::Damage(words(&error))
    }
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        Self::Error(error)
    }
}

/// Returns the message of an error on one line, without the name of the crate.
fn words(error: &ParquetError) -> String {
    let text = error.to_string();
    let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Hashes a file, and tells of its bytes.
fn hash(file: &mut File, found: &Found<'_, '_>) -> Result<Sum> {
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&block[..read]);
        found.advance(read as u64);
    }
}

/// Opens a file and reads its description.
fn described(path: &Path) -> Result<(Arc<PageFile>, ParquetMetaData)> {
    let file = input::open(path)?;
    let length = file.metadata()?.len();
    let file = Arc::new(PageFile::new(file, length));
    let data = ParquetMetaDataReader::new().parse_and_finish(&*file);
    let data = data.map_err(|error| Error::new(ErrorKind::InvalidData, words(&error)))?;
    Ok((file, data))
}

/// Tells the samples of a file.
fn scan(path: &Path, rule: &TextRule, found: &mut Found<'_, '_>) -> std::result::Result<(), Stop> {
    let (file, data) = described(path).map_err(|error| Stop::Damage(error.to_string()))?;
    let columns = Columns::of(data.file_metadata().schema_descr(), rule);
    let columns = columns.map_err(|problem| DataError::from(problem.at(path.display())))?;
    let mut row = 0_u64;
    for group in data.row_groups() {
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let texts = match columns.captions {
            Some(at) => captions::read(&file, group.column(at), rows)?,
            None => vec![],
        };
        let pictures = Column::new(file.clone(), group.column(columns.image).clone(), rows)?;
        let mut texts = texts.into_iter();
        let mut seen = 0;
        pictures.pages::<Stop>(&mut |DataPage { at, values }| {
            seen += values.len();
            for (number, picture) in values.into_iter().enumerate() {
                let texts = texts.next().unwrap_or_default();
                let place = Place { offset: at, length: number as u32 };
                sample(found, &format!("row{row}"), picture.as_ref(), (place, texts))?;
                row += 1;
            }
            Ok(())
        })?;
        if seen != rows {
            let what = format!("a group has {seen} pictures and says {rows} rows");
            return Err(Stop::Damage(what));
        }
    }
    Ok(())
}

/// Tells of a row: the place of its page with its number there, and its captions.
fn sample(
    found: &mut Found<'_, '_>,
    key: &str,
    picture: Option<&ByteArray>,
    (place, texts): (Place, RowTexts),
) -> std::result::Result<(), DataError> {
    if texts.is_damaged {
        let hint = "it is left out: write the file again as UTF-8";
        found.faults.add(Fault::BadRow, key, "a caption is not UTF-8", hint);
    }
    let Some(picture) = picture.filter(|bytes| !bytes.is_empty()) else {
        let what = "the row has no bytes of a picture";
        let hint = "it is left out: write pictures into the file, not their paths";
        found.faults.add(Fault::MissingImage, key, what, hint);
        return Ok(());
    };
    let texts = Texts { captions: texts.captions, own: None };
    let (key, ending) = (key.to_owned(), ending(picture.data()).to_owned());
    Ok(found.sample(Sample { key, ending, place, texts })?)
}

/// Returns the ending of the name that a picture would have as a file of its own.
fn ending(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => ".jpg",
        [0x89, b'P', b'N', b'G', ..] => ".png",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ".webp",
        [b'G', b'I', b'F', b'8', ..] => ".gif",
        _ => "",
    }
}

/// An open file.
struct OpenParquet {
    /// Column of pictures in each row group.
    groups: Vec<Column>,
    pages: Pages,
}

impl OpenParquet {
    fn open(path: &Path, rule: &TextRule) -> Result<Arc<dyn OpenShard>> {
        let foreign = |error: ParquetError| Error::new(ErrorKind::InvalidData, words(&error));
        let (file, data) = described(path)?;
        let columns = Columns::of(data.file_metadata().schema_descr(), rule);
        let image =
            columns.map_err(|problem| Error::new(ErrorKind::InvalidData, problem.what))?.image;
        let groups = data.row_groups().iter().map(|group| {
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            Column::new(file.clone(), group.column(image).clone(), rows).map_err(foreign)
        });
        Ok(Arc::new(Self { groups: groups.collect::<Result<_>>()?, pages: Pages::new() }))
    }

    /// Reads the page whose header begins at a place.
    fn page(&self, at: u64) -> Result<Vec<Option<ByteArray>>> {
        let damaged = |what: String| Error::new(ErrorKind::InvalidData, what);
        let group = self.groups.iter().find(|group| group.contains(at));
        let group = group.ok_or_else(|| damaged("there is no page at this place".to_owned()))?;
        let page = caught(|| group.page(at)).map_err(damaged)?;
        page.map_err(|error| damaged(words(&error)))
    }
}

impl OpenShard for OpenParquet {
    fn picture(&self, place: Place, _: &str) -> Result<Vec<u8>> {
        let page = self.pages.get(place.offset, || self.page(place.offset))?;
        let picture = page.get(place.length as usize).and_then(Option::as_ref);
        let missing = || Error::new(ErrorKind::InvalidData, "the row has no picture any more");
        Ok(picture.ok_or_else(missing)?.data().to_vec())
    }
}
