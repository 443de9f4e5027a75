//! Shards as a data set.

use super::faults::Note;
use super::find::find;
use super::index::{Entry, IndexFile, Shard};
use super::kept;
use super::place::{Place, ShardFile, ShardForm};
use super::pool::Pool;
use super::texts::{Own, TextRule, Texts};
use crate::image::decode_bytes_as;
use crate::lists::fault::{Counted, Fault};
use crate::{Alpha, DataError, Dataset, Findings, Item, Opening, PictureFile, ShardInfo};
use ::image::RgbImage;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toolkit_system::digest::hex;
use toolkit_system::problem::Problem;

/// Shards that an error lists.
const LISTED: usize = 3;

/// A data set of shards. Neither texts nor pictures are in memory: an index that is kept on disk has
/// the texts and the places of the pictures.
///
/// [`Item::id`] is `SHARD/KEY`. Order is that of the shards, sorted by path, and of the samples in
/// them.
pub struct Shards {
    name: String,
    shards: Vec<ShardFile>,
    index: IndexFile,
    /// Samples that are left out, sorted: those without captions where others have some.
    bare: Vec<u64>,
    pool: Pool,
    left_out: Findings,
    remarks: Vec<String>,
    fingerprint: String,
}

/// Options of [`Shards::open`].
#[derive(Clone, Debug, Default)]
pub struct ShardOptions {
    /// Folder that relative patterns start from; otherwise the current one.
    pub root: PathBuf,
    /// Files that patterns stand for.
    pub form: ShardForm,
    /// Field of the JSON, or column, that has the captions.
    pub caption: Option<String>,
    /// Column that has the bytes of pictures.
    pub image: Option<String>,
}

impl Shards {
    /// Opens the shards that patterns stand for: files, folders, brace lists and globs, separated by
    /// `::`, or by blanks. The first time they are scanned, which reads all of them.
    ///
    /// # Errors
    /// If no shard or no sample is there, or the index cannot be written.
    pub fn open(
        name: impl Into<String>,
        patterns: &[String],
        options: &ShardOptions,
        opening: &Opening,
    ) -> Result<Self, DataError> {
        let shards = find(patterns, &options.root, options.form)?;
        let rule = TextRule { field: options.caption.clone(), image: options.image.clone() };
        let index = kept::open(&shards, &rule, opening)?;
        let mut data = Self {
            name: name.into(),
            fingerprint: fingerprint(&shards, &index),
            shards,
            index,
            bare: vec![],
            pool: Pool::default(),
            left_out: Findings::new(),
            remarks: vec![],
        };
        data.count()?;
        Ok(data)
    }

    /// Finds what is left out, and counts faults.
    fn count(&mut self) -> Result<(), DataError> {
        let mut faults = Counted::default();
        let mut passed = BTreeMap::new();
        let shards = &self.index.header().shards;
        for (file, shard) in self.shards.iter().zip(shards) {
            for (fault, found) in &shard.faults.found {
                faults.add_many(
                    *fault,
                    found.count,
                    found.examples.iter().map(|n| problem(n, file)),
                );
            }
            for (ending, count) in &shard.faults.passed {
                *passed.entry(ending.as_str()).or_insert(0) += count;
            }
        }
        if self.caption_count() > 0 {
            for at in (0..shards.len()).filter(|&at| shards[at].bare > 0) {
                let fail = |source| DataError::Read { path: self.index.path().to_owned(), source };
                self.bare.extend(self.index.bare(at).map_err(fail)?);
            }
        }
        let hint = "it is left out: write a .txt or .json of the same name behind the picture";
        let example = |&sample: &u64| {
            let Located { shard, entry, .. } = self.found(sample);
            Problem::new("a picture without a caption").at(place(shard, &entry.file())).hint(hint)
        };
        faults.add_many(Fault::NoText, self.bare.len() as u64, self.bare.iter().map(example));
        if self.is_empty() {
            return Err(self.nothing());
        }
        let list: Vec<String> =
            passed.iter().map(|(ending, count)| format!("{ending} ({count})")).collect();
        let remark = format!("members that are no pictures and no texts: {}", list.join(", "));
        self.remarks = if list.is_empty() { vec![] } else { vec![remark] };
        self.left_out = faults.findings;
        Ok(())
    }

    /// Creates the error of shards without a sample. It names the worst.
    fn nothing(&self) -> DataError {
        let shards = self.shards.iter().zip(&self.index.header().shards);
        let mut faults: Vec<(u64, String)> = shards
            .filter_map(|(file, shard)| {
                let all = shard.faults.found.values().map(|found| found.count).sum();
                let first = shard.faults.found.values().next()?.examples.first()?;
                Some((all, problem(first, file).without_hint().to_string()))
            })
            .collect();
        faults.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let many = self.shards.len();
        let what = format!("no picture can be used in {many} shards of {}", self.name);
        let listed: Vec<String> = faults.into_iter().take(LISTED).map(|(_, first)| first).collect();
        let hint = match listed.is_empty() {
            true => "put pictures there, each with a .txt or .json of the same name".to_owned(),
            false => format!("the first findings are: {}", listed.join("; ")),
        };
        DataError::new(what, hint)
    }

