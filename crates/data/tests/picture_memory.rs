//! Memory that a picture of 16 bits takes. It is measured for the whole process, so this test has
//! one to itself.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::io::Write;
use toolkit_data::decode;

/// The most memory that the process ever had.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn sixteen_bits_and_transparency_take_no_more_than_twice_the_rgb_picture() {
    const SIDE: u32 = 4000;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("large.png");
    let mut encoder = png::Encoder::new(File::create(&file).unwrap(), SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    (0..SIDE).for_each(|y| stream.write_all(&vec![y as u8; 8 * SIDE as usize]).unwrap());
    stream.finish().unwrap();
    drop(writer);
    let before = peak();
    let picture = decode(&file).unwrap();
    let (grown, rgb) = (peak() - before, picture.as_raw().len());
    assert_eq!(rgb, 3 * (SIDE * SIDE) as usize);
    assert!(grown < 2 * rgb, "{grown} bytes for a picture of {rgb}");
}
