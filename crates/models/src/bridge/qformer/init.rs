//! The initialisation of a Q-Former (BLIP-2, section 3; LAVIS `Blip2Base.init_Qformer` and
//! `blip2_qformer.py`).

use burn::module::Module;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolkit_core::params::{self, Info, Init, Values};
use toolkit_core::{ShapeError, Stream};

/// The source of a Q-Former's weights before stage 1, or before stage 2 if there is no stage 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QFormerInit {
    /// BERT's weights, those of its feed-forward networks for the queries too: LAVIS's stage 1.
    BertCopy,
    /// BERT's weights with random feed-forward networks for the queries: LAVIS's stage 2 without a
    /// stage-1 checkpoint.
    BertRandomQuery,
    /// Random weights, by BERT's rule.
    #[default]
    Random,
}

/// Draws the parameters of `module`, a Q-Former or any other bridge, erased or not.
///
/// `bert` holds a text encoder's values under this family's names
/// (`embeddings.word_embeddings.weight`, `encoder.layer.0.attention.query.weight`, `cls.bias`, ..);
/// what it has besides is not used, and if it has no head `cls` at all, that is drawn. Word and
/// position tables may have more rows here than there: those further rows are drawn, as LAVIS does
/// for `[DEC]`. `temp` keeps the configuration's temperature.
///
/// # Errors
/// If weights of BERT are asked for and are not all there, with these shapes.
pub fn initialise<M: Module>(
    module: M,
    seed: u64,
    init: QFormerInit,
    bert: Option<&BTreeMap<String, Values>>,
) -> Result<M, ShapeError> {
    let mut sources = BTreeMap::new();
    if init != QFormerInit::Random {
        let Some(bert) = bert else {
            let what = "this initialisation starts from BERT, and no BERT is given";
            return Err(ShapeError::new(
                what,
                "give the weights of a text encoder, or choose \"random\"",
            ));
        };
        sources = find_sources(&params::list(&module), init, bert)?;
    }
    Ok(params::map(module, |info| {
        if info.name == "temp" {
            return None;
        }
        let mut values = draw(info, seed);
        if let Some(source) = sources.get(&info.name) {
            values.data[..source.data.len()].copy_from_slice(&source.data);
        }
        Some(values)
    }))
}

/// Values of BERT by the name of the parameter that starts from them.
fn find_sources<'a>(
    infos: &[Info],
    init: QFormerInit,
    bert: &'a BTreeMap<String, Values>,
) -> Result<BTreeMap<String, &'a Values>, ShapeError> {
    let mut sources = BTreeMap::new();
    let mut wrong = Vec::new();
    for info in infos {
        let Some(name) = source_name(&info.name, init == QFormerInit::BertCopy) else { continue };
        match bert.get(&name) {
            Some(values) if fits(&values.shape, info) => {
                sources.insert(info.name.clone(), values);
            }
            // A text encoder without a language-modelling head, such as a sentence encoder: ours is
            // drawn.
            None if name.starts_with("cls.") && !bert.keys().any(|key| key.starts_with("cls.")) => {
            }
            Some(values) => {
                wrong.push(format!("`{name}` is {:?}, wanted {:?}", values.shape, info.shape))
            }
            None => wrong.push(format!("`{name}` is missing")),
        }
    }
    if !wrong.is_empty() {
        let more =
            if wrong.len() > 3 { format!(" and {} more", wrong.len() - 3) } else { String::new() };
        let what = format!(
            "BERT does not fit the Q-Former: {}{more}",
            wrong[..wrong.len().min(3)].join(", ")
        );
        return Err(ShapeError::new(what, "give the Q-Former BERT's sizes, or choose \"random\""));
    }
    if sources.is_empty() {
        let what = "this bridge has no text side that could start from BERT";
        return Err(ShapeError::new(what, "choose \"random\""));
    }
    Ok(sources)
}

/// Returns the name in BERT of the values that parameter `name` starts from.
fn source_name(name: &str, copy_to_queries: bool) -> Option<String> {
    if name.starts_with("embeddings.") || name.starts_with("cls.") {
        return Some(name.to_owned());
    }
    let (index, rest) = name.strip_prefix("encoder.layer.")?.split_once('.')?;
    let (block, rest) = rest.split_once('.')?;
    let block = match block {
        "attention" | "intermediate" | "output" => block,
        "intermediate_query" if copy_to_queries => "intermediate",
        "output_query" if copy_to_queries => "output",
        _ => return None,
    };
    Some(format!("encoder.layer.{index}.{block}.{rest}"))
}

/// Returns `true` if values of `shape` fill `info`, or the first rows of a table.
fn fits(shape: &[usize], info: &Info) -> bool {
    let table = ["word_embeddings.weight", "position_embeddings.weight", "cls.bias"];
    let may_grow = table.iter().any(|name| info.name.ends_with(name));
    shape == info.shape || (may_grow && shape[1..] == info.shape[1..] && shape[0] < info.shape[0])
}

/// Draws initial values by BERT's rule, from the same streams as `params::initialise`.
fn draw(info: &Info, seed: u64) -> Values {
    let count = info.shape.iter().product();
    let data = match params::bert_rule(info) {
        Init::Constant(value) => vec![value; count],
        Init::Normal(std) => {
            let mut stream = Stream::new(seed, &info.name, 0);
            (0..count).map(|_| (stream.normal() * std) as f32).collect()
        }
    };
    Values { shape: info.shape.clone(), data }
}
