//! `text_config`: OPT, T5 or Llama, with the defaults of transformers' classes.

mod llama;

use crate::CheckpointError;
use crate::json::Json;
use burn::tensor::Device;
use toolkit_core::published::PublishedNames;
use toolkit_core::{
    AnyLanguage, Ends, LanguageModel, LanguageShape, LanguageSpecialTokens, ShapeError,
};
use toolkit_formats::Tensors;
use toolkit_models::language::llama::{Llama, LlamaConfig};
use toolkit_models::language::opt::{Opt, OptConfig};
use toolkit_models::language::t5::{T5, T5Config};
use toolkit_models::layers::Activation;
use toolkit_models::weights::reader::Reader;

/// A language model that checkpoints are published with.
#[derive(Clone, Debug)]
pub enum LanguageConfig {
    /// OPT.
    Opt(OptConfig),
    /// T5, T5 v1.1, Flan-T5, mT5.
    T5(T5Config),
    /// Llama, Vicuna, SmolLM.
    Llama(LlamaConfig),
}

impl LanguageConfig {
    pub(crate) fn read(json: &Json) -> Result<Self, CheckpointError> {
        match json.text("model_type")?.as_deref().unwrap_or("opt") {
            "opt" => opt(json).map(Self::Opt),
            "t5" => t5(json).map(Self::T5),
            "mt5" => mt5(json).map(Self::T5),
            "llama" => llama::read(json).map(Self::Llama),
            other => Err(json
                .wrong("model_type", format!("is `{other}`; known: `opt`, `t5`, `mt5`, `llama`"))),
        }
    }

    /// Returns the names that files of the family are published with.
    pub(crate) fn published(&self) -> PublishedNames {
        match self {
            Self::Opt(_) => Opt::published(),
            Self::T5(_) => T5::published(),
            Self::Llama(_) => Llama::published(),
        }
    }

    /// Returns the name of the family in the registry.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self {
            Self::Opt(_) => "opt",
            Self::T5(_) => "t5",
            Self::Llama(_) => "llama",
        }
    }

    /// Returns `true` if the head is the token table.
    #[must_use]
    pub fn tied(&self) -> bool {
        match self {
            Self::Opt(_) => true,
            Self::T5(c) => c.tie_word_embeddings,
            Self::Llama(c) => c.tie_word_embeddings,
        }
    }

    /// Returns the name of the token table.
    pub(crate) fn table(&self) -> &'static str {
        match self {
            Self::Opt(_) => "model.decoder.embed_tokens.weight",
            Self::T5(_) => "shared.weight",
            Self::Llama(_) => "model.embed_tokens.weight",
        }
    }

    /// Sets the head to that of the weights.
    ///
    /// A configuration may tie the head to the token table while the file has a head that differs;
    /// then the head is one of its own. transformers 5 writes `tie_word_embeddings` for every T5.
    pub(crate) fn with_stored_head(mut self, reader: &Reader) -> Result<Self, CheckpointError> {
        let (names, table) = (self.published(), self.table());
        let tied = match &mut self {
            Self::Opt(_) => return Ok(self),
            Self::T5(c) => &mut c.tie_word_embeddings,
            Self::Llama(c) => &mut c.tie_word_embeddings,
        };
        if *tied {
            let own = has_own_head(reader.tensors(), names, table)?;
            *tied = !own;
        }
        Ok(self)
    }

    /// Returns shapes and costs.
    ///
    /// # Errors
    /// If sizes contradict each other.
    pub fn describe(&self) -> Result<LanguageShape, ShapeError> {
        match self {
            Self::Opt(c) => Opt::describe(c),
            Self::T5(c) => T5::describe(c),
            Self::Llama(c) => Llama::describe(c),
        }
    }

    pub(crate) fn build(&self, device: &Device) -> AnyLanguage {
        match self {
            Self::Opt(c) => AnyLanguage::new(Opt::build(c, device)),
            Self::T5(c) => AnyLanguage::new(T5::build(c, device)),
            Self::Llama(c) => AnyLanguage::new(Llama::build(c, device)),
        }
    }
}

/// Returns `true` if a file has a head that differs from the token table.
fn has_own_head(
    tensors: &Tensors,
    names: PublishedNames,
    table: &str,
) -> Result<bool, CheckpointError> {
    let called = |name: &str| {
        let all = names.recipes(name);
        let mut all = all
            .iter()
            .flat_map(|recipe| recipe.names().map(str::to_owned))
            .collect::<Vec<_>>()
            .into_iter();
        all.find(|name| tensors.info(name).is_some())
    };
    let (Some(head), Some(table)) = (called("lm_head.weight"), called(table)) else {
        return Ok(false);
    };
    let shape = |name: &str| tensors.info(name).map(|info| info.shape.clone());
    Ok(shape(&head) != shape(&table) || tensors.read(&head)? != tensors.read(&table)?)
}

