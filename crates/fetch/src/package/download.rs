//! The package manager as a child process.

use crate::child;
use crate::manager::{Commands, versions_of};
use crate::tool::{self, Tool};
use crate::{FetchError, Fetcher};
use std::path::Path;
use toolkit_store::layout::Manager;
use toolkit_store::{Package, Step, StepProgress};

impl Fetcher {
    /// Finds the programs of a manager that are on this machine.
    pub(super) fn tools(&self, manager: Manager) -> Vec<Tool> {
        manager.programs().iter().filter_map(|words| self.tool(words)).collect()
    }

    /// Finds a program; `words` are its name and first arguments.
    pub(super) fn tool(&self, words: &[&str]) -> Option<Tool> {
        Tool::find(words, &self.program_path())
    }

    /// Runs the package manager in `temp`. Returns the command that worked.
    pub(super) fn download(
        &self,
        manager: Manager,
        package: &Package,
        temp: &Path,
        progress: &dyn StepProgress,
    ) -> Result<String, FetchError> {
        let args = manager.args(package, temp);
        let tools = self.tools(manager);
        let most = self.limits().packed();
        for (at, tool) in tools.iter().enumerate() {
            let command = tool.line(&args);
            let name = format!("{} {} {}", manager.name(), package.name, package.version);
            let step = Step::new(progress, &name, None);
            let stderr = match child::run(tool, manager, &args, temp, most, Some(&step))? {
                Ok(_) => return Ok(command),
                Err(stderr) => stderr,
            };
            let no_pip = manager == Manager::Pip && stderr.contains("No module named pip");
            if no_pip && at + 1 < tools.len() {
                continue;
            }
            let (what, hint) = match self.offered(manager, package, &stderr, temp)? {
                Some(versions) => (
                    format!("apt does not offer {} {}", package.name, package.version),
                    format!(
                        "it offers {versions}; run `apt-get update` as root if its lists are old"
                    ),
                ),
                None => manager.explain(package, &stderr),
            };
            return Err(FetchError::tool(what, &command, hint));
        }
        let names: Vec<&str> = manager.programs().iter().map(|words| words[0]).collect();
        let hint = format!(
            "install {}, or run the command where it is and copy {}",
            names[0],
            self.store().root().display()
        );
        let command = tool::line(&manager.programs()[0].join(" "), &args);
        Err(FetchError::tool(format!("no {} on PATH", names.join(", ")), &command, hint))
    }

    /// Returns the versions that apt has, if the wanted one is not among them.
    fn offered(
        &self,
        manager: Manager,
        package: &Package,
        stderr: &str,
        temp: &Path,
    ) -> Result<Option<String>, FetchError> {
        if manager != Manager::Apt || !stderr.contains("was not found") {
            return Ok(None);
        }
        let Some(tool) = self.tool(&["apt-cache"]) else { return Ok(None) };
        let args = ["policy".into(), package.name.clone().into()];
        let policy = child::run(&tool, manager, &args, temp, self.limits().packed(), None)?
            .unwrap_or_default();
        let versions = versions_of(&policy);
        Ok((!versions.is_empty()).then(|| versions.join(", ")))
    }
}
