//! Qt resource files: what is written is read, and what is broken is an error and no more.

use crate::small::rcc::{entries, unpack};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A tree of names; a file has bytes.
#[derive(Default)]
struct Tree {
    children: BTreeMap<String, Tree>,
    bytes: Option<Vec<u8>>,
}

/// Writes a resource file as Qt's `rcc --binary` does; every other file is packed.
pub(crate) fn resource(files: &[(&str, &[u8])], version: u32) -> Vec<u8> {
    let mut root = Tree::default();
    for (path, bytes) in files {
        let mut at = &mut root;
        for name in path.split('/') {
            at = at.children.entry(name.to_owned()).or_default();
        }
        at.bytes = Some(bytes.to_vec());
    }
    let (mut names, mut data, mut tree): (Vec<u8>, Vec<u8>, Vec<u8>) = (vec![], vec![], vec![]);
    // Breadth first: the children of a folder follow one another.
    let mut queue = vec![(String::new(), &root)];
    let mut at = 0;
    while at < queue.len() {
        let (name, node) = (queue[at].0.clone(), queue[at].1);
        at += 1;
        tree.extend((names.len() as u32).to_be_bytes());
        let units: Vec<u16> = name.encode_utf16().collect();
        names.extend((units.len() as u16).to_be_bytes());
        names.extend([0; 4]);
        names.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
        if let Some(bytes) = &node.bytes {
            let packed = at % 2 == 0;
            tree.extend(u16::from(packed).to_be_bytes());
            tree.extend([0; 4]);
            tree.extend((data.len() as u32).to_be_bytes());
            let mut stored = bytes.clone();
            if packed {
                stored = (bytes.len() as u32).to_be_bytes().to_vec();
                stored.extend(miniz_oxide::deflate::compress_to_vec_zlib(bytes, 6));
            }
            data.extend((stored.len() as u32).to_be_bytes());
            data.extend(stored);
        } else {
            tree.extend(2_u16.to_be_bytes());
            tree.extend((node.children.len() as u32).to_be_bytes());
            tree.extend((queue.len() as u32).to_be_bytes());
            queue.extend(node.children.iter().map(|(name, node)| (name.clone(), node)));
        }
        if version > 1 {
            tree.extend([0; 8]);
        }
    }
    let header = if version > 2 { 24 } else { 20 };
    let mut out = b"qres".to_vec();
    let starts =
        [version, header + (data.len() + names.len()) as u32, header, header + data.len() as u32];
    out.extend(starts.iter().flat_map(|v| v.to_be_bytes()));
    out.resize(header as usize, 0);
    for part in [data, names, tree] {
        out.extend(part);
    }
    out
}

/// All files with their bytes, or what is wrong.
fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let all = entries(bytes)?;
    all.into_iter().map(|e| Ok((e.path, unpack(&bytes[e.at..e.at + e.len], e.packed)?))).collect()
}

const FILES: [(&str, &[u8]); 4] =
    [("a/b/one.txt", b"one"), ("a/b/two.txt", b"two two two two"), ("a/é.txt", b""), ("z", b"z")];

#[test]
fn what_is_written_is_read() {
    for version in 1..=3 {
        let found = read(&resource(&FILES, version)).unwrap();
        let expected: Vec<(String, Vec<u8>)> =
            FILES.iter().map(|(n, b)| ((*n).to_owned(), b.to_vec())).collect();
        assert_eq!(found, expected, "version {version}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let good = resource(&FILES, 3);
    let tree = u32::from_be_bytes(good[8..12].try_into().unwrap()) as usize;
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        entries(&bad).unwrap_err()
    };
    assert!(with(0, b"text").contains("qres"));
    assert!(with(7, &[9]).contains("version is 9"));
    // The root says it is its own child; then that it has four thousand million children.
    assert!(with(tree + 10, &[0; 4]).contains("in two folders"));
    assert!(with(tree + 6, &[255; 4]).contains("children"));
    // The second node is packed with zstd.
    let file = (0..9).find(|i| good[tree + i * 22 + 5] & 2 == 0).unwrap();
    assert!(with(tree + file * 22 + 5, &[4]).contains("zstd"));
    assert!(with(tree + file * 22 + 10, &[255; 4]).contains("ends before"));
    assert!(entries(&[]).is_err() && entries(b"qres").is_err());
}

#[test]
fn unpacking_is_bounded() {
    let mut bomb = u32::MAX.to_be_bytes().to_vec();
    bomb.extend(miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 1 << 20], 9));
    assert!(unpack(&bomb, true).unwrap_err().contains("at most"));
    // It says ten bytes and holds a million.
    bomb[..4].copy_from_slice(&10_u32.to_be_bytes());
    assert!(unpack(&bomb, true).is_err());
    bomb[..4].copy_from_slice(&(2_u32 << 20).to_be_bytes());
    assert!(unpack(&bomb, true).unwrap_err().contains("not 2097152"));
    assert!(unpack(&[1, 2], true).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A hostile file is read or refused, without panic and without more output than a multiple of
    /// its size.
    #[test]
    fn broken_files_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        version in 1_u32..=3,
    ) {
        let mut bytes = resource(&FILES, version);
        for (at, value) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
        if let Ok(found) = entries(&bytes) {
            prop_assert!(found.len() * 14 <= bytes.len());
            for entry in found {
                prop_assert!(entry.path.len() <= 1_024 && entry.at + entry.len <= bytes.len());
                drop(unpack(&bytes[entry.at..entry.at + entry.len], entry.packed));
            }
        }
    }

    #[test]
    fn noise_is_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(entries(&bytes));
        if bytes.len() >= 8 {
            bytes[..8].copy_from_slice(b"qres\0\0\0\x01");
            drop(entries(&bytes));
        }
    }
}
