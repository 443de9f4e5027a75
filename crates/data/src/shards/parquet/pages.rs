//! Pages of a column, one at a time.
//!
//! A page is the smallest part of a parquet file that is decompressed alone. The index keeps where
//! its header begins, so that a picture is read without those before it.

use parquet::basic::Type;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{get_column_reader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use toolkit_system::input::read_exact_at;

/// Bytes that are read for a header.
const HEADER: usize = 1024;

/// A file that notes where the last page header began.
pub struct PageFile {
    file: File,
    length: u64,
    header_at: AtomicU64,
}

impl PageFile {
    /// Takes an open file of `length` bytes.
    pub fn new(file: File, length: u64) -> Self {
        Self { file, length, header_at: AtomicU64::new(0) }
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.length
    }
}

/// A reader that starts at any byte and moves no other.
pub struct Section {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let length = self.end.saturating_sub(self.at).min(to.len() as u64) as usize;
        read_exact_at(&self.file, &mut to[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.header_at.store(start, Ordering::Relaxed);
        let section = Section { file: self.file.try_clone()?, at: start, end: self.length };
        Ok(BufReader::with_capacity(HEADER, section))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        // A damaged header may ask for any number of bytes.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF("a page goes beyond the end of the file".to_owned()));
        }
        let mut bytes = vec![0; length];
        read_exact_at(&self.file, &mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// The part of a column that is in one row group. Its values are bytes, one for each row.
pub struct Column {
    file: Arc<PageFile>,
    chunk: ColumnChunkMetaData,
    rows: usize,
}

/// A data page with the place of its header.
pub struct DataPage {
    /// Place in the file.
    pub at: u64,
    /// Values of its rows; `None` where there is none.
    pub values: Vec<Option<ByteArray>>,
}

impl Column {
    /// Takes a column of a row group of `rows` rows.
    ///
    /// # Errors
    /// If its values are no bytes, or not one for each row.
    pub fn new(file: Arc<PageFile>, chunk: ColumnChunkMetaData, rows: usize) -> Result<Self> {
        if chunk.column_type() != Type::BYTE_ARRAY || chunk.column_descr().max_rep_level() > 0 {
            return Err(ParquetError::General("the column has no bytes for each row".to_owned()));
        }
        Ok(Self { file, chunk, rows })
    }

    /// Calls `each` with every data page, in order.
    ///
    /// # Errors
    /// If a page is damaged, and those of `each`.
    pub fn pages<E: From<ParquetError>>(
        &self,
        each: &mut dyn FnMut(DataPage) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut pages = self.reader(self.chunk.clone())?;
        let mut dictionary = None;
        while let Some(page) = pages.get_next_page()? {
            let at = self.file.header_at.load(Ordering::Relaxed);
            match page.is_dictionary_page() {
                true => dictionary = Some(page),
                false => each(DataPage { at, values: self.values(dictionary.clone(), page)? })?,
            }
        }
        Ok(())
    }

    /// Reads the data page whose header begins at `at`.
    ///
    /// # Errors
    /// If it is damaged, or there is none.
    pub fn page(&self, at: u64) -> Result<Vec<Option<ByteArray>>> {
        let missing = || ParquetError::EOF("there is no page at this place".to_owned());
        let (start, length) = self.chunk.byte_range();
        let left = length.checked_sub(at.checked_sub(start).ok_or_else(missing)?);
        let left = left.and_then(|left| i64::try_from(left).ok()).ok_or_else(missing)?;
        let from = self.chunk.clone().into_builder();
        let from = from.set_dictionary_page_offset(None).set_data_page_offset(at as i64);
        let mut pages = self.reader(from.set_total_compressed_size(left).build()?)?;
        let page = pages.get_next_page()?.filter(Page::is_data_page).ok_or_else(missing)?;
        let first = match start == at {
            true => None,
            false => self.reader(self.chunk.clone())?.get_next_page()?,
        };
        self.values(first.filter(Page::is_dictionary_page), page)
    }

    /// Returns `true` if a place lies in this part of the file.
    pub fn contains(&self, at: u64) -> bool {
        let (start, length) = self.chunk.byte_range();
        at >= start && at - start < length
    }

    fn reader(&self, chunk: ColumnChunkMetaData) -> Result<SerializedPageReader<PageFile>> {
        SerializedPageReader::new(self.file.clone(), &chunk, self.rows, None)
    }

    fn values(&self, dictionary: Option<Page>, page: Page) -> Result<Vec<Option<ByteArray>>> {
        let count = page.num_values() as usize;
        let pages = OnePage(dictionary.into_iter().chain([page]).collect());
        let column = self.chunk.column_descr_ptr();
        let most = column.max_def_level();
        let mut reader =
            get_typed_column_reader::<ByteArrayType>(get_column_reader(column, Box::new(pages)));
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut read = 0;
        while read < count {
            let (rows, ..) =
                reader.read_records(count - read, Some(&mut levels), None, &mut values)?;
            if rows == 0 {
                return Err(ParquetError::EOF("a page has fewer values than it says".to_owned()));
            }
            read += rows;
        }
        let mut values = values.into_iter();
        if most == 0 {
            return Ok(values.map(Some).collect());
        }
        Ok(levels.iter().map(|&level| if level == most { values.next() } else { None }).collect())
    }
}

/// A dictionary, if there is one, and a page.
struct OnePage(VecDeque<Page>);

impl Iterator for OnePage {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pop_front().map(Ok)
    }
}

impl PageReader for OnePage {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        Ok(self.0.pop_front())
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let metadata = |page: &Page| PageMetadata {
            num_rows: None,
            num_levels: Some(page.num_values() as usize),
            is_dict: page.is_dictionary_page(),
        };
        Ok(self.0.front().map(metadata))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.pop_front();
        Ok(())
    }
}
