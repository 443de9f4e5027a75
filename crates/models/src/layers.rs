//! Layers that several families share. Field names are those of PyTorch checkpoints.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Int, Shape, Tensor};
use toolkit_core::{Count, product};

/// A parameter that is not drawn yet; zeros if it is read before it is initialised or loaded.
#[must_use]
pub fn parameter<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let init =
        move |device: &Device, grad: bool| Tensor::zeros(shape, device).set_require_grad(grad);
    Param::uninitialized(ParamId::new(), init, device.clone(), true, Shape::new(shape))
}

/// `x W + b`; `weight` is `[in, out]` in memory and `[out, in]` in checkpoints (see
/// `toolkit_core::params`).
#[derive(Module, Debug)]
pub struct Linear {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// With a bias.
    #[must_use]
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        Self { weight: parameter([input, output], device), bias: Some(parameter([output], device)) }
    }

    /// Without a bias.
    #[must_use]
    pub fn without_bias(input: usize, output: usize, device: &Device) -> Self {
        Self { weight: parameter([input, output], device), bias: None }
    }

    /// `[.., in]` to `[.., out]`. One token of each of a batch of texts, `[batch, 1, in]`, is a
    /// step of generation, or the last block of a prompt, whose sums are made in an order of their
    /// own. (So are those of prompts of one token; beside a longer one the last bits differ.)
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut dims = x.dims();
        // A frozen matrix may be kept in half precision or in eight bits.
        let weight = self.weight.val();
        // One matrix product over all rows; a batched product would pack the weight once for each
        // sample.
        let rows: usize = dims[..D - 1].iter().product();
        let bias = self.bias.as_ref().map(Param::val);
        let y = toolkit_kernels::linear(
            x.reshape([rows, dims[D - 1]]),
            weight,
            bias,
            D == 3 && dims[1] == 1,
        );
        dims[D - 1] = y.dims()[1];
        y.reshape(dims)
    }
}

impl Linear {
    /// [`Linear::forward`] of `x * scale + shift`, with scale and shift `[in]` moved into the
    /// weight and the bias. If `x` is a constant, a training step then has no gradient of rows as
    /// long as `x` to find: that of scale and shift comes from that of the weight.
    #[must_use]
    pub fn forward_scaled(&self, x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let weight = self.weight.val();
        let mut bias = shift.unsqueeze::<2>().matmul(weight.clone()).squeeze_dim::<1>(0);
        if let Some(own) = &self.bias {
            bias = bias + own.val();
        }
        let weight = weight * scale.unsqueeze_dim::<2>(1);
        let y =
            toolkit_kernels::linear(x.reshape([batch * tokens, width]), weight, Some(bias), false);
        let output = y.dims()[1];
        y.reshape([batch, tokens, output])
    }
}

/// Number of parameters of a [`Linear`].
#[must_use]
pub fn linear_params(input: usize, output: usize, bias: bool) -> Count {
    product([input, output]) + if bias { output } else { 0 }
}

/// Layer normalisation over the last dimension.
#[derive(Module, Debug)]
pub struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    eps: f64,
}

impl LayerNorm {
    /// For vectors of this width.
    #[must_use]
    pub fn new(width: usize, eps: f64, device: &Device) -> Self {
        Self { weight: parameter([width], device), bias: parameter([width], device), eps }
    }

    /// `[.., width]` to the same.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        toolkit_kernels::layer_norm(x, self.weight.val(), self.bias.val(), self.eps)
    }

    /// The first half alone, `(x - mean) / sqrt(var + eps)`, and what the second multiplies with
    /// and adds.
    #[must_use]
    pub fn halves<const D: usize>(&self, x: Tensor<D>) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
        let (width, device) = (x.dims()[D - 1], x.device());
        let (ones, zeros) = (Tensor::ones([width], &device), Tensor::zeros([width], &device));
        (toolkit_kernels::layer_norm(x, ones, zeros, self.eps), self.weight.val(), self.bias.val())
    }
}

/// Root-mean-square normalisation without mean and bias (T5).
#[derive(Module, Debug)]
pub struct RmsNorm {
    weight: Param<Tensor<1>>,
    eps: f64,
}

