//! The fused operations against burn's primitives on one thread, forward, and forward with
//! backward. `cargo bench --profile dev --bench kernels`

use std::hint::black_box;

use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use criterion::{Criterion, criterion_group, criterion_main};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * 2.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Measures one operation of several inputs, without autodiff and as a step of training.
fn measure<const D: usize, const E: usize, const N: usize>(
    c: &mut Criterion,
    name: &str,
    shapes: [[usize; D]; N],
    f: impl Fn([Tensor<D>; N]) -> Tensor<E>,
) {
    let plain = shapes.map(|shape| random(shape, &Device::flex()));
    let device = Device::flex().autodiff();
    let tracked = shapes.map(|shape| random(shape, &device));
    let weights = random(f(plain.clone()).dims(), &device);
    // An addition stands before the operation, as in a model: its input is then a tensor of its
    // own, which it may overwrite.
    c.bench_function(&format!("{name}/forward"), |b| {
        b.iter(|| black_box(f(plain.clone().map(|x| x + 0.5))));
    });
    c.bench_function(&format!("{name}/train"), |b| {
        b.iter(|| {
            let inputs = tracked.clone().map(|x| x.detach().require_grad());
            black_box((f(inputs.map(|x| x + 0.5)) * weights.clone()).sum().backward());
        });
    });
}

fn plain_attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, scale: f64) -> Tensor<4> {
    activation::softmax((q * scale).matmul(k.swap_dims(2, 3)), 3).matmul(v)
}

fn plain_cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let log_p = activation::log_softmax(logits, 1);
    let hit = log_p.clone().gather(1, labels.reshape([rows, 1])).reshape([rows]).neg();
    hit * (1.0 - smoothing) + log_p.mean_dim(1).reshape([rows]).neg() * smoothing
}

fn elementwise(c: &mut Criterion) {
    let shape = [96 * 24, 256];
    measure(c, "nothing 2304x256", [shape], |[x]| x);
    measure(c, "gelu 2304x256/burn", [shape], |[x]| activation::gelu(x));
    measure(c, "gelu 2304x256/ours", [shape], |[x]| toolkit_kernels::gelu(x));
}

/// Activations of feed-forward networks other than GELU.
fn activations(c: &mut Criterion) {
    let shape = [96 * 24, 256];
    measure(c, "relu 2304x256/burn", [shape], |[x]| activation::relu(x));
    measure(c, "relu 2304x256/ours", [shape], |[x]| toolkit_kernels::relu(x));
    measure(c, "quick_gelu 2304x256/burn", [shape], |[x]| {
        x.clone() * activation::sigmoid(x * 1.702)
    });
    measure(c, "quick_gelu 2304x256/ours", [shape], |[x]| toolkit_kernels::quick_gelu(x));
}

/// Measures a step of generation: one token, or one of five beams, times a matrix.
fn few_rows(c: &mut Criterion) {
    let device = Device::flex();
    for rows in [1, 5] {
        let (x, w, table) = (
            random([rows, 768], &device),
            random([768, 3072], &device),
            random([32_768, 768], &device),
        );
        c.bench_function(&format!("linear {rows}x768x3072/burn"), |b| {
            b.iter(|| x.clone().matmul(w.clone()))
        });
        c.bench_function(&format!("linear {rows}x768x3072/ours"), |b| {
            b.iter(|| toolkit_kernels::linear(x.clone(), w.clone(), None));
        });
        c.bench_function(&format!("head {rows}x768x32768/burn"), |b| {
            b.iter(|| x.clone().matmul(table.clone().transpose()));
        });
        c.bench_function(&format!("head {rows}x768x32768/ours"), |b| {
            b.iter(|| toolkit_kernels::times_transposed(x.clone(), table.clone()));
        });
    }
}

