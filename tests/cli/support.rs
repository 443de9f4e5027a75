//! Calls of the binary, and the files that it is called on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Output and exit code of a call.
pub struct Called {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Called {
    /// The call, which must have worked.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok().stdout).unwrap()
    }

    /// Standard output as JSON Lines, as a list.
    #[track_caller]
    pub fn json_lines(self) -> serde_json::Value {
        self.ok()
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .collect()
    }

    /// Exit code 2 and one line that says all of `parts` and gives a hint.
    #[track_caller]
    pub fn fails_with(&self, parts: &[&str]) {
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.fails_last_with(parts);
    }

    /// The same after other lines of the log.
    #[track_caller]
    pub fn fails_last_with(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(2), "{}\n{}", self.stdout, self.stderr);
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && last.contains("hint: "), "{last}");
        for part in parts {
            assert!(last.contains(part), "no `{part}` in: {last}");
        }
    }
}

/// The binary with cards of the tests: the tiny data, and those of `TOOLKIT_TEST_REGISTRY` if there
/// are any.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolkit"));
    for folder in
        std::env::var("TOOLKIT_TEST_REGISTRY").iter().map(PathBuf::from).chain([cards().to_owned()])
    {
        command.arg("--registry").arg(folder);
    }
    command.current_dir(cards()).stdin(Stdio::null());
    command.env("TOOLKIT_CACHE", cache());
    command
}

/// Runs the binary to its end.
pub fn toolkit<A: AsRef<std::ffi::OsStr>>(args: &[A]) -> Called {
    called(command().args(args))
}

pub fn called(command: &mut Command) -> Called {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Called {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// A folder that is gone with the test process's temporary files.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A data set of a few scenes, as an overlay.
pub fn cards() -> &'static Path {
    static CARDS: OnceLock<PathBuf> = OnceLock::new();
    CARDS.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cards");
        std::fs::create_dir_all(dir.join("datasets")).unwrap();
        let card = "kind = \"scenes\"\n[config]\ntrain = 64\nval = 8\ntest = 8\ntest_combinations \
            = 4\ntest_new = 4\n";
        std::fs::write(dir.join("datasets/tiny.toml"), card).unwrap();
        dir
    })
}

/// An ablation of two cells that takes seconds.
pub const TINY: &str = r#"name = "tiny"
question = "Does it run?"
seeds = [1]

[model]
vision = "vit-nano"
bridge = "qformer-nano"
language = "opt-nano"

[data]
train = "tiny:train"
val = "tiny:val"
test = "tiny:test"

[stage1]
steps = 60
batch = 8
schedule = { peak = 1e-3, floor = 1e-4, warmup = 5 }

[stage2]
steps = 60
batch = 8
schedule = { peak = 1e-3, floor = 1e-4, warmup = 5 }

[eval]
every = 20
curve_questions = 16
questions = 32
captions = 8
vqa = "scenes-vqa"
caption = "scenes-caption"
retrieve = "scenes-retrieval"
also = [{ task = "scenes-vqa", data = "tiny:val", limit = 6 }]

[sweep]
"stage1.enabled" = [true, false]

[baseline]
"stage1.enabled" = false

[smoke]
"stage1.steps" = 2
"stage2.steps" = 2
"#;

/// Writes an experiment file into `dir`.
pub fn experiment(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("tiny.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The call of [`TINY`] into `out`.
pub fn run_command(file: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = command();
    command.arg("run").arg(file).arg("--out").arg(out).args(more);
    // Features of its own: tests damage and count them.
    command.env("TOOLKIT_CACHE", out);
    command
}

/// A finished run of [`TINY`], made once for all tests, and the seconds it took. Not to be changed:
/// copy it.
pub fn finished() -> (&'static Path, f64) {
    static RUN: OnceLock<(PathBuf, f64)> = OnceLock::new();
    let (dir, seconds) = RUN.get_or_init(|| {
        let dir = own_folder("finished");
        let began = std::time::Instant::now();
        let run =
            called(&mut run_command(&experiment(&dir, TINY), &dir.join("run"), &["--jobs", "2"]))
                .ok();
        assert!(run.stdout.contains("stage"), "{}", run.stdout);
        (dir.join("run"), began.elapsed().as_secs_f64())
    });
    (dir, *seconds)
}

/// The cache of this test process: tests do not fill that of the user.
fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| own_folder("cache"))
}

/// A folder of this test process, which other test processes leave alone. Those of processes that
/// are gone are removed.
fn own_folder(name: &str) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(parent).unwrap().map(Result::unwrap) {
        let of = entry
            .file_name()
            .to_string_lossy()
            .strip_prefix(&format!("{name}-"))
            .map(str::to_owned);
        if of.is_some_and(|pid| {
            Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists()
        }) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let dir = parent.join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A copy of [`finished`] that may be damaged.
pub fn copy_of_finished() -> TempDir {
    let dir = folder();
    copy(finished().0, dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// All files below a folder, relative to it.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    fn walk(dir: &Path, root: &Path, all: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                walk(&entry.path(), root, all);
            } else {
                all.push(entry.path().strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut all = Vec::new();
    walk(dir, dir, &mut all);
    all.sort();
    all
}

/// A file or folder of `tests/fixtures`.
pub fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A small picture file.
pub fn picture(path: &Path) {
    image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 5, y as u8 * 7, 90]))
        .save(path)
        .unwrap();
}
