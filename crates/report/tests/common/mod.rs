//! An example of results, like those of a small ablation.
#![allow(dead_code, reason = "every test binary uses a part")]

use std::collections::BTreeMap;
use toolkit_report::{
    Axis, CellResult, CurvePoint, Flips, FrozenPart, Results, RunCost, SampleOutput, SamplePicture,
    StageRun,
};

/// A number between -1 and 1 that depends on the arguments only.
pub fn noise(parts: &[u64]) -> f64 {
    let mix =
        |hash: u64, part: &u64| (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let hash = parts.iter().fold(0x1234_5678_9abc_def0, mix).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (hash >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

pub fn map(entries: &[(&str, f64)]) -> BTreeMap<String, f64> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
}

pub fn axis(key: &str, label: &str, values: &[&str]) -> Axis {
    Axis {
        key: key.into(),
        label: label.into(),
        values: values.iter().map(|v| (*v).into()).collect(),
    }
}

pub fn cell(axes: &[(&str, &str)], seed: u64, scores: &[(&str, f64)]) -> CellResult {
    let axes: BTreeMap<String, String> =
        axes.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let id = format!("{axes:?}-{seed}");
    CellResult {
        id,
        seed,
        axes,
        scores: map(scores),
        seconds: 410.0,
        trained_params: 1_204_736,
        ..Default::default()
    }
}

const KINDS: [(&str, f64); 8] = [
    ("what", 9.0),
    ("count", -4.0),
    ("how_many_things", -8.0),
    ("colour_thing", 2.0),
    ("colour_background", 22.0),
    ("exists", 8.0),
    ("relation", -16.0),
    ("relation_yesno", -3.0),
];

fn full_cell(stage: usize, language: usize, seed: u64) -> CellResult {
    let values = (["on", "off"][stage], ["opt-nano", "t5-nano"][language]);
    let mut cell = cell(&[("stage1.enabled", values.0), ("language", values.1)], seed, &[]);
    let (stage, language) = (stage as u64, language as u64);
    let jitter = |at: u64| noise(&[at, stage, language, seed]);
    let top = 63.0 - 9.5 * stage as f64 - 2.5 * language as f64
        + if stage * language == 1 { 6.5 } else { 0.0 };
    let good: Vec<f64> = (0..900)
        .map(|q| {
            let hard = 50.0 + 45.0 * noise(&[q, 7]) + 14.0 * noise(&[q, stage, language, seed, 9]);
            f64::from(u8::from(hard < top + 0.9 * jitter(3)))
        })
        .collect();
    let overall = 100.0 * good.iter().sum::<f64>() / 900.0;
    cell.per_sample.insert("vqa.overall".into(), good);
    cell.clusters = (0..900).map(|q| q / 4).collect();
    let reach = |step: u64| {
        36.0 + (overall - 36.0) * (1.0 - libm::exp(-(step as f64) / (700.0 + 500.0 * stage as f64)))
    };
    cell.curve = (0..=12)
        .map(|at| CurvePoint {
            step: at * 250,
            scores: map(&[(
                "vqa.overall",
                if at == 0 { 4.0 + jitter(50) } else { reach(at * 250) + 1.3 * jitter(60 + at) },
            )]),
        })
        .collect();
    let mut scores = map(&[
        ("vqa.overall", overall),
        ("vqa.group.seen", overall + 4.0 + jitter(1)),
        ("vqa.group.new_combination", overall - 1.0 + jitter(2)),
        ("vqa.group.new_thing", overall - 15.0 + 2.0 * jitter(4)),
        ("vqa.shuffled.overall", 38.2 + jitter(5)),
        ("vqa.no_image.overall", 36.4 + jitter(6)),
        ("vqa.majority.overall", 34.9),
        ("caption.cider", overall / 40.0 + 0.05 * jitter(7)),
        ("caption.bleu4", overall / 2.2 + jitter(8)),
        ("caption.rouge_l", overall / 1.2 + jitter(9)),
        ("caption.shuffled.cider", 0.31 + 0.02 * jitter(33)),
    ]);
    if stage == 0 {
        for (at, key) in
            ["itc.txt_r1", "itc.img_r1", "itc.txt_r5", "itc.img_r5", "itm.txt_r1", "itm.img_r1"]
                .into_iter()
                .enumerate()
        {
            scores.insert(
                format!("retrieval.{key}"),
                40.0 + 5.0 * at as f64 + 2.0 * jitter(10 + at as u64),
            );
        }
        scores.insert("retrieval.chance.r1".into(), 0.5);
        scores.insert("retrieval.chance.r5".into(), 2.5);
    }
    for (at, (kind, shift)) in KINDS.into_iter().enumerate() {
        scores.insert(format!("vqa.kind.{kind}"), overall + shift + 2.0 * jitter(20 + at as u64));
        scores.insert(format!("vqa.majority.kind.{kind}"), 30.0 + shift);
    }
    cell.scores = scores;
    cell
}

fn stage_run(name: &str, label: &str, seed: u64, losses: &[(&str, f64, f64)]) -> StageRun {
    let steps = 2000;
    let mut run = StageRun {
        name: name.into(),
        label: label.into(),
        seed,
        steps,
        seconds: 320.0,
        ..Default::default()
    };
    for (at, (loss, trivial, end)) in losses.iter().enumerate() {
        let course = |step: u64| {
            let mean = end + (trivial - end) * libm::exp(-(step as f64) / 450.0);
            (step, mean * (1.0 + 0.12 * noise(&[step, seed, at as u64, label.len() as u64])))
        };
        run.losses
            .insert(format!("loss_{loss}"), (0..steps / 5).map(|at| course(at * 5)).collect());
        run.losses.insert(format!("trivial_{loss}"), vec![(0, *trivial), (steps, *trivial)]);
    }
    run
}

/// A PNG of `size` by `size`, its pixels stored without compression.
pub fn png(size: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let mut raw = Vec::new();
    for y in 0..size {
        raw.push(0);
        (0..size).for_each(|x| raw.extend(pixel(x, y)));
    }
    let (a, b) = raw.iter().fold((1_u32, 0_u32), |(a, b), v| {
        ((a + u32::from(*v)) % 65521, (b + (a + u32::from(*v)) % 65521) % 65521)
    });
    let length = raw.len() as u16;
    let mut zlib = vec![0x78, 0x01, 1];
    zlib.extend(length.to_le_bytes());
    zlib.extend((!length).to_le_bytes());
    zlib.extend(&raw);
    zlib.extend((b << 16 | a).to_be_bytes());
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let side = (size as u32).to_be_bytes();
    let header = [side.as_slice(), side.as_slice(), &[8, 2, 0, 0, 0]].concat();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", zlib), (b"IEND", vec![])] {
        let body = [kind.as_slice(), &data].concat();
        let crc = !body.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| {
                if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 }
            })
        });
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(body);
        out.extend(crc.to_be_bytes());
    }
    out
}

