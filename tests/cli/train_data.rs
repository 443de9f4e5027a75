//! `kind = "train"` on each form of data: the same samples give the same numbers.

use super::support::{called, command, experiment, files, folder, run_command};
use std::fs::{create_dir_all, write};
use std::path::Path;

/// Number of samples.
const SAMPLES: u8 = 20;

/// Trains stage 1 on live pictures of `data`, and returns its log.
fn trained(data: &str) -> String {
    let dir = folder();
    let text = format!(
        r#"name = "data"
kind = "train"

[model]
vision = "vit-nano"
bridge = "qformer-nano"

[data]
train = "{data}"
features = "live"

[stage1]
augment = "blip2_image_train"
steps = 7
batch = 6
schedule = {{ peak = 1e-3 }}
"#
    );
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("out");
    called(&mut run_command(&file, &out, &[])).ok();
    let log = files(&out).into_iter().find(|path| path.ends_with("metrics.jsonl")).unwrap();
    std::fs::read_to_string(out.join(log)).unwrap()
}

/// The bytes of a picture, and its caption.
fn sample(at: u8) -> (Vec<u8>, String) {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 5, y as u8 * 7, at * 12]))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    (png.into_inner(), format!("a {} on a hill", ["dog", "red cat", "blue tree"][at as usize % 3]))
}

/// Writes the samples as pictures with captions in files of the same name.
fn pictures(dir: &Path) {
    create_dir_all(dir).unwrap();
    for at in 0..SAMPLES {
        let (png, caption) = sample(at);
        write(dir.join(format!("{at:09}.png")), png).unwrap();
        write(dir.join(format!("{at:09}.txt")), caption).unwrap();
    }
}

/// The numbers of the plain folder.
fn expected(dir: &Path) -> String {
    let plain = dir.join("plain");
    pictures(&plain);
    trained(&format!("folder:{}", plain.display()))
}

#[test]
fn tar_files() {
    let dir = folder();
    let expected = expected(dir.path());
    let shards = dir.path().join("shards");
    let plain = format!("folder:{}", dir.path().join("plain").display());
    let pack = ["data", "pack", &plain, "--shard-size", "6", "--out"];
    called(command().args(pack).arg(&shards)).ok();
    assert_eq!(trained(&format!("shards:{}/{{00000..00003}}.tar", shards.display())), expected);
}

#[test]
fn a_folder_of_img2dataset() {
    let dir = folder();
    let expected = expected(dir.path());
    let out = dir.path().join("out");
    pictures(&out.join("00000"));
    for at in 0..SAMPLES {
        let caption = sample(at).1;
        let json = format!(r#"{{"caption": "{caption}", "key": "{at:09}", "status": "success"}}"#);
        write(out.join(format!("00000/{at:09}.json")), json).unwrap();
    }
    let stats = format!(r#"{{"count": {SAMPLES}, "successes": {SAMPLES}}}"#);
    write(out.join("00000_stats.json"), stats).unwrap();
    assert_eq!(trained(&format!("shards:{}", out.display())), expected);
}

#[test]
fn a_table_beside_its_pictures() {
    let dir = folder();
    let expected = expected(dir.path());
    let rows: Vec<String> =
        (0..SAMPLES).map(|at| format!("plain/{at:09}.png\t{}", sample(at).1)).collect();
    let table = dir.path().join("captions.tsv");
    write(&table, format!("image\tcaption\n{}\n", rows.join("\n"))).unwrap();
    assert_eq!(trained(&format!("table:{}", table.display())), expected);
}

#[test]
fn parquet_files() {
    let dir = folder();
    let expected = expected(dir.path());
    // Two files, so that the order goes from one to the next.
    for (file, rows) in [("a", 0..8), ("b", 8..SAMPLES)] {
        write_parquet(&dir.path().join(format!("{file}.parquet")), rows.map(sample).collect());
    }
    assert_eq!(trained(&format!("parquet:{}/*.parquet", dir.path().display())), expected);
}

/// Writes pictures and captions as Hugging Face stores them: `image: {bytes, path}` and `text`.
fn write_parquet(path: &Path, rows: Vec<(Vec<u8>, String)>) {
    use parquet::data_type::{ByteArray, ByteArrayType};
    let schema = "message schema {
        optional group image { optional binary bytes; optional binary path (UTF8); }
        optional binary text (UTF8);
    }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer =
        parquet::file::writer::SerializedFileWriter::new(file, schema.into(), Default::default())
            .unwrap();
    let mut group = writer.next_row_group().unwrap();
    let (pictures, texts): (Vec<Vec<u8>>, Vec<String>) = rows.into_iter().unzip();
    let names = (0..pictures.len()).map(|at| format!("{at}.png").into_bytes());
    let columns: [(Vec<Vec<u8>>, i16); 3] = [
        (pictures.clone(), 2),
        (names.collect(), 2),
        (texts.into_iter().map(String::into_bytes).collect(), 1),
    ];
    for (values, level) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let levels = vec![level; values.len()];
        let values: Vec<ByteArray> = values.into_iter().map(ByteArray::from).collect();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}
