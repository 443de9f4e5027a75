//! Steps of the two stages, as [`toolkit_train::fit::fit`] takes them, without its log.

use super::decode::MARKS;
use super::{BenchSetup, BenchWork, Timing, draw, machine, time, values};
use crate::LabError;
use crate::experiment::spec::ModelSpec;
use crate::plan::memory;
use crate::plan::model_plan::{ModelPlan, PartPlan};
use burn::module::Module;
use std::path::Path;
use std::sync::Arc;
use toolkit_core::{LanguageShape, Stream, TextSpecialTokens, noise};
use toolkit_models::bridge::qformer::QFormerInit;
use toolkit_registry::{Kind, Weights};
use toolkit_system::problem::Problem;
use toolkit_train::features::Features;
use toolkit_train::fit::Objective;
use toolkit_train::optim::{AdamW, OptimConfig};
use toolkit_train::order::Order;
use toolkit_train::source::{Cached, Source, encoded};
use toolkit_train::stage1::{Corpus, GatherGrad, LossWeights, Stage1, Stage1Settings, builtin};
use toolkit_train::stage2::Stage2;

/// The first id that is no special one here.
const WORDS: usize = 4;

/// Learning rate of the paper's recipes; it does not change the time.
const RATE: f64 = 1e-4;

/// Label smoothing of stage 1, as in the paper; it changes no time.
const SMOOTHING: f64 = 0.1;

/// Times steps of `objective`; returns the loss of the last one too.
fn steps<M: Module, O: Objective<M>>(
    setup: &BenchSetup<'_>,
    module: M,
    objective: &mut O,
) -> Result<(Vec<f64>, f64), LabError> {
    let mut optim = AdamW::new(OptimConfig::default(), &module);
    let (mut held, mut step, mut last) = (Some(module), 0, f64::NAN);
    machine::forget_peak();
    let seconds = time(setup.rounds, || {
        let Some(module) = held.take() else { return Ok(()) };
        let one = |objective: &mut O| objective.step(&module, step);
        let loss = if setup.dropout {
            noise::scope(Stream::new(1, "dropout", step), || one(objective))
        } else {
            one(objective)
        }?;
        last = loss.metrics.first().map_or(f64::NAN, |part| part.1);
        held = Some(optim.step(module, loss.grads, RATE).0);
        step += 1;
        Ok(())
    })?;
    Ok((seconds, last))
}

/// Features of two batches, in a cache file like that of a run.
fn features(
    setup: &BenchSetup<'_>,
    parts: [usize; 2],
    folder: &Path,
) -> Result<Arc<Features>, LabError> {
    let rows = 2 * setup.batch;
    let batches =
        (0..rows).map(|row| values(&format!("bench/features {row}"), parts[0] * parts[1]));
    Ok(Arc::new(Features::write(folder, "bench", [rows, parts[0], parts[1]], batches)?))
}

fn source(
    setup: &BenchSetup<'_>,
    features: Arc<Features>,
    captions: Vec<Vec<Vec<u32>>>,
) -> Box<dyn Source> {
    let order = Order::new(1, "bench/order", features.rows(), setup.batch);
    Box::new(Cached::new(features, encoded(Arc::new(captions)), order))
}

fn folder() -> Result<tempfile::TempDir, LabError> {
    tempfile::tempdir().map_err(|e| LabError::io(Path::new("temporary folder"), &e))
}

