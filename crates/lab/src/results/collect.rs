//! Joins what the cells left on disk into one set of results.

use crate::LabError;
use crate::experiment::spec::Spec;
use crate::experiment::sweep::text;
use crate::files::read_json;
use crate::plan::parts::Splits;
use crate::results::absent::{absent, retrieval_notes};
use crate::results::flips::flips;
use crate::run::manifest::git_revision;
use crate::run::{MeasuredCost, Run, RunOptions};
use crate::work::cell::CellJob;
use crate::work::stages::RunContext;
use image::ImageEncoder;
use std::collections::BTreeMap;
use std::path::Path;
use toolkit_data::Dataset;
use toolkit_eval::{CaptionRow, VqaRowResult, read_samples};
use toolkit_report::{
    Axis, CellResult, CurvePoint, FrozenPart, Results, RunCost, SampleOutput, SamplePicture,
    StageRun,
};
use toolkit_train::fit::MetricLine;

/// Test images shown in the report, spread over the split.
const PICTURES: usize = 12;

/// Most points of a loss curve in the report.
const POINTS: usize = 400;

/// Everything that the report says.
///
/// # Errors
/// If a file of the run is missing or damaged.
pub fn collect(
    run: &Run,
    context: &RunContext<'_>,
    options: &RunOptions,
) -> Result<Results, LabError> {
    let jobs: Vec<CellJob<'_>> =
        (0..run.plan.cells.len()).map(|i| run.cell_job(context, i)).collect();
    let mut cells = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    let mut parts: BTreeMap<&str, f64> = BTreeMap::new();
    for job in &jobs {
        let scores = job.scores()?;
        for line in scores.left_out {
            if !left_out.contains(&line) {
                left_out.push(line);
            }
        }
        let seconds = seconds_of(&job.dir().join("stage2"));
        *parts.entry("stage 2").or_default() += seconds;
        let evaluation: BTreeMap<String, f64> =
            read_json(&job.dir().join("seconds.json")).unwrap_or_default();
        *parts.entry("final evaluation").or_default() += evaluation.values().sum::<f64>();
        let curve: Vec<CurvePoint> =
            job.curve()?.into_iter().map(|(step, scores)| CurvePoint { step, scores }).collect();
        let mut final_scores = scores.scores;
        final_scores.extend(along(&curve).map(|mean| ("vqa.along".to_owned(), mean)));
        cells.push(CellResult {
            id: job.cell.id.clone(),
            seed: job.cell.seed,
            axes: job.cell.axes.clone(),
            curve,
            scores: final_scores,
            per_sample: BTreeMap::from([("vqa.overall".to_owned(), scores.questions)]),
            clusters: scores.images,
            seconds,
            trained_params: scores.trained_params,
        });
    }
    let mut stages: Vec<StageRun> = Vec::new();
    for stage in &run.plan.stage1 {
        let dir = context.stage1_dir(&stage.key);
        let seconds = seconds_of(&dir);
        *parts.entry("stage 1").or_default() += seconds;
        stages.push(StageRun {
            name: "stage 1".to_owned(),
            label: stage.label.clone(),
            seed: stage.seed,
            steps: run.plan.cells[stage.cell].cell.spec.stage1.steps,
            seconds,
            losses: losses(&dir.join("metrics.jsonl"))?,
            scores: context.stage1_scores(&stage.key)?,
        });
    }
    for job in &jobs {
        let dir = job.dir().join("stage2");
        stages.push(StageRun {
            name: "stage 2".to_owned(),
            label: axes_name(job, &run.spec),
            seed: job.cell.seed,
            steps: job.cell.spec.stage2.steps,
            seconds: seconds_of(&dir),
            losses: losses(&dir.join("metrics.jsonl"))?,
            scores: BTreeMap::new(),
        });
    }
    let measured: MeasuredCost = read_json(&run.out.join("cost.json")).unwrap_or_default();
    let spec = &run.spec;
    let axes = spec.sweep.iter().map(|(key, values)| Axis {
        key: key.clone(),
        label: spec.labels.get(key).cloned().unwrap_or_else(|| key.clone()),
        values: values.iter().map(text).collect(),
    });
    Ok(Results {
        name: spec.name.clone(),
        question: spec.question.clone(),
        created: today(),
        command: options.command.join(" "),
        toolkit_version: env!("CARGO_PKG_VERSION").to_owned(),
        git: git_revision(),
        device: format!("{} on {}", options.device_name, crate::run::manifest::machine()),
        axes: axes.collect(),
        baseline: spec.baseline.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
        primary: "vqa.overall".to_owned(),
        samples: pictures(&jobs, spec)?,
        flips: flips(&jobs, spec)?,
        cells,
        stages,
        cost: RunCost {
            wall_seconds: measured.wall_seconds,
            cpu_seconds: measured.cpu_seconds,
            peak_rss_bytes: measured.peak_rss_bytes,
            parts: parts.into_iter().map(|(name, seconds)| (name.to_owned(), seconds)).collect(),
        },
        notes: notes(run, left_out).into_iter().chain(retrieval_notes(&jobs)?).collect(),
        frozen: frozen(run),
        absent: absent(&jobs)?,
    })
}

