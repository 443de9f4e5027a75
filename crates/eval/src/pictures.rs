//! Pictures of a data set that are encoded when they are needed.

use crate::{EvalError, Measured};
use burn::tensor::Tensor;
use image::RgbImage;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use toolkit_data::{Alpha, Dataset};
use toolkit_system::digest::sha256_hex;
use toolkit_system::progress::Progress;

/// Image processor and encoder: pictures to features `[pictures, tokens, width]` on a plain device.
pub type Encode<'a> = dyn Fn(&[RgbImage]) -> Result<Tensor<3>, EvalError> + 'a;

/// The pictures of a data set as a [`FeatureSource`](crate::FeatureSource) that decodes and encodes
/// them, and the digests of those that were decoded.
pub struct EncodedPictures<'a> {
    data: &'a dyn Dataset,
    /// Treatment of transparency for the model.
    alpha: Alpha,
    encode: &'a Encode<'a>,
    progress: &'a dyn Progress,
    digests: RefCell<BTreeMap<usize, String>>,
}

impl<'a> EncodedPictures<'a> {
    /// Joins data with an encoder that wants transparency treated as `alpha` says. `progress`
    /// advances by pictures.
    #[must_use]
    pub fn new(
        data: &'a dyn Dataset,
        alpha: Alpha,
        encode: &'a Encode<'a>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self { data, alpha, encode, progress, digests: RefCell::default() }
    }

    /// Encodes the pictures of items, `[items, tokens, width]`.
    ///
    /// # Errors
    /// If a picture cannot be read; those of the encoder.
    pub fn features(&self, items: &[usize]) -> Result<Tensor<3>, EvalError> {
        let features = (self.encode)(&self.decode(items)?);
        self.progress.advance(items.len() as u64);
        features
    }

    /// Adds to each row of a result the SHA-256 of its picture's decoded pixels.
    ///
    /// # Errors
    /// If a picture cannot be read.
    pub fn add_digests(&self, measured: &mut Measured) -> Result<(), EvalError> {
        // Pictures of texts that an earlier call generated were not decoded in this one.
        let missing = |item: &usize| !self.digests.borrow().contains_key(item);
        let missing: BTreeSet<usize> = measured.items.iter().copied().filter(missing).collect();
        for item in missing {
            self.decode(&[item])?;
        }
        let digests = self.digests.borrow();
        for (row, item) in measured.rows.iter_mut().zip(&measured.items) {
            row["picture_sha256"] = digests.get(item).cloned().into();
        }
        Ok(())
    }

    fn decode(&self, items: &[usize]) -> Result<Vec<RgbImage>, EvalError> {
        let one = |&item: &usize| {
            let picture = self.data.image_as(item, self.alpha)?;
            let digest = || sha256_hex(picture.as_raw());
            self.digests.borrow_mut().entry(item).or_insert_with(digest);
            Ok(picture)
        };
        items.iter().map(one).collect()
    }
}
