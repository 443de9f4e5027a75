//! Stage 1, representation learning: image-text contrast, matching and grounded generation (BLIP-2, section 3.1;
//! LAVIS `blip2_qformer.py`).
//!
//! The keys and values of image features are projected once per image and shared by the query pass and all matching
//! triplets, and captioning reuses the query pass's cache: the reference's mathematics with about half its arithmetic.

use crate::TrainError;
use crate::features::Features;
use crate::fit::{Objective, StepLoss};
use crate::losses::{cross_entropy_rows, soft_cross_entropy_rows, token_loss_sum};
use crate::order::Order;
use crate::text::{Side, draw_caption, index, pad};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toolkit_core::{AnyBridge, ImagePass, Stream, TextTower, noise, params};

/// Weights of the three losses; 0 leaves one out, and its forward pass with it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LossWeights {
    /// Image-text contrastive.
    pub itc: f64,
    /// Image-text matching.
    pub itm: f64,
    /// Image-grounded text generation.
    pub itg: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self { itc: 1.0, itm: 1.0, itg: 1.0 }
    }
}

/// Special ids of the bridge's tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextMarks {
    /// Padding.
    pub pad: u32,
    /// First token of a text that is matched or contrasted.
    pub cls: u32,
    /// Last token of every text.
    pub sep: u32,
    /// First token of a text that is generated.
    pub dec: u32,
}

/// The objective. `captions[i]` are the tokenised captions of image i, with `[CLS]` and `[SEP]`.
pub struct Stage1 {
    /// Cached features of the training split.
    pub features: Arc<Features>,
    /// Token ids of each image's captions.
    pub captions: Arc<Vec<Vec<Vec<u32>>>>,
    /// Images with the same number show the same, and are positives of each other (LAVIS: equal `image_id`).
    pub shows: Arc<Vec<usize>>,
    /// Which images make up a step.
    pub order: Order,
    /// Special ids.
    pub marks: TextMarks,
    /// Loss weights.
    pub weights: LossWeights,
    /// Label smoothing of ITC and ITG (LAVIS: 0.1).
    pub smoothing: f64,
    /// Micro-batches a step is accumulated over. The result equals that of one batch, contrast included.
    pub accumulate: usize,
    /// What a captioner that reads and sees nothing reaches: [`unigram_loss`] of the captions.
    pub unigram: f64,
    /// Names the draws.
    pub seed: u64,
    /// Autodiff device.
    pub device: Device,
}

/// Similarities are never divided by less (BLIP-1's bound; LAVIS's BLIP-2 has none).
const SMALLEST_TEMPERATURE: f64 = 1e-3;

/// Loss of a matcher that knows only that one triplet in three matches.
pub const ITM_TRIVIAL: f64 = 0.636_514_168_294_813;

/// A batch of images with one caption each.
pub struct Pairs {
    /// `[batch, tokens, width]`.
    pub features: Tensor<3>,
    /// `[batch, text]`.
    pub ids: Tensor<2, Int>,
    /// `[batch, text]`.
    pub mask: Tensor<2>,
}

/// Largest similarity over queries: image embeddings `[images, queries, e]`, text embeddings `[texts, e]` to `[images, texts]`.
#[must_use]
pub fn similarity(image: Tensor<3>, text: Tensor<2>) -> Tensor<2> {
    let ([images, queries, width], [texts, _]) = (image.dims(), text.dims());
    let all = image.reshape([images * queries, width]).matmul(text.transpose());
    all.reshape([images, queries, texts]).max_dim(1).reshape([images, texts])
}

