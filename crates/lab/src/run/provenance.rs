//! The build and the machine that a run is made with.

use toolkit_system::digest::sha256_hex;
use toolkit_system::tool::question;

/// Versions of all crates that this program was built with.
const CARGO_LOCK: &[u8] = include_bytes!("../../../../Cargo.lock");

/// Returns the SHA-256 of the lock file that this program was built with.
pub(crate) fn lock_hash() -> String {
    sha256_hex(CARGO_LOCK)
}

/// Returns the revision of the working folder that the program lies in, as it does where cargo
/// builds it; `-dirty` follows if it has changes. Outside of git it is `unknown`.
///
/// The current folder is not asked: it may be of another project.
#[must_use]
pub fn git_revision() -> String {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(|path| path.parent()?.to_str()).unwrap_or("/");
    let git = |args: &[&str]| {
        // The folder's own settings may name programs; none of them is started for a revision.
        let args =
            [&["-C", folder, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"], args]
                .concat();
        let output = question("git", &args).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(revision) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changes.is_some_and(|changes| !changes.is_empty()) {
        format!("{revision}-dirty")
    } else {
        revision
    }
}

/// Describes processor and system, as far as the system says.
#[must_use]
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name").and_then(|l| l.split_once(':')))
        .map_or("", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {}, {cores} cores, {cpu}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Returns the class of machines that compute the same bits on this device (`docs/bits.md`), and the
/// instruction set that is used here.
#[must_use]
pub fn arithmetic(device: &str) -> [String; 2] {
    let isa = toolkit_kernels::Isa::current();
    let class = match isa {
        _ if device != "flex" => device,
        toolkit_kernels::Isa::Portable => "portable",
        _ => "x86-64-avx2",
    };
    [class.to_owned(), isa.name().to_owned()]
}
