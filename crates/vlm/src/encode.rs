//! Pictures to features, queries and soft prefixes.

use crate::{Vlm, VlmError};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use toolkit_core::noise;
use toolkit_core::params::round_to_half;

/// Most pictures that are encoded together, and most prompts that are continued together.
pub const BATCH: usize = 16;

/// The outputs of encoder and bridge for some pictures.
#[derive(Clone, Debug)]
pub struct ImageEmbeddings {
    /// Features of the encoder, `[pictures, tokens, vision width]`.
    pub features: Tensor<3>,
    /// Outputs of the bridge, `[pictures, queries, width]`.
    pub queries: Tensor<3>,
    /// Queries in the space that images and texts share, of length 1: `[pictures, queries, e]`.
    /// `None` if the bridge has no text side.
    pub embeds: Option<Tensor<3>>,
}

impl Vlm {
    /// Encodes pictures to features `[pictures, tokens, width]`, a few at a time.
    ///
    /// # Errors
    /// If the model has no encoder.
    pub fn encode(&self, pictures: &[RgbImage]) -> Result<Tensor<3>, VlmError> {
        let vision = self.vision()?;
        let preprocess = self.processor()?.preprocess;
        let device = self.device();
        let side = preprocess.size as usize;
        let parts = pictures.chunks(BATCH).map(|chunk| {
            let pixels: Vec<f32> =
                chunk.iter().flat_map(|picture| preprocess.apply(picture)).collect();
            let pixels = TensorData::new(pixels, [chunk.len(), 3, side, side]);
            let features = noise::off(|| vision.model.encode(Tensor::from_data(pixels, &device)));
            if self.half_features { round_to_half(features) } else { features }
        });
        Ok(Tensor::cat(parts.collect(), 0))
    }

    /// Maps features `[pictures, tokens, width]` to the soft prefix `[pictures, queries, embedding
    /// width]` of the language model.
    ///
    /// # Errors
    /// If the model has no language model.
    pub fn prefix(&self, features: Tensor<3>) -> Result<Tensor<3>, VlmError> {
        let language = self.language()?;
        Ok(noise::off(|| language.prefix(self.queries(features))))
    }

    /// Encodes pictures and maps them through the bridge.
    ///
    /// # Errors
    /// If the model has no encoder.
    pub fn embed(&self, pictures: &[RgbImage]) -> Result<ImageEmbeddings, VlmError> {
        let features = self.encode(pictures)?;
        Ok(noise::off(|| {
            let queries = self.queries(features.clone());
            let embeds = self.text_tower().ok().map(|tower| tower.image_embeds(queries.clone()));
            ImageEmbeddings { features, queries, embeds }
        }))
    }

    /// Computes where the queries of a Q-Former look in a picture: for each layer with
    /// cross-attention `[1, heads, queries, tokens]`, which sums to 1 over tokens.
    ///
    /// # Errors
    /// If the bridge is no Q-Former, or the model has no encoder.
    pub fn attend(&self, picture: &RgbImage) -> Result<Vec<Tensor<4>>, VlmError> {
        let bridge = self.qformer()?;
        let features = self.encode(std::slice::from_ref(picture))?;
        let device = bridge.devices().first().cloned().unwrap_or_default();
        let features = Tensor::<3>::from_data(features.into_data(), &device);
        Ok(noise::off(|| bridge.cross_attention(features)))
    }
}
