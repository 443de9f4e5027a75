//! Operations that burn lacks or does slowly on the CPU, each fused with its own backward into one
//! node of the graph.
//!
//! They run on f32 tensors of flex, with and without autodiff; on other backends and number types
//! the same functions are made of burn's primitives. A row's result does not depend on the other
//! rows of the batch nor on the number of threads.

#![expect(
    clippy::result_large_err,
    reason = "the tensor is handed back to be used, not an error on its way out"
)]

use activation::{Pointwise, Relu};
use burn::backend::{Dispatch, DispatchAutodiffContext};
use burn::tensor::{Int, Shape, Tensor, activation as primitive_activation};
use burn_flex::FlexTensor;

mod activation;
mod adamw;
mod attention;
mod buffer;
mod cross_entropy;
mod dropout;
mod eight_bit;
mod gathered;
mod gemm;
mod matvec;
mod node;
mod norm;
mod past;
mod primitives;
mod product;
mod simd;
mod softmax;
mod sums;
mod team;
mod tiles;

pub use adamw::AdamWStep;
pub use dropout::Keep;
pub use eight_bit::{cast, eight_bit};
pub use gathered::{AccumulatorMap, GradientAccumulator};
pub use past::{KvSegment, attend};

/// Exact GELU, `x/2 (1 + erf(x / sqrt 2))`, element-wise.
#[must_use]
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    fused(Pointwise::Gelu, x).unwrap_or_else(primitive_activation::gelu)
}

/// GELU by tanh, `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, element-wise.
#[must_use]
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    fused(Pointwise::GeluTanh, x).unwrap_or_else(primitives::gelu_tanh)
}

/// `x sigmoid(1.702 x)`, element-wise.
#[must_use]
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    fused(Pointwise::QuickGelu, x)
        .unwrap_or_else(|x| x.clone() * primitive_activation::sigmoid(x * 1.702))
}

/// `x sigmoid(x)`, element-wise.
#[must_use]
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    fused(Pointwise::Silu, x).unwrap_or_else(primitive_activation::silu)
}

/// `max(x, 0)`, element-wise.
#[must_use]
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    fused(Relu, x).unwrap_or_else(primitive_activation::relu)
}

/// A number without meaning whose gradient with respect to `x` is `gradient`, of the same shape and
/// without one itself: it carries on what was found in another graph.
#[must_use]
pub fn with_gradient<const D: usize>(x: Tensor<D>, gradient: Tensor<D>) -> Tensor<1> {
    let gradient = gradient.into_dispatch();
    let carried = match node::constant(&gradient) {
        Some(constant) => node::run(sums::Carry(constant), [x.into_dispatch()]),
        None => Err([x.into_dispatch()]),
    };
    match carried {
        Ok(nothing) => Tensor::from_dispatch(nothing),
        Err([x]) => (Tensor::<D>::from_dispatch(x)
            * Tensor::<D>::from_inner(Tensor::from_dispatch(gradient)))
        .sum(),
    }
}

/// Whether nothing is recorded for this tensor, so that no gradient will be asked of it.
#[must_use]
pub fn is_constant<const D: usize>(x: &Tensor<D>) -> bool {
    !Dispatch::is_tracked(&x.clone().into_dispatch())
}

/// `x + y` of one shape.
#[must_use]
pub fn add<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    if x.dims() != y.dims() || x.shape().num_elements() == 0 {
        return x + y;
    }
    match node::run(sums::Add, [x.into_dispatch(), y.into_dispatch()]) {
        Ok(sum) => Tensor::from_dispatch(sum),
        Err([x, y]) => Tensor::from_dispatch(x) + Tensor::<D>::from_dispatch(y),
    }
}

