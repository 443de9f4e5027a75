//! Decodes pictures as the toolkit does and writes their pixels, to be compared with another
//! library's.
//!
//! ```sh
//! cargo run -p toolkit-data --example decode_to_ppm -- OUT FILE..
//! ```
//!
//! Each picture becomes `OUT/name.ppm`, with colours as stored under transparency; of one that is
//! refused, a line with the error is printed. `tests/fixtures/pictures/compare.py` compares with
//! Pillow.

use std::path::Path;
use toolkit_data::{Alpha, decode_as};

fn main() -> Result<(), std::io::Error> {
    let mut arguments = std::env::args_os().skip(1);
    let out = arguments.next().unwrap_or_else(|| "out".into());
    std::fs::create_dir_all(&out)?;
    for path in arguments {
        match decode_as(&path, Alpha::Drop) {
            Ok(picture) => {
                let mut bytes =
                    format!("P6\n{} {}\n255\n", picture.width(), picture.height()).into_bytes();
                bytes.extend(picture.as_raw());
                let mut name = Path::new(&path).file_name().unwrap_or_default().to_owned();
                name.push(".ppm");
                std::fs::write(Path::new(&out).join(name), bytes)?;
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}