pub(super) fn stage1(setup: &BenchSetup<'_>) -> Result<Timing, LabError> {
    let vision_card = setup.registry.card(Kind::Vision, &setup.vision)?;
    let vision = setup.registry.describe_vision(&vision_card)?;
    let card = setup.registry.card(Kind::Bridge, &setup.bridge)?;
    let shape = setup.registry.describe_bridge(&card, &vision)?;
    let Some(text) = &shape.text else {
        let what = format!("`{}` has no text tower, so it has no stage 1", card.name);
        return Err(Problem::new(what).hint("choose a `qformer` bridge").into());
    };
    let device = setup.device.clone().autodiff();
    let bridge = draw(setup.registry.build_bridge(&card, &vision, &device, Weights::None)?);
    let folder = folder()?;
    let features = features(setup, [vision.tokens, vision.width], folder.path())?;
    if text.positions < 2 || text.vocab <= WORDS {
        let what =
            format!("`{}` reads {} positions and {} ids", card.name, text.positions, text.vocab);
        return Err(Problem::new(what)
            .hint("a caption needs two positions, and more ids than the special ones")
            .into());
    }
    let [shortest, longest] = setup.text.map(|n| n.clamp(2, text.positions));
    let mut lengths = Stream::new(1, "bench/captions", 0);
    let caption = |_| {
        let inner = lengths.between(shortest, longest) - 2;
        let words = (0..inner)
            .map(|_| (WORDS + lengths.below(text.vocab - WORDS)) as u32)
            .collect::<Vec<_>>();
        vec![[vec![1], words, vec![2]].concat()]
    };
    let captions: Vec<Vec<Vec<u32>>> = (0..features.rows()).map(caption).collect();
    let corpus =
        Corpus { captions: &captions, vocab: text.vocab, smoothing: SMOOTHING, batch: setup.batch };
    let mut objective = Stage1 {
        losses: LossWeights::default().select(builtin(), &corpus),
        source: source(setup, features, captions),
        settings: Stage1Settings {
            special_tokens: TextSpecialTokens { pad: 0, cls: 1, sep: 2, dec: 3 },
            smoothing: SMOOTHING,
            gather_grad: GatherGrad::Full,
        },
        accumulate: 1,
        seed: 1,
        device,
    };
    let (seconds, loss) = steps(setup, bridge, &mut objective)?;
    let of = format!(
        "{} behind {}: {} images of {} x {}, captions of {shortest} to {longest}",
        card.name, vision_card.name, setup.batch, vision.tokens, vision.width
    );
    let planned = memory::stage1(&vision, &shape, setup.batch, setup.batch, setup.text[1]);
    Ok(Timing::new(BenchWork::Stage1, of, seconds, 1.0, "steps")
        .planned(planned)
        .fact("loss", loss))
}

/// Draws `count` captions of `text` tokens, special ones included.
fn language_captions(
    language: &PartPlan<LanguageShape>,
    count: usize,
    text: usize,
) -> Result<Vec<Vec<Vec<u32>>>, LabError> {
    let vocab = language.shape.vocab;
    if vocab <= WORDS {
        let what = format!("`{}` has {vocab} ids", language.card.name);
        let hint = "a caption needs more ids than the special ones";
        return Err(Problem::new(what).hint(hint).into());
    }
    let mut words = Stream::new(1, "bench/captions", 0);
    // Training adds a token at the beginning and one at the end.
    let tokens = text.saturating_sub(2).max(1);
    let mut caption =
        || (0..tokens).map(|_| (WORDS + words.below(vocab - WORDS)) as u32).collect::<Vec<_>>();
    Ok((0..count).map(|_| vec![caption()]).collect())
}

/// Measures a step of stage 2.
pub(super) fn stage2(setup: &BenchSetup<'_>) -> Result<Timing, LabError> {
    let spec = ModelSpec {
        vision: setup.vision.clone(),
        bridge: setup.bridge.clone(),
        language: Some(setup.language.clone()),
        init: QFormerInit::Random,
        from: None,
        from_cell: None,
        from_stage: None,
    };
    let model_plan = ModelPlan::new(setup.registry, &spec)?;
    let device = setup.device.clone().autodiff();
    let (card, vision) = (&model_plan.bridge.card, &model_plan.vision.shape);
    let bridge = draw(setup.registry.build_bridge(card, vision, &device, Weights::None)?);
    let part = model_plan.language()?;
    let language =
        draw(setup.registry.build_language(&part.card, &device, Weights::None)?).no_grad();
    let folder = folder()?;
    let features = features(setup, [vision.tokens, vision.width], folder.path())?;
    let text = setup.text[1];
    let captions = language_captions(part, features.rows(), text)?;
    let mut objective = Stage2 {
        language,
        kind: part.shape.kind,
        special_tokens: MARKS,
        source: source(setup, features, captions),
        accumulate: 1,
        language_dropout: false,
        recompute: setup.recompute,
        blind: 0.0,
        seed: 1,
        device: device.clone(),
    };
    let connector = model_plan.connector(bridge, 1, &device)?;
    let (seconds, loss) = steps(setup, connector, &mut objective)?;
    let of = format!(
        "{} into {}: {} images of {} x {}, {} + {text} tokens",
        card.name,
        part.card.name,
        setup.batch,
        vision.tokens,
        vision.width,
        model_plan.bridge.shape.queries
    );
    let (bridge, language) = (&model_plan.bridge.shape, &part.shape);
    let sizes = [setup.batch, setup.batch, text];
    let planned =
        memory::stage2(vision, bridge, language, model_plan.trained_params, sizes, setup.recompute);
    Ok(Timing::new(BenchWork::Stage2, of, seconds, 1.0, "steps")
        .planned(planned)
        .fact("loss", loss))
}