/// Draws for each text an image and for each image a text that does not belong to it, in proportion to
/// `softmax(similarity / temperature)` without its own and those that are `alike`: the same image twice in a batch, or the same
/// caption of two images (LAVIS leaves out equal `image_id`s). `sim [n, n]` is image x text, already divided.
/// Where all are alike, another one has to do; with a single pair the pair itself comes back.
#[must_use]
pub fn hard_negatives(
    sim: &[f32],
    n: usize,
    alike: impl Fn(usize, usize) -> bool,
    draw: &mut Stream,
) -> (Vec<usize>, Vec<usize>) {
    let mut pick = |row: &dyn Fn(usize) -> f32, own: usize| {
        let apart = (0..n).any(|j| j != own && !alike(own, j));
        let allowed = |j: usize| j != own && !(apart && alike(own, j));
        let largest = (0..n).filter(|&j| allowed(j)).map(row).fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = (0..n).map(|j| if allowed(j) { (row(j) - largest).exp() } else { 0.0 }).collect();
        if n == 1 { 0 } else { draw.weighted(&weights) }
    };
    let image_of_text = (0..n).map(|t| pick(&|i| sim[i * n + t], t)).collect();
    let text_of_image = (0..n).map(|i| pick(&|t| sim[i * n + t], i)).collect();
    (image_of_text, text_of_image)
}

/// Contrastive loss of `sim [n, n]` (image x text, divided by the temperature), mean of both directions. Pairs that are `alike`
/// share the target evenly, smoothing apart (LAVIS does so where a batch carries `image_id`).
#[must_use]
pub fn itc_loss(sim: Tensor<2>, smoothing: f64, alike: impl Fn(usize, usize) -> bool) -> Tensor<1> {
    let [n, _] = sim.dims();
    if (0..n).any(|a| (0..a).any(|b| alike(a, b))) {
        let row = |a: usize| -> Vec<f32> {
            let same: Vec<bool> = (0..n).map(|b| a == b || alike(a, b)).collect();
            let share = (1.0 - smoothing) / same.iter().filter(|&&s| s).count() as f64;
            same.iter().map(|&s| (smoothing / n as f64 + if s { share } else { 0.0 }) as f32).collect()
        };
        let targets: Vec<f32> = (0..n).flat_map(row).collect();
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n, n]), &sim.device());
        let i2t = soft_cross_entropy_rows(sim.clone(), targets.clone()).mean();
        return (i2t + soft_cross_entropy_rows(sim.transpose(), targets).mean()) * 0.5;
    }
    let own = index(&(0..n).collect::<Vec<_>>(), &sim.device());
    let i2t = cross_entropy_rows(sim.clone(), own.clone(), smoothing).mean();
    let t2i = cross_entropy_rows(sim.transpose(), own, smoothing).mean();
    (i2t + t2i) * 0.5
}

/// Summed matching loss of triplets (text, image): (own, own), (own, negative image), (negative text, own), and how many are right:
/// all, and among the hard negatives.
pub fn itm_loss_sum(
    tower: &dyn TextTower,
    cross: &[(Tensor<4>, Tensor<4>)],
    images: &[usize],
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    texts: &[usize],
) -> (Tensor<1>, usize, usize) {
    let device = mask.device();
    let text_rows = index(texts, &device);
    let logits = tower.match_logits(cross, images, ids.select(0, text_rows.clone()), mask.select(0, text_rows));
    let positives = images.len() / 3;
    let labels: Vec<usize> = (0..images.len()).map(|i| usize::from(i < positives)).collect();
    let values = params::floats(logits.clone());
    let right: Vec<bool> = values.chunks(2).zip(&labels).map(|(l, &label)| (l[1] > l[0]) == (label == 1)).collect();
    let negatives = right[positives..].iter().filter(|&&r| r).count();
    let loss = cross_entropy_rows(logits, index(&labels, &device), 0.0).sum();
    (loss, right.iter().filter(|&&r| r).count(), negatives)
}

