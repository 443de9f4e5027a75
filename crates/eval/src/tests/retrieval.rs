//! Retrieval with a tower whose scores are made by hand.

use crate::{EvalError, RetrievalConfig, retrieve};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::cell::RefCell;
use toolkit_core::{ImagePass, KeysValues, Pair, TextSpecialTokens, TextTower, params};

pub(super) const SPECIAL_TOKENS: TextSpecialTokens =
    TextSpecialTokens { pad: 0, cls: 1, sep: 2, dec: 3 };
/// Id of text 0.
const FIRST: u32 = 10;

/// Item `i` is the vector `images[i]`, text `t` is `texts[t]`; `itm[i][t]` is the matching logit.
pub(super) struct Hand {
    texts: Vec<[f32; 2]>,
    itm: Vec<Vec<f32>>,
    asked: RefCell<Vec<usize>>,
}

impl Hand {
    /// Number of the text in each row: framed, then looked up.
    fn rows(ids: Tensor<2, Int>) -> Vec<usize> {
        let [_, tokens] = ids.dims();
        let ids: Vec<i64> = ids.into_data().iter::<i64>().collect();
        let row = |ids: &[i64]| {
            assert_eq!(
                (ids[0], ids[2]),
                (1, 2),
                "texts come between their special tokens: {ids:?}"
            );
            ids[1] as usize - FIRST as usize
        };
        ids.chunks(tokens).map(row).collect()
    }
}

impl TextTower for Hand {
    fn num_query_tokens(&self) -> usize {
        1
    }
    /// Features are `[x, y, number]`; the number of the first token stands for an image.
    fn keys_values(&self, features: Tensor<3>) -> Vec<(Tensor<4>, Tensor<4>)> {
        let [n, tokens, _] = features.dims();
        let number = features.clone().narrow(1, 0, 1).narrow(2, 2, 1).reshape([n, 1, 1, 1]);
        vec![(number, features.reshape([n, 1, tokens, 3]))]
    }
    fn query_pass(&self, cross: Vec<(Tensor<4>, Tensor<4>)>) -> ImagePass {
        ImagePass { queries: cross[0].1.clone().squeeze_dim::<3>(1), cross, cache: Vec::new() }
    }
    fn image_embeds(&self, queries: Tensor<3>) -> Tensor<3> {
        queries.narrow(2, 0, 2)
    }
    fn text_embeds(&self, ids: Tensor<2, Int>, _: Tensor<2>) -> Tensor<2> {
        let rows = Self::rows(ids);
        let values: Vec<f32> = rows.iter().flat_map(|&t| self.texts[t]).collect();
        Tensor::from_data(TensorData::new(values, [rows.len(), 2]), &Device::default())
    }
    fn match_logits(
        &self,
        cross: &[(Tensor<4>, Tensor<4>)],
        pairs: &[Pair],
        ids: Tensor<2, Int>,
        _: Tensor<2>,
    ) -> Tensor<2> {
        let numbers = params::floats(cross[0].0.clone());
        let rows = Self::rows(ids);
        let score = |pair: &Pair| [0.0, self.itm[numbers[pair.image] as usize][rows[pair.text]]];
        let values: Vec<f32> = pairs.iter().flat_map(score).collect();
        Tensor::from_data(TensorData::new(values, [pairs.len(), 2]), &Device::default())
    }
    fn caption_logits(&self, _: &[KeysValues], _: Tensor<2, Int>, _: Tensor<2>) -> Tensor<3> {
        unreachable!()
    }
    fn masked_logits(&self, _: Tensor<2, Int>, _: Tensor<2>) -> Tensor<3> {
        unreachable!()
    }
    fn temperature(&self) -> Tensor<1> {
        unreachable!("similarities are not divided")
    }
}

/// Two queries per image: the second is the image's vector, the first points nowhere.
pub(super) fn features(
    hand: &Hand,
    images: &[[f32; 2]],
    items: &[usize],
) -> Result<Tensor<3>, EvalError> {
    hand.asked.borrow_mut().extend(items);
    let values: Vec<f32> = items
        .iter()
        .flat_map(|&i| [-9.0, -9.0, i as f32, images[i][0], images[i][1], i as f32])
        .collect();
    Ok(Tensor::from_data(TensorData::new(values, [items.len(), 2, 3]), &Device::default()))
}

pub(super) fn hand() -> (Hand, Vec<[f32; 2]>) {
    // Item 0 is not asked for. sim (items 1 to 3 by texts 0 to 2), as worked out by hand:
    //   1: 1.0 0.8 0.0      2: 0.6 0.96 0.8      3: 0.0 0.6 1.0
    let images = vec![[9.0, 9.0], [1.0, 0.0], [0.6, 0.8], [0.0, 1.0]];
    let texts = vec![[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]];
    // The matching head prefers text 1 for item 1 and is right elsewhere.
    let itm =
        vec![vec![0.0; 3], vec![-1.0, 2.0, -3.0], vec![-2.0, 1.0, -2.0], vec![9.0, -1.0, 3.0]];
    (Hand { texts, itm, asked: RefCell::new(Vec::new()) }, images)
}