fn opt(json: &Json) -> Result<OptConfig, CheckpointError> {
    for (key, built) in [
        ("enable_bias", true),
        ("layer_norm_elementwise_affine", true),
        ("_remove_final_layer_norm", false),
    ] {
        if json.flag(key)?.is_some_and(|value| value != built) {
            return Err(json.wrong(
                key,
                format!("must be {built}: the other form was never published with BLIP-2"),
            ));
        }
    }
    if let Some(act) = json.text("activation_function")?.filter(|act| act != "relu") {
        return Err(json.wrong("activation_function", format!("is `{act}`; OPT has `relu`")));
    }
    Ok(OptConfig {
        vocab_size: json.count("vocab_size")?.unwrap_or(50_272),
        hidden_size: json.count("hidden_size")?.unwrap_or(768),
        num_hidden_layers: json.layers("num_hidden_layers")?.unwrap_or(12),
        num_attention_heads: json.count("num_attention_heads")?.unwrap_or(12),
        ffn_dim: json.count("ffn_dim")?.unwrap_or(3072),
        max_position_embeddings: json.count("max_position_embeddings")?.unwrap_or(2048),
        word_embed_proj_dim: json.count("word_embed_proj_dim")?,
        do_layer_norm_before: json.flag("do_layer_norm_before")?.unwrap_or(true),
        // The frozen model speaks without; `language_dropout` of an experiment turns the published
        // one on.
        dropout: 0.0,
    })
}

fn t5(json: &Json) -> Result<T5Config, CheckpointError> {
    t5_like(json, "relu")
}

/// Reads an mT5, which is T5 v1.1 with other sizes. Its states are never scaled.
fn mt5(json: &Json) -> Result<T5Config, CheckpointError> {
    let c = t5_like(json, "gated-gelu")?;
    Ok(T5Config {
        vocab_size: json.count("vocab_size")?.unwrap_or(250_112),
        d_ff: json.count("d_ff")?.unwrap_or(1024),
        num_layers: json.layers("num_layers")?.unwrap_or(8),
        num_heads: json.count("num_heads")?.unwrap_or(6),
        scale_decoder_outputs: Some(json.flag("scale_decoder_outputs")?.unwrap_or(false)),
        ..c
    })
}

fn t5_like(json: &Json, feed_forward: &str) -> Result<T5Config, CheckpointError> {
    let feed_forward = json.text("feed_forward_proj")?.unwrap_or_else(|| feed_forward.to_owned());
    let tied = json.flag("tie_word_embeddings")?.unwrap_or(true);
    let gated = feed_forward.starts_with("gated-");
    // transformers reads `gated-gelu` as `gelu_new`, unless the file names the activation, which
    // BLIP-2's does.
    let act = match feed_forward.trim_start_matches("gated-") {
        "gelu" if gated => Activation::GeluNew,
        "gelu" => Activation::Gelu,
        "gelu_new" => Activation::GeluNew,
        "relu" => Activation::Relu,
        _ => {
            return Err(json.wrong(
                "feed_forward_proj",
                format!("is `{feed_forward}`; known: `relu`, `gelu`, `gated-gelu`, `gated-relu`"),
            ));
        }
    };
    Ok(T5Config {
        vocab_size: json.count("vocab_size")?.unwrap_or(32_128),
        d_model: json.count("d_model")?.unwrap_or(512),
        d_kv: json.count("d_kv")?.unwrap_or(64),
        d_ff: json.count("d_ff")?.unwrap_or(2048),
        num_layers: json.layers("num_layers")?.unwrap_or(6),
        num_decoder_layers: json.layers("num_decoder_layers")?,
        num_heads: json.count("num_heads")?.unwrap_or(8),
        relative_attention_num_buckets: json.count("relative_attention_num_buckets")?.unwrap_or(32),
        relative_attention_max_distance: json
            .count("relative_attention_max_distance")?
            .unwrap_or(128),
        dense_act: json.named("dense_act_fn")?.unwrap_or(act),
        gated,
        tie_word_embeddings: tied,
        // transformers 4 scales where the head is tied; 5 ties always and has a key of its
        // own.
        scale_decoder_outputs: Some(json.flag("scale_decoder_outputs")?.unwrap_or(tied)),
        layer_norm_epsilon: json.number("layer_norm_epsilon")?.unwrap_or(1e-6),
        dropout: 0.0,
    })
}

/// Reads the special ids. `generation_config.json` overrides `text_config`, which overrides the
/// family's defaults.
pub(crate) fn special_tokens(
    family: &str,
    text: &Json,
    generation: Option<&Json>,
) -> Result<LanguageSpecialTokens, CheckpointError> {
    let id = |key: &str| -> Result<Option<u32>, CheckpointError> {
        let first = generation.map(|g| g.token(key)).transpose()?.flatten();
        Ok(first.or(text.token(key)?))
    };
    let first = generation.map(|g| g.ends("eos_token_id")).transpose()?.flatten();
    let ends = first.or(text.ends("eos_token_id")?);
    let (bos, eos, pad) = match family {
        "t5" => (None, 1, 0),
        // Llama has no padding; any token will do, for it is masked.
        "llama" => (Some(1), 2, ends.map_or(2, |ends| ends.first())),
        _ => (Some(2), 2, 1),
    };
    Ok(LanguageSpecialTokens {
        bos: if family == "t5" { None } else { id("bos_token_id")?.or(bos) },
        eos: ends.unwrap_or(Ends::one(eos)),
        pad: id("pad_token_id")?.unwrap_or(pad),
        decoder_start: id("decoder_start_token_id")?.unwrap_or(0),
    })
}
