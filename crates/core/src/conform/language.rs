//! Checks of a language model, step by step.

use super::{assert_close, round_trip, same_count, sample};
use crate::{
    AnyLanguage, Cache, EncoderOutput, LanguageKind, LanguageModel, LanguageShape, params,
    recompute,
};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Tokens of the text that all checks read.
const TOKENS: usize = 6;

/// Checks a language model.
///
/// Sizes and counts are as described. A position sees no later one. Padding changes nothing for the
/// other positions. A cache gives the logits of no cache. Gradients reach the soft prefix, also
/// through blocks that are computed again.
pub fn language<L: LanguageModel>(config: &L::Config) {
    let device = Device::default().autodiff();
    let shape = L::describe(config).expect("the configuration under test must be valid");
    // Larger than BERT's rule, so that a wrong mask or position shows.
    let rule = |info: &params::Info| match params::bert_rule(info) {
        params::Init::Normal(_) => params::Init::Normal(0.2),
        constant => constant,
    };
    let model = params::initialise(AnyLanguage::new(L::build(config, &device)), 1, rule);
    same_count(&model, shape.cost.params);
    let ids: Vec<i32> = (0..TOKENS as i32).map(|i| (i * 7 + 3) % shape.vocab as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, TOKENS]), &device);
    let embeds = model.embed(ids);
    assert_eq!(
        embeds.dims(),
        [1, TOKENS, shape.width],
        "embeddings must be [batch, tokens, width] as described"
    );
    let memory = (shape.kind == LanguageKind::EncoderDecoder)
        .then(|| model.encode(embeds.clone(), ones(TOKENS, &device)));
    let text = Text { model: &model, shape: &shape, embeds, memory, device };
    let logits = text.causal();
    text.cached(&logits);
    text.last_tokens(&logits);
    match shape.kind {
        LanguageKind::DecoderOnly => text.hidden_positions(&logits),
        LanguageKind::EncoderDecoder => text.hidden_encoder_positions(&logits),
    }
    let Text { embeds, device, .. } = text;
    round_trip(gradients(model, &shape, &embeds, &device));
}

/// Returns a mask `[1, count]` of real tokens.
fn ones(count: usize, device: &Device) -> Tensor<2> {
    Tensor::ones([1, count], device)
}

/// The model with a text of [`TOKENS`] tokens.
struct Text<'a> {
    model: &'a AnyLanguage,
    shape: &'a LanguageShape,
    embeds: Tensor<3>,
    memory: Option<EncoderOutput>,
    device: Device,
}

