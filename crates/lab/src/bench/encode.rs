//! The frozen encoder.

use super::{BenchSetup, BenchWork, Timing, draw, time, values};
use crate::LabError;
use crate::plan::memory;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use toolkit_registry::{Kind, Weights};

pub(super) fn encode(setup: &BenchSetup<'_>) -> Result<Timing, LabError> {
    let card = setup.registry.card(Kind::Vision, &setup.vision)?;
    let shape = setup.registry.describe_vision(&card)?;
    let encoder = draw(setup.registry.build_vision(&card, &setup.device, Weights::None)?.no_grad());
    let [height, width] = shape.image;
    let pixels = values("bench/pixels", setup.batch * 3 * height * width);
    let pixels = Tensor::<4>::from_data(
        TensorData::new(pixels, [setup.batch, 3, height, width]),
        &setup.device,
    );
    let seconds = time(setup.rounds, || {
        // Data on the host: the work is done, whatever the device puts off.
        drop(encoder.encode(pixels.clone()).into_data());
        Ok(())
    })?;
    let of = format!("{}, {} images of {height} x {width}", card.name, setup.batch);
    let flops = shape.cost.flops as f64 * setup.batch as f64;
    let measured = Timing::new(BenchWork::Encode, of, seconds, setup.batch as f64, "images");
    let rate = flops / measured.median;
    let planned = memory::encode(&shape, setup.batch);
    Ok(measured.planned(planned).fact("flops_per_second", rate))
}
