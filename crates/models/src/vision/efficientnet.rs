//! EfficientNet-Lite: a convolutional encoder whose last map is a grid of tokens.
//!
//! Lite drops the squeeze-and-excitation of EfficientNet and caps its rectifiers at 6 (Tan and Le,
//! 2019, arXiv:1905.11946; TensorFlow TPU repository, `efficientnet/lite`). Parameter names are
//! those of the widespread PyTorch port, and so is the padding: TensorFlow's SAME, which puts the
//! odd row and column below and at the right. Trap: symmetric padding shifts every feature at each
//! halving. Batch normalisation is that of inference: its running statistics are weights.

use crate::layers::parameter;
use burn::module::{Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, s};
use serde::Deserialize;
use toolkit_core::published::PublishedNames;
use toolkit_core::{Cost, Count, ShapeError, VisionEncoder, VisionShape, product};

/// The feature map that the tokens are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Features {
    /// After the last 1x1 convolution, 1280 wide: what the classifier averages.
    #[default]
    Head,
    /// After the last block, 320 wide.
    Last,
}

/// Sizes of an [`EfficientNetLite`]. The default is Lite0.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EfficientNetLiteConfig {
    /// Side of the square image in pixels.
    pub image_size: usize,
    /// Factor of the channels, rounded to multiples of 8 (Lite0 and Lite1: 1, Lite2: 1.1).
    pub width: f64,
    /// Factor of the blocks of each stage but the first and the last (Lite0: 1, Lite1: 1.1, Lite2:
    /// 1.2).
    pub depth: f64,
    /// Feature map that the tokens are taken from.
    pub features: Features,
}

impl Default for EfficientNetLiteConfig {
    fn default() -> Self {
        Self { image_size: 224, width: 1.0, depth: 1.0, features: Features::Head }
    }
}

/// Blocks, kernel, stride of the first, expansion, input and output channels of each stage.
const STAGES: [(usize, usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];

/// Channels of stem and head, which no factor changes.
const STEM: usize = 32;
const HEAD: usize = 1280;

/// Epsilon of every batch normalisation.
const EPS: f64 = 1e-3;

/// A block: kernel, stride, expansion, input and output channels.
#[derive(Clone, Copy, Debug)]
struct BlockShape {
    kernel: usize,
    stride: usize,
    expansion: usize,
    input: usize,
    output: usize,
}

impl EfficientNetLiteConfig {
    /// Scales and rounds `channels` to the nearest multiple of 8, but not more than a tenth down.
    fn channels(&self, channels: usize) -> usize {
        let scaled = channels as f64 * self.width;
        let nearest = ((scaled + 4.0) as usize / 8 * 8).max(8);
        if (nearest as f64) < 0.9 * scaled { nearest + 8 } else { nearest }
    }

    fn blocks(&self) -> Vec<BlockShape> {
        let mut all = Vec::new();
        for (stage, &(repeats, kernel, stride, expansion, input, output)) in
            STAGES.iter().enumerate()
        {
            let fixed = stage == 0 || stage + 1 == STAGES.len();
            let repeats =
                if fixed { repeats } else { (repeats as f64 * self.depth).ceil() as usize };
            let first = if stage == 0 { STEM } else { self.channels(input) };
            let output = self.channels(output);
            for at in 0..repeats {
                let (stride, input) = if at == 0 { (stride, first) } else { (1, output) };
                all.push(BlockShape { kernel, stride, expansion, input, output });
            }
        }
        all
    }

    fn width(&self) -> usize {
        match self.features {
            Features::Head => HEAD,
            Features::Last => self.channels(STAGES[STAGES.len() - 1].5),
        }
    }
}

/// A convolution without bias.
#[derive(Module, Debug)]
struct Conv {
    weight: Param<Tensor<4>>,
    stride: usize,
    groups: usize,
}

impl Conv {
    fn new(
        input: usize,
        output: usize,
        kernel: usize,
        stride: usize,
        groups: usize,
        device: &Device,
    ) -> Self {
        Self { weight: parameter([output, input / groups, kernel, kernel], device), stride, groups }
    }

    /// Convolves `[batch, in, height, width]` to `[batch, out, height / stride, width / stride]`,
    /// rounded up.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = x.dims();
        let weight = self.weight.val();
        let [output, inputs, kernel, _] = weight.dims();
        let same = |size: usize| {
            let total =
                ((size.div_ceil(self.stride) - 1) * self.stride + kernel).saturating_sub(size);
            (total / 2, total - total / 2)
        };
        let padding = [same(height), same(width)];
        if self.groups > 1 {
            let stride = [self.stride; 2];
            // Depthwise: burn adds up the places of the kernel one after the other.
            let options = ConvOptions { stride, padding, dilation: [1, 1], groups: self.groups };
            return conv2d(x, weight, None, options);
        }
        // A product over all places, several times faster than a convolution.
        let places = match kernel {
            1 => x.flatten::<3>(2, 3),
            _ => places(x, kernel, self.stride, padding),
        };
        let weight = weight.permute([0, 2, 3, 1]).reshape([1, output, kernel * kernel * inputs]);
        let [down, across] = [height, width].map(|size| size.div_ceil(self.stride));
        toolkit_kernels::batched_product(weight, places).reshape([batch, output, down, across])
    }
}