fn rows(c: &mut Criterion) {
    for (name, shape) in [
        ("96x4x24x24", [96, 4, 24, 24]),
        ("32x4x12x65", [32, 4, 12, 65]),
        ("16x12x64x257", [16, 12, 64, 257]),
    ] {
        measure(c, &format!("softmax {name}/burn"), [shape], |[x]| activation::softmax(x, 3));
        measure(c, &format!("softmax {name}/ours"), [shape], |[x]| toolkit_kernels::softmax(x));
    }
    let shape = [96 * 24, 128];
    let ones = |x: &Tensor<2>| {
        let ones = Tensor::<1>::ones([128], &x.device());
        if x.is_autodiff() { ones.require_grad() } else { ones }
    };
    measure(c, "layer_norm 2304x128/burn", [shape], |[x]| {
        let w = ones(&x);
        burn::tensor::module::layer_norm(x, w.clone(), Some(w), 1e-5)
    });
    measure(c, "layer_norm 2304x128/ours", [shape], |[x]| {
        let w = ones(&x);
        toolkit_kernels::layer_norm(x, w.clone(), w, 1e-5)
    });
    measure(c, "rms_norm 2304x128/burn", [shape], |[x]| {
        let w = ones(&x);
        x.clone() / ((x.clone() * x).mean_dim(1) + 1e-6).sqrt() * w.unsqueeze()
    });
    measure(c, "rms_norm 2304x128/ours", [shape], |[x]| {
        let w = ones(&x);
        toolkit_kernels::rms_norm(x, w, 1e-6)
    });
}

fn losses(c: &mut Criterion) {
    let labels: Vec<i64> = (0..448).map(|i| (i * 31) % 320).collect();
    let labels = |x: &Tensor<2>| {
        Tensor::<1, Int>::from_data(TensorData::new(labels.clone(), [448]), &x.device())
    };
    measure(c, "cross_entropy 448x320/burn", [[448, 320]], |[x]| {
        let labels = labels(&x);
        plain_cross_entropy(x, labels, 0.1)
    });
    measure(c, "cross_entropy 448x320/ours", [[448, 320]], |[x]| {
        let labels = labels(&x);
        toolkit_kernels::cross_entropy(x, labels, 0.1)
    });
}

fn attention(c: &mut Criterion) {
    for [batch, heads, queries, keys, width] in
        [[96, 4, 24, 24, 32], [32, 4, 12, 65, 32], [16, 12, 64, 257, 64]]
    {
        let name = format!("attention {batch}x{heads}x{queries}x{keys}x{width}");
        let shapes = [queries, keys, keys].map(|tokens| [batch, tokens, heads * width]);
        let split = |x: Tensor<3>| {
            let [batch, tokens, _] = x.dims();
            x.reshape([batch, tokens, heads, width]).swap_dims(1, 2)
        };
        let merge = |x: Tensor<4>| x.swap_dims(1, 2).reshape([batch, queries, heads * width]);
        measure(c, &format!("{name}/burn"), shapes, |inputs| {
            let [q, k, v] = inputs.map(split);
            merge(plain_attention(q, k, v, 0.18))
        });
        measure(c, &format!("{name}/our softmax"), shapes, |inputs| {
            let [q, k, v] = inputs.map(split);
            merge(toolkit_kernels::softmax((q * 0.18).matmul(k.swap_dims(2, 3))).matmul(v))
        });
        measure(c, &format!("{name}/ours"), shapes, |inputs| {
            let [q, k, v] = inputs.map(split);
            merge(toolkit_kernels::attention(q, k, v, toolkit_kernels::AttentionOptions::new(0.18)))
        });
    }
}

/// Runs everything on one thread, as a worker of a sweep does.
fn on_one_thread(c: &mut Criterion) {
    // Fails only if a pool is there already, and nothing before this line makes one.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    for group in [elementwise, activations, few_rows, rows, losses, attention] {
        group(c);
    }
}

criterion_group!(benches, on_one_thread);
criterion_main!(benches);
