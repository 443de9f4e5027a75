//! The price of one order of sums: products of this crate beside those of the `gemm` crate, whose
//! bits depend on the machine, in turn. Prints the best rate of each and the ratio.
//!
//! `cargo bench --profile dev -p toolkit-kernels --bench products -- [ROUNDS]`

#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use toolkit_kernels::{Isa, linear, times_transposed};

/// Rows, inputs and outputs; `true` for a matrix `[outputs, inputs]`.
const SHAPES: [(&str, [usize; 3], bool); 11] = [
    ("ViT-L block, 8 pictures", [2056, 1024, 4096], false),
    ("ViT-L block, back", [2056, 4096, 1024], false),
    ("keys of ViT-g, 16 pictures", [4112, 1408, 768], false),
    ("Q-Former, 16 x 32 queries", [512, 768, 768], false),
    ("Q-Former, gradient of rows", [512, 3072, 768], true),
    ("nano, narrow", [1536, 96, 96], false),
    ("nano, wide", [1536, 96, 384], false),
    ("prompt of 32 tokens", [32, 768, 3072], false),
    ("5 beams", [5, 768, 3072], false),
    ("a token", [1, 768, 3072], false),
    ("a token, head of OPT", [1, 768, 50272], true),
];

fn random(shape: [usize; 2], seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..shape[0] * shape[1]).map(next).collect()
}

/// The product of the `gemm` crate in a new buffer.
#[expect(unsafe_code, reason = "the interface of `gemm` is pointers")]
fn others(x: &[f32], w: &[f32], [m, k, n]: [usize; 3], transposed: bool) -> Vec<f32> {
    let mut out = Vec::<f32>::with_capacity(m * n);
    let threads = match m * n * k {
        0..7_077_888 => gemm::Parallelism::None,
        _ => gemm::Parallelism::Rayon(0),
    };
    let [column, row] = if transposed { [k as isize, 1] } else { [1, n as isize] };
    // SAFETY: the strides are those of matrices of these sizes, and every element is written.
    unsafe {
        let (to, x, w) = (out.as_mut_ptr(), x.as_ptr(), w.as_ptr());
        let (n_, k_) = (n as isize, k as isize);
        gemm::gemm(
            m, n, k, to, 1, n_, false, x, 1, k_, w, column, row, 0.0, 1.0, false, false, false,
            threads,
        );
        out.set_len(m * n);
    }
    out
}

fn seconds(f: impl FnOnce()) -> f64 {
    let began = Instant::now();
    f();
    began.elapsed().as_secs_f64()
}

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(40);
    println!(
        "{}, {} threads, best of {rounds}",
        Isa::current().name(),
        rayon::current_num_threads()
    );
    println!("{:28} {:>18} {:>9} {:>9} {:>6}", "", "size", "ours", "gemm's", "ratio");
    let device = Device::flex();
    for (name, size @ [m, k, n], transposed) in SHAPES {
        let shape = if transposed { [n, k] } else { [k, n] };
        let (x, w) = (random([m, k], 1), random(shape, 2));
        let of =
            |x: &[f32], shape| Tensor::<2>::from_data(TensorData::new(x.to_vec(), shape), &device);
        let (left, right) = (of(&x, [m, k]), of(&w, shape));
        let mut best = [f64::MAX; 2];
        for _ in 0..rounds {
            let (x_, w_) = (left.clone(), right.clone());
            best[0] = best[0].min(seconds(|| {
                let y = if transposed { times_transposed(x_, w_) } else { linear(x_, w_, None) };
                black_box(y);
            }));
            best[1] = best[1].min(seconds(|| {
                black_box(others(&x, &w, size, transposed));
            }));
        }
        // Rates: GFLOP/s of many rows, GB/s of few.
        let work = if m > 8 { 2 * m * k * n } else { 4 * k * n } as f64;
        let unit = if m > 8 { "GFLOP/s" } else { "GB/s" };
        let [ours, theirs] = best.map(|seconds| work / seconds / 1e9);
        let size = format!("{m} x {k} x {n}");
        println!("{name:28} {size:>18} {ours:9.1} {theirs:9.1} {:6.2} {unit}", ours / theirs);
    }
}