impl RmsNorm {
    /// For vectors of this width.
    #[must_use]
    pub fn new(width: usize, eps: f64, device: &Device) -> Self {
        Self { weight: parameter([width], device), eps }
    }

    /// `[.., width]` to the same.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        toolkit_kernels::rms_norm(x, self.weight.val(), self.eps)
    }
}

/// A table of vectors.
#[derive(Module, Debug)]
pub struct Embedding {
    weight: Param<Tensor<2>>,
}

impl Embedding {
    /// `rows` vectors of `width`.
    #[must_use]
    pub fn new(rows: usize, width: usize, device: &Device) -> Self {
        Self { weight: parameter([rows, width], device) }
    }

    /// Ids `[batch, tokens]` to `[batch, tokens, width]`.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        toolkit_kernels::embedding(self.weight.val(), ids)
    }

    /// The table `[rows, width]`, for tied heads and position rows.
    #[must_use]
    pub fn table(&self) -> Tensor<2> {
        self.weight.val()
    }
}

/// Images `[batch, channels, height, width]` through a convolution whose stride is its side,
/// `kernel [width, channels, p, p]`: `[batch, patches, width]`, row by row. Written as a matrix
/// product of patches, which is what it is, and several times faster on a CPU. What is left over at
/// the right and below is cut off, as a convolution does.
#[must_use]
pub fn patches(images: Tensor<4>, kernel: Tensor<4>) -> Tensor<3> {
    let [hidden, channels, p, _] = kernel.dims();
    let [batch, _, height, width] = images.dims();
    let (rows, columns) = (height / p, width / p);
    let images = images.narrow(2, 0, rows * p).narrow(3, 0, columns * p);
    let x = images.reshape([batch, channels, rows, p, columns, p]).permute([0, 2, 4, 1, 3, 5]);
    let x = x.reshape([batch * rows * columns, channels * p * p]);
    x.matmul(kernel.reshape([hidden, channels * p * p]).transpose()).reshape([
        batch,
        rows * columns,
        hidden,
    ])
}

/// `[batch, tokens, heads * head width]` to `[batch, heads, tokens, head width]`.
#[must_use]
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, width] = x.dims();
    x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)
}

/// `[batch, heads, tokens, head width]` to `[batch, tokens, heads * head width]`.
#[must_use]
pub fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, width] = x.dims();
    x.swap_dims(1, 2).reshape([batch, tokens, heads * width])
}

/// What is added to a score so that its position is not seen: the constant of LAVIS and
/// transformers' BERT.
pub const HIDDEN: f64 = -10_000.0;

/// A mask of ones and zeros as an additive bias: 0 where visible, [`HIDDEN`] where not.
#[must_use]
pub fn mask_bias<const D: usize>(mask: Tensor<D>) -> Tensor<D> {
    (mask - 1.0) * -HIDDEN
}

/// Ones on and below the diagonal, for `new` rows that stand behind `past` columns: `[new, past +
/// new]`.
#[must_use]
pub fn causal_mask(past: usize, new: usize, device: &Device) -> Tensor<2> {
    let rows = (0..new).flat_map(|row| {
        (0..past + new).map(move |column| if column <= past + row { 1.0_f32 } else { 0.0 })
    });
    Tensor::from_data(
        burn::tensor::TensorData::new(rows.collect::<Vec<_>>(), [new, past + new]),
        device,
    )
}

/// Feed-forward activations, by the names of transformers' configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Exact GELU.
    Gelu,
    /// GELU by tanh.
    GeluNew,
    /// `x sigmoid(1.702 x)`: OpenAI's CLIP. Features are silently worse if GELU is used in its
    /// place.
    QuickGelu,
    /// Rectifier.
    Relu,
}

impl Activation {
    /// Applied element-wise.
    #[must_use]
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Gelu => toolkit_kernels::gelu(x),
            Self::GeluNew => toolkit_kernels::gelu_tanh(x),
            Self::QuickGelu => toolkit_kernels::quick_gelu(x),
            Self::Relu => toolkit_kernels::relu(x),
        }
    }
}
