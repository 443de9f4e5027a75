//! One published form into another, tensor by tensor.

use crate::HubError;
use crate::fit::Fitted;
use crate::write::{Form, Summary, Written, hugging_face, lavis};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::params::{self, Values};
use toolkit_data::Preprocess;
use toolkit_registry::names::Part;

use crate::config::{LanguageConfig, VisionConfig};
use crate::{BridgePart, Model, processor};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A folder that transformers loads.
    HuggingFace,
    /// A LAVIS `.pth`: what was trained, or `all`.
    Lavis {
        /// The frozen parts too.
        all: bool,
    },
}

/// Converts the published checkpoint at `from`.
///
/// # Errors
/// If it does not fit its configuration, the other form has no place for it, or files cannot be written.
pub fn convert(from: &Path, out: &Path, to: To, form: Form) -> Result<Summary, HubError> {
    let fitted = Fitted::read(from, &Device::flex(), true)?;
    let preprocess: Option<Preprocess> =
        fitted.vision.as_ref().map(|v| processor::read(&fitted.folder, v.shape.image[0])).transpose()?;
    let mut written = Written {
        vision: fitted.config.vision.clone(),
        qformer: fitted.config.qformer.clone(),
        language: fitted.config.language.clone(),
        marks: fitted.config.marks,
        image_token: fitted.config.image_token,
        stage1: fitted.config.stage1,
        preprocess,
        tokenizer: None,
        folder: Some(fitted.folder.clone()),
        parameters: fitted.infos(),
        values: Box::new(|part, info| fitted.values(part, info)),
    };
    write(&mut written, out, to, form)
}

/// Writes a model that is in memory, with the configurations of its frozen parts and its tokenizer.
///
/// # Errors
/// As [`convert`].
pub fn export(
    model: &Model,
    vision: VisionConfig,
    language: Option<LanguageConfig>,
    tokenizer: Option<String>,
    out: &Path,
    to: To,
    form: Form,
) -> Result<Summary, HubError> {
    let BridgePart::QFormer { model: bridge, config, .. } = &model.bridge else {
        let hint = "convert a run whose bridge is of family `qformer`";
        return Err(HubError::new("no published form has this bridge", model.name.clone(), hint));
    };
    let mut parts: BTreeMap<Part, BTreeMap<String, Values>> = BTreeMap::new();
    let mut parameters = Vec::new();
    let mut put = |part, family: &str, infos: Vec<params::Info>, values| {
        parameters.extend(infos.into_iter().map(|info| (part, family.to_owned(), info)));
        parts.insert(part, values);
    };
    if let Some(v) = &model.vision {
        put(Part::Vision, vision.family(), params::list(&v.model), params::export(&v.model));
    }
    put(Part::Bridge, "qformer", params::list(bridge.as_ref()), params::export(bridge.as_ref()));
    if let (Some(l), Some(c)) = (&model.language, &language) {
        put(Part::Projection, c.family(), params::list(&l.projection), params::export(&l.projection));
        put(Part::Language, c.family(), params::list(&l.model), params::export(&l.model));
    }
    let mut written = Written {
        vision: Some(vision),
        qformer: config.clone(),
        marks: model.language.as_ref().map_or_else(default_marks, |l| l.marks),
        language,
        image_token: model.image_token,
        stage1: model.stage1,
        preprocess: model.preprocess,
        tokenizer,
        folder: None,
        parameters,
        values: Box::new(|part, info| {
            let values = parts.get(&part).and_then(|values| values.get(&info.name)).cloned();
            values.ok_or_else(|| HubError::new(format!("there is no `{}`", info.name), "", "it was there a moment ago"))
        }),
    };
    write(&mut written, out, to, form)
}

fn default_marks() -> toolkit_train::stage2::LanguageMarks {
    toolkit_train::stage2::LanguageMarks { bos: None, eos: 0, pad: 0, decoder_start: 0 }
}

fn write(written: &mut Written<'_>, out: &Path, to: To, form: Form) -> Result<Summary, HubError> {
    match to {
        To::HuggingFace => hugging_face(written, out, form),
        To::Lavis { all } => lavis(written, out, form, all),
    }
}
