//! A [`Vlm`] measured on pictures that are decoded and encoded as they come.

use crate::{
    EncodedPictures, EvalError, LanguageParts, MeasureOptions, Measured, ModelParts, Needs, Task,
    TextParts, measure,
};
use burn::tensor::Tensor;
use image::RgbImage;
use toolkit_core::TextSpecialTokens;
use toolkit_data::Dataset;
use toolkit_system::problem::Problem;
use toolkit_vlm::Vlm;

/// Measures a model in memory by a task that needs `needs`; see [`measure()`]. Each row gets the
/// digest of its picture as `picture_sha256`.
///
/// # Errors
/// If the model lacks a part, the data lack what the task scores, or a picture cannot be read.
pub fn measure_vlm(
    vlm: &Vlm,
    task: &dyn Task,
    needs: Needs,
    data: &dyn Dataset,
    options: MeasureOptions<'_>,
) -> Result<Measured, EvalError> {
    let alpha = vlm.processor()?.alpha;
    let encode = |pictures: &[RgbImage]| Ok(vlm.encode(pictures)?);
    let pictures = EncodedPictures::new(data, alpha, &encode, options.progress);
    let features = |items: &[usize]| pictures.features(items);
    let connect = |features: Tensor<3>| Ok(vlm.prefix(features)?);
    let (language, text) = match needs {
        Needs::Language => {
            (Some(LanguageParts { connect: &connect, generator: vlm.generator()? }), None)
        }
        Needs::TextTower => (None, Some(text_parts(vlm)?)),
    };
    let parts = ModelParts { features: &features, language, text };
    let mut measured = measure(&parts, task, data, options)?;
    pictures.add_digests(&mut measured)?;
    Ok(measured)
}

/// Returns the text side of the bridge.
fn text_parts(vlm: &Vlm) -> Result<TextParts<'_>, EvalError> {
    let (tower, words) = (vlm.text_tower()?, vlm.tokenizer()?);
    let tokenizer = &words.tokenizer;
    let (Some(cls), Some(sep)) = (tokenizer.cls, tokenizer.sep) else {
        let problem = Problem::new("the tokenizer has no `[CLS]` and `[SEP]`").at(&vlm.name);
        return Err(problem.hint("give the checkpoint's own").into());
    };
    tokenizer.check(&[cls, sep])?;
    let special_tokens =
        TextSpecialTokens { pad: words.padding(vlm.stage1.pad)?, cls, sep, dec: vlm.stage1.dec };
    Ok(TextParts { tower, tokenizer, special_tokens, positions: usize::MAX, contrast: true })
}
