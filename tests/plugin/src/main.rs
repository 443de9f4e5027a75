fn main() -> std::process::ExitCode {
    toolkit::run(toolkit_registry::Registry::builtin().vision::<my_vit::PatchEncoder>("patch"))
}
