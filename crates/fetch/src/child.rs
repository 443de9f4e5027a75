//! Child programs, which end with this process.

use crate::FetchError;
use crate::environment::inherited;
use crate::tool::Tool;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;
use toolkit_store::Step;
use toolkit_store::layout::Manager;

/// Shell script that runs `"$@"` until it ends, or until the standard input ends. Then it kills the
/// whole process group. This process has the other end of that pipe; the system closes it however
/// this process ends, by SIGKILL too.
///
/// `$1` is the bound on the memory of the program in kilobytes, where the system can set one.
#[cfg(unix)]
const GUARD: &str = r#"exec 3<&0 </dev/null
memory=$1
shift
if (ulimit -v "$memory") 2>/dev/null; then ulimit -v "$memory"; fi
"$@" 3<&- &
tool=$!
{ read -r line; kill -KILL 0; } <&3 3<&- >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait "$tool"
status=$?
exec 2>/dev/null
kill -KILL "$guard"
exit "$status""#;

/// Kilobytes of memory that pip may use. It unpacks the metadata of a wheel in memory before a
/// digest is compared, and half a megabyte can become gigabytes.
#[cfg(unix)]
const PIP_MEMORY: &str = "2000000";

/// Most bytes of a program's output that are read, half of them from each end.
const LONGEST_OUTPUT: u64 = 1 << 20;

/// A program that runs. Dropping it ends the program and all it started.
pub(crate) struct Running {
    child: Child,
    /// Closed when this process ends, on purpose or not.
    alive: Option<ChildStdin>,
}

impl Running {
    /// Starts `tool` in `folder`, which also gets its errors, as `stderr`.
    pub(crate) fn start(
        tool: &Tool,
        manager: Manager,
        args: &[OsString],
        folder: &Path,
        stdout: Stdio,
    ) -> Result<Self, FetchError> {
        let log = folder.join("stderr");
        let stderr = File::create(&log).map_err(FetchError::io("write", &log))?;
        let mut command = guarded(manager, &tool.program);
        command.args(&tool.first).args(args).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
        command.env_clear().envs(inherited(manager, std::env::vars_os(), folder));
        command.env("PATH", tool.child_path());
        let mut child = command.spawn().map_err(|error| {
            let what = format!("cannot start {}: {error}", tool.program.display());
            FetchError::tool(what, &tool.line(args), "check that the program may be run")
        })?;
        let alive = child.stdin.take();
        Ok(Self { child, alive })
    }

    /// Hands over the pipe of its standard output, once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> std::io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.alive.take());
        if cfg!(not(unix)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn guarded(manager: Manager, program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let memory = match manager {
        Manager::Pip => PIP_MEMORY,
        // node reserves far more addresses than it uses.
        Manager::Apt | Manager::Npm => "unlimited",
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GUARD, "sh", memory]).arg(program).process_group(0);
    command
}

#[cfg(not(unix))]
fn guarded(_: Manager, program: &Path) -> Command {
    Command::new(program)
}

/// Runs `tool` to its end and reports the bytes that arrive in `folder`, at most `most`. Returns
/// its standard output, or `Err` with its errors.
pub(crate) fn run(
    tool: &Tool,
    manager: Manager,
    args: &[OsString],
    folder: &Path,
    most: u64,
    step: Option<&Step<'_>>,
) -> Result<Result<String, String>, FetchError> {
    let out = folder.join("stdout");
    let stdout = File::create(&out).map_err(FetchError::io("write", &out))?;
    let mut running = Running::start(tool, manager, args, folder, stdout.into())?;
    let (mut shown, mut pause) = (0, Duration::from_millis(5));
    let status = loop {
        let status = running.child.try_wait().map_err(FetchError::io("wait for", &tool.program))?;
        let arrived = Arrived::of(folder);
        if let Some(step) = step {
            step.advance(arrived.largest.saturating_sub(shown));
            shown = shown.max(arrived.largest);
        }
        // pip copies its download, so twice the size is there for a while.
        if arrived.largest > most || arrived.all > most.saturating_mul(2) {
            let what = format!("it brings more than {most} bytes and was stopped");
            return Err(FetchError::tool(what, &tool.line(args), crate::limits::HINT));
        }
        if let Some(status) = status {
            break status;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    };
    if status.success() { Ok(Ok(read_output(&out))) } else { Ok(Err(errors_in(folder))) }
}

/// Reads the errors of a program that ran in `folder`.
pub(crate) fn errors_in(folder: &Path) -> String {
    read_output(&folder.join("stderr"))
}

fn read_output(path: &Path) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        if size <= LONGEST_OUTPUT {
            file.read_to_end(&mut bytes)?;
        } else {
            Read::by_ref(&mut file).take(LONGEST_OUTPUT / 2).read_to_end(&mut bytes)?;
            bytes.push(b'\n');
            file.seek(SeekFrom::Start(size - LONGEST_OUTPUT / 2))?;
            file.take(LONGEST_OUTPUT / 2).read_to_end(&mut bytes)?;
        }
        Ok::<_, std::io::Error>(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Bytes in a folder, as far as they can be counted while it changes.
struct Arrived {
    all: u64,
    /// Bytes of the largest entry: of two copies of a download one counts as progress.
    largest: u64,
}

impl Arrived {
    fn of(folder: &Path) -> Self {
        let sizes = sizes(folder);
        Self { all: sizes.iter().sum(), largest: sizes.into_iter().max().unwrap_or(0) }
    }
}

fn sizes(folder: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |path: PathBuf| match path.symlink_metadata() {
        Ok(data) if data.is_dir() => sizes(&path).iter().sum(),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(|entry| size(entry.path())).collect()
}
