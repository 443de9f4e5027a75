//! The parts of a model: their cards resolved to shapes, and built.

use crate::LabError;
use crate::experiment::spec::{FrozenPrecision, ModelSpec};
use crate::plan::fingerprint::card_hash;
use crate::plan::preprocess::preprocess;
use burn::module::Module;
use burn::tensor::{DType, Device};
use std::collections::BTreeMap;
use toolkit_core::{
    AnyBridge, AnyLanguage, AnyVision, BridgeShape, LanguageShape, LanguageSpecialTokens,
    TextSpecialTokens, VisionShape, params,
};
use toolkit_data::Preprocess;
use toolkit_models::bridge::qformer::{self, QFormerInit};
use toolkit_models::connector::{Connector, projection_params};
use toolkit_registry::{Card, Kind, Registry, Weights};
use toolkit_system::problem::Problem;
use toolkit_tokenizer::{TextTokenizer, TokenTable};
use toolkit_train::stage2::MAX_TEXT;

/// Card of a part and the shape that it describes.
#[derive(Clone, Debug)]
pub struct PartPlan<S> {
    /// Card.
    pub card: Card,
    /// Sizes and costs.
    pub shape: S,
}

/// The cards of a model with their shapes, which fit each other.
#[derive(Clone, Debug)]
pub struct ModelPlan {
    /// Encoder.
    pub vision: PartPlan<VisionShape>,
    /// Bridge.
    pub bridge: PartPlan<BridgeShape>,
    /// Language model; none where stage 1 alone is trained.
    pub language: Option<PartPlan<LanguageShape>>,
    /// Preparation of pixels.
    pub preprocess: Preprocess,
    /// Number type of the frozen matrices.
    pub frozen: FrozenPrecision,
    /// Parameters that stage 2 trains: of a Q-Former all but the text side, which gets no gradient
    /// there, and the projection. Without a language model, those of stage 1: all of the bridge.
    pub trained_params: u64,
}

impl ModelPlan {
    /// Looks up cards and checks that they fit, before any weight is read.
    ///
    /// # Errors
    /// Unknown names, wrong configurations, widths that do not fit.
    pub fn new(registry: &Registry, model: &ModelSpec) -> Result<Self, LabError> {
        let vision = registry.card(Kind::Vision, &model.vision)?;
        let vision_shape = registry.describe_vision(&vision)?;
        let bridge = registry.card(Kind::Bridge, &model.bridge)?;
        let bridge_shape = registry.describe_bridge(&bridge, &vision_shape)?;
        let language = model.language.as_ref();
        let language = language.map(|name| language_part(registry, name)).transpose()?;
        if let Some(language) = &language {
            check_positions(&bridge, &bridge_shape, language)?;
        }
        let built =
            registry.build_bridge(&bridge, &vision_shape, &Device::flex(), Weights::None)?;
        let counted = |name: &str| {
            language.is_none() || bridge_shape.text.is_none() || qformer::is_query_path(name)
        };
        let trained = params::list(&built).into_iter().filter(|info| counted(&info.name));
        let trained: usize = trained.map(|info| info.shape.iter().product::<usize>()).sum();
        let preprocess = preprocess(&vision)?;
        let projection = language
            .as_ref()
            .map_or(0, |language| projection_params(bridge_shape.width, language.shape.width));
        Ok(Self {
            vision: PartPlan { card: vision, shape: vision_shape },
            bridge: PartPlan { card: bridge, shape: bridge_shape },
            language,
            preprocess,
            frozen: FrozenPrecision::F32,
            trained_params: trained as u64 + projection,
        })
    }

    /// Keeps the frozen matrices in this number type.
    #[must_use]
    pub fn keeping(self, frozen: FrozenPrecision) -> Self {
        Self { frozen, ..self }
    }

    /// Stores the matrices of a frozen model in its number type.
    fn stored<M: Module>(&self, model: M) -> M {
        match self.frozen {
            FrozenPrecision::F32 => model,
            FrozenPrecision::Bf16 => params::store_as(model, DType::BF16),
        }
    }

    /// Returns the language model.
    ///
    /// # Errors
    /// If stage 1 alone is trained.
    pub fn language(&self) -> Result<&PartPlan<LanguageShape>, LabError> {
        self.language.as_ref().ok_or_else(|| {
            Problem::new("only stage 1 was trained: there is no language model")
                .hint("commands that compare pictures with texts take it; `[stage2]` trains more")
                .into()
        })
    }

    /// Returns the parameters of the frozen parts.
    #[must_use]
    pub fn frozen_params(&self) -> u64 {
        let language = self.language.as_ref().map_or(0, |language| language.shape.cost.params);
        self.vision.shape.cost.params + language
    }

