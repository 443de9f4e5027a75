//! Results of all shapes give a report that is well formed and refers to nothing outside.

mod common;

use common::{axis, cell, example};
use toolkit_report::{Results, figure_svg, html, markdown, summary, table};

/// Fails unless every tag is closed by its own name, in order, and every attribute is quoted.
fn well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if rest.starts_with("<style>") {
            rest = &rest[rest.find("</style>").expect("style is closed") + 8..];
            continue;
        }
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "unescaped < in {tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of {tag}");
        let name = tag.split([' ', '/', '\n']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "wrong end tag, {} before the end", rest.len());
        } else if !tag.starts_with(['!', '?']) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}

/// Renders everything and checks it; returns the page.
fn check(results: &Results) -> String {
    let (page, figure) = (html(results), figure_svg(results));
    well_formed(&page);
    well_formed(&figure);
    for part in ["href=\"", "src=\""] {
        for target in page.split(part).skip(1) {
            assert!(
                target.starts_with('#') || target.starts_with("data:image/png;base64,"),
                "{part}{target:.40}"
            );
        }
    }
    assert!(!page.contains("<script") && !page.contains("url(") && !page.contains("@import"));
    for text in [&page, &figure, &markdown(results), &table(results)] {
        assert!(
            !text.contains("NaN") && !text.contains("inf\"") && !text.contains("inf "),
            "{text}"
        );
    }
    assert!(!figure.contains("var("), "a file has its own colours");
    let json = serde_json::to_string(&summary(results)).expect("statistics are numbers");
    assert!(json.contains("verdict"));
    page
}

#[test]
fn scores_of_frozen_parts_have_their_units() {
    let text = markdown(&example());
    assert!(text.contains("group 99.4%, thing 97.1%"), "{text}");
    assert!(text.contains("perplexity 4.182 "), "{text}");
}

#[test]
fn everything() {
    let page = check(&example());
    for text in [
        "Losses of stage 1",
        "trivial",
        "image-rendering:pixelated",
        "Holm",
        "Frozen parts",
        "✓ tomato",
        "new things",
    ] {
        assert!(page.contains(text), "{text} is missing");
    }
    let text = serde_json::to_string(&example()).expect("results are data");
    let back: Results = serde_json::from_str(&text).expect("what was written");
    assert_eq!(html(&back), page);
}

#[test]
fn nothing_at_all() {
    check(&Results::default());
    check(&Results {
        axes: vec![axis("a", "", &[])],
        primary: "vqa.overall".into(),
        ..Results::default()
    });
}

#[test]
fn parts_left_out() {
    let mut one = example();
    one.cells.truncate(1);
    let page = check(&one);
    assert!(page.contains("one seed: its spread is unknown"), "{page}");

    let mut one_seed = example();
    one_seed.cells.retain(|cell| cell.seed == 1);
    assert!(check(&one_seed).contains("One seed says nothing"));

    let mut two_seeds = example();
    two_seeds.cells.retain(|cell| cell.seed < 3);
    assert!(check(&two_seeds).contains("their range"));

    let mut no_stages = example();
    no_stages.stages.clear();
    no_stages.cells.iter_mut().for_each(|cell| cell.curve.clear());
    assert!(!check(&no_stages).contains("Losses of"));

    let mut bare = example();
    for cell in &mut bare.cells {
        cell.scores.retain(|key, _| key == "vqa.overall");
        cell.per_sample.clear();
        cell.clusters.clear();
    }
    bare.samples.iter_mut().for_each(|sample| sample.png.clear());
    check(&bare);

    let mut no_axes = example();
    no_axes.axes.clear();
    no_axes.baseline.clear();
    check(&no_axes);

    let mut unknown = example();
    unknown.primary = "other.score".into();
    check(&unknown);
}

