//! A vision-language model in memory.

use crate::{BridgePart, Generator, LanguagePart, ModelTokenizer, Processor, VisionPart, VlmError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use std::path::Path;
use toolkit_core::TextTower;
use toolkit_data::{Alpha, decode_as};
use toolkit_models::bridge::qformer::QFormer;
use toolkit_system::problem::Problem;

/// A BLIP-2, or the parts of one that a checkpoint holds.
pub struct Vlm {
    /// Name for messages, such as the folder.
    pub name: String,
    /// Image encoder.
    pub vision: Option<VisionPart>,
    /// Bridge.
    pub bridge: BridgePart,
    /// Language model.
    pub language: Option<LanguagePart>,
    /// Tokenizer of the language model, or of the bridge's text side if there is no language model.
    /// An error says why there is none.
    pub tokenizer: Result<ModelTokenizer, Problem>,
    /// Preparation of pictures.
    pub processor: Option<Processor>,
    /// Special ids and label smoothing of stage 1.
    pub stage1: TextSideSettings,
    /// Id that stands for a query in token ids.
    pub image_token: Option<u32>,
    /// `true` if features are rounded to 16 bits, as training saw them in the feature cache.
    pub half_features: bool,
    /// Settings of its files that are not followed, one line each, to be logged.
    pub notes: Vec<String>,
}

/// Settings of the bridge's text side besides sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TextSideSettings {
    /// `[DEC]`: takes the place of `[CLS]` when a caption is generated.
    pub dec: u32,
    /// Padding.
    pub pad: u32,
    /// Label smoothing of the contrastive and the captioning loss.
    pub label_smoothing: f64,
}

impl Vlm {
    /// Returns the encoder.
    ///
    /// # Errors
    /// If there is none.
    pub fn vision(&self) -> Result<&VisionPart, VlmError> {
        let hint = "a LAVIS `.pth` has none: name its file as `vision_weights` in the \
            `config.json`, with `vision_config`";
        self.vision.as_ref().ok_or_else(|| self.has_no("encoder", hint))
    }

    /// Returns the language model.
    ///
    /// # Errors
    /// If there is none.
    pub fn language(&self) -> Result<&LanguagePart, VlmError> {
        let hint = "captions and answers need a stage-2 checkpoint with its language model, such \
            as blip2-opt-2.7b";
        self.language.as_ref().ok_or_else(|| self.has_no("language model", hint))
    }

    /// Returns the text side of the bridge.
    ///
    /// # Errors
    /// If the checkpoint has none.
    pub fn text_tower(&self) -> Result<&dyn TextTower, VlmError> {
        let hint = "matching, retrieval and text features need a stage-1 or retrieval checkpoint, \
            such as blip2-itm-vit-g";
        let tower = self.bridge.shape.text.as_ref().and_then(|_| self.bridge.model.text_tower());
        tower.ok_or_else(|| self.has_no("text side", hint))
    }

    /// Returns the bridge as a Q-Former.
    ///
    /// # Errors
    /// If it is another one.
    pub fn qformer(&self) -> Result<&QFormer, VlmError> {
        let missing = || {
            Problem::new("the bridge is no Q-Former")
                .at(&self.name)
                .hint("other bridges have no queries to draw")
        };
        Ok(self.bridge.qformer().ok_or_else(missing)?)
    }

    /// Returns the image processor.
    ///
    /// # Errors
    /// If there is no encoder to make pixels for.
    pub fn processor(&self) -> Result<&Processor, VlmError> {
        let hint = "name the encoder as `vision_config` in the `config.json`";
        self.processor.as_ref().ok_or_else(|| self.has_no("image processor", hint))
    }

    /// Returns the tokenizer.
    ///
    /// # Errors
    /// If there is none, with the reason.
    pub fn tokenizer(&self) -> Result<&ModelTokenizer, VlmError> {
        self.tokenizer.as_ref().map_err(|reason| reason.clone().into())
    }

    /// Returns the language model ready to generate text from prompts.
    ///
    /// # Errors
    /// If there is no language model or no tokenizer.
    pub fn generator(&self) -> Result<Generator<'_>, VlmError> {
        Ok(self.language()?.generator(Some(self.tokenizer()?)))
    }

    /// Returns the device of the encoder, or of the bridge if there is no encoder.
    #[must_use]
    pub fn device(&self) -> Device {
        let devices = match &self.vision {
            Some(vision) => vision.model.devices(),
            None => self.bridge.model.devices(),
        };
        devices.first().cloned().unwrap_or_default()
    }

    /// Reads a picture file as the model sees it: upright, three channels.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn picture(&self, path: impl AsRef<Path>) -> Result<RgbImage, VlmError> {
        Ok(match &self.processor {
            Some(processor) => processor.picture(path.as_ref())?,
            // Without an encoder, encoding is refused with a hint.
            None => decode_as(path.as_ref(), Alpha::Drop)?,
        })
    }

    /// Maps features `[batch, tokens, width]` to queries `[batch, queries, width]`.
    #[must_use]
    pub fn queries(&self, features: Tensor<3>) -> Tensor<3> {
        self.bridge.model.queries(features)
    }

    fn has_no(&self, part: &str, hint: &str) -> VlmError {
        Problem::new(format_args!("this checkpoint has no {part}")).at(&self.name).hint(hint).into()
    }
}
