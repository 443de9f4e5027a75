//! A model that is opened, with the pictures of a data set encoded as they come.

use crate::pictures::with_option;
use anyhow::bail;
use burn::tensor::Tensor;
use image::RgbImage;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_core::TextSpecialTokens;
use toolkit_data::{Alpha, Dataset};
use toolkit_eval::{
    EvalError, LanguageParts, MeasureOptions, Measured, ModelParts, Needs, Task, TextParts, measure,
};
use toolkit_system::digest::sha256_hex;
use toolkit_system::problem::Problem;
use toolkit_system::progress::Progress;
use toolkit_vlm::Vlm;

/// A model with the pictures of a data set, and the digests of those that were decoded.
pub struct Live<'a> {
    vlm: &'a Vlm,
    data: &'a dyn Dataset,
    /// Treatment of transparency for the model.
    alpha: Alpha,
    progress: &'a dyn Progress,
    digests: RefCell<BTreeMap<usize, String>>,
}

impl<'a> Live<'a> {
    /// Joins a model with data.
    ///
    /// # Errors
    /// If the model reads no pictures.
    pub fn new(
        vlm: &'a Vlm,
        data: &'a dyn Dataset,
        progress: &'a dyn Progress,
    ) -> anyhow::Result<Self> {
        let alpha = vlm.processor()?.alpha;
        Ok(Self { vlm, data, alpha, progress, digests: RefCell::default() })
    }

    /// Measures the model by a task that needs `needs`.
    ///
    /// # Errors
    /// If the model lacks a part, or a picture cannot be read.
    pub fn measure(
        &self,
        task: &dyn Task,
        needs: Needs,
        options: MeasureOptions<'_>,
    ) -> anyhow::Result<Measured> {
        let features = |items: &[usize]| self.features(items);
        let connect = |features: Tensor<3>| self.connect(features);
        let model = ModelParts { features: &features, language: None, text: None };
        let model = match needs {
            Needs::Language => {
                let generator = self.vlm.generator()?;
                let language = Some(LanguageParts { connect: &connect, generator });
                ModelParts { language, ..model }
            }
            Needs::TextTower => ModelParts { text: Some(self.text()?), ..model },
        };
        Ok(measure(&model, task, self.data, options)?)
    }

    /// Returns the samples as JSON Lines, each with the digest of its picture's decoded pixels.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn lines(&self, measured: &Measured) -> anyhow::Result<Vec<u8>> {
        // Pictures of texts that an earlier call generated were not decoded in this one.
        let missing = |item: &usize| !self.digests.borrow().contains_key(item);
        let missing: BTreeSet<usize> = measured.items.iter().copied().filter(missing).collect();
        for item in missing {
            self.pictures(&[item])?;
        }
        let digests = self.digests.borrow();
        let mut text = Vec::new();
        for (row, item) in measured.rows.iter().zip(&measured.items) {
            let mut row = row.clone();
            row["picture_sha256"] = digests.get(item).cloned().into();
            serde_json::to_writer(&mut text, &row)?;
            text.push(b'\n');
        }
        Ok(text)
    }

    /// Decodes pictures.
    fn pictures(&self, items: &[usize]) -> Result<Vec<RgbImage>, EvalError> {
        let one = |&item: &usize| {
            let picture = self.data.image_as(item, self.alpha).map_err(|error| {
                match error.is_unreadable() {
                    true => EvalError::features(with_option(&error.to_string())),
                    false => error.into(),
                }
            })?;
            let digest = || sha256_hex(picture.as_raw());
            self.digests.borrow_mut().entry(item).or_insert_with(digest);
            Ok(picture)
        };
        items.iter().map(one).collect()
    }

    /// Encodes the pictures of items, `[items, tokens, width]`.
    fn features(&self, items: &[usize]) -> Result<Tensor<3>, EvalError> {
        let features = self.vlm.encode(&self.pictures(items)?);
        self.progress.advance(items.len() as u64);
        features.map_err(EvalError::features)
    }

    /// Makes soft prefixes of features.
    fn connect(&self, features: Tensor<3>) -> Result<Tensor<3>, EvalError> {
        self.vlm.prefix(features).map_err(EvalError::features)
    }

    /// Returns the text side of the bridge.
    fn text(&self) -> anyhow::Result<TextParts<'a>> {
        let model = self.vlm;
        let (tower, words) = (model.text_tower()?, model.tokenizer()?);
        let tokenizer = &words.tokenizer;
        let (Some(cls), Some(sep)) = (tokenizer.cls, tokenizer.sep) else {
            bail!(
                Problem::new("the tokenizer has no `[CLS]` and `[SEP]`")
                    .at(&model.name)
                    .hint("give the checkpoint's own")
            )
        };
        tokenizer.check(&[cls, sep])?;
        let special_tokens = TextSpecialTokens {
            pad: words.padding(model.stage1.pad)?,
            cls,
            sep,
            dec: model.stage1.dec,
        };
        Ok(TextParts { tower, tokenizer, special_tokens, positions: usize::MAX, contrast: true })
    }
}
