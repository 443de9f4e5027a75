//! Attention of one new token over pieces, against burn's primitives over the same joined together.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use burn::tensor::{Device, Int, Tensor, activation};
use common::{close, devices, in_pool, random, values};
use proptest::prelude::*;
use toolkit_kernels::{KvSegment, attend_segments};

struct Sizes {
    texts: usize,
    shared: usize,
    share: usize,
    width: usize,
}

/// Makes values as a projection leaves them: positions before heads in memory.
fn projected(sizes: &Sizes, sources: usize, positions: usize, seed: u64) -> Tensor<4> {
    random([sources, positions, sizes.shared, sizes.width], seed, 1.0, &Device::flex())
        .swap_dims(1, 2)
}

/// The first piece is read by several texts, the second in another order, the third as it comes.
fn pieces(sizes: &Sizes, lengths: [usize; 3]) -> Vec<KvSegment> {
    let texts = sizes.texts;
    let sources = [texts.div_ceil(2), texts + 1, texts];
    let rows = [
        Some((0..texts).map(|i| i / 2).collect()),
        Some((0..texts).map(|i| texts - i).collect()),
        None,
    ];
    let all = lengths
        .into_iter()
        .zip(sources)
        .zip(rows)
        .enumerate()
        .filter(|(_, ((length, _), _))| *length > 0);
    all.map(|(i, ((length, sources), rows))| KvSegment {
        keys: projected(sizes, sources, length, 10 + i as u64),
        values: projected(sizes, sources, length, 20 + i as u64),
        rows,
    })
    .collect()
}

fn primitive(
    q: Tensor<4>,
    past: &[KvSegment],
    bias: Option<Tensor<4>>,
    share: usize,
    scale: f64,
) -> Tensor<4> {
    let whole = |of: fn(&KvSegment) -> &Tensor<4>| {
        let one = |piece| {
            let x = of(piece).clone();
            let rows: Vec<i32> = match &piece.rows {
                Some(rows) => rows.iter().map(|&row| row as i32).collect(),
                None => (0..x.dims()[0] as i32).collect(),
            };
            let x = x.select(0, Tensor::<1, Int>::from_data(rows.as_slice(), &Device::flex()));
            let [texts, heads, positions, width] = x.dims();
            let x = x
                .reshape([texts, heads, 1, positions, width])
                .expand([texts, heads, share, positions, width]);
            x.reshape([texts, heads * share, positions, width])
        };
        Tensor::cat(past.iter().map(one).collect(), 2)
    };
    let scores = q.matmul(whole(|piece| &piece.keys).swap_dims(2, 3)) * scale;
    let scores = if let Some(bias) = bias { scores + bias } else { scores };
    activation::softmax(scores, 3).matmul(whole(|piece| &piece.values))
}

fn compare(sizes: &Sizes, lengths: [usize; 3], over: Option<[bool; 2]>) {
    let (heads, keys) = (sizes.shared * sizes.share, lengths.iter().sum());
    // One token behind its projection is the same in either order of heads and positions.
    let q = random([sizes.texts, heads, 1, sizes.width], 1, 2.0, &Device::flex());
    let bias = over.map(|[texts, all]| {
        let own = |yes: bool, size: usize| if yes { size } else { 1 };
        random([own(texts, sizes.texts), own(all, heads), 1, keys], 2, 3.0, &Device::flex())
    });
    let past = pieces(sizes, lengths);
    let want = values(primitive(q.clone(), &past, bias.clone(), sizes.share, 0.3));
    let got = |threads| {
        values(in_pool(threads, || attend_segments(&q, &past, bias.as_ref(), 0.3).unwrap()))
    };
    let alone = got(1);
    close(&alone, &want, 1e-5);
    assert_eq!(alone, got(3), "threads change nothing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_shape(
        texts in 1usize..7, shared in 1usize..4, share in 1usize..4, width in 1usize..70,
        first in 1usize..30, second in 0usize..4, third in 0usize..3,
        over in prop::option::of(prop::array::uniform2(any::<bool>())),
    ) {
        compare(&Sizes { texts, shared, share, width }, [first, second, third], over);
    }
}

#[test]
fn many_keys_of_one_text_go_to_threads() {
    compare(&Sizes { texts: 1, shared: 4, share: 2, width: 64 }, [700, 1, 1], Some([true, false]));
    compare(&Sizes { texts: 9, shared: 4, share: 1, width: 64 }, [200, 1, 1], Some([true, false]));
}

/// Tensors that do not fit are left to the caller.
#[test]
fn other_shapes_and_recorded_tensors_are_refused() {
    let sizes = Sizes { texts: 2, shared: 3, share: 1, width: 8 };
    let past = pieces(&sizes, [4, 1, 1]);
    let q = |dims: [usize; 4]| random(dims, 1, 1.0, &Device::flex());
    assert!(attend_segments(&q([2, 3, 1, 8]), &past, None, 1.0).is_some());
    for dims in [[2, 3, 2, 8], [3, 3, 1, 8], [2, 4, 1, 8], [2, 3, 1, 7]] {
        assert!(attend_segments(&q(dims), &past, None, 1.0).is_none(), "{dims:?}");
    }
    assert!(
        attend_segments(&q([2, 3, 1, 8]), &past, Some(&q([2, 1, 1, 5])), 1.0).is_none(),
        "a bias for too few keys"
    );
    assert!(attend_segments(&q([2, 3, 1, 8]), &[], None, 1.0).is_none());
    let (_, recording) = devices();
    let tracked = random([2, 3, 1, 8], 1, 1.0, &recording).require_grad();
    assert!(attend_segments(&tracked, &past, None, 1.0).is_none());
}