/// Summed captioning loss and the number of scored tokens: the first id becomes `[DEC]`, padding is ignored.
#[must_use]
pub fn itg_loss_sum(
    tower: &dyn TextTower,
    pass: &ImagePass,
    ids: Tensor<2, Int>,
    mask: Tensor<2>,
    dec: u32,
    smoothing: f64,
) -> Tensor<1> {
    let [batch, tokens] = ids.dims();
    let device = mask.device();
    let start = Tensor::<2, Int>::full([batch, 1], dec as i32, &device);
    let input = Tensor::cat(vec![start, ids.clone().narrow(1, 1, tokens - 1)], 1);
    let logits = tower.caption_logits(&pass.cache, input, mask.clone());
    let logits = logits.narrow(1, 0, tokens - 1);
    token_loss_sum(logits, ids.narrow(1, 1, tokens - 1), mask.narrow(1, 1, tokens - 1), smoothing)
}

/// The smallest loss that always predicting the same distribution can reach on the scored tokens (all but the first of each
/// caption): the entropy of their unigrams, smoothed over the `vocab` classes as the labels are.
#[must_use]
pub fn unigram_loss(captions: &[Vec<Vec<u32>>], vocab: usize, smoothing: f64) -> f64 {
    let mut counts = std::collections::BTreeMap::<u32, f64>::new();
    for id in captions.iter().flatten().flat_map(|caption| caption.iter().skip(1)) {
        *counts.entry(*id).or_default() += 1.0;
    }
    let total: f64 = counts.values().sum();
    let (shared, unused) = (smoothing / vocab as f64, vocab.saturating_sub(counts.len()));
    let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let used: f64 = counts.values().map(|c| entropy((1.0 - smoothing) * c / total + shared)).sum();
    used + unused as f64 * entropy(shared)
}

fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}

impl Stage1 {
    fn tower<'a>(&self, bridge: &'a AnyBridge) -> Result<&'a dyn TextTower, TrainError> {
        let hint = "hint: use a `qformer` bridge or set `stage1.enabled = false`";
        bridge
            .text_tower()
            .ok_or_else(|| TrainError::Other(format!("this bridge has no text tower, so it has no stage 1; {hint}")))
    }

    fn pairs(&self, images: &[usize], captions: &[Vec<u32>], device: &Device) -> Result<Pairs, TrainError> {
        let text = pad(captions, self.marks.pad, Side::Right, device);
        Ok(Pairs { features: self.features.batch(images, device)?, ids: text.ids, mask: text.mask })
    }

    /// Embeddings of a micro-batch: the query pass, `[n, queries, e]` and `[n, e]`.
    fn embed(tower: &dyn TextTower, pairs: &Pairs) -> (ImagePass, Tensor<3>, Tensor<2>) {
        let pass = tower.image_pass(pairs.features.clone());
        let image = tower.image_embeds(pass.queries.clone());
        (pass, image, tower.text_embeds(pairs.ids.clone(), pairs.mask.clone()))
    }

    fn stream(&self, step: u64, micro: usize) -> Stream {
        Stream::new(self.seed, "stage1/dropout", step * 1024 + micro as u64)
    }
}