/// Mean of the curve's points, the start left out: who learns sooner has more of it, wherever the
/// curves end.
fn along(curve: &[CurvePoint]) -> Option<f64> {
    let points = curve.iter().filter(|point| point.step > 0);
    let values: Vec<f64> =
        points.filter_map(|point| point.scores.get("vqa.overall").copied()).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn notes(run: &Run, left_out: Vec<String>) -> Vec<String> {
    let spec = &run.spec;
    let mut notes = vec![format!(
        "Curves are on `{}`, tables on `{}`; nothing was chosen on the latter by this run.",
        spec.data.val, spec.data.test
    )];
    let manifest: serde_json::Value = read_json(&run.out.join("manifest.json")).unwrap_or_default();
    let builds: Vec<&str> =
        manifest["builds"].as_array().into_iter().flatten().filter_map(|b| b.as_str()).collect();
    if builds.len() > 1 {
        notes.push(format!(
            "Several builds worked on this run, so its cells may not be comparable: {}.",
            builds.join(", ")
        ));
    }
    if spec.data.train == spec.data.test || spec.data.train == spec.data.val {
        notes.push("Training data is evaluated on: scores say what was memorised.".to_owned());
    }
    notes.extend(run.plan.splits.iter().flat_map(Splits::notes));
    notes.extend(run.plan.notes.iter().cloned());
    for also in &spec.eval.also {
        notes.push(format!(
            "`{}` is measured on `{}`, of which nothing was trained on; its majority is of its own \
            answers, which no model knows.",
            also.name(),
            also.data
        ));
    }
    if spec.seeds.len() < 3 {
        notes.push(format!(
            "{} seed(s): intervals over seeds need at least two, and mean little below three.",
            spec.seeds.len()
        ));
    }
    notes.extend(left_out);
    if spec.sweep.contains_key("stage1.enabled") {
        notes.push(
            "Cells without stage 1 get the same number of stage-2 steps, as in the paper's \
            figure 5: what stage 1 itself costs is not made up for."
                .to_owned(),
        );
    }
    notes
}

fn frozen(run: &Run) -> Vec<FrozenPart> {
    let mut parts: Vec<FrozenPart> = Vec::new();
    for r in &run.plan.resolved {
        for (role, card, params) in [
            ("vision", &r.vision.0, r.vision.1.cost.params),
            ("language", &r.language.0, r.language.1.cost.params),
        ] {
            if !parts.iter().any(|p| p.name == card.name) {
                let sha256 = card
                    .weights
                    .as_ref()
                    .map(toolkit_registry::WeightsSection::identity)
                    .unwrap_or_default();
                parts.push(FrozenPart {
                    role: role.to_owned(),
                    name: card.name.clone(),
                    params,
                    sha256,
                    scores: card.scores.clone(),
                });
            }
        }
    }
    parts
}

/// Seconds of all steps of a fit.
fn seconds_of(dir: &Path) -> f64 {
    let text = toolkit_system::input::read_to_string(&dir.join("timing.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok()?["seconds"].as_f64())
        .sum()
}

/// Logged values by name, thinned to what a figure can show.
fn losses(path: &Path) -> Result<BTreeMap<String, Vec<(u64, f64)>>, LabError> {
    let text = toolkit_system::input::read_to_string(path).map_err(|e| LabError::io(path, &e))?;
    let lines: Vec<MetricLine> =
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let stride = lines.len().div_ceil(POINTS).max(1);
    let mut out: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for line in lines.iter().step_by(stride) {
        for (name, value) in &line.metrics {
            out.entry(name.clone()).or_default().push((line.step, *value));
        }
    }
    Ok(out)
}

/// A cell in words.
pub(crate) fn cell_name(job: &CellJob<'_>, spec: &Spec) -> String {
    format!("{}, seed {}", axes_name(job, spec), job.cell.seed)
}

/// The values of a cell's axes in words.
fn axes_name(job: &CellJob<'_>, spec: &Spec) -> String {
    let named = |(key, value): (&String, &String)| match value.as_str() {
        "on" | "off" => format!("{} {value}", spec.labels.get(key).unwrap_or(key)),
        _ => value.clone(),
    };
    job.cell.axes.iter().map(named).collect::<Vec<_>>().join(", ")
}

/// Largest side of a picture in a report; larger ones are made smaller.
const SIDE: u32 = 224;

/// The picture of an item, small enough for a page.
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
        .map_err(|e| LabError::new(e.to_string(), "this is a defect"))?;
    Ok(png)
}

/// A few test images with what every cell said of them.
fn pictures(jobs: &[CellJob<'_>], spec: &Spec) -> Result<Vec<SamplePicture>, LabError> {
    let Some(first) = jobs.first() else { return Ok(Vec::new()) };
    let test = &*first.splits.test;
    let mut answers: Vec<(String, Vec<VqaRowResult>, Vec<CaptionRow>)> = Vec::new();
    for job in jobs.iter().filter(|job| job.cell.seed == jobs[0].cell.seed) {
        let rows = read_samples(&job.dir().join("samples.jsonl"))?;
        let captions = read_samples(&job.dir().join("captions.jsonl")).unwrap_or_default();
        answers.push((cell_name(job, spec), rows, captions));
    }
    let asked = answers.first().map_or(0, |(_, rows, _)| rows.len());
    let mut out: Vec<SamplePicture> = Vec::new();
    for pick in 0..PICTURES.min(asked) {
        // Spread over the split, but not always the first question of an image.
        let at = (pick * asked / PICTURES.min(asked) + pick % 4).min(asked - 1);
        let row = &answers[0].1[at];
        let Some(item) = (0..test.len()).find(|&i| test.item(i).id == row.id) else { continue };
        let png = png_of(test, item)?;
        let outputs = answers.iter().filter_map(|(cell, rows, captions)| {
            let row = rows.get(at)?;
            let caption = captions
                .iter()
                .find(|c| c.id == row.id)
                .map(|c| c.caption.clone())
                .unwrap_or_default();
            Some(SampleOutput {
                cell: cell.clone(),
                answer: row.raw.clone(),
                correct: row.score,
                caption,
            })
        });
        out.push(SamplePicture {
            png,
            id: row.id.clone(),
            group: row.group.clone(),
            captions: test.item(item).captions.clone(),
            question: row.question.clone(),
            answers: row.answers.clone(),
            outputs: outputs.collect(),
        });
    }
    Ok(out)
}

/// The date in UTC as `YYYY-MM-DD`, by the civil calendar (Howard Hinnant's `civil_from_days`).
fn today() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let z = (seconds / 86_400) as i64 + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (
        day_of_year - (153 * shifted + 2) / 5 + 1,
        if shifted < 10 { shifted + 3 } else { shifted - 9 },
    );
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
