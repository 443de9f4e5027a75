//! No file makes a reader panic or take memory out of proportion: good files with bytes changed,
//! cut or doubled, and random bytes behind each format's magic.
//!
//! The allocator of this test binary counts. All is one `#[test]`, so that nothing else allocates
//! meanwhile.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "../../../tests/fuzz/src/memory.rs"]
mod memory;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toolkit_formats::Tensors;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Opens the file and reads all of it.
fn read_all(bytes: Vec<u8>) {
    match Tensors::from_bytes("file", bytes) {
        Ok(tensors) => {
            for name in tensors.names() {
                let count: usize = tensors.info(name).unwrap().shape.iter().product();
                assert_eq!(tensors.read(name).unwrap().len(), count, "{name}");
                if let Ok(ints) = tensors.read_ints(name) {
                    assert_eq!(ints.len(), count);
                }
            }
            if let Some(gguf) = tensors.gguf() {
                let _ = gguf.tokenizer_json();
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// Reads a file and returns the most memory that was held beyond the file itself.
fn peak(bytes: Vec<u8>) -> usize {
    memory::peak(|| read_all(bytes)).1
}

/// The worst are pickles that do nothing but make one-byte values; all others stay far below.
fn bound(len: usize) -> usize {
    100 * len + (64 << 10)
}

fn check(bytes: Vec<u8>) {
    let len = bytes.len();
    let peak = peak(bytes);
    assert!(peak <= bound(len), "{peak} bytes for a file of {len}");
}

/// A change to a file: at a place (as a part of its length), one of a few things.
#[derive(Clone, Debug)]
enum Change {
    Set(f64, u8),
    Long(f64, u64),
    Cut(f64),
    Double(f64, f64),
    Drop(f64, f64),
    Swap(f64, f64),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || prop_oneof![0.0..1.0, 0.0..0.1, 0.9..1.0];
    let extreme = prop_oneof![
        Just(u64::MAX),
        Just(1 << 63),
        Just(1 << 40),
        Just(1 << 31),
        Just(0),
        any::<u64>()
    ];
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at(), extreme).prop_map(|(at, value)| Change::Long(at, value)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), 0.0..0.2).prop_map(|(at, len)| Change::Double(at, len)),
        1 => (at(), 0.0..0.1).prop_map(|(at, len)| Change::Drop(at, len)),
        1 => (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let len = bytes.len();
    if len == 0 {
        return;
    }
    let place = |part: f64| ((part * len as f64) as usize).min(len - 1);
    let range = |at: f64, part: f64| place(at)..(place(at) + place(part)).min(len);
    match *change {
        Change::Set(at, byte) => bytes[place(at)] = byte,
        Change::Long(at, value) => {
            let at = place(at);
            let end = (at + 8).min(len);
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        Change::Cut(at) => bytes.truncate(place(at)),
        Change::Double(at, part) => {
            let copy = bytes[range(at, part)].to_vec();
            bytes.splice(place(at)..place(at), copy);
        }
        Change::Drop(at, part) => drop(bytes.drain(range(at, part))),
        Change::Swap(a, b) => bytes.swap(place(a), place(b)),
    }
}

const TENSOR: &[u8] =
    b"ctorch._utils\n_rebuild_tensor_v2\n((\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x10tQ\
    K\x01K\x02K\x03\x86K\x03K\x01\x86tR";

/// Pickles that run to their end: values within values, shared and within themselves.
fn pickle() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "collections\nOrderedDict\n",
        "torch._utils\n_rebuild_tensor_v2\n",
        "torch\nFloatStorage\n",
        "a\nb\n",
        "torch._utils\n_rebuild_parameter\n",
        "torch._tensor\n_rebuild_from_type_v2\n",
        "__torch__.a\nB\n",
        "torch\nSize\n",
    ];
    let name =
        prop::sample::select(names.to_vec()).prop_map(|name| [b"c", name.as_bytes()].concat());
    let leaf = prop_oneof![
        prop::sample::select(vec![
            b"N".to_vec(),
            vec![0x88],
            b")".to_vec(),
            b"}".to_vec(),
            b"]".to_vec(),
            TENSOR.to_vec()
        ]),
        (0u8..8).prop_map(|n| vec![b'K', n]),
        prop::sample::select(vec![
            "a",
            "b",
            "model",
            "optimizer",
            "_modules",
            "_parameters",
            "storage",
            "0"
        ])
        .prop_map(|text| [&[0x8c, text.len() as u8], text.as_bytes()].concat()),
        (0u8..5).prop_map(|n| vec![b'h', n]),
        name,
    ];
    let value = leaf.prop_recursive(6, 200, 12, |inner| {
        let many = || prop::collection::vec(inner.clone(), 0..8);
        prop_oneof![
            many().prop_map(|items| [&b"("[..], &items.concat(), b"t"].concat()),
            many().prop_map(|items| [&b"]("[..], &items.concat(), b"e"].concat()),
            prop::collection::vec((inner.clone(), inner.clone()), 0..8).prop_map(|items| {
                let items =
                    items.into_iter().map(|(key, value)| [key, value].concat()).collect::<Vec<_>>();
                [&b"}("[..], &items.concat(), b"u"].concat()
            }),
            // A call, an object with its state, an item set in a shared dict or list.
            (inner.clone(), many())
                .prop_map(|(f, args)| [&f[..], b"(", &args.concat(), b"tR"].concat()),
            (inner.clone(), inner.clone()).prop_map(|(class, state)| [
                &class[..],
                b")\x81",
                &state,
                b"b"
            ]
            .concat()),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| [
                b"h\0",
                &key[..],
                &value,
                b"s"
            ]
            .concat()),
            inner.clone().prop_map(|item| [b"h\x01", &item[..], b"a"].concat()),
            many().prop_map(|parts| [&b"("[..], &parts.concat(), b"tQ"].concat()),
        ]
    });
    let start = [b"\x80\x02}q\0]q\x01", TENSOR, b"q\x02)q\x03}\x8c\x01xh\x02sq\x04"].concat();
    value.prop_map(move |value| [&start[..], &value, b"."].concat())
}

/// The archive of a harmless fixture with another pickle in place of its own: the directory is
/// right.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in [("archive/data.pkl", pickle), ("archive/data/0", &[7; 64])] {
        let (name_len, len, at) = (
            (name.len() as u16).to_le_bytes(),
            (data.len() as u32).to_le_bytes(),
            out.len() as u32,
        );
        let common =
            [&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &len, &len, &name_len, &[0, 0]]
                .concat();
        out.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), data].concat());
        directory.extend(
            [
                b"PK\x01\x02\x0a\x00",
                common.as_slice(),
                &[0; 10],
                &at.to_le_bytes(),
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let (size, at) = ((directory.len() as u32).to_le_bytes(), (out.len() as u32).to_le_bytes());
    out.extend(directory);
    out.extend([&b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..], &size, &at, &[0, 0]].concat());
    out
}

