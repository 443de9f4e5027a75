//! Every form of a product against the definition of its sums, bit for bit.

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use half::bf16;
use proptest::prelude::*;

use super::K_BLOCK;
use super::blocks::Target;
use super::factor::Factor;
use super::product::{add_product, compute, product};
use crate::cpu::buffer::tensor;
use crate::cpu::isa::Isa;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// The element `[i, j]` of a matrix that may be stored transposed.
fn at(x: &[f32], [rows, columns]: [usize; 2], transposed: bool, [i, j]: [usize; 2]) -> f32 {
    if transposed { x[j * rows + i] } else { x[i * columns + j] }
}

/// The definition: chains of fused multiply-adds in blocks, added in order.
fn defined(
    a: &[f32],
    b: &[f32],
    [m, n, k]: [usize; 3],
    transposed: [bool; 2],
    to: &mut [f32],
    add: bool,
) {
    for (index, out) in to.iter_mut().enumerate() {
        let (i, j) = (index / n, index % n);
        for first in (0..k).step_by(K_BLOCK) {
            let mut sum = 0.0;
            for p in first..k.min(first + K_BLOCK) {
                let (x, w) =
                    (at(a, [m, k], transposed[0], [i, p]), at(b, [k, n], transposed[1], [p, j]));
                sum = x.mul_add(w, sum);
            }
            *out = if first == 0 && !add { sum } else { *out + sum };
        }
    }
}

fn factor(x: &[f32], [rows, columns]: [usize; 2], transposed: bool) -> Factor {
    let shape = if transposed { [columns, rows] } else { [rows, columns] };
    let factor = Factor::new(tensor(x.to_vec(), Shape::new(shape)));
    if transposed { factor.transposed() } else { factor }
}

fn here() -> impl Iterator<Item = Isa> {
    // Without fused multiply-add the plain form rounds twice.
    let fused = |isa: &Isa| *isa != Isa::Portable || cfg!(target_feature = "fma");
    Isa::ALL.into_iter().filter(|isa| isa.is_here()).filter(fused)
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn check(sizes: [usize; 3], transposed: [bool; 2], threads: usize) {
    let [m, n, k] = sizes;
    let (a, b) = (numbers(m * k, 1 + (m * n) as u64), numbers(k * n, 2 + k as u64));
    let [left, right] = [factor(&a, [m, k], transposed[0]), factor(&b, [k, n], transposed[1])];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.expect("threads can be started");
    for add in [false, true] {
        let start = numbers(m * n, 3);
        let mut want = start.clone();
        defined(&a, &b, sizes, transposed, &mut want, add);
        for isa in here() {
            let mut got = start.clone();
            let target = Target { data: got.as_mut_ptr(), stride: n, add };
            let (left, right) = (left.clone(), right.clone());
            pool.install(|| {
                #[expect(unsafe_code, reason = "the output is a pointer")]
                // SAFETY: `got` has room for the product, and the processor has the instructions.
                unsafe {
                    compute(isa, left, right, target);
                }
            });
            let same = bits(&got) == bits(&want);
            assert!(same, "{} {sizes:?} {transposed:?} {threads} threads, add: {add}", isa.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_size_has_the_bits_of_the_definition(
        m in 1usize..40, n in 1usize..90, k in 1usize..600,
        left in any::<bool>(), right in any::<bool>(), threads in 1usize..4,
    ) {
        check([m, n, k], [left, right], threads);
    }
}

#[test]
fn large_products_too() {
    for transposed in [[false, false], [false, true], [true, false]] {
        // Several blocks of rows, columns and depth; packed left factors; rectangles over threads.
        check([201, 300, 530], transposed, 2);
        check([70, 1100, 260], transposed, 3);
    }
    check([1, 2000, 900], [false, false], 2);
    check([9, 1500, 700], [false, false], 3);
    check([1, 300, 900], [false, true], 2);
    check([11, 301, 530], [false, true], 3);
}

/// A product with bf16 has the bits of one with the widened matrix, in every form.
#[test]
fn bf16_is_widened() {
    for (m, n, k) in [(1, 301, 530), (5, 64, 300), (33, 90, 270), (1, 7, 9)] {
        for transposed in [false, true] {
            let w: Vec<bf16> = numbers(k * n, 2).into_iter().map(bf16::from_f32).collect();
            let wide: Vec<f32> = w.iter().map(|w| w.to_f32()).collect();
            let shape = if transposed { [n, k] } else { [k, n] };
            let bytes = Bytes::from_elems(w);
            let half = FlexTensor::new(bytes, Layout::contiguous(Shape::new(shape)), DType::BF16);
            let half = Factor::new(half);
            let half = if transposed { half.transposed() } else { half };
            let x = || factor(&numbers(m * k, 1), [m, k], false);
            let (got, want) = (product(x(), half), product(x(), factor(&wide, [k, n], transposed)));
            assert_eq!(bits(got.storage()), bits(want.storage()), "{m} x {n} x {k}, {transposed}");
        }
    }
}

#[test]
fn products_of_this_process() {
    let sizes @ [m, n, k] = [37, 50, 300];
    let (a, b) = (numbers(m * k, 5), numbers(k * n, 6));
    let mut want = vec![0.0; m * n];
    let factors = || [factor(&a, [m, k], false), factor(&b, [k, n], false)];
    defined(&a, &b, sizes, [false; 2], &mut want, false);
    let [left, right] = factors();
    let got = product(left, right);
    if Isa::current() != Isa::Portable {
        assert_eq!(bits(got.storage()), bits(&want));
    }
    let mut sum = want.clone();
    let [left, right] = factors();
    add_product(left, right, &mut sum);
    assert!(sum.iter().zip(&want).all(|(sum, want)| (sum - 2.0 * want).abs() < 1e-4));
}
