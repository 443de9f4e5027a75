//! One step: which images and captions, the three losses, their gradients.

use super::pieces::{Cut, Sum, by_length};
use super::{ITM_TRIVIAL, Stage1, captioning, hard_negatives, itc_loss, matching, similarity};
use crate::TrainError;
use crate::fit::{Objective, StepLoss};
use crate::text::{Side, TextBatch, draw_caption, pad};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use toolkit_core::{AnyBridge, Cache, ImagePass, Stream, TextTower, noise, params};

/// Similarities are never divided by less (BLIP-1's bound; LAVIS's BLIP-2 has none).
const SMALLEST_TEMPERATURE: f64 = 1e-3;

/// The samples of a step, shortest caption first.
struct Batch {
    samples: Vec<usize>,
    captions: Vec<Vec<u32>>,
}

/// What a step finds besides gradients.
#[derive(Default)]
struct Tally {
    /// ITC, ITM, ITG.
    sums: [f64; 3],
    itc_hits: usize,
    right: usize,
    right_negatives: usize,
}

/// Embeddings of the whole batch from a pass without a tape, one pair for each micro-batch.
type Embedded = Vec<(Tensor<3>, Tensor<2>)>;

fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}

impl Batch {
    fn len(&self) -> usize {
        self.samples.len()
    }

    /// Rows of a batch that show the same or say the same are no negatives of each other.
    fn alike(&self, shows: &[usize], a: usize, b: usize) -> bool {
        shows[self.samples[a]] == shows[self.samples[b]] || self.captions[a] == self.captions[b]
    }
}

