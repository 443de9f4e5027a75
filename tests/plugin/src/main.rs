use my_vit::{Align, NamesWord, PatchEncoder, Stripes};
use toolkit_eval::RegisterTask;
use toolkit_lab::plan::losses::RegisterLoss;
use toolkit_registry::Registry;

fn main() -> std::process::ExitCode {
    let registry = Registry::builtin()
        .vision::<PatchEncoder>("patch")
        .dataset::<Stripes>("stripes")
        .loss::<Align>("align")
        .task::<NamesWord>("names-word");
    toolkit::run(registry)
}
