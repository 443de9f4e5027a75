//! Operations that burn lacks or does slowly on the CPU, each fused with its own backward into one node of the graph.
//!
//! They run on f32 tensors of flex, with and without autodiff; on other backends and number types the same functions are made of
//! burn's primitives. A row's result does not depend on the other rows of the batch nor on the number of threads.

#![expect(clippy::result_large_err, reason = "the tensor is handed back to be used, not an error on its way out")]

use burn::tensor::{Int, Tensor, activation};

mod attention;
mod buffer;
mod cross_entropy;
mod gelu;
mod gemm;
mod node;
mod norm;
mod primitives;
mod simd;
mod softmax;

/// Exact GELU, `x/2 (1 + erf(x / sqrt 2))`, element-wise.
#[must_use]
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match fused(gelu::Gelu, x) {
        Ok(y) => y,
        Err(x) => activation::gelu(x),
    }
}

/// Softmax over the last dimension.
#[must_use]
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match fused(softmax::Softmax, x) {
        Ok(y) => y,
        Err(x) => activation::softmax(x, D - 1),
    }
}

/// An operation of one tensor, or the tensor back.
fn fused<F: node::Fused<1>, const D: usize>(op: F, x: Tensor<D>) -> Result<Tensor<D>, Tensor<D>> {
    if x.shape().num_elements() == 0 {
        return Err(x);
    }
    node::run(op, [x.into_dispatch()]).map(Tensor::from_dispatch).map_err(|[x]| Tensor::from_dispatch(x))
}

/// Layer normalisation over the last dimension: `(x - mean) / sqrt(var + eps) * weight + bias`, variance biased.
#[must_use]
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<D> {
    let primitive = |x, weight, bias| burn::tensor::module::layer_norm(x, weight, Some(bias), eps);
    if x.shape().num_elements() == 0 {
        return primitive(x, weight, bias);
    }
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    match node::run(norm::LayerNorm { eps: eps as f32 }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight, bias]) => {
            primitive(Tensor::from_dispatch(x), Tensor::from_dispatch(weight), Tensor::from_dispatch(bias))
        }
    }
}

/// Root-mean-square normalisation over the last dimension (T5): `x / sqrt(mean(x^2) + eps) * weight`.
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    if x.shape().num_elements() == 0 {
        return primitives::rms_norm(x, weight, eps);
    }
    match node::run(norm::RmsNorm { eps: eps as f32 }, [x.into_dispatch(), weight.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight]) => primitives::rms_norm(Tensor::from_dispatch(x), Tensor::from_dispatch(weight), eps),
    }
}

/// Cross-entropy of each row: logits `[rows, classes]`, labels `[rows]` to `[rows]`.
/// Label smoothing as in PyTorch: the target is `(1 - smoothing) * onehot + smoothing / classes`.
///
/// # Panics
/// If a label is not below the number of classes.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let labels = labels.into_dispatch();
    let ids = node::integers(&labels).filter(|_| rows * classes > 0);
    let Some(indices) = ids.and_then(|ids| cross_entropy::labels(&ids, classes)) else {
        return primitives::cross_entropy(logits, Tensor::from_dispatch(labels), smoothing);
    };
    let op = cross_entropy::CrossEntropy { labels: indices, smoothing: smoothing as f32 };
    match node::run(op, [logits.into_dispatch()]) {
        Ok(losses) => Tensor::from_dispatch(losses),
        Err([logits]) => {
            primitives::cross_entropy(Tensor::from_dispatch(logits), Tensor::from_dispatch(labels), smoothing)
        }
    }
}

/// `softmax(q k' * scale + bias) v` over `[batch, heads, tokens, head width]`; `bias` broadcasts to `[batch, heads, queries, keys]`.
///
/// A bias that needs a gradient (T5's learned positions) takes burn's primitives. The output may lie in memory as
/// `[batch, queries, heads, head width]`, which makes merging the heads free.
#[must_use]
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: Option<Tensor<4>>, scale: f64) -> Tensor<4> {
    let [batch, heads, queries, width] = q.dims();
    let keys = k.dims()[2];
    let shapes = k.dims() == [batch, heads, keys, width] && v.dims() == [batch, heads, keys, width];
    if !shapes || batch * heads * queries * keys * width == 0 {
        return primitives::attention(q, k, v, bias, scale);
    }
    let bias = bias.map(Tensor::into_dispatch);
    let constant = match &bias {
        None => Some(None),
        Some(bias) => node::constant(bias).map(Some),
    };
    let bias = bias.map(Tensor::from_dispatch);
    let Some(constant) = constant else {
        return primitives::attention(q, k, v, bias, scale);
    };
    let op = attention::Attention { scale: scale as f32, bias: constant };
    match node::run(op, [q.into_dispatch(), k.into_dispatch(), v.into_dispatch()]) {
        Ok(out) => Tensor::from_dispatch(out),
        Err([q, k, v]) => {
            let [q, k, v] = [q, k, v].map(Tensor::from_dispatch);
            primitives::attention(q, k, v, bias, scale)
        }
    }
}
