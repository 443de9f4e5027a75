//! Shards that are written by `ShardWriter`.

use crate::make::{Place, faults, png};
use proptest::prelude::*;
use serde_json::json;
use toolkit_data::{
    DataError, Dataset, Folder, Item, Items, PackedSample, PictureFile, Pictures, Question, Scenes,
    ScenesConfig, ShardSize, ShardStats, ShardWriter,
};

fn pack(
    place: &Place,
    data: &dyn Dataset,
    size: ShardSize,
    stop: usize,
) -> Result<Vec<ShardStats>, DataError> {
    let about = json!({ "data": data.name() });
    let writer = ShardWriter::open(&place.path("out"), size, &about)?;
    let from = writer.taken() as usize;
    writer.write((from..data.len()).map(|at| match at < stop {
        true => PackedSample::of(data, at).map(Some),
        false => Err(DataError::new("killed", "go on")),
    }))
}

fn scenes() -> Scenes {
    Scenes::open(&ScenesConfig { train: 10, ..ScenesConfig::default() }, "train").unwrap()
}

/// Reads all files of the pack.
fn files(place: &Place) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(place.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .map(|(path, bytes)| (path.rsplit('/').next().unwrap().to_owned(), bytes))
        .collect();
    files.sort();
    files
}

#[test]
fn a_pack_is_the_data_set_again() {
    let (place, data) = (Place::new(), scenes());
    let shards = pack(&place, &data, ShardSize::Samples(4), usize::MAX).unwrap();
    let counts: Vec<u64> = shards.iter().map(|one| one.successes).collect();
    assert_eq!(counts, [4, 4, 2]);
    let packed = place.open("out").unwrap();
    assert_eq!(packed.len(), data.len());
    for at in 0..data.len() {
        let (own, was) = (packed.item(at), data.item(at));
        assert_eq!(own.id, format!("{:05}.tar/{at:09}", at / 4));
        assert_eq!(own.captions, was.captions);
        assert_eq!((&own.depicts, &own.group), (&was.depicts, &was.group));
        assert_eq!(own.questions, was.questions);
        assert_eq!(packed.image(at).unwrap(), data.image(at).unwrap());
    }
    assert!(packed.left_out().is_empty() && packed.remarks().is_empty());
}

#[test]
fn a_stopped_pack_goes_on_and_ends_with_the_same_bytes() {
    let data = scenes();
    for size in [ShardSize::Samples(3), ShardSize::Bytes(20_000)] {
        let whole = Place::new();
        pack(&whole, &data, size, usize::MAX).unwrap();
        let stopped = Place::new();
        for stop in [2, 3, 7] {
            let error = pack(&stopped, &data, size, stop).unwrap_err();
            assert!(error.to_string().contains("killed"));
        }
        // A shard whose numbers did not get there is written again.
        std::fs::remove_file(stopped.path("out/00000_stats.json")).unwrap();
        pack(&stopped, &data, size, usize::MAX).unwrap();
        assert_eq!(files(&stopped), files(&whole));
        let before = files(&whole);
        pack(&whole, &data, size, 0).unwrap();
        assert_eq!(files(&whole), before, "nothing is left to do");
    }
}

#[test]
fn picture_files_keep_their_bytes() {
    let place = Place::new();
    place.write("photos/a.png", png(5));
    place.write("photos/a.txt", "one\ntwo");
    place.write("photos/b.PNG", png(6));
    place.write("photos/b.txt", "three");
    let data = Folder::open(&place.path("photos")).unwrap();
    pack(&place, &data, ShardSize::Samples(10), usize::MAX).unwrap();
    let packed = place.open("out").unwrap();
    let file = packed.picture_file(0).unwrap().unwrap();
    assert_eq!((file.bytes, file.ending), (png(5), "png".to_owned()));
    assert_eq!(packed.item(0).captions, ["one", "two"]);
    assert_eq!(packed.item(1).depicts, "b.PNG");
    let members: Vec<String> = tar::Archive::new(&files(&place)[0].1[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    let expected = ["0.png", "0.json", "1.png", "1.json", "1.txt"];
    assert_eq!(members, expected.map(|name| format!("00000000{name}")));
}

#[test]
fn a_folder_of_other_things_is_left_alone() {
    let (place, data) = (Place::new(), scenes());
    place.write("out/notes.txt", "mine");
    let size = ShardSize::Samples(5);
    let error = pack(&place, &data, size, 9).unwrap_err().to_string();
    assert!(error.contains("the folder has other files"), "{error}");
    let place = Place::new();
    pack(&place, &data, size, usize::MAX).unwrap();
    let other = ShardWriter::open(&place.path("out"), size, &json!({ "data": "other" }));
    assert!(other.unwrap_err().to_string().contains("shards of other data"));
}

#[test]
fn samples_that_are_missing_are_noticed_by_the_numbers_beside() {
    let (place, data) = (Place::new(), scenes());
    pack(&place, &data, ShardSize::Samples(5), usize::MAX).unwrap();
    place.write("out/00001_stats.json", r#"{"count": 9, "successes": 6}"#);
    let packed = place.open("out").unwrap();
    assert_eq!(faults(&packed), ["wrong-size 1: 00001.tar"]);
}

/// Pictures of one colour each.
struct Plain;

impl Pictures for Plain {
    fn image(
        &self,
        index: usize,
        _: &Item,
        _: toolkit_data::Alpha,
    ) -> Result<image::RgbImage, DataError> {
        Ok(image::RgbImage::from_pixel(2, 1, image::Rgb([index as u8, 0, 255])))
    }

    fn file(&self, index: usize, _: &Item) -> Result<Option<PictureFile>, DataError> {
        let file = || PictureFile { bytes: png(index as u8), ending: "png".to_owned() };
        Ok(index.is_multiple_of(2).then(file))
    }

    fn fingerprint(&self, name: &str, _: &[Item]) -> String {
        name.to_owned()
    }
}

fn item() -> impl Strategy<Value = Item> {
    let text = "[\\PC\n\t \"]{0,12}";
    let question = (any::<u64>(), text, proptest::collection::vec(text, 0..3)).prop_map(
        |(id, text, answers)| Question {
            id,
            text,
            answers,
            kind: "other".to_owned(),
            answer_type: "other".to_owned(),
        },
    );
    let captions = proptest::collection::vec(text, 0..4);
    let questions = proptest::collection::vec(question, 1..3);
    (text, text, captions, questions).prop_map(|(depicts, group, captions, questions)| Item {
        id: depicts.clone(),
        depicts,
        group,
        captions,
        questions,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_items_come_back_as_they_were(
        items in proptest::collection::vec(item(), 1..12),
        size in 1_u64..5,
    ) {
        let (place, data) = (Place::new(), Items::new("any", items, Plain));
        pack(&place, &data, ShardSize::Samples(size), usize::MAX).unwrap();
        let packed = place.open("out").unwrap();
        prop_assert_eq!(packed.len(), data.len());
        for at in 0..data.len() {
            let (own, was) = (packed.item(at), data.item(at));
            prop_assert_eq!(&own.captions, &was.captions);
            prop_assert_eq!((&own.depicts, &own.group), (&was.depicts, &was.group));
            prop_assert_eq!(&own.questions, &was.questions);
            prop_assert_eq!(packed.image(at).unwrap(), data.image(at).unwrap());
        }
        prop_assert!(packed.left_out().is_empty(), "{:?}", packed.left_out());
    }
}
