//! Initialisation of parameters, one stream of random numbers for each.

use super::transfer::map;
use super::{Info, Values};
use burn::module::Module;
use toolkit_seed::Stream;

/// The initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Normal values with this standard deviation.
    Normal(f64),
    /// A single value.
    Constant(f32),
}

/// Returns BERT's initialisation, which BLIP-2's Q-Former follows: N(0, 0.02), biases 0,
/// normalisation scales 1.
#[must_use]
pub fn bert_rule(info: &Info) -> Init {
    if info.name.ends_with("bias") {
        Init::Constant(0.0)
    } else if info.shape.len() == 1 && info.name.ends_with("weight") {
        Init::Constant(1.0)
    } else {
        Init::Normal(0.02)
    }
}

/// Draws every parameter by `rule`.
///
/// Each tensor has a stream of its own, named by seed and checkpoint name. So a new layer changes
/// no other layer's initial values, and all backends start alike.
pub fn initialise<M: Module>(module: M, seed: u64, mut rule: impl FnMut(&Info) -> Init) -> M {
    map(module, |info| {
        let count = info.shape.iter().product();
        let data = match rule(info) {
            Init::Constant(value) => vec![value; count],
            Init::Normal(std) => {
                let mut stream = Stream::new(seed, &info.name, 0);
                (0..count).map(|_| (stream.normal() * std) as f32).collect()
            }
        };
        Some(Values { shape: info.shape.clone(), data })
    })
}