#[test]
fn no_file_panics_or_takes_much_memory() {
    let files: Vec<_> =
        common::files().into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    for (bytes, path) in &files {
        let peak = peak(bytes.clone());
        assert!(peak <= bound(bytes.len()), "{peak} bytes for {}", path.display());
    }
    let good = archive(b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x10tQK\x02K\x02K\x03\x86K\x03K\x01\x86\x89}tRs.");
    assert_eq!(Tensors::from_bytes("good", good).unwrap().info("w").unwrap().shape, [2, 3]);

    // A runner that has run its cases does nothing more.
    let runner =
        |cases| TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let small: Vec<_> =
        files.iter().map(|(bytes, _)| bytes).filter(|bytes| bytes.len() < 20_000).collect();
    let changed = (0..small.len(), prop::collection::vec(change(), 1..4));
    runner(60_000)
        .run(&changed, |(file, changes)| {
            let mut bytes = small[file].clone();
            changes.iter().for_each(|change| apply(&mut bytes, change));
            check(bytes);
            Ok(())
        })
        .unwrap();
    runner(40_000)
        .run(&pickle(), |pickle| {
            check(archive(&pickle));
            Ok(())
        })
        .unwrap();
    let magics = prop::sample::select(vec![
        b"PK\x03\x04".to_vec(),
        b"GGUF\x03\0\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec(),
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02".to_vec(),
        b"\x08\x07\x3a".to_vec(),
        b"\x40\0\0\0\0\0\0\0{\"".to_vec(),
        Vec::new(),
    ]);
    let random = (magics, prop::collection::vec(any::<u8>(), 0..300));
    runner(20_000)
        .run(&random, |(magic, rest)| {
            check([magic, rest].concat());
            Ok(())
        })
        .unwrap();
}
