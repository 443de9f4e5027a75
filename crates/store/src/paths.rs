//! Names of files below a folder of the store, and small files that are replaced in one go.

use crate::problem::io;
use std::path::Path;
use toolkit_system::problem::Problem;

/// Returns `true` for a relative path with `/` that stays inside its folder on any system. It has
/// no empty part, no `.`, no `..`, no backslash and no drive.
pub fn is_inside(path: &str) -> bool {
    let strange = |c: char| c == '\\' || c.is_control() || (cfg!(windows) && c == ':');
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(strange)
}

/// Returns `true` for the 40 hex digits of a git commit.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Returns `true` for the 64 hex digits of a SHA-256.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Percent-encodes all but unreserved characters and those in `keep`. With `keep` = `/` it encodes
/// a path of an address; it also makes a file name of any text.
pub fn percent(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && keep.contains(c)) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Writes a small file by renaming, so that no reader or other writer sees a part of it.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_renamed(path: &Path, text: &str) -> Result<(), Problem> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    }
    let thread = format!("{:?}", std::thread::current().id());
    let own = format!("{}-{}.tmp", std::process::id(), percent(&thread, ""));
    let temp = path.with_added_extension(own);
    std::fs::write(&temp, text).map_err(io("write", &temp))?;
    std::fs::rename(&temp, path).map_err(io("write", path))
}
