//! Pictures of a report, with the answers and captions of each cell.

use crate::LabError;
use crate::experiment::spec::Spec;
use crate::results::labels::cell_name;
use crate::work::cell_job::CellJob;
use image::ImageEncoder;
use toolkit_data::Dataset;
use toolkit_eval::{CaptionRow, VqaRowResult, read_samples};
use toolkit_report::{SampleOutput, SamplePicture};
use toolkit_system::problem::Problem;

/// Test images in the report, spread over the split.
const PICTURES: usize = 12;

/// Largest side of a picture in a report; larger ones are made smaller.
const SIDE: u32 = 224;

/// Encodes the picture of an item as PNG, small enough for a page.
pub(crate) fn png_of(data: &dyn Dataset, item: usize) -> Result<Vec<u8>, LabError> {
    let mut picture = data.image(item)?;
    if picture.width().max(picture.height()) > SIDE {
        picture = image::DynamicImage::from(picture)
            .resize(SIDE, SIDE, image::imageops::FilterType::CatmullRom)
            .to_rgb8();
    }
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&picture, picture.width(), picture.height(), image::ExtendedColorType::Rgb8)
        .map_err(Problem::defect)?;
    Ok(png)
}

/// Reads the answers of a cell; none if no questions were asked.
pub(crate) fn answers(job: &CellJob<'_>) -> Result<Vec<VqaRowResult>, LabError> {
    match job.cell.spec.eval.vqa {
        Some(_) => Ok(read_samples(&job.dir().join("samples.jsonl"))?),
        None => Ok(Vec::new()),
    }
}

/// Answers and captions of a cell of the first seed.
struct CellOutputs {
    cell: String,
    answers: Vec<VqaRowResult>,
    captions: Vec<CaptionRow>,
}

impl CellOutputs {
    fn read(job: &CellJob<'_>, spec: &Spec) -> Result<Self, LabError> {
        Ok(Self {
            cell: cell_name(job, spec),
            answers: answers(job)?,
            captions: read_samples(&job.dir().join("captions.jsonl")).unwrap_or_default(),
        })
    }

    /// Returns the answer to the question at place `at`, with the caption of its picture.
    fn at(&self, at: usize) -> Option<SampleOutput> {
        let row = self.answers.get(at)?;
        let caption = self.captions.iter().find(|caption| caption.id == row.id);
        Some(SampleOutput {
            cell: self.cell.clone(),
            answer: row.raw.clone(),
            correct: row.score,
            caption: caption.map(|caption| caption.caption.clone()).unwrap_or_default(),
        })
    }
}

/// Picks a few test images, with the answers and captions of every cell of the first seed.
pub(crate) fn pictures(jobs: &[CellJob<'_>], spec: &Spec) -> Result<Vec<SamplePicture>, LabError> {
    let Some(first) = jobs.first() else { return Ok(Vec::new()) };
    let Some(test) = first.splits.test.as_deref() else { return Ok(Vec::new()) };
    let of_seed = jobs.iter().filter(|job| job.cell.seed == first.cell.seed);
    let outputs = of_seed.map(|job| CellOutputs::read(job, spec)).collect::<Result<Vec<_>, _>>()?;
    let asked = outputs.first().map_or(0, |cell| cell.answers.len());
    let shown = PICTURES.min(asked);
    let mut out: Vec<SamplePicture> = Vec::new();
    for pick in 0..shown {
        // Spread over the split, but not always the first question of an image.
        let at = (pick * asked / shown + pick % 4).min(asked - 1);
        let row = &outputs[0].answers[at];
        let Some(item) = (0..test.len()).find(|&i| test.item(i).id == row.id) else { continue };
        out.push(SamplePicture {
            png: png_of(test, item)?,
            id: row.id.clone(),
            group: row.group.clone(),
            captions: test.item(item).captions.clone(),
            question: row.question.clone(),
            answers: row.answers.clone(),
            outputs: outputs.iter().filter_map(|cell| cell.at(at)).collect(),
        });
    }
    Ok(out)
}