/// Returns the pixels under the kernel at each place: `[batch, in, height, width]` to `[batch,
/// kernel * kernel * in, places]`.
fn places(x: Tensor<4>, kernel: usize, stride: usize, padding: [(usize, usize); 2]) -> Tensor<3> {
    let (x, stride) = (x.pad(padding, 0.0_f32), stride as isize);
    let [_, _, height, width] = x.dims();
    let one = |at: usize| {
        let (row, column) = (at / kernel, at % kernel);
        let (down, across) = (height - kernel + row + 1, width - kernel + column + 1);
        let part = x.clone().slice(s![.., .., row..down;stride, column..across;stride]);
        part.flatten::<3>(2, 3)
    };
    Tensor::cat((0..kernel * kernel).map(one).collect(), 1)
}

/// Batch normalisation with the statistics of training.
#[derive(Module, Debug)]
struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

impl BatchNorm {
    fn new(channels: usize, device: &Device) -> Self {
        let new = || parameter([channels], device);
        Self { weight: new(), bias: new(), running_mean: new(), running_var: new() }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let channels = x.dims()[1];
        let scale = self.weight.val() / (self.running_var.val() + EPS).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        x * scale.reshape([1, channels, 1, 1]) + shift.reshape([1, channels, 1, 1])
    }
}

fn relu6(x: Tensor<4>) -> Tensor<4> {
    x.clamp(0.0, 6.0)
}

/// Expansion, depthwise convolution, projection; the input is added where shapes allow.
#[derive(Module, Debug)]
struct Block {
    _expand_conv: Option<Conv>,
    _bn0: Option<BatchNorm>,
    _depthwise_conv: Conv,
    _bn1: BatchNorm,
    _project_conv: Conv,
    _bn2: BatchNorm,
    adds: bool,
}

