//! Packages made by hand, small enough to read.
#![allow(clippy::unwrap_used)]

mod data;
mod easy_vqa;
mod rcc;

use image::{Rgb, Rgba, RgbaImage};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A small picture that is different for every number; its corner is transparent.
pub(crate) fn png(number: u32) -> Vec<u8> {
    let colour = [number as u8, (number >> 8) as u8, 200];
    let picture = RgbaImage::from_fn(6, 5, |x, y| {
        let Rgb([r, g, b]) = Rgb(colour);
        Rgba([r, g, b, if (x, y) == (0, 0) { 0 } else { 255 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A PNG whose header says that it is very large.
pub(crate) fn giant() -> Vec<u8> {
    let mut bytes = png(1);
    bytes[16..24].copy_from_slice(&[0, 0, 0x52, 0, 0, 0, 0x74, 0]);
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

pub(crate) fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A folder for each package, by name.
pub(crate) struct Packages {
    pub dir: TempDir,
    pub folders: BTreeMap<String, PathBuf>,
    number: u32,
}

impl Packages {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let names = ["stamps", "gcompris", "pysiogame", "google_emoji", "emojibase", "easy_vqa"];
        let names = names.into_iter().chain(["openclipart_png", "openclipart_svg"]);
        let folders = names.map(|name| (name.to_owned(), dir.path().join(name))).collect();
        Self { dir, folders, number: 0 }
    }

    pub fn write(&self, package: &str, path: &str, bytes: &[u8]) {
        write(&self.folders[package], path, bytes);
    }

    /// A picture that no other is.
    pub fn picture(&mut self) -> Vec<u8> {
        self.number += 1;
        png(self.number)
    }

    pub fn stamp(&mut self, path: &str, text: &str) {
        let bytes = self.picture();
        self.write("stamps", &format!("usr/share/tuxpaint/stamps/{path}.png"), &bytes);
        self.write("stamps", &format!("usr/share/tuxpaint/stamps/{path}.txt"), text.as_bytes());
    }

    pub fn drawing(&mut self, path: &str) {
        let bytes = self.picture();
        self.write(
            "pysiogame",
            &format!("usr/share/games/pysiogame/res/images/art4apps/{path}.png"),
            &bytes,
        );
    }

    /// The five resource files of GCompris.
    pub fn gcompris(&mut self) {
        let board = r#"QtObject { /* " */ property var tab: [ {
            "image": "qrc:/x/key.svg", // a "comment
            "title": qsTr("Giza"), "text": qsTr("A pyramid of St. Giza" + " is \"old\". It is big."),
            "image2": "qrc:/gcompris/src/activities/explore_monuments/resource/egypt/giza.png", "text2": qsTr("No") },
            { "title": qsTr("No picture") } ] }"#;
        let root = "gcompris/src/activities";
        for activity in [
            "categorization",
            "erase",
            "explore_farm_animals",
            "explore_monuments",
            "explore_world_animals",
        ] {
            let mut files: Vec<(String, Vec<u8>)> = match activity {
                "categorization" => {
                    vec![
                        "images/tools/screwDriver2",
                        "images/fishes/fish1",
                        "images/alphabets/alphabets",
                    ]
                }
                "erase" => vec!["red_panda"],
                "explore_monuments" => vec!["egypt/giza"],
                _ => vec!["animals/goat"],
            }
            .into_iter()
            .map(|name| (format!("{root}/{activity}/resource/{name}.png"), self.picture()))
            .collect();
            files.push((format!("{root}/{activity}/icon.png"), self.picture()));
            if activity == "explore_monuments" {
                files.push((
                    format!("{root}/{activity}/resource/board/board1.qml"),
                    board.as_bytes().to_vec(),
                ));
            }
            let files: Vec<(&str, &[u8])> =
                files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
            let path = format!("usr/share/gcompris-qt/rcc/{activity}.rcc");
            self.write("gcompris", &path, &rcc::resource(&files, 3));
        }
    }

    pub fn emojis(&mut self) {
        let list = r#"[{"label": "goat", "hexcode": "1F410", "group": 3,
            "skins": [{"label": "goat: dark", "hexcode": "1F411"}]},
            {"label": "love letter", "hexcode": "1F48C-FE0F", "group": 0},
            {"label": "flag", "hexcode": "1F412", "group": 9},
            {"label": "letter", "hexcode": "1F413"}, {"label": "not drawn", "hexcode": "1F414", "group": 3}]"#;
        self.write("emojibase", "en/data.json", list.as_bytes());
        for code in ["1f410", "1f411", "1f412", "1f413", "1f48c"] {
            let bytes = self.picture();
            self.write("google_emoji", &format!("package/img/google/64/{code}.png"), &bytes);
        }
    }

    /// Something of everything.
    pub fn all() -> Self {
        let mut packages = Self::new();
        for (path, text) in [
            ("animals/birds/crane", "\u{FEFF}A crane.\nde.utf8=Ein Kranich.\n"),
            ("animals/mammals/goat", "A goat."),
            ("food/fruit/cartoon/lemon", "A yellow lemon."),
            ("town/houses/hut", "The hut of the hunter."),
            ("seasonal/tree", "  \nnothing on the first line"),
            ("symbols/alphabets/a", "The letter A."),
            ("vehicles/bus", "The bus!"),
        ] {
            packages.stamp(path, text);
        }
        let mirror = packages.picture();
        packages.write("stamps", "usr/share/tuxpaint/stamps/vehicles/bus_mirror.png", &mirror);
        for path in [
            "animals/goat",
            "transport/bus",
            "actions/write",
            "food/ice_cream",
            "clothes_n_accessories/gloves",
        ] {
            packages.drawing(path);
        }
        packages.gcompris();
        packages.emojis();
        for (name, title) in [
            ("animals/bugs/fly", "old_fly_02"),
            ("animals/goat", "Goat"),
            ("animals/goat2", "goat"),
            ("computer/disk", "disk"),
            ("tools/a", "Set"),
            ("tools/b", "set"),
            ("tools/c", "set"),
            ("tools/d", "set 4"),
            ("tools/none", ""),
            ("tools/giant", "giant"),
        ] {
            let bytes = if title == "giant" { giant() } else { packages.picture() };
            packages.write(
                "openclipart_png",
                &format!("usr/share/openclipart/png/{name}.png"),
                &bytes,
            );
            let svg = format!("<svg><dc:title>{title}</dc:title></svg>");
            packages.write(
                "openclipart_svg",
                &format!("usr/share/openclipart/svg/{name}.svg"),
                svg.as_bytes(),
            );
        }
        packages
    }
}
