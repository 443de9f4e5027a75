//! Captions of a row group: a text or a list of texts for each row.

use super::pages::PageFile;
use parquet::basic::Type;
use parquet::column::reader::{get_column_reader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use std::sync::Arc;

/// Captions of a row, blank ones left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RowTexts {
    pub captions: Vec<String>,
    /// `true` if one of them is no text: it is left out.
    pub is_damaged: bool,
}

/// Reads the captions of `rows` rows.
///
/// # Errors
/// If the column is damaged.
pub(super) fn read(
    file: &Arc<PageFile>,
    chunk: &ColumnChunkMetaData,
    rows: usize,
) -> Result<Vec<RowTexts>> {
    if chunk.column_type() != Type::BYTE_ARRAY {
        return Err(ParquetError::General("the captions are no texts".to_owned()));
    }
    let pages = SerializedPageReader::new(file.clone(), chunk, rows, None)?;
    let column = chunk.column_descr_ptr();
    let most = column.max_def_level();
    let reader = get_column_reader(column, Box::new(pages));
    let mut reader = get_typed_column_reader::<ByteArrayType>(reader);
    let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let (more, ..) = reader.read_records(
            rows - read,
            Some(&mut defined),
            Some(&mut repeated),
            &mut values,
        )?;
        if more == 0 {
            return Err(ParquetError::EOF("a group has fewer captions than rows".to_owned()));
        }
        read += more;
    }
    Ok(by_row(&Levels { defined, repeated, most }, values, rows))
}

/// Levels of all values, as parquet writes them.
struct Levels {
    /// Equal to `most` where there is a value; empty if there always is.
    defined: Vec<i16>,
    /// 0 where a row begins; empty if a row has one value.
    repeated: Vec<i16>,
    most: i16,
}

/// Deals values to rows.
fn by_row(levels: &Levels, values: Vec<ByteArray>, rows: usize) -> Vec<RowTexts> {
    let Levels { defined, repeated, most } = levels;
    let count = values.len().max(defined.len()).max(repeated.len());
    let mut values = values.into_iter();
    let mut all: Vec<RowTexts> = Vec::with_capacity(rows);
    for at in 0..count {
        if repeated.get(at).is_none_or(|&level| level == 0) {
            all.push(RowTexts::default());
        }
        let value = match defined.get(at).is_none_or(|level| level == most) {
            true => values.next(),
            false => None,
        };
        let (Some(row), Some(value)) = (all.last_mut(), value) else { continue };
        match std::str::from_utf8(value.data()) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => row.captions.push(text.to_owned()),
            Err(_) => row.is_damaged = true,
        }
    }
    all
}
