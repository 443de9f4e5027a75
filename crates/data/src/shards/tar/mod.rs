//! Tar files: the shards of webdataset and img2dataset.

mod walk;

use super::container::{Container, OpenShard};
use super::found::Found;
use super::group::{self, Group, Use};
use super::place::{Place, Sum};
use super::texts::TextRule;
use crate::DataError;
use crate::lists::fault::Fault;
use std::fs::File;
use std::io::Result;
use std::path::Path;
use std::sync::Arc;
use toolkit_system::input::{open, read_exact_at};
use walk::{Stop, Walk};

/// The kind of tar files.
pub(super) struct TarShards;

const CUT: &str = "get the file again; what comes before is used";

impl Container for TarShards {
    fn scan(
        &self,
        path: &Path,
        rule: &TextRule,
        found: &mut Found<'_, '_>,
    ) -> std::result::Result<Sum, DataError> {
        let fail = |source| DataError::Read { path: path.to_owned(), source };
        let mut walk = Walk::new(open(path).map_err(fail)?);
        let stop = members(&mut walk, rule, found)?;
        match stop {
            Stop::End => {}
            Stop::Damaged(what) => found.faults.add(Fault::DamagedFile, "", what, CUT),
            Stop::Compressed(how) => {
                let hint = "unpack it: pictures are read from any place of a plain .tar";
                found.faults.add(Fault::UnreadFile, "", format!("it is {how}, no tar"), hint);
            }
            Stop::Io(error) => return Err(fail(error)),
        }
        walk.finish(&mut |bytes| found.advance(bytes)).map_err(fail)
    }

    fn open(&self, path: &Path, _: &TextRule) -> Result<Arc<dyn OpenShard>> {
        Ok(Arc::new(TarFile(open(path)?)))
    }
}

/// Tells the samples of a file, until it ends or is damaged.
fn members(
    walk: &mut Walk<File>,
    rule: &TextRule,
    found: &mut Found<'_, '_>,
) -> std::result::Result<Stop, DataError> {
    let mut group: Option<Group> = None;
    let mut any = false;
    let stop = loop {
        let member = match walk.next(&mut |bytes| found.advance(bytes)) {
            Ok(member) => member,
            Err(stop) => break stop,
        };
        any = true;
        if !member.is_file {
            found.faults.pass("links and folders");
            continue;
        }
        let Some((key, ending)) = group::split(&member.name, &mut found.faults) else { continue };
        if group.as_ref().is_some_and(|group| group.key != key)
            && let Some(done) = group.take()
        {
            done.tell(found)?;
        }
        let group = group.get_or_insert_with(|| Group::new(key));
        let taken = match group.wants(ending, member.size, &mut found.faults) {
            // It is told once all of it was there.
            Use::Picture => walk.pass().map(|()| group.picture(member.place(), ending)),
            Use::Text(kind) => {
                walk.content().map(|bytes| group.text(kind, &bytes, rule, &mut found.faults))
            }
            Use::None => walk.pass(),
        };
        if let Err(stop) = taken {
            break stop;
        }
    };
    if let Some(done) = group {
        done.tell(found)?;
    }
    if !any && matches!(stop, Stop::End) {
        found.faults.add(Fault::Empty, "", "it has no member", "get the file again");
    }
    Ok(stop)
}

/// An open tar file.
struct TarFile(File);

impl OpenShard for TarFile {
    fn picture(&self, place: Place, _: &str) -> Result<Vec<u8>> {
        let mut bytes = vec![0; place.length as usize];
        read_exact_at(&self.0, &mut bytes, place.offset)?;
        Ok(bytes)
    }
}
