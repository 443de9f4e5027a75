//! The same samples in any number of shards are the same data.

use crate::make::{Place, png, tar};
use proptest::prelude::*;
use toolkit_data::{Dataset, Shards};

type Row = (Vec<String>, Vec<u8>, Vec<String>);

/// Lists captions, pixels and endings of ids.
fn rows(data: &Shards) -> Vec<Row> {
    let row = |at| {
        let item = data.item(at);
        let key = item.id.rsplit('/').next().unwrap().to_owned();
        (item.captions.clone(), data.image(at).unwrap().into_raw(), vec![key])
    };
    (0..data.len()).map(row).collect()
}

fn write(place: &Place, samples: &[(u8, Option<String>)], ends: &[usize], name: &str) {
    let mut first = 0;
    for (shard, &end) in ends.iter().enumerate() {
        let mut members: Vec<(String, Vec<u8>)> = Vec::new();
        for (at, (shade, text)) in samples.iter().enumerate().take(end).skip(first) {
            members.push((format!("{at}.png"), png(*shade)));
            if let Some(text) = text {
                members.push((format!("{at}.txt"), text.clone().into_bytes()));
            }
        }
        first = end.max(first);
        let members: Vec<(&str, &[u8])> =
            members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        place.write(&format!("{name}/{shard:04}.tar"), tar(&members));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_split_and_any_number_of_threads_give_the_same(
        samples in proptest::collection::vec((any::<u8>(), proptest::option::of("[a-z]{1,9}")), 1..24),
        mut ends in proptest::collection::vec(0_usize..24, 0..6),
        threads in 1_usize..5,
    ) {
        let place = Place::new();
        write(&place, &samples, &[samples.len()], "one");
        ends.sort_unstable();
        ends.push(samples.len());
        write(&place, &samples, &ends, "many");
        let one = place.open("one").unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let many = pool.install(|| place.open("many")).unwrap();
        prop_assert_eq!(rows(&one), rows(&many));
        let bare = samples.iter().filter(|(_, text)| text.is_none()).count();
        let kept = if bare == samples.len() { bare } else { samples.len() - bare };
        prop_assert_eq!(many.len(), kept);
        let of = |at| many.shard_of(at).unwrap();
        prop_assert!((1..many.len()).all(|at| of(at - 1) <= of(at)));
    }

    #[test]
    fn any_bytes_are_a_shard_or_a_count(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..64),
        edits in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..8),
        whole in any::<bool>(),
    ) {
        if whole {
            let start = tar(&[("1.png", &png(1)), ("1.txt", b"one"), ("2.png", &png(2)), ("2.json", b"[\"two\"]")]);
            bytes = start;
            for (at, byte) in edits {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
        }
        let place = Place::new();
        place.write("a.tar", &bytes);
        place.write("z.tar", tar(&[("0.png", &png(0)), ("0.txt", b"other")]));
        let data = place.open("*.tar").unwrap();
        for at in 0..data.len() {
            let _ = (data.item(at), data.image(at));
        }
        prop_assert!(data.len() == 3 || !data.left_out().is_empty() || whole);
    }
}
