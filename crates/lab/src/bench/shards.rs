//! Shards to augmented batches, as training reads them.

use super::{BenchSetup, BenchWork, Timing, time};
use crate::{LabError, plan::preprocess::preprocess};
use rayon::prelude::*;
use std::hint::black_box;
use toolkit_data::{Augment, Dataset};
use toolkit_registry::Kind;

/// Times passes over all samples of `shards`: reading, decoding, augmentation and normalisation, in
/// batches `[pictures, 3, size, size]`. A thread makes whole batches.
pub(super) fn data(setup: &BenchSetup<'_>, shards: &str) -> Result<Timing, LabError> {
    let mut preprocess = preprocess(&setup.registry.card(Kind::Vision, &setup.vision)?)?;
    preprocess.size = setup.size.unwrap_or(preprocess.size);
    let data = setup.registry.open_data(&format!("shards:{shards}"))?;
    let data: &dyn Dataset = &*data;
    let values = 3 * (preprocess.size * preprocess.size) as usize;
    let rows: Vec<usize> = (0..data.len()).collect();
    let mut pass = 0;
    let seconds = time(setup.rounds, || {
        pass += 1;
        let buffer = || vec![0.0; setup.batch * values];
        rows.par_chunks(setup.batch).try_for_each_init(buffer, |buffer, rows| {
            for (place, &row) in buffer.chunks_exact_mut(values).zip(rows) {
                black_box(data.training_captions(row));
                let draws = &mut Augment::draws(1, row as u64, pass);
                let picture = data.image(row)?;
                place.copy_from_slice(&preprocess.apply_augmented(&picture, &setup.augment, draws));
            }
            Ok(())
        })
    })?;
    let side = preprocess.size;
    let of = format!("{} pictures of shards to {side} x {side}", data.len());
    Ok(Timing::new(BenchWork::Data, of, seconds, data.len() as f64, "images"))
}
