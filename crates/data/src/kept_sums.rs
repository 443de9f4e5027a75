//! Digests of pictures, kept on disk: a start opens only the pictures that changed.
//!
//! A fingerprint of a data set hashes its pictures. Of millions of pictures on a network disk that
//! takes hours, at every start. So the digest of each picture is kept with the size and the time of
//! its file, and taken again only if one of them is another.

use crate::shards::Stamp;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use toolkit_system::digest::hex;
use toolkit_system::files::write_bytes;

/// A SHA-256.
pub(crate) type Sum = [u8; 32];

/// First bytes of a file of digests: its form, with a version.
const FORM: &[u8; 16] = b"toolkit sums 1\n\n";

/// Bytes of a record: key, size and time of the file, digest.
const RECORD: usize = 16 + 8 + 8 + 32;

/// Nanoseconds that a file must have been left alone. One that is changed twice within the
/// precision of its time would otherwise keep the first digest.
const SETTLED: u64 = 2_000_000_000;

/// The kept digests of one data set.
#[derive(Clone, Debug)]
pub(crate) struct KeptSums(PathBuf);

/// A picture, and all that its digest depends on besides the file.
pub(crate) struct Entry {
    /// File; none if it is not there.
    pub path: Option<PathBuf>,
    /// Text that is hashed with the picture.
    pub text: String,
}

impl KeptSums {
    /// Names the file of digests of the data set `name` in the folder of indexes.
    pub fn new(indexes: &Path, name: &str) -> Self {
        Self(indexes.join(format!("{}.sums", hex(&Sha256::digest(name)[..12]))))
    }

    /// Returns the digests of `count` pictures. `sum` computes one that is not kept; none if the
    /// picture cannot be read.
    ///
    /// Digests that cannot be written are computed again next time.
    pub fn of(
        &self,
        count: usize,
        entry: impl Fn(usize) -> Entry + Sync,
        sum: impl Fn(usize) -> Option<Sum> + Sync,
    ) -> Vec<Option<Sum>> {
        let kept = self.load();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let settled = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).saturating_sub(SETTLED);
        let one = |at: usize| {
            let Entry { path, text } = entry(at);
            let Some((path, stamp)) = path.and_then(|path| {
                let stamp = Stamp::of(&path).ok()?;
                Some((path, stamp))
            }) else {
                return (None, sum(at));
            };
            let id = id(&path, &text, stamp);
            let found = kept.get(&id).copied().or_else(|| sum(at));
            let keep = found.filter(|_| stamp.modified < settled);
            (keep.map(|sum| (id, sum)), found)
        };
        let all: Vec<_> = (0..count).into_par_iter().map(one).collect();
        let records: Vec<(Id, Sum)> = all.iter().filter_map(|(record, _)| *record).collect();
        if records.iter().any(|(id, _)| !kept.contains_key(id)) || records.len() < kept.len() {
            let _ = self.store(&records);
        }
        all.into_iter().map(|(_, sum)| sum).collect()
    }

    fn load(&self) -> HashMap<Id, Sum> {
        let bytes = toolkit_system::input::read(&self.0).unwrap_or_default();
        let Some(body) = bytes.strip_prefix(FORM) else { return HashMap::new() };
        let Some((body, end)) = body.split_last_chunk::<32>() else { return HashMap::new() };
        if <Sum>::from(Sha256::digest(body)) != *end {
            return HashMap::new();
        }
        body.as_chunks::<RECORD>()
            .0
            .iter()
            .map(|record| {
                let (mut id, mut sum) = ([0; 32], [0; 32]);
                id.copy_from_slice(&record[..32]);
                sum.copy_from_slice(&record[32..]);
                (id, sum)
            })
            .collect()
    }

    fn store(&self, records: &[(Id, Sum)]) -> std::io::Result<()> {
        let mut bytes = FORM.to_vec();
        bytes.extend(records.iter().flat_map(|(id, sum)| id.iter().chain(sum)));
        let end: Sum = Sha256::digest(&bytes[FORM.len()..]).into();
        bytes.extend(end);
        self.0.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        write_bytes(&self.0, &bytes).map_err(std::io::Error::other)
    }
}

/// Key of a picture's path and text, then size and time of the file.
type Id = [u8; 32];

fn id(path: &Path, text: &str, stamp: Stamp) -> Id {
    let mut hash = Sha256::new_with_prefix(path.as_os_str().as_encoded_bytes());
    hash.update(b"\0");
    hash.update(text);
    let mut id = [0; 32];
    id[..16].copy_from_slice(&hash.finalize()[..16]);
    id[16..24].copy_from_slice(&stamp.bytes.to_le_bytes());
    id[24..].copy_from_slice(&stamp.modified.to_le_bytes());
    id
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::fs::{File, write};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn only_changed_pictures_are_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = |at: usize| dir.path().join(format!("{at}.png"));
        let settle = |at: usize, seconds: u64| {
            let file = File::options().write(true).open(path(at)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        };
        for at in 0..9 {
            write(path(at), [at as u8; 9]).unwrap();
            settle(at, 100);
        }
        let kept = KeptSums::new(&dir.path().join("indexes"), "folder");
        let read = AtomicUsize::new(0);
        let all = |text: &str| {
            let entry = |at| Entry { path: Some(path(at)), text: text.to_owned() };
            let sum = |at| {
                read.fetch_add(1, Ordering::Relaxed);
                Some(Sha256::digest(std::fs::read(path(at)).ok()?).into())
            };
            let sums = kept.of(10, entry, sum);
            (sums, read.swap(0, Ordering::Relaxed))
        };
        let (first, opened) = all("");
        assert!(opened == 10 && first[9].is_none() && first[8].is_some());
        // The tenth is not there, and nothing is kept of it.
        assert_eq!(all(""), (first.clone(), 1));
        // Another size, and another time.
        write(path(2), [7; 3]).unwrap();
        settle(2, 100);
        settle(3, 50);
        let (changed, opened) = all("");
        assert!(opened == 3 && changed[2] != first[2] && changed[3] == first[3]);
        // A file that was just written may be written again within the precision of its time.
        write(path(4), [8; 3]).unwrap();
        assert_eq!(all("").1, 2);
        assert_eq!(all("").1, 2);
        // Another text is another digest.
        assert_eq!(all("caption").1, 10);
        // A damaged file of digests counts for nothing.
        write(&kept.0, b"toolkit sums 1\n\nnonsense").unwrap();
        assert_eq!(all("caption").1, 10);
    }
}