    /// Returns the number in the index of an item.
    fn sample(&self, index: usize) -> u64 {
        // The item is behind as many left-out samples as have `index` or fewer others before them.
        let (mut low, mut high) = (0, self.bare.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.bare[middle] - middle as u64 <= index as u64 {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        (index + low) as u64
    }

    /// Reads a sample. One whose index is damaged is there without captions.
    fn found(&self, sample: u64) -> Located<'_> {
        let at = self.index.shard_of(sample);
        let shard = &self.shards[at];
        match self.index.sample(sample) {
            Ok((place, entry)) => Located { at, shard, place, entry, damage: None },
            Err(error) => {
                let key = format!("sample {}", sample - self.index.first_of(at));
                let entry = Entry { key, ending: String::new(), texts: Texts::default() };
                Located { at, shard, place: Place::default(), entry, damage: Some(error) }
            }
        }
    }
}

/// A sample that was read.
struct Located<'a> {
    at: usize,
    shard: &'a ShardFile,
    place: Place,
    entry: Entry,
    /// Error of the index.
    damage: Option<std::io::Error>,
}

impl Dataset for Shards {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.index.len() as usize - self.bare.len()
    }

    fn item(&self, index: usize) -> Cow<'_, Item> {
        assert!(index < self.len(), "item {index} of {}", self.len());
        let Located { shard, entry, .. } = self.found(self.sample(index));
        let id = format!("{}/{}", shard.name, entry.key);
        let Texts { captions, own } = entry.texts;
        let (depicts, group, questions) = match own {
            Some(Own { depicts, group, questions, .. }) => (depicts, group, questions),
            None => (id.clone(), "all".to_owned(), vec![]),
        };
        Cow::Owned(Item { id, depicts, group, captions, questions })
    }

    fn caption_count(&self) -> u64 {
        self.index.header().shards.iter().map(|shard| shard.captions).sum()
    }

    fn is_sequential(&self) -> bool {
        true
    }

    fn shards(&self) -> Vec<ShardInfo> {
        let info = |(file, shard): (&ShardFile, &Shard)| ShardInfo {
            name: file.name.clone(),
            bytes: shard.stamp.bytes,
            sha256: shard.sha256.clone(),
            samples: shard.samples,
        };
        self.shards.iter().zip(&self.index.header().shards).map(info).collect()
    }

    fn shard_of(&self, index: usize) -> Option<usize> {
        (index < self.len()).then(|| self.index.shard_of(self.sample(index)))
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.image_as(index, Alpha::OnWhite)
    }

    fn image_as(&self, index: usize, alpha: Alpha) -> Result<RgbImage, DataError> {
        let (bytes, path) = self.picture(index)?;
        decode_bytes_as(&bytes, &path, alpha)
    }

    fn picture_file(&self, index: usize) -> Result<Option<PictureFile>, DataError> {
        let (bytes, path) = self.picture(index)?;
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Ok(Some(PictureFile { bytes, ending }))
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn left_out(&self) -> Findings {
        self.left_out.clone()
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

impl Shards {
    /// Reads the file of a picture, and its name for errors: `SHARD: NAME`.
    fn picture(&self, index: usize) -> Result<(Vec<u8>, PathBuf), DataError> {
        if index >= self.len() {
            return Err(DataError::index(&self.name, index, self.len()));
        }
        let Located { at, shard, place: at_place, entry, damage } = self.found(self.sample(index));
        if let Some(source) = damage {
            return Err(DataError::Read { path: self.index.path().to_owned(), source });
        }
        let file = entry.file();
        let path = PathBuf::from(place(shard, &file));
        let stamp = self.index.header().shards[at].stamp;
        let opened = self.pool.get(at, shard, (stamp, &self.index.header().rule));
        let read = opened.and_then(|open| open.picture(at_place, &file));
        match read {
            Ok(bytes) => Ok((bytes, path)),
            Err(source) => Err(DataError::Read { path, source }),
        }
    }
}

/// Writes the place of a member.
fn place(shard: &ShardFile, member: &str) -> String {
    match member.is_empty() {
        true => shard.name.clone(),
        false => format!("{}: {member}", shard.name),
    }
}

fn problem(note: &Note, shard: &ShardFile) -> Problem {
    Problem::new(&note.what).at(place(shard, &note.member)).hint(&note.hint)
}

/// Hashes what determines texts and pictures: names, sizes and digests of the shards, and the rule
/// for captions. No shard is opened.
fn fingerprint(shards: &[ShardFile], index: &IndexFile) -> String {
    let header = index.header();
    let mut hash = Sha256::new_with_prefix(format!("{:?}", header.rule));
    for (file, shard) in shards.iter().zip(&header.shards) {
        hash.update(format!("\n{:?} {} {}", file.name, shard.stamp.bytes, shard.sha256));
    }
    hex(&hash.finalize())
}
