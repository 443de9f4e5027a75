//! The products against their definition, and matrices against what they were made of.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::block::{BLOCK, Block};
use super::rows::{self, RowBlock};
use super::{BlockFormat, BlockMatrix, multiply, plain, times};
use crate::cpu::buffer::tensor;
use burn::tensor::Shape;

/// Uniform bits, the same for the same seed.
fn bits(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn floats(count: usize, seed: u64) -> Vec<f32> {
    let mut next = bits(seed);
    (0..count).map(|_| (next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// A matrix of random bytes, with scales and minima of moderate size.
fn matrix(format: BlockFormat, outputs: usize, inputs: usize, seed: u64) -> BlockMatrix {
    let mut next = bits(seed);
    let count = format.row_bytes(inputs).unwrap() * outputs;
    let mut bytes: Vec<u8> = (0..count).map(|_| (next() >> 32) as u8).collect();
    for block in bytes.chunks_exact_mut(format.block().1) {
        for half in [1, 3] {
            // The upper byte of a half between 2^-7 and 2^-3, of either sign.
            block[half] = block[half] & 0x83 | 0x24;
        }
    }
    BlockMatrix::new(format, [outputs, inputs], bytes).unwrap()
}

fn in_pool<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}

fn product(x: &[f32], w: &BlockMatrix) -> Vec<f32> {
    let inputs = w.shape()[1];
    let rows = x.len() / inputs;
    times(tensor(x.to_vec(), Shape::new([rows, inputs])), w, rows)
}

fn sizes() -> impl Strategy<Value = (BlockFormat, usize, usize, usize)> {
    (prop::sample::select(BlockFormat::ALL.to_vec()), 1..11_usize, 1..40_usize, 1..5_usize)
        .prop_map(|(format, rows, outputs, blocks)| {
            (format, rows, outputs, blocks * format.block().0)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Compares the bits with those of the definition, for the instructions of this machine.
    #[test]
    fn every_form_has_the_bits_of_the_definition((format, rows, outputs, inputs) in sizes()) {
        let w = matrix(format, outputs, inputs, 7);
        let x = rows::quantise(&floats(rows * inputs, 3));
        let mut want = vec![0.0; rows * outputs];
        plain::times(format, &x, inputs / BLOCK, w.bytes(), &mut want);
        let mut got = vec![0.0; rows * outputs];
        multiply(format, &x, inputs / BLOCK, w.bytes(), &mut got);
        prop_assert_eq!(got, want);
    }

    /// The product is that of the widened matrix, but for the rounding of `x` to 8 bits.
    #[test]
    fn near_the_product_of_the_widened_matrix((format, rows, outputs, inputs) in sizes()) {
        let w = matrix(format, outputs, inputs, 5);
        let all: Vec<usize> = (0..outputs).collect();
        let (x, wide) = (floats(rows * inputs, 9), w.rows(&all));
        let got = product(&x, &w);
        for (row, x) in x.chunks_exact(inputs).enumerate() {
            for (column, w) in wide.chunks_exact(inputs).enumerate() {
                let pairs = || x.iter().zip(w).map(|(x, w)| (f64::from(*x), f64::from(*w)));
                let want: f64 = pairs().map(|(x, w)| x * w).sum();
                // Half a step of 1 / 127 for each, and rounding of the sums.
                let bound: f64 = pairs().map(|(_, w)| w.abs() * (0.5 / 127.0 + 1e-5)).sum();
                let difference = (f64::from(got[row * outputs + column]) - want).abs();
                prop_assert!(difference <= bound, "{difference} > {bound}");
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_their_neighbours_or_on_threads() {
    for format in BlockFormat::ALL {
        let (rows, outputs, inputs) = (6, 533, 512);
        let w = matrix(format, outputs, inputs, 1);
        let x = floats(rows * inputs, 2);
        let all = in_pool(2, || product(&x, &w));
        assert_eq!(all, in_pool(1, || product(&x, &w)));
        for (row, x) in x.chunks_exact(inputs).enumerate() {
            let alone = in_pool(1 + row % 3, || product(x, &w));
            assert_eq!(alone, all[row * outputs..][..outputs], "{format:?}, row {row}");
        }
    }
}

/// The largest integers that a block can hold, of both signs.
#[test]
fn sums_do_not_overflow() {
    for format in BlockFormat::ALL {
        let (outputs, inputs) = (9, 256);
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let mut bytes = vec![byte; format.row_bytes(inputs).unwrap() * outputs];
            for block in bytes.chunks_exact_mut(format.block().1) {
                block[..4].copy_from_slice(&[0x00, 0x3c, byte, 0x3c]);
            }
            for value in [1.0_f32, -1.0] {
                let x: Vec<RowBlock> = rows::quantise(&vec![value; 5 * inputs]);
                assert!(x.iter().all(|x| x.numbers[0] == 127 * value as i8));
                let (mut got, mut want) = (vec![0.0; 5 * outputs], vec![0.0; 5 * outputs]);
                multiply(format, &x, inputs / BLOCK, &bytes, &mut got);
                plain::times(format, &x, inputs / BLOCK, &bytes, &mut want);
                assert_eq!(got, want, "{format:?} {byte:x}");
            }
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_not_hidden() {
    let w = matrix(BlockFormat::Q4_1, 16, 64, 3);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = floats(2 * 64, 4);
        x[40] = bad;
        let y = product(&x, &w);
        assert!(y[..16].iter().all(|y| y.is_nan()) && y[16..].iter().all(|y| y.is_finite()));
    }
    // Rows of zeros, and of numbers too small for a scale.
    assert_eq!(product(&[0.0; 64], &w), [0.0; 16]);
    assert_eq!(product(&[1e-40; 64], &w), [0.0; 16]);
}

#[test]
fn encoded_numbers_are_within_half_a_step() {
    let x = floats(64 * 96, 8);
    for (format, steps) in [(BlockFormat::Q8_0, 254.0), (BlockFormat::Q4_1, 15.0)] {
        let w = BlockMatrix::encode(format, [64, 96], &x).unwrap();
        let all: Vec<usize> = (0..64).collect();
        for (near, exact) in w.rows(&all).as_chunks::<BLOCK>().0.iter().zip(x.as_chunks().0) {
            let exact: &[f32; BLOCK] = exact;
            let range = 2.0 * exact.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            for (near, exact) in near.iter().zip(exact) {
                assert!((near - exact).abs() <= range / steps * 0.51 + 1e-3 * range / steps);
            }
        }
    }
    assert!(BlockMatrix::encode(BlockFormat::Q8_0, [1, 33], &x[..33]).is_none());
    assert!(BlockMatrix::encode(BlockFormat::Q8_0, [1, 32], &[f32::NAN; 32]).is_none());
}

#[test]
fn a_tensor_carries_the_matrix() {
    for format in BlockFormat::ALL {
        let w = matrix(format, 5, 256, 6);
        let (weight, table) = (w.clone().into_weight(), w.clone().into_table());
        assert_eq!((weight.dims(), table.dims()), ([256, 5], [5, 256]));
        for back in [BlockMatrix::of_weight(&weight), BlockMatrix::of_table(&table)] {
            let back = back.unwrap();
            assert_eq!((back.format(), back.shape()), (format, [5, 256]));
            assert_eq!(back.bytes(), w.bytes());
        }
        let row = Block::read(format, w.bytes(), 0);
        let mut wide = [0.0; BLOCK];
        row.widen(&mut wide);
        assert_eq!(w.rows(&[0])[..BLOCK], wide);
    }
}
