//! `--device`: which backends are compiled in, and whether they open.

use burn::tensor::{Device, Tensor};
use std::panic::catch_unwind;
use toolkit_system::problem::Problem;

/// Devices by name, and the cargo feature each needs.
const KNOWN: [(&str, Option<&str>, bool); 4] = [
    ("flex", None, true),
    ("cuda", Some("cuda"), cfg!(feature = "cuda")),
    ("wgpu", Some("wgpu"), cfg!(feature = "wgpu")),
    ("libtorch", Some("tch"), cfg!(feature = "tch")),
];

/// Names of the devices of this build.
#[must_use]
pub fn compiled_in() -> Vec<&'static str> {
    KNOWN.iter().filter(|(_, _, there)| *there).map(|(name, _, _)| *name).collect()
}

/// Checks a name without opening the device.
///
/// # Errors
/// If there is no such device, or not in this build.
pub fn check(name: &str) -> anyhow::Result<()> {
    let (base, index) =
        name.split_once(':').map_or((name, None), |(base, index)| (base, Some(index)));
    let listed =
        compiled_in().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some((_, feature, there)) = KNOWN.iter().find(|(known, _, _)| *known == base) else {
        let names = KNOWN.map(|(name, _, _)| name);
        let hint = toolkit_registry::spanned::suggest(base, &names);
        return Err(Problem::new(format_args!(
            "--device {name}: there is no such device, this build has {listed}"
        ))
        .hint(hint)
        .into());
    };
    if let (false, Some(feature)) = (there, feature) {
        return Err(Problem::new(format_args!("--device {name}: this build has {listed} only"))
            .hint(format_args!("build with `cargo build --features {feature}`"))
            .into());
    }
    if index.is_some_and(|index| base != "cuda" || index.parse::<u32>().is_err()) {
        return Err(Problem::new(format_args!("--device {name}: only `cuda` takes a number"))
            .hint(format_args!("write `{base}` or `cuda:0`"))
            .into());
    }
    Ok(())
}

/// Checks that the processor has the instructions that `TOOLKIT_ISA` asks for.
///
/// # Errors
/// If it has not, or there are no such instructions.
pub fn check_instructions() -> anyhow::Result<()> {
    match toolkit_kernels::Isa::from_environment() {
        Ok(_) => Ok(()),
        Err([error, hint]) => Err(Problem::new(error).hint(hint).into()),
    }
}

/// Opens the device of that name and tries it out.
///
/// # Errors
/// The errors of [`check`], and if it does not open.
pub fn open(name: &str) -> anyhow::Result<Device> {
    check(name)?;
    if name == "flex" {
        return Ok(Device::flex());
    }
    match probe(name) {
        Ok(device) => Ok(device),
        Err(why) => Err(Problem::new(format_args!("--device {name}: it does not open: {why}"))
            .hint("`toolkit doctor` shows what works here")
            .into()),
    }
}

/// Multiplies two small matrices on the device; backends panic when there is no driver.
///
/// # Errors
/// The message of the backend, or that the product is wrong.
pub fn probe(name: &str) -> Result<Device, String> {
    let name = name.to_owned();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let tried = catch_unwind(move || {
        let device = make(&name);
        let matrix = |values: [[f32; 2]; 2]| Tensor::<2>::from_data(values, &device);
        let product = matrix([[1.0, 2.0], [3.0, 4.0]]).matmul(matrix([[5.0, 6.0], [7.0, 8.0]]));
        (toolkit_core::params::floats(product), device)
    });
    std::panic::set_hook(hook);
    match tried {
        Ok((product, device)) if product == [19.0, 22.0, 43.0, 50.0] => Ok(device),
        Ok((product, _)) => Err(format!("2x2 matrices multiply to {product:?}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_else(|| "it panics".to_owned()))
        }
    }
}

fn make(name: &str) -> Device {
    match name.split(':').next() {
        #[cfg(feature = "cuda")]
        Some("cuda") => Device::cuda(
            name.split(':').nth(1).and_then(|index| index.parse::<usize>().ok()).unwrap_or(0),
        ),
        #[cfg(feature = "wgpu")]
        Some("wgpu") => Device::wgpu(Default::default()),
        #[cfg(feature = "tch")]
        #[allow(deprecated)]
        // burn deprecates the whole backend, which only a feature and a name turn on.
        Some("libtorch") => Device::libtorch(),
        _ => Device::flex(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{check, probe};

    #[test]
    fn names_are_checked_and_flex_opens() {
        assert!(check("flex").is_ok());
        let error = check("flexx").unwrap_err().to_string();
        assert!(error.contains("hint: did you mean `flex`?"), "{error}");
        assert!(check("flex:1").is_err());
        assert!(probe("flex").is_ok());
    }
}
