//! The boxes of an AVIF file: its items, their places and their properties.

use std::ops::Range;

/// Reads numbers and parts from the front of some bytes; `None` is the end.
#[derive(Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(part)
    }

    /// Reads a whole number of up to eight bytes, the highest first.
    pub fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// Reads the name and the content of the next box.
    fn next_box(&mut self) -> Option<([u8; 4], Reader<'a>)> {
        let all = self.0;
        let short = self.number(4)?;
        let name = self.take(4)?.try_into().ok()?;
        let (head, len) = match short {
            // To the end of the file.
            0 => (8, all.len() as u64),
            1 => (16, self.number(8)?),
            len => (8, len),
        };
        let len = usize::try_from(len).ok()?.min(all.len());
        let content = all.get(head..len)?;
        self.0 = &all[len..];
        Some((name, Reader(content)))
    }

    fn boxes(mut self) -> impl Iterator<Item = ([u8; 4], Reader<'a>)> {
        std::iter::from_fn(move || self.next_box())
    }

    /// Reads the version of a box and its flags.
    fn version(&mut self) -> Option<(u8, u32)> {
        let both = self.number(4)? as u32;
        Some(((both >> 24) as u8, both & 0xff_ffff))
    }
}

/// The most items of a file: a grid has some hundred.
const MOST_ITEMS: usize = 1 << 12;

/// A part of the file that pictures are made of: pixels, a grid of others, or EXIF.
#[derive(Clone)]
pub struct Item {
    pub id: u32,
    pub kind: [u8; 4],
    /// True if it is text of XMP.
    pub is_xmp: bool,
    /// Parts of the item, each from one place to another.
    parts: Vec<Range<usize>>,
    /// True if its parts are of the box `idat`, not of the file.
    inside: bool,
    /// Numbers of its properties.
    properties: Vec<usize>,
}

/// The items of a file.
pub struct Items<'a> {
    bytes: &'a [u8],
    idat: &'a [u8],
    pub primary: u32,
    items: Vec<Item>,
    properties: Vec<([u8; 4], Reader<'a>)>,
    /// Kind of a reference, the item that has it and those that it names.
    references: Vec<([u8; 4], u32, Vec<u32>)>,
}