impl Text<'_> {
    /// Returns embeddings `start..start + count` of the text.
    fn part(&self, start: usize, count: usize) -> Tensor<3> {
        self.embeds.clone().narrow(1, start, count)
    }

    fn ones(&self, count: usize) -> Tensor<2> {
        ones(count, &self.device)
    }

    /// Returns the logits of new embeddings, `[1, tokens, vocab]`.
    fn run(&self, embeds: Tensor<3>, mask: Tensor<2>, cache: Option<&mut Cache>) -> Tensor<3> {
        self.model.logits(self.model.decode(embeds, mask, self.memory.as_ref(), cache))
    }

    /// Checks that a position sees no later one, and returns the logits of the whole text.
    fn causal(&self) -> Tensor<3> {
        let whole = self.run(self.embeds.clone(), self.ones(TOKENS), None);
        assert_eq!(
            whole.dims(),
            [1, TOKENS, self.shape.vocab],
            "logits must be [batch, tokens, vocab] as described"
        );
        let prefix = self.run(self.part(0, 4), self.ones(4), None);
        assert_close(
            "causality: a prefix alone and before more text",
            whole.clone().narrow(1, 0, 4),
            prefix,
        );
        whole
    }

    /// Checks that three tokens at once and three alone, behind a cache, have the logits `whole`.
    fn cached(&self, whole: &Tensor<3>) {
        let mut cache = Cache::default();
        let mut steps = vec![self.run(self.part(0, 3), self.ones(3), Some(&mut cache))];
        for i in 3..TOKENS {
            steps.push(self.run(self.part(i, 1), self.ones(i + 1), Some(&mut cache)));
        }
        assert_close("cache and no cache", whole.clone(), Tensor::cat(steps, 1));
    }

    /// Checks that `decode_last` returns the last of all states, with and without a cache.
    fn last_tokens(&self, whole: &Tensor<3>) {
        for outputs in [1, 4] {
            let want = whole.clone().narrow(1, TOKENS - outputs, outputs);
            let last = |embeds, cache: Option<&mut Cache>| {
                let mask = self.ones(TOKENS);
                let memory = self.memory.as_ref();
                self.model.logits(self.model.decode_last(embeds, mask, memory, cache, outputs))
            };
            let got = last(self.embeds.clone(), None);
            assert_close("the last tokens alone", want.clone(), got);
            let mut cache = Cache::default();
            self.run(self.part(0, 2), self.ones(2), Some(&mut cache));
            let got = last(self.part(2, 4), Some(&mut cache));
            assert_close("the last tokens behind a cache", want, got);
        }
    }

    /// Checks that two hidden positions between the third and the fourth token change nothing, as
    /// with left-padded text after a soft prefix.
    fn hidden_positions(&self, whole: &Tensor<3>) {
        let hole = sample::<3>("conform/hole", [1, 2, self.shape.width], &self.device);
        let padded = Tensor::cat(vec![self.part(0, 3), hole, self.part(3, 3)], 1);
        let mask = Tensor::<2>::from_data([[1., 1., 1., 0., 0., 1., 1., 1.]], &self.device);
        let logits = self.run(padded.clone(), mask.clone(), None);
        assert_close(
            "hidden positions change nothing",
            whole.clone().narrow(1, 3, 3),
            logits.narrow(1, 5, 3),
        );
        let last = self.model.logits(self.model.decode_last(padded, mask, None, None, 2));
        assert_close(
            "hidden positions change nothing for the last tokens",
            whole.clone().narrow(1, 4, 2),
            last,
        );
    }

    /// Checks that hidden positions at the end of the encoder's text change nothing.
    fn hidden_encoder_positions(&self, whole: &Tensor<3>) {
        // Relative positions count hidden positions too, so padding stands at the end, as
        // tokenizers put it.
        let hole = sample::<3>("conform/hole", [1, 2, self.shape.width], &self.device);
        let tail = Tensor::cat(vec![self.embeds.clone(), hole], 1);
        let mask = Tensor::<2>::from_data([[1., 1., 1., 1., 1., 1., 0., 0.]], &self.device);
        let memory = self.model.encode(tail, mask);
        let hidden = self.model.decode(self.embeds.clone(), self.ones(TOKENS), Some(&memory), None);
        let logits = self.model.logits(hidden);
        assert_close("hidden encoder positions change nothing", whole.clone(), logits);
    }
}

/// Checks that gradients of a frozen model reach the soft prefix, and that they are the same
/// through blocks that are computed again. Returns the frozen model.
fn gradients(
    model: AnyLanguage,
    shape: &LanguageShape,
    embeds: &Tensor<3>,
    device: &Device,
) -> AnyLanguage {
    let prefix = sample::<3>("conform/prefix", [1, TOKENS, shape.width], device).require_grad();
    let model = model.no_grad();
    let loss = || {
        let memory = (shape.kind == LanguageKind::EncoderDecoder)
            .then(|| model.encode(prefix.clone(), ones(TOKENS, device)));
        let input = if memory.is_some() { embeds.clone().detach() } else { prefix.clone() };
        let out = model.logits(model.decode(input, ones(TOKENS, device), memory.as_ref(), None));
        let weights = sample::<3>("conform/loss", out.dims(), device);
        (out * weights).sum()
    };
    let gradient = prefix.grad(&loss().backward()).expect("gradients must reach the soft prefix");
    assert!(
        params::floats(gradient.clone()).iter().any(|g| g.abs() > 0.0),
        "gradients of the soft prefix must not be zero"
    );
    let (again, recorded) = recompute::scope(loss);
    let mut recomputed = None;
    recorded.backward(&again, |gradients| {
        recomputed = recomputed.take().or(prefix.grad(&gradients));
    });
    let recomputed =
        recomputed.expect("gradients must reach the soft prefix through blocks that are run again");
    assert_close(
        "gradients of the soft prefix through blocks that are run again",
        gradient,
        recomputed,
    );
    model
}
