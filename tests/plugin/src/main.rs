fn main() -> std::process::ExitCode {
    let registry = toolkit_registry::Registry::builtin();
    let registry = registry.vision::<my_vit::PatchEncoder>("patch");
    toolkit::run(registry.dataset::<my_vit::Stripes>("stripes"))
}
