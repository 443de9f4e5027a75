//! Layers that several families share. Field names are those of PyTorch checkpoints.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Int, Shape, Tensor};
use toolkit_core::{Count, product};

/// Creates a parameter that is not drawn yet. It is zeros if it is read before it is initialised or
/// loaded.
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
    /// Creates a layer with a bias.
    #[must_use]
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        Self { weight: parameter([input, output], device), bias: Some(parameter([output], device)) }
    }

    /// Creates a layer without a bias.
    #[must_use]
    pub fn without_bias(input: usize, output: usize, device: &Device) -> Self {
        Self { weight: parameter([input, output], device), bias: None }
    }

    /// Maps `[.., in]` to `[.., out]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut dims = x.dims();
        // A frozen matrix may be kept in half precision or in eight bits.
        let weight = self.weight.val();
        // One matrix product over all rows; a batched product would pack the weight once for each
        // sample.
        let rows: usize = dims[..D - 1].iter().product();
        let bias = self.bias.as_ref().map(Param::val);
        let y = toolkit_kernels::linear(x.reshape([rows, dims[D - 1]]), weight, bias);
        dims[D - 1] = y.dims()[1];
        y.reshape(dims)
    }
}

impl Linear {
    /// Computes [`Linear::forward`] of `x * scale + shift`, with scale and shift `[in]` moved into
    /// the weight and the bias.
    ///
    /// If `x` is a constant, a training step then needs no gradient of rows as long as `x`: the
    /// gradients of scale and shift follow from that of the weight.
    #[must_use]
    pub fn forward_scaled(&self, x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let weight = self.weight.val();
        let shift = toolkit_kernels::linear(shift.unsqueeze(), weight.clone(), None);
        let mut bias = shift.squeeze_dim::<1>(0);
        if let Some(own) = &self.bias {
            bias = bias + own.val();
        }
        let weight = toolkit_kernels::scale_rows(weight, scale);
        let y = toolkit_kernels::linear(x.reshape([batch * tokens, width]), weight, Some(bias));
        let output = y.dims()[1];
        y.reshape([batch, tokens, output])
    }
}

/// Counts the parameters of a [`Linear`].
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
    /// Creates a normalisation of vectors of this width.
    #[must_use]
    pub fn new(width: usize, eps: f64, device: &Device) -> Self {
        Self { weight: parameter([width], device), bias: parameter([width], device), eps }
    }

    /// Normalises `[.., width]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        toolkit_kernels::layer_norm(x, self.weight.val(), self.bias.val(), self.eps)
    }

    /// Returns `(x - mean) / sqrt(var + eps)`, the first half alone, with the scale and the shift
    /// of the second half.
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
    /// Creates a normalisation of vectors of this width.
    #[must_use]
    pub fn new(width: usize, eps: f64, device: &Device) -> Self {
        Self { weight: parameter([width], device), eps }
    }

    /// Normalises `[.., width]`.
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
    /// Creates a table of `rows` vectors of `width`.
    #[must_use]
    pub fn new(rows: usize, width: usize, device: &Device) -> Self {
        Self { weight: parameter([rows, width], device) }
    }

    /// Looks up ids `[batch, tokens]`: `[batch, tokens, width]`.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        toolkit_kernels::embedding(self.weight.val(), ids)
    }

    /// Returns the table `[rows, width]`, for tied heads and position rows.
    #[must_use]
    pub fn table(&self) -> Tensor<2> {
        self.weight.val()
    }
}

/// Runs images `[batch, channels, height, width]` through a convolution whose stride is its side,
/// `kernel [width, channels, p, p]`: `[batch, patches, width]`, row by row.
///
/// It is written as a matrix product of patches, which is several times faster on a CPU. Pixels
/// left over at the right and below are cut off, as in a convolution.
#[must_use]
pub fn patches(images: Tensor<4>, kernel: Tensor<4>) -> Tensor<3> {
    let [hidden, channels, p, _] = kernel.dims();
    let [batch, _, height, width] = images.dims();
    let (rows, columns) = (height / p, width / p);
    let images = images.narrow(2, 0, rows * p).narrow(3, 0, columns * p);
    let x = images.reshape([batch, channels, rows, p, columns, p]).permute([0, 2, 4, 1, 3, 5]);
    let x = x.reshape([batch * rows * columns, channels * p * p]);
    let kernel = kernel.reshape([hidden, channels * p * p]);
    toolkit_kernels::times_transposed(x, kernel).reshape([batch, rows * columns, hidden])
}

/// Splits `[batch, tokens, heads * head width]` into `[batch, heads, tokens, head width]`.
#[must_use]
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, width] = x.dims();
    x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)
}

/// Merges `[batch, heads, tokens, head width]` into `[batch, tokens, heads * head width]`.
#[must_use]
pub fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, width] = x.dims();
    x.swap_dims(1, 2).reshape([batch, tokens, heads * width])
}

/// The bias of a score whose position is hidden: the constant of LAVIS and of transformers' BERT.
pub const HIDDEN: f64 = -10_000.0;

/// Converts a mask of ones and zeros to an additive bias: 0 if visible, [`HIDDEN`] if not.
#[must_use]
pub fn mask_bias<const D: usize>(mask: Tensor<D>) -> Tensor<D> {
    (mask - 1.0) * -HIDDEN
}

/// Returns ones on and below the diagonal, for `new` rows behind `past` columns: `[new, past +
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
    /// Applies the activation element-wise.
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
