//! Picture files by the endings of their names.

use super::foreign::{
    BPG, DDS, DICOM, EXR, FITS, HDR, HEIC, ICNS, JPEG_2000, JPEG_XL, JPEG_XR, METAFILE, PDF,
    POSTSCRIPT, PSD, QOI, RAW, SGI, SVG, VIDEO, by_magic,
};
use std::io::Read;
use std::path::Path;

/// Endings of the files that are read.
const READ: &[&str] = &[
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "webp", "gif",
    "bmp", "dib", "tif", "tiff", "ppm", "pgm", "pbm", "pnm", "ico", "avif", "avifs",
];

/// Formats that are not read, with the endings of their files.
const UNREAD: &[(&str, &[&str])] = &[
    (HEIC, &["heic", "heif", "heics", "heifs", "hif"]),
    (JPEG_2000, &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jpm"]),
    (JPEG_XL, &["jxl"]),
    (SVG, &["svg", "svgz"]),
    (PSD, &["psd", "psb"]),
    (
        RAW,
        &[
            "dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "orf", "rw2", "raf",
            "pef", "srw", "3fr", "fff", "iiq", "erf", "mef", "mos", "mrw", "rwl", "x3f", "raw",
        ],
    ),
    (EXR, &["exr"]),
    (HDR, &["hdr", "pic"]),
    (QOI, &["qoi"]),
    (DDS, &["dds"]),
    (PDF, &["pdf"]),
    (POSTSCRIPT, &["eps", "ps"]),
    (JPEG_XR, &["jxr", "wdp", "hdp"]),
    (BPG, &["bpg"]),
    (SGI, &["sgi", "rgb", "rgba", "bw"]),
    (ICNS, &["icns"]),
    (METAFILE, &["wmf", "emf", "wmz", "emz"]),
    (FITS, &["fits", "fts"]),
    (DICOM, &["dcm", "dicom"]),
    (
        VIDEO,
        &[
            "mp4", "m4v", "mov", "webm", "mkv", "avi", "mpg", "mpeg", "wmv", "flv", "ogv", "3gp",
            "m2ts",
        ],
    ),
    ("TGA", &["tga", "icb", "vda", "vst"]),
    ("PCX", &["pcx", "dcx"]),
    ("XBM", &["xbm"]),
    ("XPM", &["xpm"]),
    ("MSP", &["msp"]),
    ("IFUNC IM", &["im"]),
    ("Sun raster", &["ras", "sun"]),
    ("DPX", &["dpx"]),
    ("MNG", &["mng", "jng"]),
    ("FLIF", &["flif"]),
    ("KTX", &["ktx", "ktx2"]),
    ("DjVu", &["djvu", "djv"]),
    ("MPO", &["mpo", "jps"]),
    ("Windows cursor", &["cur", "ani"]),
    ("XCF", &["xcf"]),
    ("PAM", &["pam"]),
    ("PFM", &["pfm"]),
];

fn ending(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

/// Tells by its name if a file is a picture that is read.
pub fn is_picture(path: impl AsRef<Path>) -> bool {
    ending(path.as_ref()).is_some_and(|ending| READ.contains(&ending.as_str()))
}

/// Returns the format of a picture file that is not read, for folders to count. Names decide; a
/// file without an ending is looked into.
pub fn unread_picture(path: impl AsRef<Path>) -> Option<&'static str> {
    let path = path.as_ref();
    let Some(ending) = ending(path) else {
        let mut begin = Vec::new();
        toolkit_system::input::open(path)
            .and_then(|file| file.take(4096).read_to_end(&mut begin))
            .ok()?;
        return by_magic(&begin);
    };
    by_ending(&ending)
}

fn by_ending(ending: &str) -> Option<&'static str> {
    UNREAD.iter().find(|(_, endings)| endings.contains(&ending)).map(|(name, _)| *name)
}

/// Tells by its name if a file that looks like a TIFF is a camera's: it has a small preview where a
/// TIFF has its picture.
pub(super) fn is_raw(path: &Path) -> bool {
    ending(path).and_then(|ending| by_ending(&ending)) == Some(RAW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_pictures_in_any_case() {
        for name in ["a.png", "b.JPG", "c.jfif", "d.Jpe", "e.gif", "f.TIFF", "g.pgm", "x.tar.webp"]
        {
            assert!(is_picture(name) && unread_picture(name).is_none(), "{name}");
        }
        for name in ["a.txt", "png", ".png", "a.png.json", "b.heic"] {
            assert!(!is_picture(name), "{name}");
        }
        assert_eq!(unread_picture("IMG_1.HEIC"), Some("HEIC"));
        assert_eq!(unread_picture("a.svg"), Some("SVG"));
        for name in ["a.jfi", "a.avifs", "a.dib", "a.PJPEG"] {
            assert!(is_picture(name), "{name}");
        }
        let unread =
            "sgi icns xbm xpm msp im jxr wdp wmf emf bpg tga pcx mp4 webm mov MOV mpo fits dcm";
        for ending in unread.split(' ') {
            assert!(unread_picture(format!("a.{ending}")).is_some(), "{ending}");
        }
        assert_eq!(unread_picture("a.MOV"), Some("video"));
        assert_eq!(unread_picture("captions.jsonl"), None);
    }
}
