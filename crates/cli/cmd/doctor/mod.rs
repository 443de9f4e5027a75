//! `toolkit doctor`: checks that everything is in order.

mod cards;
mod machine;

use crate::context::Context;
use crate::progress::fetch::FetchProgress;
use crate::text::bytes;
use crate::{device, text};
use clap::Args as Arguments;
use serde_json::json;
use toolkit_lab::run::provenance;
use toolkit_registry::Kind;
use toolkit_store::Store;
use toolkit_system::problem::Problem;

/// Checks this machine and this build: devices, memory, disk, every card with its weights
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit doctor
  toolkit doctor --registry my-cards
  toolkit doctor --check
  toolkit doctor --json")]
pub struct Args {
    /// Also read every file that `data fetch` has brought, and compare it with its digest
    #[arg(long)]
    check: bool,
}

/// Result of one check.
struct Finding {
    what: String,
    found: String,
    ok: bool,
}

fn fact(what: &str, found: impl Into<String>) -> Finding {
    Finding { what: what.to_owned(), found: found.into(), ok: true }
}

/// Runs the command.
///
/// # Errors
/// If anything is broken.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let mut findings = this_machine();
    findings.extend(devices());
    findings.extend(all_cards(context));
    if args.check {
        findings.extend(fetched(context)?);
    }
    context.print(
        || findings.iter().map(|f| json!({"what": f.what, "found": f.found, "ok": f.ok})).collect(),
        || {
            let state = |ok: bool| if ok { "ok" } else { "BROKEN" }.to_owned();
            let row = |f: &Finding| vec![state(f.ok), f.what.clone(), f.found.clone()];
            text::table(&["", "what", "found"], &findings.iter().map(row).collect::<Vec<_>>())
        },
    )?;
    let broken: Vec<&str> = findings.iter().filter(|f| !f.ok).map(|f| f.what.as_str()).collect();
    if broken.is_empty() {
        return Ok(());
    }
    let (failed, all, names) = (broken.len(), findings.len(), broken.join(", "));
    Err(Problem::new(format_args!("{failed} of {all} checks failed: {names}"))
        .hint("each is explained above, on standard output")
        .into())
}

fn this_machine() -> Vec<Finding> {
    let [class, instructions] = provenance::arithmetic("flex");
    let revision = provenance::git_revision();
    vec![
        fact("toolkit", format!("{}, revision {revision}", env!("CARGO_PKG_VERSION"))),
        fact("machine", provenance::machine()),
        fact("arithmetic", format!("{class}, computed with {instructions}")),
        fact("memory", machine::memory()),
        fact("disk here", machine::disk()),
    ]
}

/// Tries every device of this build.
fn devices() -> Vec<Finding> {
    let try_out = |name: &str| {
        let (found, ok) = match device::probe(name) {
            Ok(_) => ("opens, and multiplies matrices".to_owned(), true),
            Err(why) => (why, false),
        };
        Finding { what: format!("device {name}"), found, ok }
    };
    device::compiled_in().into_iter().map(try_out).collect()
}

/// Checks every card of the registry.
fn all_cards(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in Kind::ALL {
        for name in context.registry.names(kind) {
            let (found, ok) = match cards::check(&context.registry, kind, &name) {
                Ok(found) => (found, true),
                Err(error) => (error.to_string(), false),
            };
            findings.push(Finding { what: format!("{}/{name}", kind.folder()), found, ok });
        }
    }
    findings
}

/// Reads all files that were fetched: one finding for those that are as they came, and one for each
/// damaged one.
fn fetched(context: &Context) -> anyhow::Result<Vec<Finding>> {
    let store = Store::standard();
    let checked = store.check(&FetchProgress::new(&context.log))?;
    let mut found = format!("as fetched: {} in files: {}", bytes(checked.bytes), checked.whole);
    if checked.unknown > 0 {
        found +=
            &format!("; without a digest, for an older version fetched them: {}", checked.unknown);
    }
    let mut findings = vec![fact(&format!("fetched into {}", store.root().display()), found)];
    findings.extend(checked.damaged.into_iter().map(|damage| Finding {
        what: damage.path.display().to_string(),
        found: format!("{}: fetch it again", damage.what),
        ok: false,
    }));
    Ok(findings)
}
