//! Mixtures of data sets: rows, ids, texts and shares.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use toolkit_data::{
    DataError, Dataset, Mixture, MixtureConfig, MixtureSource, MixtureSplit, NaturalShare, Scenes,
    ScenesConfig,
};

/// Opens `N` for N scenes with four captions each, and `mixture` for a mixture with ratios.
fn open_source(source: &MixtureSource) -> Result<Arc<dyn Dataset>, DataError> {
    if source.data == "mixture:train" {
        let inner =
            mixture("[[source]]\ndata = \"2\"\nratio = 3\n[[source]]\ndata = \"4\"\nratio = 1");
        return Ok(Arc::new(inner.unwrap()));
    }
    let count =
        source.data.parse().map_err(|_| DataError::new("no such data", "write a number"))?;
    let config = ScenesConfig { train: count, ..ScenesConfig::default() };
    Ok(Arc::new(Scenes::open(&config, "train")?))
}

fn mixture(text: &str) -> Result<Mixture, DataError> {
    Mixture::open("mixture:train", &toml::from_str(text).unwrap(), &open_source)
}

/// Returns names, rows and weights of the sources.
fn shares(data: &dyn Dataset) -> Vec<(String, std::ops::Range<usize>, Option<f64>)> {
    data.sources().into_iter().map(|one| (one.name, one.rows, one.weight)).collect()
}

#[test]
fn sources_stand_one_after_the_other_with_ids_of_their_own() {
    let data = mixture(
        "[[source]]\ndata = \"3\"\nname = \"a\"\n[[source]]\ndata = \"3\"\nname = \"b\"\nprompt = \"Seen: \"",
    )
    .unwrap();
    let plain = open_source(&MixtureSource { data: "3".into(), ..Default::default() }).unwrap();
    assert_eq!(data.len(), 6);
    let (mut ids, mut questions) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..6 {
        let (source, own) = (["a", "b"][index / 3], plain.item(index % 3));
        let item = data.item(index);
        assert_eq!(item.id, format!("{source}/{}", own.id));
        assert_eq!(item.depicts, format!("{source}/{}", own.depicts));
        assert_eq!((&item.captions, &item.group), (&own.captions, &own.group));
        assert_eq!(data.image(index).unwrap(), plain.image(index % 3).unwrap());
        assert_eq!(data.source_of(index), index / 3);
        let prompt = ["", "Seen: "][index / 3];
        let wanted: Vec<String> =
            own.captions.iter().map(|text| format!("{prompt}{text}")).collect();
        assert_eq!(data.training_captions(index), wanted);
        ids.insert(item.id.clone());
        questions.extend(item.questions.iter().map(|question| question.id));
        assert_eq!(item.questions.len(), own.questions.len());
    }
    let count: usize = (0..3).map(|index| plain.item(index).questions.len()).sum();
    assert_eq!((ids.len(), questions.len()), (6, 2 * count));
    assert!(data.image(6).unwrap_err().to_string().contains("has 6 items"));
    assert_eq!(shares(&data), [("a".into(), 0..3, None), ("b".into(), 3..6, None)]);
    assert_eq!(data.caption_count(), 24);
}

#[test]
fn shares_are_ratios_or_numbers_of_pictures_or_rows() {
    let weights = |text: &str| -> Vec<Option<f64>> {
        shares(&mixture(text).unwrap()).into_iter().map(|(.., weight)| weight).collect()
    };
    let two = "[[source]]\ndata = \"2\"\n[[source]]\ndata = \"6\"\n";
    assert_eq!(weights(two), [None, None]);
    assert_eq!(weights(&format!("by = \"row\"\n{two}")), [Some(8.0), Some(24.0)]);
    assert_eq!(weights(&format!("{two}repeat = 5")), [Some(2.0), Some(30.0)]);
    assert_eq!(weights(&format!("{two}limit = 3\nrepeat = 2")), [Some(2.0), Some(6.0)]);
    assert_eq!(
        weights("[[source]]\ndata = \"2\"\nratio = 0.5\n[[source]]\ndata = \"6\"\nratio = 2"),
        [Some(0.5), Some(2.0)]
    );
    assert_eq!(weights("by = \"row\"\n[[source]]\ndata = \"2\""), [None]);
}

#[test]
fn a_mixture_in_a_mixture_shares_out_its_share() {
    let data = mixture(
        "[[source]]\ndata = \"5\"\nratio = 1\n[[source]]\ndata = \"mixture:train\"\nname = \"m\"\nratio = 2",
    )
    .unwrap();
    let wanted = [
        ("5".to_owned(), 0..5, Some(1.0)),
        ("m/2".to_owned(), 5..7, Some(1.5)),
        ("m/4".to_owned(), 7..11, Some(0.5)),
    ];
    assert_eq!(shares(&data), wanted);
    assert!(data.item(10).id.starts_with("m/4/"));
    assert_eq!((data.source_of(6), data.source_of(7)), (1, 2));
    // Natural shares: six pictures of eleven are of the inner mixture.
    let natural =
        mixture("[[source]]\ndata = \"5\"\n[[source]]\ndata = \"mixture:train\"\nname = \"m\"");
    let weights: Vec<Option<f64>> =
        shares(&natural.unwrap()).into_iter().map(|(.., weight)| weight).collect();
    assert_eq!(weights, [Some(5.0), Some(4.5), Some(1.5)]);
}

