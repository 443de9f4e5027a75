use my_vit::{Align, PatchEncoder, Stripes};
use toolkit_lab::plan::losses::RegisterLoss;
use toolkit_registry::Registry;

fn main() -> std::process::ExitCode {
    let registry = Registry::builtin()
        .vision::<PatchEncoder>("patch")
        .dataset::<Stripes>("stripes")
        .loss::<Align>("align");
    toolkit::run(registry)
}