/// `x w + bias`: `x [rows, in]`, `w [in, out]`, `bias [out]`. `w` may be kept as another number
/// type than `x` ([`cast`]); where it has no product of its own it is widened, one matrix at a
/// time.
///
/// `few` says that rows are one token of each of some texts: then sums are made in the order of a
/// product that streams through the matrix, however many rows there are. The caller says it, so
/// that a row's last bits do not depend on how many others there are.
#[must_use]
pub fn linear(x: Tensor<2>, w: Tensor<2>, bias: Option<Tensor<1>>, few: bool) -> Tensor<2> {
    let [inputs, n] = w.dims();
    let small = eight_bit::is(&w);
    let w = if small || w.dtype() == x.dtype() { w } else { w.cast(x.dtype()) };
    let y = match (few && inputs == x.dims()[1], small) {
        (false, _) => None,
        (true, false) => {
            constant(&w).and_then(|w| streamed(&x, n, |x, rows| matvec::times(x, w, rows, n)))
        }
        (true, true) => eight_bit::held(&w)
            .and_then(|w| streamed(&x, n, |x, rows| eight_bit::times(x, w, rows, n))),
    };
    let y = y.unwrap_or_else(|| product(x, if small { eight_bit::widen(w) } else { w }, false));
    match bias {
        Some(bias) => add_bias(y, bias),
        None => y,
    }
}

/// `x w'`: `x [rows, in]`, `w [out, in]`, such as a head that is tied to a table of embeddings;
/// `few` as in [`linear`].
#[must_use]
pub fn times_transposed(x: Tensor<2>, w: Tensor<2>, few: bool) -> Tensor<2> {
    let [n, inputs] = w.dims();
    let held = if few && inputs == x.dims()[1] { constant(&w) } else { None };
    let y = held.and_then(|w| streamed(&x, n, |x, rows| matvec::times_transposed(x, w, rows, n)));
    y.unwrap_or_else(|| product(x, w, true))
}

/// `x w`, or `x w'` if `w` is `transposed`.
fn product(x: Tensor<2>, w: Tensor<2>, transposed: bool) -> Tensor<2> {
    let primitive =
        |x: Tensor<2>, w: Tensor<2>| x.matmul(if transposed { w.transpose() } else { w });
    let inputs = w.dims()[usize::from(transposed)];
    if x.dims()[1] != inputs || x.shape().num_elements() * w.shape().num_elements() == 0 {
        return primitive(x, w);
    }
    match node::run(product::Product { transposed }, [x.into_dispatch(), w.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, w]) => primitive(Tensor::from_dispatch(x), Tensor::from_dispatch(w)),
    }
}

/// Rows `ids [batch, tokens]` of a table `[rows, width]`: `[batch, tokens, width]`.
///
/// # Panics
/// If the table has no such row.
#[must_use]
pub fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let ([batch, tokens], [rows, width]) = (ids.dims(), table.dims());
    let plain = ids.clone().into_dispatch();
    let ids_of =
        |ids| cross_entropy::labels(&ids, rows).filter(|_| batch * tokens * rows * width > 0);
    let Some(wanted) = node::integers(&plain).and_then(ids_of) else {
        return burn::tensor::module::embedding(table, ids);
    };
    match node::run(product::Rows { ids: wanted }, [table.into_dispatch()]) {
        Ok(rows) => Tensor::<2>::from_dispatch(rows).reshape([batch, tokens, width]),
        Err([table]) => burn::tensor::module::embedding(Tensor::from_dispatch(table), ids),
    }
}

/// The values of a matrix that nothing is recorded for.
fn constant(w: &Tensor<2>) -> Option<FlexTensor> {
    if w.is_autodiff() {
        None
    } else {
        node::constant(&w.clone().into_dispatch()).map(buffer::contiguous)
    }
}

/// The product `f` of `x [rows, in]` with a matrix, `[rows, n]`, if nothing is recorded and nothing
/// is empty.
fn streamed(
    x: &Tensor<2>,
    n: usize,
    f: impl FnOnce(FlexTensor, usize) -> Vec<f32>,
) -> Option<Tensor<2>> {
    let [rows, inputs] = x.dims();
    let x = constant(x).filter(|_| rows * inputs * n > 0)?;
    Some(Tensor::from_dispatch(node::plain(buffer::tensor(f(x, rows), Shape::new([rows, n])))))
}

