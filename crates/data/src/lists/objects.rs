//! Rows inside an object: in a list under one of its keys, or each under a key of its own.

use super::at::Each;
use super::json_stream::{Broken, Scan};
use super::walk::{Stop, Walk};

impl Walk {
    pub fn sections(
        &mut self,
        section: &'static str,
        found: &mut bool,
        each: Each<'_>,
    ) -> Result<(), Stop> {
        self.source.expect(b'{')?;
        let (mut raw, mut first) = (Vec::new(), true);
        while let Some(key) = self.key(first, &mut raw)? {
            first = false;
            if key != section {
                self.source.skip()?;
            } else if std::mem::replace(found, true) {
                return Err(Broken::syntax(format!("\"{key}\" is there twice")).into());
            } else if self.source.need()? != b'[' {
                return Err(
                    Broken::syntax(format!("invalid type: \"{key}\" is no list of rows")).into()
                );
            } else {
                self.rows(section, &mut *each)?;
            }
            if !self.goes_on(b'}')? {
                break;
            }
        }
        Ok(())
    }

    pub fn entries(&mut self, each: Each<'_>) -> Result<(), Stop> {
        self.source.expect(b'{')?;
        let (mut raw, mut bytes) = (Vec::new(), Vec::new());
        for row in 1.. {
            self.source.need()?;
            let at = self.start("", row);
            let Some(key) = self.key(row == 1, &mut raw)? else { break };
            bytes.clear();
            self.source.value(&mut bytes)?;
            self.tell(at, &key, &bytes, &mut *each)?;
            if !self.goes_on(b'}')? {
                break;
            }
        }
        self.at = None;
        Ok(())
    }

    /// Walks an object with a list of rows in it, or rows as objects one after the other.
    pub fn object(&mut self, sections: &[&'static str], each: Each<'_>) -> Result<(), Stop> {
        let mut row = 0;
        while self.source.peek()?.is_some() {
            row += 1;
            let at = self.start("", row);
            if let Some(bytes) = self.object_or_rows(sections, &mut *each)? {
                self.tell(at, "", &bytes, &mut *each)?;
            }
        }
        Ok(())
    }

    /// Tells the rows of an object's lists; gives the object itself if there is none.
    fn object_or_rows(
        &mut self,
        sections: &[&'static str],
        each: Each<'_>,
    ) -> Result<Option<Vec<u8>>, Stop> {
        self.source.expect(b'{')?;
        let (mut whole, mut raw, mut found): (_, _, Vec<&str>) = (vec![b'{'], Vec::new(), vec![]);
        while let Some(key) = self.key(whole.len() == 1, &mut raw)? {
            if whole.len() > 1 {
                whole.push(b',');
            }
            whole.extend_from_slice(&raw);
            whole.push(b':');
            let section = sections.iter().find(|section| **section == key).copied();
            match section {
                Some(section) if self.source.need()? == b'[' => {
                    self.source.take();
                    if matches!(self.source.need()?, b'{' | b']') {
                        if found.contains(&section) {
                            return Err(Broken::syntax(format!("\"{key}\" is there twice")).into());
                        }
                        found.push(section);
                        self.rows_inside(section, &mut *each)?;
                        whole.extend_from_slice(b"[]");
                    } else {
                        whole.push(b'[');
                        self.source.rest(&mut Scan::inside_list(), Some(&mut whole))?;
                    }
                }
                _ => self.source.value(&mut whole)?,
            }
            if !self.goes_on(b'}')? {
                break;
            }
        }
        whole.push(b'}');
        Ok(found.is_empty().then_some(whole))
    }
}
