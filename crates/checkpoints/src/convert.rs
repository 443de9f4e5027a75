//! Conversion of a published form into another, tensor by tensor.

use crate::layout::Layout;
use crate::write::{Form, Summary, Written, hugging_face, lavis};
use crate::{CheckpointError, processor};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_core::Bridge;
use toolkit_core::params::{self, Values};
use toolkit_core::published::{Part, PublishedNames};
use toolkit_models::bridge::qformer::{QFormer, QFormerConfig};
use toolkit_vlm::Vlm;

use crate::config::{LanguageConfig, VisionConfig};

/// The form to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A folder that transformers loads.
    HuggingFace,
    /// A LAVIS `.pth` of the trained parts, or of `all`.
    Lavis {
        /// `true` to write the frozen parts too.
        all: bool,
    },
}

/// Converts the published checkpoint at `from`.
///
/// # Errors
/// If it does not fit its configuration, the other form has no place for it, or files cannot be
/// written.
pub fn convert(from: &Path, out: &Path, to: To, form: Form) -> Result<Summary, CheckpointError> {
    check_free(out, to)?;
    let layout = Layout::read(from, &Device::flex(), true)?;
    let side = layout.vision.as_ref().map(|vision| vision.shape.image[0]);
    let processor = side.map(|side| processor::read(&layout.folder, side)).transpose()?;
    let mut written = Written {
        vision: layout.config.vision.clone(),
        qformer: layout.config.qformer.clone(),
        language: layout.config.language.clone(),
        special_tokens: layout.config.special_tokens,
        image_token: layout.config.image_token,
        stage1: layout.config.stage1,
        preprocess: processor.as_ref().map(|processor| processor.preprocess),
        tokenizer: None,
        folder: Some(layout.folder.clone()),
        parameters: layout.infos(),
        values: Box::new(|part, info| layout.values(part, info)),
    };
    let summary = write(&mut written, out, to, form)?;
    // Without the encoder, nothing about pixels is written.
    let note =
        processor.and_then(|processor| processor.note).filter(|_| to != To::Lavis { all: false });
    Ok(Summary { note, ..summary })
}

/// Configurations that a model in memory is written with.
pub struct Configs {
    /// Encoder.
    pub vision: VisionConfig,
    /// Bridge, if it is a Q-Former. Other bridges have no published form.
    pub qformer: Option<QFormerConfig>,
    /// Language model, if there is one.
    pub language: Option<LanguageConfig>,
    /// Content of `tokenizer.json`.
    pub tokenizer: String,
}

/// Writes a model in memory.
///
/// # Errors
/// As [`convert`].
pub fn export(
    model: &Vlm,
    configs: Configs,
    out: &Path,
    to: To,
    form: Form,
) -> Result<Summary, CheckpointError> {
    check_free(out, to)?;
    let Configs { vision, qformer, language, tokenizer } = configs;
    let (Some(bridge), Some(qformer)) = (model.bridge.qformer(), qformer) else {
        let hint = "convert a run whose bridge is of family `qformer`";
        return Err(CheckpointError::new(
            "no published form has this bridge",
            model.name.clone(),
            hint,
        ));
    };
    let mut parts: BTreeMap<Part, BTreeMap<String, Values>> = BTreeMap::new();
    let mut parameters = Vec::new();
    let mut put = |names: PublishedNames, infos: Vec<params::Info>, values| {
        parameters.extend(infos.into_iter().map(|info| (names, info)));
        parts.insert(names.part(), values);
    };
    if let Some(v) = &model.vision {
        put(vision.published(), params::list(&v.model), params::export(&v.model));
    }
    put(QFormer::published(), params::list(bridge), params::export(bridge));
    if let (Some(l), Some(c)) = (&model.language, &language) {
        put(c.published().projection(), params::list(&l.projection), params::export(&l.projection));
        put(c.published(), params::list(&l.model), params::export(&l.model));
    }
    let mut written = Written {
        vision: Some(vision),
        qformer,
        special_tokens: model
            .language
            .as_ref()
            .map_or_else(default_special_tokens, |l| l.special_tokens),
        language,
        image_token: model.image_token,
        stage1: model.stage1,
        preprocess: model.processor.as_ref().map(|processor| processor.preprocess),
        tokenizer: Some(tokenizer),
        folder: None,
        parameters,
        values: Box::new(|part, info| {
            let values = parts.get(&part).and_then(|values| values.get(&info.name)).cloned();
            values.ok_or_else(|| {
                CheckpointError::new(
                    format!("there is no `{}`", info.name),
                    "",
                    "it was there a moment ago",
                )
            })
        }),
    };
    write(&mut written, out, to, form)
}

fn default_special_tokens() -> toolkit_core::LanguageSpecialTokens {
    toolkit_core::LanguageSpecialTokens {
        bos: None,
        eos: toolkit_core::Ends::one(0),
        pad: 0,
        decoder_start: 0,
    }
}

/// Refuses to replace anything, before the work begins.
fn check_free(out: &Path, to: To) -> Result<(), CheckpointError> {
    // A link to nothing is there too.
    let there = |path: &Path| path.symlink_metadata().is_ok();
    let what = match to {
        _ if there(out) && !out.is_dir() || there(&out.join("config.json")) => {
            "there is a checkpoint already"
        }
        To::Lavis { .. } if out.exists() => "there is a folder of that name",
        _ => return Ok(()),
    };
    Err(CheckpointError::new(
        what,
        out.display().to_string(),
        "give another name, or remove it first",
    ))
}

fn write(
    written: &mut Written<'_>,
    out: &Path,
    to: To,
    form: Form,
) -> Result<Summary, CheckpointError> {
    match to {
        To::HuggingFace => hugging_face(written, out, form),
        To::Lavis { all } => lavis(written, out, form, all),
    }
}