/// `x [rows, width] + bias [width]`.
#[must_use]
pub fn add_bias(x: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    if x.shape().num_elements() == 0 || x.dims()[1] != bias.dims()[0] {
        return x + bias.unsqueeze();
    }
    match node::run(sums::AddBias, [x.into_dispatch(), bias.into_dispatch()]) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, bias]) => {
            Tensor::<2>::from_dispatch(x) + Tensor::<1>::from_dispatch(bias).unsqueeze()
        }
    }
}

/// The sum of squares of a tensor without a gradient: blocks of 4,096 in single precision, their
/// sums in double, in an order that does not depend on threads.
#[must_use]
pub fn sum_of_squares<const D: usize>(x: Tensor<D>) -> f64 {
    let x = x.into_dispatch();
    match node::constant(&x) {
        Some(x) => sums::sum_of_squares(x),
        None => f64::from(Tensor::<D>::from_dispatch(x).square().sum().into_scalar::<f32>()),
    }
}

/// One step of AdamW on value, first and second moment and gradient, none of them tracked. Returns
/// value and moments.
#[must_use]
pub fn adamw<const D: usize>(step: AdamWStep, tensors: [Tensor<D>; 4]) -> [Tensor<D>; 3] {
    let tensors = tensors.map(Tensor::into_dispatch);
    if !tensors
        .iter()
        .all(|tensor| tensor.autodiff == DispatchAutodiffContext::Disabled && node::on_flex(tensor))
    {
        return primitives::adamw(step, tensors.map(Tensor::from_dispatch));
    }
    adamw::step(step, tensors.map(|tensor| node::inner(tensor.kind)))
        .map(|x| Tensor::from_dispatch(node::plain(x)))
}

/// Softmax over the last dimension.
#[must_use]
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    fused(softmax::Softmax, x).unwrap_or_else(|x| primitive_activation::softmax(x, D - 1))
}

/// An operation of one tensor, or the tensor back.
fn fused<F: node::Fused<1>, const D: usize>(op: F, x: Tensor<D>) -> Result<Tensor<D>, Tensor<D>> {
    if x.shape().num_elements() == 0 {
        return Err(x);
    }
    node::run(op, [x.into_dispatch()])
        .map(Tensor::from_dispatch)
        .map_err(|[x]| Tensor::from_dispatch(x))
}

/// Layer normalisation over the last dimension: `(x - mean) / sqrt(var + eps) * weight + bias`,
/// variance biased.
#[must_use]
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    eps: f64,
) -> Tensor<D> {
    let primitive = |x, weight, bias| burn::tensor::module::layer_norm(x, weight, Some(bias), eps);
    if x.shape().num_elements() == 0 {
        return primitive(x, weight, bias);
    }
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    match node::run(norm::LayerNorm { eps: eps as f32 }, inputs) {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight, bias]) => primitive(
            Tensor::from_dispatch(x),
            Tensor::from_dispatch(weight),
            Tensor::from_dispatch(bias),
        ),
    }
}

/// Root-mean-square normalisation over the last dimension (T5): `x / sqrt(mean(x^2) + eps) *
/// weight`.
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    if x.shape().num_elements() == 0 {
        return primitives::rms_norm(x, weight, eps);
    }
    match node::run(norm::RmsNorm { eps: eps as f32 }, [x.into_dispatch(), weight.into_dispatch()])
    {
        Ok(y) => Tensor::from_dispatch(y),
        Err([x, weight]) => {
            primitives::rms_norm(Tensor::from_dispatch(x), Tensor::from_dispatch(weight), eps)
        }
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
        Err([logits]) => primitives::cross_entropy(
            Tensor::from_dispatch(logits),
            Tensor::from_dispatch(labels),
            smoothing,
        ),
    }
}

