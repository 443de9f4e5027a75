//! COCO's own caption files, and those of NoCaps, which have its form and a domain.

use super::builder::Builder;
use super::fault::Fault;
use super::scalar::Id;
use super::stream::section;
use crate::DataError;
use serde::Deserialize;
use std::path::Path;

const DOMAINS: [&str; 3] = ["in-domain", "near-domain", "out-domain"];

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
    domain: Option<String>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    caption: String,
}

/// `domains`: NoCaps, where the domain is the group. Files of a test split have no `annotations`.
pub(super) fn read(build: &mut Builder, path: &Path, domains: bool) -> Result<(), DataError> {
    let found = section(path, "images", |at, image: Image| {
        let group = match image.domain.as_deref().filter(|_| domains) {
            Some(domain) if !DOMAINS.contains(&domain) => {
                let what = format!("'{domain}' of picture {} is no domain", image.id);
                return build.fault(Fault::BadRow, Some(at), what, "in-domain, near-domain or out-domain");
            }
            Some(domain) => domain,
            None => "all",
        };
        build.image(at, image.id.to_string(), image.file_name, group).map(|_| ())
    })?;
    build.need(found, "images")?;
    let found = section(path, "annotations", |at, annotation: Annotation| {
        match build.known(at, &annotation.image_id.to_string())? {
            Some(item) => build.caption(at, item, annotation.caption),
            None => Ok(()),
        }
    })?;
    if domains { Ok(()) } else { build.need(found, "annotations") }
}
