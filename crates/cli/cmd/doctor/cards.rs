//! Cards: parsed, described, and their tokenizers and weights read.

use toolkit_core::VisionShape;
use toolkit_eval::{TaskFamily, TaskSettings, published};
use toolkit_registry::{Card, Kind, Registry};
use toolkit_tokenizer::TokenTable;

/// Checks a card, and describes the state of its files.
///
/// # Errors
/// If the card or a file that it names cannot be used.
pub(super) fn check(registry: &Registry, kind: Kind, name: &str) -> anyhow::Result<String> {
    let card = registry.card(kind, name)?;
    let missing = card.not_here()?;
    let mut table = None;
    match kind {
        Kind::Vision => {
            registry.describe_vision(&card)?;
        }
        Kind::Language => {
            table = Some(TokenTable::of_language(registry.describe_language(&card)?.vocab));
        }
        Kind::Bridge => table = bridge(registry, &card)?,
        Kind::Dataset if missing.is_empty() => {
            if let Some(state) = dataset(registry, &card)? {
                return Ok(state);
            }
        }
        Kind::Task => task(registry, &card)?,
        Kind::Dataset | Kind::Model | Kind::Metric => {}
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
        found.extend(tokenizer.tokens_without_row());
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

/// Opens a split of a data set. Of one that users fetch themselves, returns its state instead.
fn dataset(registry: &Registry, card: &Card) -> anyhow::Result<Option<String>> {
    let source = registry.dataset_of(card)?;
    source.check_config()?;
    if let Some(files) = source.user_files()? {
        let name = &card.name;
        return Ok(Some(match files.root {
            Ok(root) if root.is_dir() => {
                format!("in {}: `toolkit data check {name}` looks at it", root.display())
            }
            _ => "published; not on this machine".to_owned(),
        }));
    }
    let sources = registry.data_cards(&card.name)?;
    let mut absent = 0;
    for source in sources.iter().filter(|source| source.name != card.name) {
        absent += usize::from(is_absent(registry, source)?);
    }
    if absent > 0 {
        let all = sources.len() - 1;
        return Ok(Some(format!("made of {all} data sets, {absent} not on this machine")));
    }
    // The smallest of the usual splits, if there is one of that name.
    let splits = source.splits()?;
    if let Some(split) = splits.iter().find(|name| *name == "val").or(splits.first()) {
        source.open(split)?;
    }
    Ok(None)
}

/// Returns `true` if files of a data set are not on this machine.
fn is_absent(registry: &Registry, card: &Card) -> anyhow::Result<bool> {
    Ok(match registry.dataset_of(card)?.user_files()? {
        Some(files) => !files.root.is_ok_and(|root| root.is_dir()),
        None => !card.not_here()?.is_empty(),
    })
}

/// Checks a task with the prompts of all language models.
fn task(registry: &Registry, card: &Card) -> anyhow::Result<()> {
    let names = registry.names(Kind::Language);
    let languages: Vec<Card> =
        names.iter().filter_map(|name| registry.card(Kind::Language, name).ok()).collect();
    let prompts: Vec<&Card> = languages.iter().collect();
    TaskFamily::of_card(registry, card)?.open(card, &TaskSettings::with_prompts(&prompts))?;
    published(card)?;
    Ok(())
}

/// Checks that a bridge fits at least one encoder. Returns the token table of its text side.
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