/// `softmax(q k' * scale + bias) v` over `[batch, heads, tokens, head width]`; `bias` broadcasts to
/// `[batch, heads, queries, keys]`.
///
/// Keys and values may have fewer heads: consecutive heads of the queries share one.
///
/// A bias that needs a gradient (T5's learned positions) takes burn's primitives. The output may
/// lie in memory as `[batch, queries, heads, head width]`, which makes merging the heads free.
#[must_use]
pub fn attention(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    bias: Option<Tensor<4>>,
    scale: f64,
) -> Tensor<4> {
    attention_rows(q, k, v, None, bias, scale, None)
}

/// As [`attention`], where sample `i` of the queries attends to sample `rows[i]` of the keys and
/// values: what gathering them first would give, without the copies and without adding up the
/// gradients of copies. Without `rows`, to its own. `keep`, one byte for each of `[batch, heads,
/// queries, keys]`, is dropout on the probabilities.
///
/// # Panics
/// If there are not as many rows as samples of queries, one is beyond the keys, or `keep` is not
/// that long.
#[must_use]
pub fn attention_rows(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    rows: Option<&[usize]>,
    bias: Option<Tensor<4>>,
    scale: f64,
    keep: Option<Keep>,
) -> Tensor<4> {
    let [batch, heads, queries, width] = q.dims();
    let (k, v) = (for_each_head(k, heads), for_each_head(v, heads));
    let [sources, _, keys, _] = k.dims();
    if let Some(rows) = rows {
        assert!(
            rows.len() == batch && rows.iter().all(|&row| row < sources),
            "{rows:?}: {batch} rows of {sources}"
        );
    }
    if let Some(keep) = &keep {
        assert_eq!(
            keep.elements.len(),
            batch * heads * queries * keys,
            "a byte for each probability"
        );
    }
    let shapes = k.dims() == [sources, heads, keys, width]
        && v.dims() == k.dims()
        && (rows.is_some() || sources == batch);
    if !shapes || batch * sources * heads * queries * keys * width == 0 {
        return primitives::attention(q, k, v, rows, bias, scale, keep);
    }
    let bias = bias.map(Tensor::into_dispatch);
    let constant = match &bias {
        None => Some(None),
        Some(bias) => node::constant(bias).map(Some),
    };
    let bias = bias.map(Tensor::from_dispatch);
    let Some(constant) = constant else {
        return primitives::attention(q, k, v, rows, bias, scale, keep);
    };
    let op = attention::Attention {
        scale: scale as f32,
        bias: constant,
        rows: rows.map(Into::into),
        keep: keep.clone(),
    };
    match node::run(op, [q.into_dispatch(), k.into_dispatch(), v.into_dispatch()]) {
        Ok(out) => Tensor::from_dispatch(out),
        Err([q, k, v]) => {
            let [q, k, v] = [q, k, v].map(Tensor::from_dispatch);
            primitives::attention(q, k, v, rows, bias, scale, keep)
        }
    }
}

/// Each head of keys or values `[batch, heads, tokens, head width]` once for every one of `heads`
/// query heads that reads it.
fn for_each_head(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, own, tokens, width] = x.dims();
    if own == heads || own == 0 || !heads.is_multiple_of(own) {
        return x;
    }
    let all =
        x.reshape([batch, own, 1, tokens, width]).expand([batch, own, heads / own, tokens, width]);
    all.reshape([batch, heads, tokens, width])
}

/// Dropout: elements that `keep` keeps, scaled, and zeros.
///
/// # Panics
/// If `keep` has not one byte for each element.
#[must_use]
pub fn dropout<const D: usize>(x: Tensor<D>, keep: Keep) -> Tensor<D> {
    assert_eq!(keep.elements.len(), x.shape().num_elements(), "a byte for each element");
    fused(keep.clone(), x).unwrap_or_else(|x| primitives::dropout(x, &keep))
}