#[test]
fn similarity_and_reranking() {
    let (hand, images) = hand();
    let captions: Vec<Vec<Vec<u32>>> =
        vec![vec![vec![FIRST]], vec![vec![1, FIRST + 1, 2]], vec![vec![FIRST + 2, 2]]];
    for batch in [1, 2, 64] {
        let config = RetrievalConfig { top_k: 2, batch, max_tokens: 35, contrast: true };
        let read = |items: &[usize]| features(&hand, &images, items);
        let found = retrieve(&hand, &read, &[1, 2, 3], &captions, SPECIAL_TOKENS, config).unwrap();
        assert_eq!((found.itc.txt_r1, found.itc.img_r1), (100.0, 100.0));
        let itm = found.itm.unwrap();
        // Item 1 to text: -1 + 1.0 against 2 + 0.8: second. Item 2: 1.96 against -1.2. Item 3:
        // texts 2 and 1, 4 against -0.4; its text 0 with logit 9 is not among the best two and must
        // not win. Text 0 to item: items 1 (0.0) and 2 (-1.4): right. Text 1: items 2 (1.96) and 1
        // (2.8): wrong. Text 2: right.
        assert!(
            (itm.txt_r1 - 200.0 / 3.0).abs() < 1e-9 && (itm.img_r1 - 200.0 / 3.0).abs() < 1e-9,
            "{itm:?}"
        );
        assert_eq!((itm.txt_r5, itm.img_r5), (100.0, 100.0));
        assert!((itm.r_mean - (itm.txt_r_mean + itm.img_r_mean) / 2.0).abs() < 1e-9);
        let ranks: Vec<_> = found
            .rows
            .iter()
            .map(|r| (r.item, r.text_rank_itc, r.text_rank_itm, r.image_rank_itm))
            .collect();
        assert_eq!(
            ranks,
            [(1, 0, Some(1), Some(0)), (2, 0, Some(0), Some(1)), (3, 0, Some(0), Some(0))]
        );
        // Own pairs: -1 (wrong), 1, 3. Hardest other image of text 0: item 2 (-2, right), of 1:
        // item 1 (2, wrong), of 2: item 2 (-2, right). Four of six.
        assert!((found.itm_accuracy.unwrap() - 400.0 / 6.0).abs() < 1e-9);
        assert!((found.chance_r1 - 100.0 / 3.0).abs() < 1e-9);
        assert_eq!(hand.asked.take(), [1, 2, 3, 1, 2, 3]);
    }
}

#[test]
fn without_contrast_the_matching_head_ranks_all_pairs_alone() {
    let (hand, images) = hand();
    let captions: Vec<Vec<Vec<u32>>> = (0..3).map(|text| vec![vec![FIRST + text]]).collect();
    let config = RetrievalConfig { top_k: 1, contrast: false, ..RetrievalConfig::default() };
    let read = |items: &[usize]| features(&hand, &images, items);
    let itm =
        retrieve(&hand, &read, &[1, 2, 3], &captions, SPECIAL_TOKENS, config).unwrap().itm.unwrap();
    // By logit alone: items 1 (2 above -1) and 3 (9 above 3) miss their texts; texts 0 (9) and 1 (2
    // above 1) their items.
    assert!(
        (itm.txt_r1 - 100.0 / 3.0).abs() < 1e-9 && (itm.img_r1 - 100.0 / 3.0).abs() < 1e-9,
        "{itm:?}"
    );
    assert_eq!((itm.txt_r5, itm.img_r5), (100.0, 100.0));
}

#[test]
fn without_matching_each_image_is_read_once() {
    let (hand, images) = hand();
    // Item 1 has texts 0 and 1, item 3 has text 2.
    let captions = vec![vec![vec![FIRST], vec![FIRST + 1]], vec![vec![FIRST + 2]]];
    let config = RetrievalConfig { top_k: 0, ..RetrievalConfig::default() };
    let found = retrieve(
        &hand,
        &|items| features(&hand, &images, items),
        &[1, 3],
        &captions,
        SPECIAL_TOKENS,
        config,
    )
    .unwrap();
    assert_eq!((found.itm, found.itm_accuracy), (None, None));
    assert_eq!((found.itc.txt_r1, found.itc.img_r1), (100.0, 100.0));
    // (2 of 3 and 1 of 3 texts, mean 1/2) and 1 of 2 images.
    assert!((found.chance_r1 - 50.0).abs() < 1e-9);
    assert_eq!(hand.asked.take(), [1, 3]);
}

#[test]
fn texts_are_cut_and_lists_checked() {
    let (hand, images) = hand();
    let read = |items: &[usize]| features(&hand, &images, items);
    let long = vec![vec![vec![1, FIRST, 99, 98, 97, 2]], vec![vec![FIRST + 1, 99]]];
    let config = RetrievalConfig { top_k: 2, batch: 4, max_tokens: 3, contrast: true };
    assert_eq!(
        retrieve(&hand, &read, &[1, 2], &long, SPECIAL_TOKENS, config).unwrap().itc.txt_r1,
        100.0
    );
    for (items, captions) in [
        (vec![1, 2], vec![vec![vec![FIRST]], vec![]]),
        (vec![1, 2], vec![vec![vec![FIRST]]]),
        (vec![], vec![]),
    ] {
        let error = retrieve(&hand, &read, &items, &captions, SPECIAL_TOKENS, config)
            .unwrap_err()
            .to_string();
        assert!(error.contains("not one or more for each"), "{error}");
    }
}
