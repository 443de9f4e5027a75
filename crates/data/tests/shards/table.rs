//! Tables of captions beside their pictures.

use super::make::{Place, png};
use proptest::prelude::*;
use toolkit_data::{DataError, Dataset, Fault, Opening, ShardForm, ShardOptions, Shards};

fn open(place: &Place, files: &str, options: ShardOptions) -> Result<Shards, DataError> {
    let root = place.dir.path().to_owned();
    let options = ShardOptions { root, form: ShardForm::Table, ..options };
    Shards::open("table:t", &[files.to_owned()], &options, &Opening::new(place.index()))
}

/// A place with pictures `images/0.png` to `images/3.png`.
fn pictures() -> Place {
    let place = Place::new();
    (0..4).for_each(|at| place.write(&format!("images/{at}.png"), png(at * 40)));
    place
}

/// Returns names and captions of all items.
fn rows(data: &Shards) -> Vec<(String, Vec<String>)> {
    let row = |at| {
        let item = data.item(at).into_owned();
        (item.id, item.captions)
    };
    (0..data.len()).map(row).collect()
}

#[test]
fn all_forms_of_tables_say_the_same() {
    let forms = [
        ("a.tsv", "file_name\tcaption\n0.png\ta dog\n1.png\ta cat\n0.png\tthe dog\n"),
        (
            "a.csv",
            "image,caption\nimages/0.png,a dog\nimages/1.png,\"a cat\"\nimages/0.png,the dog\n",
        ),
        (
            "a.jsonl",
            "{\"image\": \"0.png\", \"captions\": [\"a dog\", \"the dog\"]}\n\
            {\"image\": \"1.png\", \"caption\": \"a cat\"}\n",
        ),
        (
            "a.json",
            "[{\"image\": \"0.png\", \"captions\": [\"a dog\", \"the dog\"]}, \
            {\"image\": \"1.png\", \"caption\": \"a cat\"}]",
        ),
    ];
    for (name, text) in forms {
        let place = pictures();
        place.write(name, text);
        let data = open(&place, name, ShardOptions::default()).unwrap();
        let found: Vec<Vec<String>> =
            rows(&data).into_iter().map(|(_, captions)| captions).collect();
        assert_eq!(found, [vec!["a dog", "the dog"], vec!["a cat"]], "{name}");
        assert!(rows(&data)[0].0.ends_with("0.png"));
        for at in 0..2 {
            let picture = image::load_from_memory(&png(at as u8 * 40)).unwrap().to_rgb8();
            assert_eq!(data.image(at).unwrap(), picture);
        }
        // The second start reads the index.
        assert_eq!(rows(&open(&place, name, ShardOptions::default()).unwrap()), rows(&data));
    }
}

#[test]
fn columns_have_the_names_of_a_card() {
    let place = pictures();
    let options = |image: &str, caption: &str| ShardOptions {
        image: Some(image.to_owned()),
        caption: Some(caption.to_owned()),
        ..ShardOptions::default()
    };
    place.write(
        "a.tsv",
        "id\tFoto\tcaption\tTitel\n7\t0.png\tno\tein Hund\n8\t1.png\tno\teine Katze\n",
    );
    place.write(
        "a.jsonl",
        "{\"id\": 7, \"Foto\": \"0.png\", \"caption\": \"no\", \"Titel\": [\"ein Hund\"]}\n{}\n",
    );
    let data = open(&place, "a.tsv", options("Foto", "Titel")).unwrap();
    let wanted = [("a.tsv/0.png", "ein Hund"), ("a.tsv/1.png", "eine Katze")];
    let wanted = wanted.map(|(id, text)| (id.to_owned(), vec![text.to_owned()]));
    assert_eq!(rows(&data), wanted);
    let data = open(&place, "a.jsonl", options("Foto", "Titel")).unwrap();
    assert_eq!(rows(&data), [("a.jsonl/0.png".to_owned(), vec!["ein Hund".to_owned()])]);
    assert_eq!(data.left_out()[&Fault::BadRow].count, 1);
    let error = open(&place, "a.tsv", options("Bild", "Titel")).err().map(|e| e.to_string());
    let error = error.unwrap_or_default();
    assert!(error.contains("no column is called `bild`; there are `id`, `foto`"), "{error}");
}

#[test]
fn rows_that_cannot_be_used_are_counted_and_named() {
    let place = pictures();
    place.write(
        "a.csv",
        "image,caption\n0.png,a dog\n../1.png,out\n2.png,\n3.png,a,comma\n1.png,a cat\n9.png,gone\n",
    );
    let data = open(&place, "a.csv", ShardOptions::default()).unwrap();
    let ids: Vec<String> = rows(&data).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["a.csv/0.png", "a.csv/1.png", "a.csv/9.png"]);
    let left_out = data.left_out();
    assert_eq!(left_out[&Fault::BadRow].count, 2, "{left_out:?}");
    assert!(left_out[&Fault::BadRow].examples[0].to_string().contains("a.csv: line "));
    assert_eq!(left_out[&Fault::NoText].count, 1);
    // A picture that is gone is an error of that picture, as in any data.
    assert!(data.image(2).unwrap_err().is_unreadable());
    for (name, text, wanted) in [
        (
            "b.csv",
            "image,caption\nx/7.png,a dog\n",
            "none of its first pictures is there, such as x/7.png",
        ),
        ("c.csv", "image,size\n0.png,3\n", "no column is called `caption`"),
        ("d.csv", "", "no picture can be used"),
    ] {
        place.write(name, text);
        let error = open(&place, name, ShardOptions::default()).err().map(|e| e.to_string());
        let error = error.unwrap_or_default();
        assert!(
            error.contains(wanted) && error.contains("hint: ") && !error.contains('\n'),
            "{error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_end_in_counts(bytes in proptest::collection::vec(any::<u8>(), 0..200), form in 0..4_usize) {
        let place = pictures();
        let name = ["a.tsv", "a.csv", "a.jsonl", "a.json"][form];
        place.write(name, [b"image,caption\n0.png,a\n", &bytes[..]].concat());
        match open(&place, name, ShardOptions::default()) {
            Ok(data) => (0..data.len()).for_each(|at| drop((data.item(at), data.image(at).is_ok()))),
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}