impl Block {
    fn new(s: BlockShape, device: &Device) -> Self {
        let inner = s.input * s.expansion;
        let expands = s.expansion > 1;
        Self {
            _expand_conv: expands.then(|| Conv::new(s.input, inner, 1, 1, 1, device)),
            _bn0: expands.then(|| BatchNorm::new(inner, device)),
            _depthwise_conv: Conv::new(inner, inner, s.kernel, s.stride, inner, device),
            _bn1: BatchNorm::new(inner, device),
            _project_conv: Conv::new(inner, s.output, 1, 1, 1, device),
            _bn2: BatchNorm::new(s.output, device),
            adds: s.stride == 1 && s.input == s.output,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut x = input.clone();
        if let (Some(conv), Some(norm)) = (&self._expand_conv, &self._bn0) {
            x = relu6(norm.forward(conv.forward(x)));
        }
        x = relu6(self._bn1.forward(self._depthwise_conv.forward(x)));
        x = self._bn2.forward(self._project_conv.forward(x));
        if self.adds { x + input } else { x }
    }
}

/// An EfficientNet-Lite without its classifier.
#[derive(Module, Debug)]
pub struct EfficientNetLite {
    _conv_stem: Conv,
    _bn0: BatchNorm,
    _blocks: Vec<Block>,
    _conv_head: Option<Conv>,
    _bn1: Option<BatchNorm>,
}

impl VisionEncoder for EfficientNetLite {
    type Config = EfficientNetLiteConfig;

    fn describe(c: &EfficientNetLiteConfig) -> Result<VisionShape, ShapeError> {
        // A factor of 100 is far beyond the family, whose largest is 2; the list of blocks is as
        // long as `depth` says.
        if c.image_size == 0
            || ![c.width, c.depth].iter().all(|factor| *factor > 0.0 && *factor <= 100.0)
        {
            let what = format!(
                "`image_size` = {}, `width` = {}, `depth` = {}",
                c.image_size, c.width, c.depth
            );
            return Err(ShapeError::new(
                what,
                "all three must be above 0, `width` and `depth` at most 100",
            ));
        }
        // A convolution: its weights with a batch normalisation, and its products at every place.
        let (mut params, mut flops, mut activations) =
            (Count::default(), Count::default(), Count::default());
        let mut conv = |inputs: usize, outputs: usize, kernel: usize, side: usize| {
            let weights = product([inputs, outputs, kernel, kernel]);
            params = params + weights + 4 * outputs;
            flops = flops + weights * 2_u64 * product([side, side]);
            // Images of two layers, and copies while they are laid out for the product.
            activations = activations.max(product([3, inputs + outputs, side, side]));
        };
        let mut side = c.image_size.div_ceil(2);
        conv(3, STEM, 3, side);
        for block in c.blocks() {
            let inner = block.input * block.expansion;
            if block.expansion > 1 {
                conv(block.input, inner, 1, side);
            }
            side = side.div_ceil(block.stride);
            conv(1, inner, block.kernel, side);
            conv(inner, block.output, 1, side);
        }
        if c.features == Features::Head {
            conv(c.channels(STAGES[STAGES.len() - 1].5), HEAD, 1, side);
        }
        let cost = Cost::new(params, flops, activations);
        Ok(VisionShape { image: [c.image_size; 2], tokens: side * side, width: c.width(), cost })
    }

    fn build(c: &EfficientNetLiteConfig, device: &Device) -> Self {
        let head = c.features == Features::Head;
        let last = c.channels(STAGES[STAGES.len() - 1].5);
        Self {
            _conv_stem: Conv::new(3, STEM, 3, 2, 1, device),
            _bn0: BatchNorm::new(STEM, device),
            _blocks: c.blocks().into_iter().map(|shape| Block::new(shape, device)).collect(),
            _conv_head: head.then(|| Conv::new(last, HEAD, 1, 1, 1, device)),
            _bn1: head.then(|| BatchNorm::new(HEAD, device)),
        }
    }

    /// Tokens are the places of the last map, row by row; there is no class token.
    fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        let mut x = relu6(self._bn0.forward(self._conv_stem.forward(images)));
        for block in &self._blocks {
            x = block.forward(x);
        }
        if let (Some(conv), Some(norm)) = (&self._conv_head, &self._bn1) {
            x = relu6(norm.forward(conv.forward(x)));
        }
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height * width]).swap_dims(1, 2)
    }

    fn published() -> PublishedNames {
        PublishedNames::vision().rest(&["_fc.", "_conv_head.", "_bn1."])
    }
}