    /// Returns the cards of all parts.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        let language = self.language.as_ref().map(|language| &language.card);
        [&self.vision.card, &self.bridge.card].into_iter().chain(language)
    }

    /// Returns the hash of all that features depend on.
    #[must_use]
    pub fn vision_key(&self) -> String {
        let card = card_hash(&self.vision.card);
        match self.frozen {
            FrozenPrecision::F32 => card,
            FrozenPrecision::Bf16 => format!("{card}-bf16"),
        }
    }

    /// Builds the encoder on a device without autodiff.
    ///
    /// # Errors
    /// If its weights are missing or do not fit.
    pub fn encoder(&self, registry: &Registry, device: &Device) -> Result<AnyVision, LabError> {
        need_weights(&self.vision.card)?;
        let device = device.clone().without_autodiff();
        let encoder = registry.build_vision(&self.vision.card, &device, Weights::Card)?;
        Ok(self.stored(encoder.no_grad()))
    }

    /// Builds the frozen language model.
    ///
    /// # Errors
    /// If its weights are missing or do not fit.
    pub fn language_model(
        &self,
        registry: &Registry,
        device: &Device,
    ) -> Result<AnyLanguage, LabError> {
        let card = &self.language()?.card;
        need_weights(card)?;
        Ok(self.stored(registry.build_language(card, device, Weights::Card)?.no_grad()))
    }

    /// Builds the bridge at its initialisation.
    ///
    /// # Errors
    /// If `init` wants BERT weights that the card does not name.
    pub fn bridge_at_start(
        &self,
        registry: &Registry,
        init: QFormerInit,
        seed: u64,
        device: &Device,
    ) -> Result<AnyBridge, LabError> {
        let PartPlan { card, shape } = &self.bridge;
        let bridge = registry.build_bridge(card, &self.vision.shape, device, Weights::None)?;
        if shape.text.is_none() {
            return Ok(params::initialise(bridge, seed, params::bert_rule));
        }
        let bert = match init {
            QFormerInit::Random => None,
            QFormerInit::BertCopy | QFormerInit::BertRandomQuery => Some(card.bert()?),
        };
        qformer::initialise(bridge, seed, init, bert.as_ref())
            .map_err(|e| LabError::from(Problem::new(e.what).hint(e.hint)))
    }

    /// Builds the connector around a bridge and draws its projection.
    ///
    /// # Errors
    /// Without a language model.
    pub fn connector(
        &self,
        bridge: AnyBridge,
        seed: u64,
        device: &Device,
    ) -> Result<Connector, LabError> {
        let width = self.language()?.shape.width;
        let connector = Connector::new(bridge, self.bridge.shape.width, width, device);
        let held: BTreeMap<_, _> = params::export(&connector.bridge);
        Ok(params::map(connector, |info| match info.name.strip_prefix("bridge.") {
            Some(name) => held.get(name).cloned(),
            None => {
                // PyTorch's default for a linear layer has this standard deviation, and LAVIS
                // leaves its projection at it. BERT's 0.02 is as large only at width 768; at nano
                // width the prefix would start too faint to be attended to.
                let mut drawn = None;
                let count = info.shape.iter().product::<usize>();
                if let [_, input] = info.shape[..] {
                    let std = 1.0 / (3.0 * input as f64).sqrt();
                    let mut stream = toolkit_core::Stream::new(seed, &info.name, 0);
                    drawn = Some((0..count).map(|_| (stream.normal() * std) as f32).collect());
                }
                Some(params::Values {
                    shape: info.shape.clone(),
                    data: drawn.unwrap_or_else(|| vec![0.0; count]),
                })
            }
        }))
    }

    /// Reads the bridge's tokenizer, with the ids that stage 1 needs.
    ///
    /// # Errors
    /// If the card lacks them.
    pub fn text_special_tokens(&self) -> Result<(TextTokenizer, TextSpecialTokens), LabError> {
        let card = &self.bridge.card;
        let rows = self.bridge.shape.text.as_ref().map_or(0, |text| text.vocab);
        let t = card.tokenizer(TokenTable::of_text_side(rows))?;
        let need = |id: Option<u32>, name: &str| {
            id.ok_or_else(|| {
                LabError::Problem(card.text().error_at(
                    "tokenizer",
                    format!("`{name}` is missing"),
                    "stage 1 needs `pad`, `cls`, `sep` and `dec`",
                ))
            })
        };
        let special_tokens = TextSpecialTokens {
            pad: need(t.pad, "pad")?,
            cls: need(t.cls, "cls")?,
            sep: need(t.sep, "sep")?,
            dec: need(t.dec, "dec")?,
        };
        Ok((t, special_tokens))
    }

    /// Reads the language model's tokenizer, with its special ids.
    ///
    /// # Errors
    /// If the card lacks them.
    pub fn language_special_tokens(
        &self,
    ) -> Result<(TextTokenizer, LanguageSpecialTokens), LabError> {
        let PartPlan { card, shape } = self.language()?;
        let t = card.tokenizer(TokenTable::of_language(shape.vocab))?;
        let missing = |name: &str| {
            let what = format!("`{name}` is missing");
            LabError::Problem(card.text().error_at(
                "tokenizer",
                what,
                "a language model needs `eos` and `pad`",
            ))
        };
        let special_tokens = LanguageSpecialTokens {
            bos: t.bos,
            eos: t.eos.ok_or_else(|| missing("eos"))?,
            pad: t.pad.ok_or_else(|| missing("pad"))?,
            decoder_start: t.decoder_start.unwrap_or(0),
        };
        Ok((t, special_tokens))
    }
}

fn language_part(registry: &Registry, name: &str) -> Result<PartPlan<LanguageShape>, LabError> {
    let card = registry.card(Kind::Language, name)?;
    let shape = registry.describe_language(&card)?;
    Ok(PartPlan { card, shape })
}

/// Checks that a language model has positions for the queries and a text.
fn check_positions(
    bridge: &Card,
    shape: &BridgeShape,
    language: &PartPlan<LanguageShape>,
) -> Result<(), LabError> {
    let Some(positions) = language.shape.positions.filter(|p| *p < shape.queries + MAX_TEXT) else {
        return Ok(());
    };
    let what = format!(
        "`{}` gives {} queries and a text has up to {MAX_TEXT} tokens, `{}` has {positions} \
        positions",
        bridge.name, shape.queries, language.card.name
    );
    Err(Problem::new(what).hint("use a bridge with fewer queries, or pool its tokens").into())
}

fn need_weights(card: &Card) -> Result<(), LabError> {
    if card.weights.is_some() {
        return Ok(());
    }
    Err(Problem::new(format_args!("card `{}` has no `[weights]`", card.name))
        .hint("a frozen part needs trained weights")
        .into())
}
