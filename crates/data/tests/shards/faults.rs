//! Damaged, hostile and incomplete tar files: everything is counted, and what is whole is read.

use crate::make::{Place, add, faults, png, tar, texts};
use toolkit_data::Dataset;

fn one(bytes: &[u8]) -> (Place, Vec<String>, Vec<String>) {
    let place = Place::new();
    place.write("a.tar", bytes);
    place.write("z.tar", tar(&[("0.png", &png(0)), ("0.txt", b"other")]));
    let data = place.open("*.tar").unwrap();
    let ids = texts(&data).into_iter().map(|(id, _)| id).filter(|id| id.starts_with("a.tar"));
    let ids = ids.collect();
    let found = faults(&data);
    (place, ids, found)
}

#[test]
fn several_captions_and_their_order() {
    let picture = png(3);
    let place = Place::new();
    place.write(
        "a.tar",
        tar(&[
            ("1.txt", b"web text"),
            ("1.PNG", &picture),
            ("1.json", br#"["top one", "top two"]"#),
            ("d/2.jpg", &picture),
            ("d/2.json", br#"{"url": "x"}"#),
            ("d/2.caption", b"beside\nanother"),
            ("d/2.cls", b"7"),
            ("d/2.seg.png", &picture),
        ]),
    );
    let data = place.open("a.tar").unwrap();
    let expected = [
        ("a.tar/1".to_owned(), vec!["top one".to_owned(), "top two".to_owned()]),
        ("a.tar/d/2".to_owned(), vec!["beside".to_owned(), "another".to_owned()]),
    ];
    assert_eq!(texts(&data), expected);
    assert_eq!(data.item(0).depicts, "a.tar/1");
    assert_eq!(data.image(0).unwrap().get_pixel(1, 0).0, [3, 0, 255]);
    assert!(data.left_out().is_empty());
    assert_eq!(
        data.remarks(),
        ["members that are no pictures and no texts: .cls (1), .seg.png (1)"]
    );
    assert!(data.is_sequential() && data.shards()[0].samples == 2);
}

#[test]
fn incomplete_samples_are_left_out_and_counted() {
    let (p, q) = (png(1), png(2));
    let (_place, ids, found) = one(&tar(&[
        ("1.png", &p),
        ("2.txt", b"no picture"),
        ("3.png", &p),
        ("3.txt", b"whole"),
        ("3.txt", b"again"),
        ("4.png", &p),
        ("4.jpg", &q),
        ("4.txt", b"two pictures"),
        ("3.png", &q),
        ("3.txt", b"the key again"),
        ("5.png", &p),
        ("5.txt", b"\xff"),
        ("6.png", &p),
        ("6.json", b"{"),
        ("6.txt", b"json is none"),
        ("7.heic", &p),
        ("7.txt", b"unread"),
    ]));
    assert_eq!(ids, ["a.tar/3", "a.tar/4", "a.tar/6"]);
    assert_eq!(
        found,
        [
            "bad-row 2: a.tar: 5.txt, a.tar: 6.json",
            "no-text 2: a.tar: 1.png, a.tar: 5.png",
            "orphan 2: a.tar: 2.txt, a.tar: 7.txt",
            "duplicate 3: a.tar: 3.txt, a.tar: 4.jpg, a.tar: 3.png",
            "unread-format 1: a.tar: 7.heic",
        ]
    );
}

#[test]
fn pictures_without_any_text_are_all_kept() {
    let place = Place::new();
    place.write("a.tar", tar(&[("1.png", &png(1)), ("2.png", &png(2))]));
    let data = place.open("a.tar").unwrap();
    assert_eq!(texts(&data).len(), 2);
    assert!(data.left_out().is_empty());
}

#[test]
fn what_comes_before_a_cut_is_kept() {
    let whole =
        tar(&[("1.png", &png(1)), ("1.txt", b"one"), ("2.png", &png(2)), ("2.txt", b"two")]);
    let blocks = (0..=whole.len()).step_by(512);
    let ends = blocks.flat_map(|end| [end.saturating_sub(1), end, end + 1, end + 257]);
    for cut in ends.filter(|&cut| cut <= whole.len()) {
        let (_place, ids, found) = one(&whole[..cut]);
        // Members: header, picture, header, text: 512 bytes each, padding included.
        let samples = (cut >= 2048) as usize + (cut >= 4096) as usize;
        assert_eq!(ids.len(), samples, "{cut}: {found:?}");
        let complete = cut >= 4096 + 512;
        assert_eq!(found.is_empty(), complete, "{cut}: {found:?}");
        if !complete {
            assert!(found[0].starts_with("damaged-file 1: a.tar"), "{cut}: {found:?}");
        }
    }
}

#[test]
fn strange_tars_end_in_counts() {
    let p = png(1);
    let good: &[(&str, &[u8])] = &[("1.png", &p), ("1.txt", b"one")];
    let damaged = |bytes: &[u8], samples: usize, expected: &str| {
        let (_place, ids, found) = one(bytes);
        assert_eq!(ids.len(), samples, "{found:?}");
        assert!(found.iter().any(|line| line.contains(expected)), "{expected}: {found:?}");
    };
    damaged(b"", 0, "damaged-file 1: a.tar");
    damaged(&[0; 1024], 0, "empty 1: a.tar");
    damaged(b"no tar at all", 0, "damaged-file 1: a.tar");
    damaged(b"PK\x03\x04", 0, "unread-file 1: a.tar");
    let mut sum = tar(good);
    sum[1024] ^= 1;
    damaged(&sum, 0, "damaged-file 1: a.tar");
    let mut behind = tar(good);
    behind.extend(tar(good));
    damaged(&behind, 1, "damaged-file 1: a.tar");
    // A size beyond the file, and one that no file has.
    for size in [1 << 40, u64::MAX, u64::MAX - 511] {
        let mut header = tar::Header::new_gnu();
        header.set_path("2.png").unwrap();
        header.set_size(size);
        header.set_cksum();
        let mut bytes = tar(good);
        bytes.truncate(bytes.len() - 1024);
        bytes.extend(header.as_bytes());
        bytes.extend([7; 512]);
        damaged(&bytes, 1, "damaged-file 1: a.tar");
    }
}

#[test]
fn names_are_only_names() {
    let mut builder = tar::Builder::new(Vec::new());
    builder.preserve_absolute(true);
    let long = format!("{}/9.png", "d".repeat(200));
    let mut raw = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    };
    raw("/etc/1.png", &png(1));
    raw("/etc/1.txt", b"one");
    raw("../2.png", &png(2));
    raw("../2.txt", b"two");
    raw("./3.png", &png(3));
    raw("3.txt", b"three");
    raw(".hidden.png", b"");
    raw("none", b"");
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "4.png", "/etc/passwd").unwrap();
    add(&mut builder, &long, &png(9));
    builder.append_pax_extensions([("path", "ü/8.png".as_bytes())]).unwrap();
    add(&mut builder, "x", &png(8));
    let (place, ids, found) = one(&builder.into_inner().unwrap());
    assert_eq!(ids, ["a.tar//etc/1", "a.tar/../2", "a.tar/3"]);
    let d = long.trim_end_matches(".png");
    assert_eq!(found, [format!("no-text 2: a.tar: {d}.png, a.tar: ü/8.png")]);
    let remarks = place.open("*.tar").unwrap().remarks();
    assert_eq!(
        remarks,
        [
            "members that are no pictures and no texts: hidden files (1), links and folders (1), no ending (1)"
        ]
    );
}

#[test]
fn an_unreadable_picture_is_named() {
    let place = Place::new();
    place.write("part-3.tar", tar(&[("000012.jpg", b"no picture"), ("000012.txt", b"a")]));
    let data = place.open("part-3.tar").unwrap();
    let error = data.image(0).unwrap_err();
    assert!(error.is_unreadable());
    assert!(error.to_string().contains("part-3.tar: 000012.jpg"), "{error}");
    assert!(data.image(1).unwrap_err().to_string().contains("1 items"));
}