impl Objective<AnyBridge> for Stage1 {
    fn step(&mut self, model: &AnyBridge, step: u64) -> Result<StepLoss, TrainError> {
        let samples = self.order.batch(step);
        let n = samples.len();
        let mut choice = Stream::new(self.seed, "stage1/caption", step);
        let captions: Result<Vec<Vec<u32>>, TrainError> =
            samples.iter().map(|&i| Ok(draw_caption(&self.captions, i, &mut choice)?.to_vec())).collect();
        let captions = captions?;
        let micros: Vec<Vec<usize>> =
            (0..n).collect::<Vec<_>>().chunks(n.div_ceil(self.accumulate.max(1))).map(<[usize]>::to_vec).collect();
        let mut next_step = self.order.batch(step + 1);
        next_step.truncate(micros.first().map_or(0, Vec::len));
        let rows = |micro: &[usize]| -> (Vec<usize>, Vec<Vec<u32>>) {
            (micro.iter().map(|&i| samples[i]).collect(), micro.iter().map(|&i| captions[i].clone()).collect())
        };
        // Several micro-batches: embed them all first without a tape, so that each can be contrasted with the whole batch.
        let plain = model.valid();
        let plain_device = self.device.clone().without_autodiff();
        let mut all = Vec::new();
        if micros.len() > 1 {
            let tower = self.tower(&plain)?;
            for (m, micro) in micros.iter().enumerate() {
                let (images, texts) = rows(micro);
                let pairs = self.pairs(&images, &texts, &plain_device)?;
                let (_, image, text) = noise::off(|| noise::scope(self.stream(step, m), || Self::embed(tower, &pairs)));
                all.push((image, text));
            }
        }
        let alike = |a: usize, b: usize| self.shows[samples[a]] == self.shows[samples[b]] || captions[a] == captions[b];
        let mut negatives: Option<(Vec<usize>, Vec<usize>)> = None;
        let scored: usize = captions.iter().map(|c| c.len() - 1).sum();
        let mut sums = [0.0; 3];
        let (mut itc_hits, mut right, mut right_negatives) = (0, 0, 0);
        let mut accumulated = GradientsAccumulator::new();
        let mut only: Option<GradientsParams> = None;
        let tower = self.tower(model)?;
        let temperature = tower.temperature();
        for (m, micro) in micros.iter().enumerate() {
            let (images, texts) = rows(micro);
            let mut run = || -> Result<(Tensor<1>, [f64; 3], usize, usize), TrainError> {
                let pairs = self.pairs(&images, &texts, &self.device)?;
                let next = micros.get(m + 1).map_or_else(|| next_step.clone(), |micro| rows(micro).0);
                self.features.read_ahead(next);
                let (pass, image, text) = Self::embed(tower, &pairs);
                // Own rows on the tape, the others' as constants: the sum of the micro-batches' gradients is the gradient
                // of the whole. The temperature is shared, so only the first micro-batch may count it.
                let lift = |t: &Tensor<3>| Tensor::<3>::from_inner(t.clone());
                let whole_image = Tensor::cat(
                    (0..micros.len()).map(|o| if o == m { image.clone() } else { lift(&all[o].0) }).collect(),
                    0,
                );
                let whole_text = Tensor::cat(
                    (0..micros.len())
                        .map(|o| if o == m { text.clone() } else { Tensor::<2>::from_inner(all[o].1.clone()) })
                        .collect(),
                    0,
                );
                let temperature = if m == 0 { temperature.clone() } else { temperature.clone().detach() };
                // Steps are large at nano learning rates: a temperature at zero would end the run.
                let temperature = temperature.clamp_min(SMALLEST_TEMPERATURE);
                let sim = similarity(whole_image, whole_text) / temperature.unsqueeze();
                if negatives.is_none() {
                    let mut host = params::floats(sim.clone().inner());
                    let beaten = |i: usize| (0..n).all(|j| i == j || alike(i, j) || host[i * n + j] < host[i * n + i]);
                    itc_hits = (0..n).filter(|&i| beaten(i)).count();
                    if self.weights.itc == 0.0 {
                        // Embeddings that nothing trains find no hard negatives: all are equally likely.
                        host.fill(0.0);
                    }
                    let mut draw = Stream::new(self.seed, "stage1/negatives", step);
                    negatives = Some(hard_negatives(&host, n, alike, &mut draw));
                }
                let (image_of_text, text_of_image) = negatives.clone().unwrap_or_default();
                let mut total = Tensor::<1>::zeros([1], &self.device);
                let mut sums = [0.0; 3];
                if self.weights.itc != 0.0 {
                    let loss = itc_loss(sim, self.smoothing, alike);
                    sums[0] = if m == 0 { scalar(&loss) } else { 0.0 };
                    total = total + loss * self.weights.itc;
                }
                let (mut hits, mut negative_hits) = (0, 0);
                if self.weights.itm != 0.0 {
                    let b = micro.len();
                    let own: Vec<usize> = (0..b).collect();
                    let (loss, h, nh) = if micros.len() == 1 {
                        let texts = [own.clone(), own.clone(), text_of_image].concat();
                        let images = [own.clone(), image_of_text, own].concat();
                        itm_loss_sum(tower, &pass.cross, &images, pairs.ids.clone(), pairs.mask.clone(), &texts)
                    } else {
                        // Negatives may lie in other micro-batches: their features and captions come along.
                        let (extra_images, extra_texts): (Vec<usize>, Vec<usize>) =
                            (micro.iter()).map(|&i| (samples[image_of_text[i]], text_of_image[i])).unzip();
                        let negative = tower.image_pass(self.features.batch(&extra_images, &self.device)?);
                        let cross: Vec<_> = (pass.cross.iter().zip(&negative.cross))
                            .map(|((k, v), (nk, nv))| {
                                (
                                    Tensor::cat(vec![k.clone(), nk.clone()], 0),
                                    Tensor::cat(vec![v.clone(), nv.clone()], 0),
                                )
                            })
                            .collect();
                        let both: Vec<Vec<u32>> =
                            texts.iter().cloned().chain(extra_texts.iter().map(|&t| captions[t].clone())).collect();
                        let text = pad(&both, self.marks.pad, Side::Right, &self.device);
                        let other: Vec<usize> = (b..2 * b).collect();
                        let texts = [own.clone(), own.clone(), other.clone()].concat();
                        let images = [own.clone(), other, own].concat();
                        itm_loss_sum(tower, &cross, &images, text.ids, text.mask, &texts)
                    };
                    let loss = loss / (3 * n) as f64;
                    sums[1] = scalar(&loss);
                    total = total + loss * self.weights.itm;
                    (hits, negative_hits) = (h, nh);
                }
                if self.weights.itg != 0.0 {
                    let loss = itg_loss_sum(
                        tower,
                        &pass,
                        pairs.ids.clone(),
                        pairs.mask.clone(),
                        self.marks.dec,
                        self.smoothing,
                    ) / scored as f64;
                    sums[2] = scalar(&loss);
                    total = total + loss * self.weights.itg;
                }
                Ok((total, sums, hits, negative_hits))
            };
            let (loss, micro_sums, hits, negative_hits) =
                if micros.len() == 1 { run()? } else { noise::off(|| noise::scope(self.stream(step, m), &mut run))? };
            for (sum, part) in sums.iter_mut().zip(micro_sums) {
                *sum += part;
            }
            right += hits;
            right_negatives += negative_hits;
            let grads = GradientsParams::from_grads(loss.backward(), model);
            if micros.len() == 1 {
                only = Some(grads);
            } else {
                accumulated.accumulate(model, grads);
            }
        }
        let w = self.weights;
        let total = sums[0] * w.itc + sums[1] * w.itm + sums[2] * w.itg;
        let mut parts = vec![("loss".to_owned(), total)];
        let mut log = |name: &str, value: f64| parts.push((name.to_owned(), value));
        if w.itc != 0.0 {
            log("loss_itc", sums[0]);
            log("trivial_itc", (n as f64).ln());
            log("accuracy_itc", itc_hits as f64 / n as f64);
        }
        if w.itm != 0.0 {
            log("loss_itm", sums[1]);
            log("trivial_itm", ITM_TRIVIAL);
            log("accuracy_itm", right as f64 / (3 * n) as f64);
            log("accuracy_itm_hard_negatives", right_negatives as f64 / (2 * n) as f64);
        }
        if w.itg != 0.0 {
            log("loss_itg", sums[2]);
            log("trivial_itg", self.unigram);
        }
        log("temperature", scalar(&temperature));
        let grads = only.unwrap_or_else(|| accumulated.grads());
        Ok(StepLoss { grads, parts, samples })
    }
}
