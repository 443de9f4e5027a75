//! Formats that are not read, by their first bytes.

use super::refusal::Refusal;
use super::tiff;

pub(super) const HEIC: &str = "HEIC";
pub(super) const JPEG_2000: &str = "JPEG 2000";
pub(super) const JPEG_XL: &str = "JPEG XL";
pub(super) const SVG: &str = "SVG";
pub(super) const PSD: &str = "PSD";
pub(super) const RAW: &str = "camera raw";
pub(super) const EXR: &str = "OpenEXR";
pub(super) const HDR: &str = "Radiance HDR";
pub(super) const QOI: &str = "QOI";
pub(super) const DDS: &str = "DDS";
pub(super) const PDF: &str = "PDF";
pub(super) const POSTSCRIPT: &str = "PostScript";
pub(super) const JPEG_XR: &str = "JPEG XR";
pub(super) const BPG: &str = "BPG";
pub(super) const SGI: &str = "SGI";
pub(super) const ICNS: &str = "ICNS";
pub(super) const METAFILE: &str = "WMF or EMF";
pub(super) const FITS: &str = "FITS";
pub(super) const DICOM: &str = "DICOM";
pub(super) const VIDEO: &str = "video";

/// Beginnings of files that are not read.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),
    (b"8BPS", PSD),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIU\0", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"FOVb", RAW),
    (b"\0MRM", RAW),
    (b"\x76\x2f\x31\x01", EXR),
    (b"#?RADIANCE", HDR),
    (b"qoif", QOI),
    (b"DDS ", DDS),
    (b"%PDF", PDF),
    (b"%!PS", POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", POSTSCRIPT),
    (b"II\xbc\x01", JPEG_XR),
    (b"BPG\xfb", BPG),
    (b"\x01\xda\0\x01", SGI),
    (b"\x01\xda\x01\x01", SGI),
    (b"icns", ICNS),
    (b"\xd7\xcd\xc6\x9a", METAFILE),
    (b"SIMPLE  =", FITS),
    (b"\x1a\x45\xdf\xa3", VIDEO),
    (b"gimp xcf", "XCF"),
    (b"P7\n", "PAM"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
];

/// Names the format of a picture that is not read, by its first bytes.
pub(super) fn by_magic(bytes: &[u8]) -> Option<&'static str> {
    let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    known.or_else(|| brand(bytes)).or_else(|| raw(bytes)).or_else(|| svg(bytes))
}

/// Returns the brands of a file of boxes: the main one, then those that it fits as well.
fn brands(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let len = match bytes {
        [a, b, c, d, b'f', b't', b'y', b'p', ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    };
    let brands = bytes.get(8..len.min(256).min(bytes.len())).unwrap_or_default();
    // The second one is the version of the main one.
    brands.chunks_exact(4).enumerate().filter(|(i, _)| *i != 1).map(|(_, brand)| brand)
}

/// Tells if a file is an AVIF, by its brands.
pub(super) fn is_avif(bytes: &[u8]) -> bool {
    brands(bytes).any(|brand| matches!(brand, b"avif" | b"avis"))
}

/// Names the format of a file of boxes that is not read.
fn brand(bytes: &[u8]) -> Option<&'static str> {
    let main = brands(bytes).next()?;
    if is_avif(bytes) {
        return None;
    }
    let known = brands(bytes).find_map(|brand| match brand {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some(HEIC),
        b"jxl " => Some(JPEG_XL),
        b"crx " => Some(RAW),
        _ => None,
    });
    known.or(if matches!(main, b"mif1" | b"msf1") { Some(HEIC) } else { Some(VIDEO) })
}

/// Tells a camera's file that looks like a TIFF. Such a file has a small preview where a TIFF has
/// its picture.
fn raw(bytes: &[u8]) -> Option<&'static str> {
    let looks = bytes.starts_with(b"II") || bytes.starts_with(b"MM");
    (looks && (bytes.get(8..10) == Some(b"CR") || tiff::is_raw(bytes))).then_some(RAW)
}

fn svg(bytes: &[u8]) -> Option<&'static str> {
    let text = start(bytes);
    let is = text.starts_with("<svg")
        || (text.starts_with("<?xml") || text.starts_with("<!--")) && text.contains("<svg");
    is.then_some(SVG)
}

/// Returns the first text of a file, in small letters.
fn start(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).trim_start().to_ascii_lowercase()
}

/// Refuses a picture of a format that is not read.
pub(super) fn refuse(name: &str) -> Refusal {
    Refusal::new(format!("this is {} {name} file, which is not read", article(name)))
        .hint("convert it to PNG or JPEG, for example with ImageMagick's `magick`")
}

fn article(name: &str) -> &'static str {
    // By sound: an AVIF, an SVG, an OpenEXR, an XCF, an ICNS; a HEIC, a PSD.
    if name.starts_with(['A', 'S', 'O', 'X', 'I']) { "an" } else { "a" }
}

/// Refuses bytes that are no picture, with a name for what they are.
pub(super) fn unknown(bytes: &[u8]) -> Refusal {
    let text = start(bytes);
    let page = ["<!doctype html", "<html", "<head", "<body"];
    let what = if text.starts_with("version https://git-lfs") {
        return Refusal::new("this is a pointer of Git LFS, not the picture")
            .hint("run `git lfs pull`");
    } else if page.iter().any(|tag| text.starts_with(tag)) {
        "a web page"
    } else if text.starts_with("<?xml") {
        "XML"
    } else if text.starts_with(['{', '[']) && std::str::from_utf8(bytes).is_ok() {
        "JSON"
    } else if bytes.starts_with(b"PK\x03\x04") {
        "a zip archive"
    } else if bytes.starts_with(b"\x1f\x8b") {
        "packed with gzip"
    } else if std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_whitespace()))
    {
        "text"
    } else {
        return Refusal::new("it is of no known picture format")
            .hint(format!("{FORMATS} are read"));
    };
    Refusal::new(format!("this is {what}, not a picture"))
        .hint("fetch the file again, or remove it")
}

/// The formats that are read, for hints.
pub(super) const FORMATS: &str = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, PPM and ICO";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_is_not_read() {
        for (bytes, name) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], Some("HEIC")),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", None),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", Some("HEIC")),
            (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", Some("video")),
            (b"\0\0\0\xffftyp", None),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- x --> <SVG", Some("SVG")),
            (b"II*\0\x10\0\0\0CR\x02\0", Some("camera raw")),
            (b"8BPS", Some("PSD")),
            (b"II\xbc\x01\x08\0\0\0", Some("JPEG XR")),
            (b"\x1a\x45\xdf\xa3\x9f", Some("video")),
            (b"\x89PNG\r\n\x1a\n", None),
        ] {
            assert_eq!(by_magic(bytes), name, "{bytes:?}");
        }
        for (bytes, what) in [
            (&b"<!DOCTYPE html><p>404"[..], "this is a web page, not a picture"),
            (b"{\"error\": 404}", "this is JSON, not a picture"),
            (b"not found\n", "this is text, not a picture"),
            (b"\0\x01\x02\x03", "it is of no known picture format"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "this is a pointer of Git LFS, not the picture",
            ),
        ] {
            assert_eq!(unknown(bytes).reason, what);
        }
    }
}