fn sample(at: u64, group: &str) -> SamplePicture {
    let disc = move |x: usize, y: usize| {
        let (dx, dy) = (x as f64 - 20.0 - at as f64, y as f64 - 24.0);
        if dx * dx + dy * dy < 120.0 {
            [220, 60 + 20 * at as u8, 40]
        } else {
            [150, 190, 120 + 20 * at as u8]
        }
    };
    let output = |cell: &str, answer: &str, correct: f64| SampleOutput {
        cell: cell.into(),
        answer: answer.into(),
        correct,
        caption: format!("a {answer} on a green background"),
    };
    SamplePicture {
        png: png(48, disc),
        id: format!("test-{at:04}"),
        group: group.into(),
        captions: vec!["a tomato on a green background".into(), "there is one tomato".into()],
        question: "what is in the picture?".into(),
        answers: vec!["tomato".into()],
        outputs: vec![
            output("stage 1 on, opt-nano, seed 1", "tomato", 1.0),
            output("stage 1 off, opt-nano, seed 1", "apple", 0.0),
            output("stage 1 on, t5-nano, seed 1", "tomato", 0.6),
            output("stage 1 off, t5-nano, seed 1", "ball", 0.0),
        ],
    }
}

/// Two axes of two values, three seeds, everything measured.
pub fn example() -> Results {
    let mut cells = Vec::new();
    let mut stages = Vec::new();
    for seed in 1..=3 {
        let mut first = stage_run(
            "stage 1",
            "ViT-nano",
            seed,
            &[("itc", 4.16, 1.1), ("itm", 0.637, 0.21), ("itg", 3.9, 0.8)],
        );
        first.scores = map(&[
            ("retrieval.itc.txt_r1", 47.0 + noise(&[seed])),
            ("retrieval.itc.img_r1", 44.0),
            ("retrieval.chance.r1", 0.5),
        ]);
        stages.push(first);
        for (stage, language) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            cells.push(full_cell(stage, language, seed));
            let label = format!("{} {}", ["on", "off"][stage], ["opt-nano", "t5-nano"][language]);
            stages.push(stage_run(
                "stage 2",
                &label,
                seed,
                &[("lm", 3.2, 0.6 + 0.2 * stage as f64)],
            ));
        }
    }
    let part = |role: &str, name: &str, params, scores: &[(&str, f64)]| FrozenPart {
        role: role.into(),
        name: name.into(),
        params,
        sha256: "9f2c51d07ab3e84466c1".repeat(3),
        scores: map(scores),
    };
    Results {
        name: "ablate_stage1".into(),
        question: "Does a Q-Former that learned to represent images before it meets the language \
            model answer better?"
            .into(),
        created: "2025-06-14".into(),
        command: "toolkit run experiments/ablate_stage1.toml".into(),
        toolkit_version: "0.1.0".into(),
        git: "4c7d2b2".into(),
        device: "flex (CPU, 2 threads)".into(),
        axes: vec![
            axis("stage1.enabled", "stage 1", &["on", "off"]),
            axis("language", "language model", &["opt-nano", "t5-nano"]),
        ],
        baseline: [("stage1.enabled".to_owned(), "off".to_owned())].into(),
        primary: "vqa.overall".into(),
        cells,
        stages,
        samples: vec![sample(1, "seen"), sample(2, "seen"), sample(3, "new_thing")],
        flips: vec![Flips {
            task: "questions".into(),
            cell: "on, opt-nano, seed 1".into(),
            against: "off, opt-nano, seed 1".into(),
            compared: 400,
            gained: 31,
            lost: 22,
            gains: vec![sample(1, "seen")],
            losses: vec![],
        }],
        cost: RunCost {
            wall_seconds: 7512.0,
            cpu_seconds: 14212.0,
            peak_rss_bytes: 1_734_000_000,
            parts: [
                ("features", 180.0),
                ("stage 1", 960.0),
                ("stage 2", 4920.0),
                ("evaluation", 1300.0),
            ]
            .map(|(n, s)| (n.to_owned(), s))
            .to_vec(),
        },
        alerts: Vec::new(),
        notes: vec![
            "Both rows of a language model see the same batches in the same order.".into(),
            "Steps of stage 1 are not counted in the figure.".into(),
        ],
        frozen: vec![
            part("vision encoder", "vit-nano", 1_806_336, &[("group", 99.41), ("thing", 97.1)]),
            part("language model", "opt-nano", 3_254_272, &[("perplexity", 4.182)]),
            part("language model", "t5-nano", 4_001_792, &[("perplexity", 3.902)]),
        ],
        absent: BTreeMap::new(),
        loss_titles: BTreeMap::new(),
    }
}
