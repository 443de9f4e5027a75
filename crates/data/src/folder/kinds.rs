//! Picture files by their extension.

use std::path::Path;

fn extension(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Whether a file is called as pictures are that are read.
pub(super) fn is_picture(path: &Path) -> bool {
    matches!(extension(path).as_str(), "png" | "jpg" | "jpeg" | "webp")
}

/// The format of a picture that is not read.
pub(super) fn unread_picture(path: &Path) -> Option<&'static str> {
    Some(match extension(path).as_str() {
        "heic" | "heif" => "HEIC",
        "jp2" => "JPEG 2000",
        "svg" => "SVG",
        _ => return None,
    })
}