impl Stage1 {
    fn tower<'a>(&self, bridge: &'a AnyBridge) -> Result<&'a dyn TextTower, TrainError> {
        let hint = "hint: use a `qformer` bridge or set `stage1.enabled = false`";
        bridge
            .text_tower()
            .ok_or_else(|| TrainError::Other(format!("this bridge has no text tower, so it has no stage 1; {hint}")))
    }

    fn batch(&mut self, step: u64) -> Result<Batch, TrainError> {
        let samples = self.order.batch(step);
        let mut choice = Stream::new(self.seed, "stage1/caption", step);
        let draw = |i: usize| Ok((i, draw_caption(&self.captions, i, &mut choice)?.to_vec()));
        let mut drawn = samples.into_iter().map(draw).collect::<Result<Vec<(usize, Vec<u32>)>, TrainError>>()?;
        drawn.sort_by_key(|(_, caption)| caption.len());
        let (samples, captions) = drawn.into_iter().unzip();
        Ok(Batch { samples, captions })
    }

    fn text(&self, captions: impl Iterator<Item = Vec<u32>>, device: &Device) -> TextBatch {
        pad(&captions.collect::<Vec<_>>(), self.marks.pad, Side::Right, device)
    }

    /// Embeddings of a micro-batch: the query pass, `[n, queries, e]` and `[n, e]`.
    fn embed(
        &self,
        tower: &dyn TextTower,
        features: Tensor<3>,
        captions: &[Vec<u32>],
    ) -> (ImagePass, Tensor<3>, Tensor<2>) {
        let device = features.device();
        let pass = tower.image_pass(features);
        let image = tower.image_embeds(pass.queries.clone());
        let text = self.text(captions.iter().cloned(), &device);
        (pass, image, tower.text_embeds(text.ids, text.mask))
    }

    fn stream(&self, step: u64, micro: usize) -> Stream {
        Stream::new(self.seed, "stage1/dropout", step * 1024 + micro as u64)
    }

    /// Matching of the rows `own` of the batch, both negatives of each included: piece by piece into `grads`.
    #[expect(clippy::too_many_arguments, reason = "what a piece is made of")]
    fn match_pieces(
        &self,
        model: &AnyBridge,
        batch: &Batch,
        own: &[usize],
        negatives: &(Vec<usize>, Vec<usize>),
        cut: &mut Cut,
        grads: &mut Sum,
        tally: &mut Tally,
    ) -> Result<(), TrainError> {
        let (image_of_text, text_of_image) = negatives;
        // (text, row of the keys and values, label).
        let mut triplets: Vec<(usize, usize, usize)> = own.iter().enumerate().map(|(row, &i)| (i, row, 1)).collect();
        let mut cross = cut.cross.clone();
        if own.len() == batch.len() {
            triplets.extend(own.iter().map(|&i| (i, image_of_text[i], 0)));
            triplets.extend(own.iter().enumerate().map(|(row, &i)| (text_of_image[i], row, 0)));
        } else {
            // Negatives may lie in other micro-batches: their features come along.
            let images: Vec<usize> = own.iter().map(|&i| batch.samples[image_of_text[i]]).collect();
            let whole = grads.module(model);
            let negative = self.tower(&whole)?.image_pass(self.features.batch(&images, &self.device)?);
            let both = |(own, more): (&Tensor<4>, &Tensor<4>)| Tensor::cat(vec![own.clone(), more.clone()], 0);
            cross =
                (cross.iter().zip(&negative.cross)).map(|((k, v), (nk, nv))| (both((k, nk)), both((v, nv)))).collect();
            triplets.extend(own.iter().enumerate().map(|(row, &i)| (i, own.len() + row, 0)));
            triplets.extend(own.iter().enumerate().map(|(row, &i)| (text_of_image[i], row, 0)));
        }
        let lengths: Vec<usize> = triplets.iter().map(|&(text, ..)| batch.captions[text].len()).collect();
        let queries = cut.cache.past();
        let pieces = match own.len() == batch.len() {
            true => by_length(&lengths, queries),
            // The graph of the negatives' images can be gone through once only.
            false => vec![(0..triplets.len()).collect()],
        };
        for piece in pieces {
            let rows: Vec<(usize, usize, usize)> = piece.into_iter().map(|i| triplets[i]).collect();
            let text = self.text(rows.iter().map(|row| batch.captions[row.0].clone()), &self.device);
            let images: Vec<usize> = rows.iter().map(|row| row.1).collect();
            let labels: Vec<usize> = rows.iter().map(|row| row.2).collect();
            let whole = grads.module(model);
            let (loss, right, right_negatives) =
                matching(self.tower(&whole)?, &cross, &images, text.ids, text.mask, &labels);
            let loss = loss / (3 * batch.len()) as f64;
            tally.sums[1] += scalar(&loss);
            tally.right += right;
            tally.right_negatives += right_negatives;
            cut.backward(&(loss * self.weights.itm), model, grads);
        }
        Ok(())
    }

    /// Captioning of the rows `own` of the batch, piece by piece into `grads`. `scored` tokens are in the whole batch.
    fn caption_pieces(
        &self,
        model: &AnyBridge,
        captions: &[Vec<u32>],
        scored: usize,
        cut: &mut Cut,
        grads: &mut Sum,
        tally: &mut Tally,
    ) -> Result<(), TrainError> {
        let lengths: Vec<usize> = captions.iter().map(Vec::len).collect();
        for piece in by_length(&lengths, 0) {
            // Captions are in order of their lengths already, so a piece is a run of rows.
            let (first, count) = (piece[0], piece.len());
            let text = self.text(captions[first..first + count].iter().cloned(), &self.device);
            let rows = |x: &Tensor<4>| x.clone().narrow(0, first, count);
            let layers = cut.cache.layers.iter().map(|(k, v)| (rows(k), rows(v))).collect();
            let (whole, cache) = (grads.module(model), Cache { layers });
            let tower = self.tower(&whole)?;
            let loss = captioning(tower, &cache, text.ids, text.mask, self.marks.dec, self.smoothing) / scored as f64;
            tally.sums[2] += scalar(&loss);
            cut.backward(&(loss * self.weights.itg), model, grads);
        }
        Ok(())
    }

    /// Similarities of the whole batch, the rows of micro-batch `m` on the tape and the others constants: the sum of the
    /// micro-batches' gradients is then the gradient of the whole.
    fn similarities(
        all: &Embedded,
        m: usize,
        image: &Tensor<3>,
        text: &Tensor<2>,
        temperature: Tensor<1>,
    ) -> Tensor<2> {
        let micros = all.len().max(1);
        let images = (0..micros)
            .map(|o| if o == m { image.clone() } else { Tensor::<3>::from_inner(all[o].0.clone()) })
            .collect();
        let texts = (0..micros)
            .map(|o| if o == m { text.clone() } else { Tensor::<2>::from_inner(all[o].1.clone()) })
            .collect();
        // Steps are large at nano learning rates: a temperature at zero would end the run.
        let temperature = temperature.clamp_min(SMALLEST_TEMPERATURE);
        similarity(Tensor::cat(images, 0), Tensor::cat(texts, 0)) / temperature.unsqueeze()
    }
}

