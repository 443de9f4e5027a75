//! Reading of safetensors files that this toolkit wrote: all tensors at once.

use super::{StoredDtype, WeightsError};
use burn::module::Module;
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::BTreeMap;
use toolkit_core::params::{self, Values};
use toolkit_system::problem::Problem;

/// Tensors by name, and the metadata of the file.
pub type Contents = (BTreeMap<String, Values>, BTreeMap<String, String>);

/// Tensors (`f32`, `f16` or `bf16`) and metadata of a safetensors file.
///
/// # Errors
/// If the bytes are cut short, are no safetensors, or hold a tensor of another type.
pub fn read_safetensors(bytes: &[u8]) -> Result<Contents, WeightsError> {
    let file = "safetensors";
    let broken = |error: SafeTensorError| {
        Problem::new(format_args!("not a safetensors file: {error}"))
            .at(file)
            .hint("copy or fetch the file again")
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header
        .metadata()
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut tensors = BTreeMap::new();
    // Sorted, so that the same file gives the same error.
    let stored_tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    for (name, view) in stored_tensors.iter().collect::<BTreeMap<_, _>>() {
        let Some(stored) = StoredDtype::of(view.dtype()) else {
            let what = format!("tensor `{name}` is {}", view.dtype());
            let hint = "only F32, F16 and BF16 are read: leave buffers out of the file";
            return Err(Problem::new(what).at(file).hint(hint).into());
        };
        tensors.insert(
            name.to_owned(),
            Values { shape: view.shape().to_vec(), data: stored.floats(view.data()) },
        );
    }
    Ok((tensors, metadata))
}

/// Loads `values` into `module`, all or nothing; `file` is named in the error.
///
/// # Errors
/// With everything that is missing, unexpected or mis-shaped.
pub fn import<M: Module>(
    module: M,
    values: BTreeMap<String, Values>,
    file: &str,
) -> Result<M, WeightsError> {
    params::import(module, values).map_err(|(_, mismatch)| WeightsError::Mismatch {
        file: file.to_owned(),
        mismatch: Box::new(mismatch),
    })
}
