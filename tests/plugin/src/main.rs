use my_vit::{Align, NamesWord, PatchEncoder, Stripes};
use toolkit::prelude::*;

fn main() -> std::process::ExitCode {
    let registry = Registry::builtin()
        .vision::<PatchEncoder>("patch")
        .dataset::<Stripes>("stripes")
        .loss::<Align>("align")
        .task::<NamesWord>("names-word");
    toolkit::run(registry)
}