/// A score of nothing is no number, and says why.
#[test]
fn scores_that_there_are_none_of() {
    let mut results = example();
    let absent = |key: &str, why: &str| (key.to_owned(), why.to_owned());
    results.absent = [
        absent("vqa.overall", "`folder:x` has no questions"),
        absent("caption.cider", "nobody looks at this, for there are some"),
    ]
    .into();
    for cell in &mut results.cells {
        cell.scores.retain(|key, _| !key.starts_with("vqa."));
        cell.per_sample.clear();
        cell.curve.clear();
    }
    check(&results);
    let text = table(&results);
    assert!(text.contains("VQA accuracy (%)") && text.contains(" –"), "{text}");
    assert!(text.ends_with("VQA accuracy: –, for `folder:x` has no questions.\n"), "{text}");
    assert!(!text.contains("0.0 ") && !text.contains("nobody"), "{text}");
    let found = summary(&results);
    assert_eq!(found.absent.len(), 1);
    assert!(found.rows.iter().all(|row| !row.scores.contains_key("vqa.overall")));
    assert!(found.verdict[0].starts_with("No VQA accuracy was measured"), "{:?}", found.verdict);
    assert!(markdown(&results).contains("- VQA accuracy: –, for"));
    let json = serde_json::to_value(Results::default()).expect("results are data");
    assert!(json.get("absent").is_none(), "results with all scores look as before");
}

#[test]
fn axes_of_many_values() {
    for (first, second, third) in [(5, 1, 1), (9, 1, 1), (2, 4, 1), (3, 7, 1), (2, 2, 2), (1, 3, 1)]
    {
        let mut results = example();
        let names =
            |n: usize, stem: &str| (0..n).map(|at| format!("{stem}{at}")).collect::<Vec<_>>();
        let (a, b, c) =
            (names(first, "a-"), names(second, ""), names(third, "a rather long name "));
        results.axes = [("a", &a), ("b", &b), ("c", &c)]
            .iter()
            .map(|(key, values)| {
                axis(
                    key,
                    &format!("axis {key}"),
                    &values.iter().map(String::as_str).collect::<Vec<_>>(),
                )
            })
            .collect();
        results.baseline.clear();
        let models = example().cells;
        results.cells.clear();
        for at in 0..first * second * third {
            let (a, b, c) = (&a[at % first], &b[at / first % second], &c[at / first / second]);
            for seed in 1..=2 {
                let mut new = models[(at + seed) % models.len()].clone();
                new.axes = cell(&[("a", a), ("b", b), ("c", c)], 0, &[]).axes;
                new.seed = seed as u64;
                results.cells.push(new);
            }
        }
        check(&results);
    }
}

#[test]
fn hostile_text_and_numbers() {
    let evil = "<script>alert(\"1\")</script> & 'x' | `y` ]( \n# z \u{1}";
    let mut results = example();
    for text in [
        &mut results.name,
        &mut results.question,
        &mut results.command,
        &mut results.device,
        &mut results.git,
    ] {
        *text = evil.to_owned();
    }
    results.notes.push(evil.to_owned());
    results.axes[1].label = evil.to_owned();
    for cell in &mut results.cells {
        cell.axes.insert("language".into(), evil.to_owned());
        cell.scores.insert(format!("vqa.kind.{evil}"), 3.0);
        cell.scores.insert("vqa.group.seen".into(), f64::NAN);
        cell.curve[3].scores.insert("vqa.overall".into(), f64::INFINITY);
        cell.clusters.pop();
    }
    results.flips[0].cell = evil.to_owned();
    for sample in results.samples.iter_mut().chain(&mut results.flips[0].gains) {
        sample.captions.push(evil.to_owned());
        sample.outputs[0].answer = evil.to_owned();
        sample.group = evil.to_owned();
    }
    results.stages[0].losses.insert("loss_itc".into(), vec![(0, f64::NAN), (5, 2.0), (9, 1.0)]);
    results.stages[0].label = evil.to_owned();
    results.frozen[0].role = evil.to_owned();
    results.cost.parts.push((evil.to_owned(), 5.0));
    let page = check(&results);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
    assert!(!markdown(&results).replace("`````sh\n<script", "").contains(" <script"));
}
