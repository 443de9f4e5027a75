//! Measures the index of very many pairs: its building, its opening, and memory while it is read.
//!
//! ```sh
//! cargo run -p toolkit-data --example scale_shards -- 10000000 FOLDER
//! ```
//!
//! Pairs are of few distinct bytes: a tiny PNG and a caption. Every tenth shard is written, the
//! others are links to it, so 10 million pairs take 2 GB of the disk and are 20 GB to read. Building
//! and opening are processes of their own, whose peak of memory the system counts (Linux only).
#![allow(clippy::print_stdout, reason = "its output is the measurement")]

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use toolkit_data::{Dataset, Opening, ShardOptions, Shards};
use toolkit_seed::Stream;

/// Pairs of a shard, as img2dataset writes by default.
const PAIRS: usize = 10_000;
/// Shards that share one file.
const LINKS: usize = 10;
/// Items that are read to see that memory stays.
const READS: u64 = 2_000_000;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["open", folder] => open(Path::new(folder)),
        [pairs, folder] => {
            let folder = Path::new(folder);
            make(&folder.join("shards"), pairs.parse::<usize>()?.div_ceil(PAIRS))?;
            for what in ["indexed", "opened again"] {
                println!("{what}:");
                let me = std::env::current_exe()?;
                Command::new(me).arg("open").arg(folder).status()?;
            }
            Ok(())
        }
        _ => Err("give a number of pairs and a folder".into()),
    }
}

/// Writes shards, and links to them.
fn make(folder: &Path, shards: usize) -> Done {
    std::fs::create_dir_all(folder)?;
    let picture = image::RgbImage::new(8, 8);
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    let png = png.into_inner();
    for shard in 0..shards {
        let path = folder.join(format!("{shard:05}.tar"));
        let _ = std::fs::remove_file(&path);
        if shard % LINKS > 0 {
            let first = shard - shard % LINKS;
            std::fs::hard_link(folder.join(format!("{first:05}.tar")), path)?;
            continue;
        }
        let file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
        let mut tar = tar::Builder::new(file);
        for pair in 0..PAIRS {
            let key = format!("{:09}", shard * PAIRS + pair);
            let text = format!("a web caption of ordinary length about thing number {key}");
            for (ending, bytes) in [("png", &png[..]), ("txt", text.as_bytes())] {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, format!("{key}.{ending}"), bytes)?;
            }
        }
        tar.into_inner()?;
    }
    Ok(())
}

/// Opens the shards, reads items all over them, and prints times and memory.
fn open(folder: &Path) -> Done {
    let (began, before) = (Instant::now(), memory("VmRSS:")?);
    let options = ShardOptions { root: folder.join("shards"), ..ShardOptions::default() };
    let opening = Opening::new(folder.join("indexes"));
    let data = Shards::open("scale", &["*.tar".to_owned()], &options, &opening)?;
    println!("  {} pairs in {} shards", data.len(), data.shards().len());
    println!("  {:.2} s", began.elapsed().as_secs_f64());
    println!("  peak of memory {} MB, {before} MB before", memory("VmHWM:")?);
    let (began, mut letters) = (Instant::now(), 0);
    for part in 1..=4 {
        for read in 0..READS / 4 {
            let at = Stream::new(1, "scale", part * READS + read).below(data.len());
            letters += data.item(at).captions[0].len();
        }
        println!("  after {} items {} MB", part * READS / 4, memory("VmRSS:")?);
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / READS as f64;
    println!("  {each:.1} us an item at a random place, {letters} letters");
    let began = Instant::now();
    for at in 0..10_000 {
        data.image(at * 7919 % data.len())?;
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / 1e4;
    println!("  {each:.1} us a picture of 8 x 8, {} MB", memory("VmRSS:")?);
    Ok(())
}

/// Reads a line of the system's numbers about this process, in MB.
fn memory(line: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|own| own.strip_prefix(line)).unwrap_or_default();
    let kilobytes = found.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    Ok(kilobytes / 1000)
}
