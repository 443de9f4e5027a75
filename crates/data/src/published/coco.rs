//! COCO's own caption files, and those of NoCaps, which have its form and a domain.

use super::builder::Builder;
use crate::DataError;
use crate::lists::keys;
use crate::lists::rows::section;
use crate::lists::several;
use crate::lists::values::{Id, optional};
use std::path::Path;

const DOMAINS: [&str; 3] = ["in-domain", "near-domain", "out-domain"];

/// The keys of a picture's path, COCO's own first: a file may have `path` on another machine
/// besides.
const FILE: &[&str] = &["file_name", "filename", "image", "image_path", "path"];

/// Reads a file. `domains` is for NoCaps, where the domain is the group. Files of a test split have
/// no `annotations`.
pub(super) fn read(build: &mut Builder, path: &Path, domains: bool) -> Result<(), DataError> {
    let found = section(path, "images", false, &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let (key, value) = row.need(&["id", "image_id"])?;
            let id = Id::read(key, value)?;
            let (key, value) = row.need(FILE)?;
            let file = crate::lists::values::path(key, value)?;
            let domain = if domains { optional(row, &["domain"])? } else { None };
            let group = match domain.as_deref() {
                Some(domain) if !DOMAINS.contains(&domain) => {
                    return Err(format!(
                        "'{domain}' of picture {id} is no domain: in-domain, near-domain or \
                        out-domain"
                    )
                    .into());
                }
                Some(domain) => domain,
                None => "all",
            };
            build.image(at, id.to_string(), file, group)?;
            Ok(())
        })
    })?;
    build.need(found, "images")?;
    let found = section(path, "annotations", false, &mut |at, _, bytes| {
        build.row(at, bytes, |build, row| {
            let (key, value) = row.need(&["image_id", "img_id"])?;
            let id = Id::read(key, value)?.to_string();
            let found = several::captions(row, keys::CAPTION, &mut build.remarks);
            let captions =
                match found.and_then(|found| found.ok_or_else(|| row.lacks(keys::CAPTION[0][0]))) {
                    Ok(captions) => captions,
                    Err(what) => {
                        build.has(&id).into_iter().for_each(|item| build.excuse(item));
                        return Err(what.into());
                    }
                };
            let Some(item) = build.known(at, &id)? else { return Ok(()) };
            for text in captions {
                build.caption(at, item, text)?;
            }
            Ok(())
        })
    })?;
    if domains { Ok(()) } else { build.need(found, "annotations") }
}