#[test]
fn fingerprints_tell_pictures_and_training_samples_apart() {
    let of = |text: &str| {
        let data = mixture(text).unwrap();
        (data.fingerprint(), data.training_fingerprint())
    };
    let two = "[[source]]\ndata = \"2\"\n[[source]]\ndata = \"6\"\n";
    let (plain, training) = of(two);
    assert_eq!(of(two), (plain.clone(), training.clone()));
    let mut seen = BTreeSet::from([training]);
    // A share, a prompt or a repetition needs no other features.
    for change in ["repeat = 2", "prompt = \"a\"", "repeat = 3\nprompt = \"a\""] {
        let (pictures, samples) = of(&format!("{two}{change}"));
        assert_eq!(pictures, plain, "{change}");
        assert!(seen.insert(samples), "{change}");
    }
    let (rows, samples) = of(&format!("by = \"row\"\n{two}"));
    assert!(rows == plain && seen.insert(samples));
    let mut seen = BTreeSet::from([plain]);
    for change in ["limit = 3", "limit = 4", "name = \"other\"", "[[source]]\ndata = \"1\""] {
        assert!(seen.insert(of(&format!("{two}{change}")).0), "{change}");
    }
}

#[test]
fn settings_that_cannot_be_met_are_named() {
    let one = "[[source]]\ndata = \"2\"\n";
    let cases = [
        ("source = []".to_owned(), "has no source"),
        (format!("{one}{one}"), "two sources are called `2`"),
        (format!("{one}name = \"a/b\""), "`a/b` cannot be the beginning of ids"),
        (format!("{one}ratio = 0"), "`ratio` is 0"),
        (format!("{one}ratio = nan"), "`ratio` is NaN"),
        (format!("{one}ratio = 1\nrepeat = 2"), "`repeat` has no meaning beside `ratio`"),
        (format!("{one}repeat = 0"), "`repeat` is 0"),
        (format!("{one}limit = 0"), "`limit` is 0"),
        (format!("by = \"row\"\n{one}ratio = 1"), "`by` has no meaning beside `ratio`"),
        (format!("{one}ratio = 1\n[[source]]\ndata = \"3\""), "source `3` has no `ratio`"),
        ("[[source]]\ndata = \"0\"".to_owned(), "the source `0` has no pictures"),
        ("[[source]]\ndata = \"x\"".to_owned(), "no such data"),
    ];
    for (text, wanted) in cases {
        let error = mixture(&text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(wanted) && error.contains("hint: "), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    assert!(MixtureConfig::default().check().is_err());
}

/// A mixture is written into run folders and read from there.
#[test]
fn a_mixture_is_written_as_it_was_read() {
    let text = "[[source]]\ndata = \"coco:train\"\n";
    let config: MixtureSplit = toml::from_str(text).unwrap();
    let written = toml::to_string(&config).unwrap();
    assert_eq!(written, text, "what is left out is not written");
    let all = "by = \"row\"\n[[source]]\ndata = \"a:b\"\nname = \"c\"\nrepeat = 2\nlimit = 9\n\
        caption = \"alt\"\nprompt = \"a \"\n[source.text_processor]\nname = \"blip_caption\"";
    let config: MixtureSplit = toml::from_str(all).unwrap();
    assert_eq!(config.by, NaturalShare::Row);
    let again: MixtureSplit = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn rows_of_sources_have_no_gap(
        parts in proptest::collection::vec((1..9_usize, proptest::option::of(1..12_usize)), 1..6),
    ) {
        let mut text = String::new();
        for (at, (count, limit)) in parts.iter().enumerate() {
            text += &format!("[[source]]\ndata = \"{count}\"\nname = \"s{at}\"\n");
            text += &limit.map(|limit| format!("limit = {limit}\n")).unwrap_or_default();
        }
        let data = mixture(&text).unwrap();
        let lengths: Vec<usize> =
            parts.iter().map(|(count, limit)| limit.unwrap_or(*count).min(*count)).collect();
        prop_assert_eq!(data.len(), lengths.iter().sum::<usize>());
        let mut next = 0;
        for (at, source) in data.sources().into_iter().enumerate() {
            prop_assert_eq!(&source.rows, &(next..next + lengths[at]));
            next = source.rows.end;
            for index in source.rows {
                prop_assert_eq!(data.source_of(index), at);
                let source = format!("s{at}/");
                prop_assert!(data.item(index).id.starts_with(&source));
            }
        }
        let ids: BTreeSet<String> = (0..data.len()).map(|at| data.item(at).id.clone()).collect();
        prop_assert_eq!(ids.len(), data.len());
    }
}
