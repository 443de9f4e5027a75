//! `toolkit doctor`: whether everything is in order.

use super::fetch::Shown;
use crate::context::Context;
use crate::text::bytes;
use crate::{device, text};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use toolkit_core::VisionShape;
use toolkit_registry::{Card, Kind, Registry};
use toolkit_store::Store;
use toolkit_system::tool::question;
use toolkit_tokenizer::TokenTable;

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

/// One thing that was looked at.
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
    let mut findings = vec![
        fact(
            "toolkit",
            format!(
                "{}, revision {}",
                env!("CARGO_PKG_VERSION"),
                toolkit_lab::run::provenance::git_revision()
            ),
        ),
        fact("machine", toolkit_lab::run::provenance::machine()),
        fact("memory", memory()),
        fact("disk here", disk()),
    ];
    for name in device::compiled_in() {
        let (found, ok) = match device::probe(name) {
            Ok(_) => ("opens, and multiplies matrices".to_owned(), true),
            Err(why) => (why, false),
        };
        findings.push(Finding { what: format!("device {name}"), found, ok });
    }
    for kind in Kind::ALL {
        for name in context.registry.names(kind) {
            let (found, ok) = match card(&context.registry, kind, &name) {
                Ok(found) => (found, true),
                Err(error) => (error.to_string(), false),
            };
            findings.push(Finding { what: format!("{}/{name}", kind.folder()), found, ok });
        }
    }
    if args.check {
        findings.extend(fetched(context)?);
    }
    context.print(
        || findings.iter().map(|f| json!({"what": f.what, "found": f.found, "ok": f.ok})).collect(),
        || {
            let state = |ok: bool| if ok { "ok" } else { "BROKEN" }.to_owned();
            let rows: Vec<Vec<String>> = findings
                .iter()
                .map(|f| vec![state(f.ok), f.what.clone(), f.found.clone()])
                .collect();
            text::table(&["", "what", "found"], &rows)
        },
    )?;
    let broken: Vec<&str> = findings.iter().filter(|f| !f.ok).map(|f| f.what.as_str()).collect();
    if broken.is_empty() {
        return Ok(());
    }
    bail!(
        "{} of {} checks failed: {}; hint: each is explained above, on standard output",
        broken.len(),
        findings.len(),
        broken.join(", ")
    )
}

/// Reads all that was fetched: one finding for the files that are as they came, one for each other.
fn fetched(context: &Context) -> anyhow::Result<Vec<Finding>> {
    let store = Store::standard();
    let checked = store.check(&Shown::new(&context.log))?;
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

/// Parses, describes and, where there are weights or a tokenizer, reads them.
fn card(registry: &Registry, kind: Kind, name: &str) -> anyhow::Result<String> {
    let card = registry.card(kind, name)?;
    let missing = card.not_here()?;
    let mut table = None;
    match kind {
        Kind::Vision => {
            registry.describe_vision(&card)?;
        }
        Kind::Language => {
            table = Some(TokenTable::of_language(registry.describe_language(&card)?.vocab))
        }
        Kind::Bridge => table = bridge(registry, &card)?,
        Kind::Dataset if !missing.is_empty() => {}
        Kind::Dataset => {
            let source = registry.dataset_of(&card)?;
            source.check_config()?;
            if let Some(files) = source.user_files()? {
                return Ok(match files.root {
                    Ok(root) if root.is_dir() => {
                        format!("in {}: `toolkit data check {name}` looks at it", root.display())
                    }
                    _ => "published; not on this machine".to_owned(),
                });
            }
            // The smallest of the usual splits, if there is one of that name.
            let splits = source.splits()?;
            if let Some(split) = splits.iter().find(|name| *name == "val").or(splits.first()) {
                source.open(split)?;
            }
        }
        Kind::Task => {
            let speakers = registry
                .names(Kind::Language)
                .iter()
                .filter_map(|name| registry.card(Kind::Language, name).ok())
                .collect::<Vec<_>>();
            toolkit_eval::Task::from_card(&card, &speakers.iter().collect::<Vec<_>>())?;
            toolkit_eval::published(&card)?;
        }
        Kind::Model | Kind::Metric => {}
    }
    let mut found = Vec::new();
    if let Some(remote) = missing.first() {
        return Ok(format!(
            "published as {}, not fetched: `toolkit data fetch {}`",
            remote.source, card.name
        ));
    }
    if let Some(table) = table.filter(|_| card.tokenizer_section.is_some()) {
        let tokenizer = card.tokenizer(table)?;
        found.push(format!("tokenizer of {} tokens", tokenizer.vocab()));
        found.extend(tokenizer.past_table());
    }
    if card.weights.is_some() {
        found.push(format!(
            "weights of {} tensors, sha256 as in the card",
            card.open_weights()?.names().count()
        ));
    } else if matches!(kind, Kind::Vision | Kind::Language) {
        found.push(
            "no weights: train them with `toolkit run experiments/pretrain_nano.toml`".to_owned(),
        );
    }
    Ok(if found.is_empty() { "fits".to_owned() } else { found.join(", ") })
}

/// A bridge must fit at least one encoder. Returns the table of its text side.
fn bridge(registry: &Registry, card: &Card) -> anyhow::Result<Option<TokenTable>> {
    let shape = |name: &String| -> Option<VisionShape> {
        registry.describe_vision(&registry.card(Kind::Vision, name).ok()?).ok()
    };
    let tried: Vec<_> = registry
        .names(Kind::Vision)
        .iter()
        .filter_map(shape)
        .map(|shape| registry.describe_bridge(card, &shape))
        .collect();
    if let Some(shape) = tried.iter().flatten().next() {
        return Ok(shape.text.as_ref().map(|text| TokenTable::of_text_side(text.vocab)));
    }
    tried.into_iter().find_map(Result::err).map_or(Ok(None), |error| Err(error.into()))
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| bytes(kilobytes * 1024))
    };
    match (of("MemAvailable:"), of("MemTotal:")) {
        (Some(free), Some(total)) => format!("{free} free of {total}"),
        _ => "unknown".to_owned(),
    }
}

/// Free space of the working folder, as `df` has it: the standard library does not tell.
fn disk() -> String {
    let output = question("df", &["-Pk", "."]).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let free =
        text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    free.map_or_else(
        || "unknown".to_owned(),
        |kilobytes| format!("{} free", bytes(kilobytes * 1024)),
    )
}