impl<'a> Items<'a> {
    /// Reads the boxes.
    ///
    /// # Errors
    /// If a box is missing or cut off.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let cut = "the file is cut off in its header";
        let (_, mut meta) = Reader(bytes)
            .boxes()
            .find(|(name, _)| name == b"meta")
            .ok_or("it has no picture, or is cut off")?;
        meta.version().ok_or(cut)?;
        let mut items = Self {
            bytes,
            idat: &[],
            primary: 0,
            items: vec![],
            properties: vec![],
            references: vec![],
        };
        for (name, content) in meta.boxes() {
            match &name {
                b"pitm" => items.read_primary(content),
                b"iinf" => items.read_infos(content),
                b"iloc" => items.read_places(content),
                b"iprp" => items.read_properties(content),
                b"iref" => items.read_references(content),
                b"idat" => {
                    items.idat = content.0;
                    Some(())
                }
                _ => Some(()),
            }
            .ok_or(cut)?;
        }
        Ok(items)
    }

    fn read_primary(&mut self, mut reader: Reader) -> Option<()> {
        let (version, _) = reader.version()?;
        self.primary = reader.number(if version == 0 { 2 } else { 4 })? as u32;
        Some(())
    }

    /// Returns the item of a number, created if needed: boxes come in any order.
    fn item(&mut self, id: u32) -> Option<&mut Item> {
        let at = match self.items.iter().position(|item| item.id == id) {
            Some(at) => at,
            None if self.items.len() == MOST_ITEMS => return None,
            None => {
                let (parts, properties) = (vec![], vec![]);
                self.items.push(Item {
                    id,
                    kind: [0; 4],
                    is_xmp: false,
                    parts,
                    inside: false,
                    properties,
                });
                self.items.len() - 1
            }
        };
        self.items.get_mut(at)
    }

    fn read_infos(&mut self, mut reader: Reader) -> Option<()> {
        let (version, _) = reader.version()?;
        reader.number(if version == 0 { 2 } else { 4 })?;
        for (name, mut info) in reader.boxes().filter(|(name, _)| name == b"infe") {
            let (version, _) = info.version()?;
            if &name != b"infe" || version < 2 {
                continue;
            }
            let id = info.number(if version == 2 { 2 } else { 4 })? as u32;
            info.number(2)?;
            let kind = info.take(4)?.try_into().ok()?;
            let item = self.item(id)?;
            item.kind = kind;
            item.is_xmp =
                &kind == b"mime" && info.0.windows(20).any(|part| part == b"application/rdf+xml\0");
        }
        Some(())
    }

    fn read_places(&mut self, mut reader: Reader) -> Option<()> {
        let (version, _) = reader.version()?;
        let sizes = reader.number(2)? as usize;
        let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| sizes >> shift & 15);
        if [offset, length, base, index].iter().any(|size| ![0, 4, 8].contains(size)) || version > 2
        {
            return None;
        }
        let long = if version < 2 { 2 } else { 4 };
        for _ in 0..reader.number(long)? {
            let id = reader.number(long)? as u32;
            let inside = version > 0 && reader.number(2)? & 15 == 1;
            reader.number(2)?;
            let start = reader.number(base)?;
            let mut parts = vec![];
            for _ in 0..reader.number(2)? {
                reader.number(if version > 0 { index } else { 0 })?;
                let from = start.checked_add(reader.number(offset)?)?;
                let len = reader.number(length)?;
                parts.push(
                    usize::try_from(from).ok()?..usize::try_from(from.checked_add(len)?).ok()?,
                );
            }
            let item = self.item(id)?;
            (item.inside, item.parts) = (inside, parts);
        }
        Some(())
    }

    fn read_properties(&mut self, reader: Reader<'a>) -> Option<()> {
        for (name, mut content) in reader.boxes() {
            match &name {
                b"ipco" => self.properties = content.boxes().collect(),
                b"ipma" => {
                    let (version, flags) = content.version()?;
                    for _ in 0..content.number(4)? {
                        let id = content.number(if version == 0 { 2 } else { 4 })? as u32;
                        let count = content.number(1)?;
                        // The highest bit says that the property must be understood.
                        let (bytes, mask) = if flags & 1 == 1 { (2, 0x7fff) } else { (1, 0x7f) };
                        let numbers =
                            (0..count).map(|_| Some(content.number(bytes)? as usize & mask));
                        let numbers: Vec<usize> = numbers.collect::<Option<_>>()?;
                        self.item(id)?.properties.extend(numbers);
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn read_references(&mut self, mut reader: Reader) -> Option<()> {
        let (version, _) = reader.version()?;
        let long = if version == 0 { 2 } else { 4 };
        for (name, mut content) in reader.boxes() {
            let from = content.number(long)? as u32;
            let count = content.number(2)?;
            let to =
                (0..count).map(|_| Some(content.number(long)? as u32)).collect::<Option<_>>()?;
            self.references.push((name, from, to));
        }
        Some(())
    }

    /// Returns an item.
    pub fn get(&self, id: u32) -> Result<&Item, String> {
        self.items
            .iter()
            .find(|item| item.id == id)
            .ok_or_else(|| format!("its item {id} is missing"))
    }

    /// Returns the content of a property of an item.
    pub fn property(&self, item: &Item, name: &[u8; 4]) -> Option<Reader<'a>> {
        let mut numbers =
            item.properties.iter().filter_map(|number| self.properties.get(number.checked_sub(1)?));
        numbers.find(|(found, _)| found == name).map(|(_, content)| *content)
    }

    /// Returns the items that `from` names, for a grid its cells.
    pub fn named_by(&self, from: u32, kind: &[u8; 4]) -> &[u32] {
        let mut found = self.references.iter().filter(|(name, id, _)| name == kind && *id == from);
        found.next().map_or(&[], |(_, _, to)| to)
    }

    /// Returns the items that name `to`: its description, or its transparency.
    pub fn naming<'s>(&'s self, to: u32, kind: &'s [u8; 4]) -> impl Iterator<Item = &'s Item> {
        let found =
            self.references.iter().filter(move |(name, _, ids)| name == kind && ids.contains(&to));
        found.filter_map(|(_, from, _)| self.get(*from).ok())
    }

    /// Returns the bytes of an item.
    pub fn data(&self, item: &Item) -> Result<Vec<u8>, String> {
        let bytes = if item.inside { self.idat } else { self.bytes };
        let mut data = vec![];
        for part in &item.parts {
            // A part without a length goes on to the end.
            let end = if part.is_empty() { bytes.len() } else { part.end };
            data.extend(
                bytes.get(part.start..end).ok_or("the file is cut off: its pixels are missing")?,
            );
            // Parts may overlap, so that a short file would become a long item.
            if data.len() > self.bytes.len() {
                return Err("its parts overlap".to_owned());
            }
        }
        Ok(data)
    }
}
