//! Repair of damaged blocks of cached features.

use super::Features;
use super::header::{GROUP, sum};
use super::recipe::Recipe;
use crate::TrainError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use toolkit_system::files::FileError;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;

impl Features {
    /// Checks all blocks, computes the damaged ones again and writes them in their place.
    ///
    /// They are computed in their original groups, so the result has the same bits.
    ///
    /// # Errors
    /// If the result differs from the hash nevertheless, and errors of the file system.
    pub fn mend(
        &self,
        recipe: &Recipe<'_>,
        progress: &dyn Progress,
        note: &dyn Fn(&str),
    ) -> Result<(), TrainError> {
        let (layout, path) = (self.mapped.layout(), &self.paths.data);
        // Other blocks may be damaged too. If they were mended one at a time, each would end the
        // job that reads it.
        let damaged = self.mapped.check_all().map_err(|e| Problem::io("read", path, e))?;
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &block in &damaged {
            groups.entry(layout.rows_of(block).0 / GROUP).or_default().push(block);
        }
        if !groups.is_empty() {
            note(&format!("{}: {}", path.display(), self.damage(&damaged)));
            let mut file = OpenOptions::new()
                .write(true)
                .open(path)
                .map_err(|e| Problem::io("open", path, e))?;
            let encoder = (recipe.encoder)()?;
            progress.start(0, groups.len() as u64);
            for (group, blocks) in groups {
                let rows = group * GROUP..((group + 1) * GROUP).min(layout.rows);
                let (bytes, _) = recipe.group(&encoder, rows)?;
                self.rewrite(&mut file, group * GROUP, &bytes, &blocks)?;
                progress.advance(1);
            }
            file.sync_all().map_err(|e| FileError::new(path, e))?;
            progress.finish();
        }
        self.mapped.damaged().clear();
        Ok(())
    }

    /// Describes damaged blocks and their images for the log.
    fn damage(&self, blocks: &BTreeSet<usize>) -> String {
        let layout = self.mapped.layout();
        let images: usize =
            blocks.iter().map(|&block| layout.rows_of(block)).map(|(from, to)| to - from).sum();
        match (blocks.first(), blocks.len()) {
            (Some(&block), 1) => {
                let (from, to) = layout.rows_of(block);
                format!("block {block} is damaged; images {from} to {} are computed again", to - 1)
            }
            (_, count) => format!(
                "{count} of {} blocks are damaged; {images} of {} images are computed again",
                layout.blocks(),
                layout.rows
            ),
        }
    }

    /// Writes `blocks` of a group in their place. `bytes` are the group's rows, from row `start`.
    ///
    /// # Errors
    /// If a block does not have the hash of the header, and errors of the file system.
    fn rewrite(
        &self,
        file: &mut File,
        start: usize,
        bytes: &[u8],
        blocks: &[usize],
    ) -> Result<(), TrainError> {
        let (layout, path) = (self.mapped.layout(), &self.paths.data);
        for &block in blocks {
            let (from, to) = layout.rows_of(block);
            let bytes =
                &bytes[(from - start) * layout.row_bytes()..(to - start) * layout.row_bytes()];
            if sum(bytes) != *self.mapped.sum(block) {
                let what = format!("block {block} was computed again and is not what it was");
                let hint = "the build or the machine is another one: remove the file, and all is \
                    computed again";
                return Err(Problem::new(what).at(path.display()).hint(hint).into());
            }
            let begin = SeekFrom::Start((from * layout.row_bytes()) as u64);
            file.seek(begin)
                .and_then(|_| file.write_all(bytes))
                .map_err(|e| FileError::new(path, e))?;
        }
        Ok(())
    }
}