impl Objective<AnyBridge> for Stage1 {
    fn step(&mut self, model: &AnyBridge, step: u64) -> Result<StepLoss, TrainError> {
        // 1. Samples, their captions, and micro-batches of them.
        let batch = self.batch(step)?;
        let n = batch.len();
        let rows: Vec<usize> = (0..n).collect();
        let micros: Vec<&[usize]> = rows.chunks(n.div_ceil(self.accumulate.max(1))).collect();
        let samples = |micro: &[usize]| -> Vec<usize> { micro.iter().map(|&i| batch.samples[i]).collect() };
        let captions =
            |micro: &[usize]| -> Vec<Vec<u32>> { micro.iter().map(|&i| batch.captions[i].clone()).collect() };
        let alike = |a: usize, b: usize| batch.alike(&self.shows, a, b);
        let scored: usize = batch.captions.iter().map(|caption| caption.len() - 1).sum();

        // 2. Several micro-batches: embed them all first without a tape, so that each can be contrasted with the whole.
        let mut all = Embedded::new();
        if micros.len() > 1 {
            let (plain, plain_device) = (model.valid(), self.device.clone().without_autodiff());
            let tower = self.tower(&plain)?;
            for (m, micro) in micros.iter().enumerate() {
                let features = self.features.batch(&samples(micro), &plain_device)?;
                let embed = || self.embed(tower, features, &captions(micro));
                let (_, image, text) = noise::off(|| noise::scope(self.stream(step, m), embed));
                all.push((image, text));
            }
        }

        // 3. Each micro-batch forward and backward.
        let (mut grads, mut tally) = (Sum::default(), Tally::default());
        let mut negatives: Option<(Vec<usize>, Vec<usize>)> = None;
        for (m, micro) in micros.iter().enumerate() {
            let mut run = || -> Result<(), TrainError> {
                let features = self.features.batch(&samples(micro), &self.device)?;
                if let Some(next) = micros.get(m + 1) {
                    self.features.read_ahead(samples(next));
                }
                let whole = grads.module(model);
                let tower = self.tower(&whole)?;
                let (pass, image, text) = self.embed(tower, features, &captions(micro));
                let temperature = tower.temperature();
                // The temperature is shared, so only the first micro-batch may count it.
                let temperature = if m == 0 { temperature } else { temperature.detach() };
                let sim = Self::similarities(&all, m, &image, &text, temperature);
                if negatives.is_none() {
                    let mut host = params::floats(sim.clone().inner());
                    let beaten = |i: usize| (0..n).all(|j| i == j || alike(i, j) || host[i * n + j] < host[i * n + i]);
                    tally.itc_hits = (0..n).filter(|&i| beaten(i)).count();
                    if self.weights.itc == 0.0 {
                        // Embeddings that nothing trains find no hard negatives: all are equally likely.
                        host.fill(0.0);
                    }
                    let mut draw = Stream::new(self.seed, "stage1/negatives", step);
                    negatives = Some(hard_negatives(&host, n, alike, &mut draw));
                }
                let negatives = negatives.clone().unwrap_or_default();
                let mut cut = Cut::new(&pass);
                if self.weights.itm != 0.0 {
                    self.match_pieces(model, &batch, micro, &negatives, &mut cut, &mut grads, &mut tally)?;
                }
                if self.weights.itg != 0.0 {
                    self.caption_pieces(model, &captions(micro), scored, &mut cut, &mut grads, &mut tally)?;
                }
                let mut last = cut.rest();
                if self.weights.itc != 0.0 {
                    let loss = itc_loss(sim, self.smoothing, alike);
                    if m == 0 {
                        tally.sums[0] = scalar(&loss);
                    }
                    let loss = loss * self.weights.itc;
                    last = Some(match last {
                        Some(rest) => rest + loss,
                        None => loss,
                    });
                }
                if let Some(last) = last {
                    grads.backward(&last, model);
                }
                Ok(())
            };
            if micros.len() == 1 {
                run()?
            } else {
                noise::off(|| noise::scope(self.stream(step, m), &mut run))?
            };
        }

        // 4. What the log says.
        let parts = self.parts(&tally, n, scalar(&self.tower(model)?.temperature()));
        let first = micros.first().map_or(0, |micro| micro.len());
        let samples = batch.samples;
        // What is wrong with the next step's samples is said when it is their turn.
        if let Ok(next) = self.batch(step + 1) {
            self.features.read_ahead(next.samples[..first].to_vec());
        }
        Ok(StepLoss { grads: grads.done(model), parts, samples })
    }
}

impl Stage1 {
    fn parts(&self, tally: &Tally, n: usize, temperature: f64) -> Vec<(String, f64)> {
        let (w, sums) = (self.weights, tally.sums);
        let mut parts = vec![("loss".to_owned(), sums[0] * w.itc + sums[1] * w.itm + sums[2] * w.itg)];
        let mut log = |name: &str, value: f64| parts.push((name.to_owned(), value));
        if w.itc != 0.0 {
            log("loss_itc", sums[0]);
            log("trivial_itc", (n as f64).ln());
            log("accuracy_itc", tally.itc_hits as f64 / n as f64);
        }
        if w.itm != 0.0 {
            log("loss_itm", sums[1]);
            log("trivial_itm", ITM_TRIVIAL);
            log("accuracy_itm", tally.right as f64 / (3 * n) as f64);
            log("accuracy_itm_hard_negatives", tally.right_negatives as f64 / (2 * n) as f64);
        }
        if w.itg != 0.0 {
            log("loss_itg", sums[2]);
            log("trivial_itg", self.unigram);
        }
        log("temperature", temperature);
        parts
    }
}
