//! Pictures with the answers and captions of the models.

use crate::names;
use crate::text::table::markdown_text;
use crate::text::write::escape;
use crate::{Flips, SampleOutput, SamplePicture};
use base64::{Engine, engine::general_purpose::STANDARD};

/// The sign, style class and word of a score between 0 and 1.
fn judged(correct: f64) -> (&'static str, &'static str, String) {
    if correct >= 0.999 {
        ("✓", "good", "correct".to_owned())
    } else if correct > 0.0 {
        ("◐", "part", format!("partly correct ({correct:.2})"))
    } else {
        ("✗", "bad", "wrong".to_owned())
    }
}

fn group_name(group: &str) -> String {
    names::GROUPS
        .iter()
        .find(|(key, _, _)| *key == group)
        .map_or(group.replace('_', " "), |(_, name, _)| (*name).to_owned())
}

/// Pictures by group, in the order in which groups first occur.
fn by_group(samples: &[SamplePicture]) -> Vec<(&str, Vec<&SamplePicture>)> {
    let mut groups: Vec<(&str, Vec<&SamplePicture>)> = Vec::new();
    for sample in samples {
        match groups.iter_mut().find(|(group, _)| *group == sample.group) {
            Some((_, members)) => members.push(sample),
            None => groups.push((&sample.group, vec![sample])),
        }
    }
    groups
}

/// Writes all pictures as HTML.
pub(crate) fn html(samples: &[SamplePicture]) -> String {
    let mut out = String::from(
        "<p class=\"note\"><span class=\"good\">✓ correct</span>, \
         <span class=\"part\">◐ partly correct</span>, <span class=\"bad\">✗ wrong</span>. \
         Pictures are enlarged without smoothing.</p>\n",
    );
    for (group, members) in by_group(samples) {
        if !group.is_empty() {
            out.push_str(&format!("<h3>Group: {}</h3>\n", escape(&group_name(group))));
        }
        out.push_str("<div class=\"cards\">\n");
        out.extend(members.iter().map(|sample| card(sample)));
        out.push_str("</div>\n");
    }
    out
}

fn card(sample: &SamplePicture) -> String {
    let picture = if sample.png.is_empty() {
        "<div class=\"nopicture\">no picture</div>".to_owned()
    } else {
        let alt = sample.captions.first().map_or("test picture", String::as_str);
        let data = STANDARD.encode(&sample.png);
        format!("<img src=\"data:image/png;base64,{data}\" alt=\"{}\" width=\"168\"/>", escape(alt))
    };
    let references: String =
        sample.captions.iter().map(|caption| format!("<li>{}</li>", escape(caption))).collect();
    let references =
        if references.is_empty() { references } else { format!("<ul>{references}</ul>") };
    let question = if sample.question.is_empty() {
        String::new()
    } else {
        let answers = escape(&sample.answers.join(" / "));
        format!("<p class=\"asked\">{} <b>{answers}</b></p>", escape(&sample.question))
    };
    let rows: String = sample.outputs.iter().map(output).collect();
    let outputs = if rows.is_empty() {
        String::new()
    } else {
        format!(
            "<table class=\"said\"><thead><tr><th scope=\"col\">model</th>\
             <th scope=\"col\">answer</th><th scope=\"col\">caption</th></tr></thead>\
             <tbody>{rows}</tbody></table>"
        )
    };
    let id = escape(&sample.id);
    format!(
        "<article class=\"card\"><div class=\"shown\">{picture}<div>{question}\
         <p class=\"label\">References</p>{references}<p class=\"label\">{id}</p></div></div>\
         {outputs}</article>\n"
    )
}

fn output(output: &SampleOutput) -> String {
    let (sign, class, word) = judged(output.correct);
    let answer = if output.answer.is_empty() && output.correct <= 0.0 {
        "–".to_owned()
    } else {
        format!(
            "<span class=\"answer {class}\" title=\"{word}\">{sign} {}</span>",
            escape(&output.answer)
        )
    };
    format!(
        "<tr><th scope=\"row\">{}</th><td>{answer}</td><td>{}</td></tr>",
        escape(&output.cell),
        escape(&output.caption)
    )
}

/// Writes the samples that only one of two cells gets right, as HTML.
pub(crate) fn flips_html(all: &[Flips]) -> String {
    let mut out = String::from(
        "<p class=\"note\">What a difference between two cells is made of: samples that only one \
         of them gets right, some of each side, spread over the split.</p>\n",
    );
    for flips in all {
        out.push_str(&format!("<h3>{}</h3>\n", escape(&title(flips))));
        for (what, pictures) in sides(flips) {
            if !pictures.is_empty() {
                out.push_str(&format!(
                    "<p class=\"label\">{}</p>\n<div class=\"cards\">\n",
                    escape(&what)
                ));
                out.extend(pictures.iter().map(card));
                out.push_str("</div>\n");
            }
        }
    }
    out
}

/// Writes the counts of [`flips_html`] as Markdown; the samples are in the page only.
pub(crate) fn flips_markdown(all: &[Flips]) -> String {
    let line = |flips: &Flips| {
        let [gained, lost] = sides(flips).map(|(what, _)| what);
        format!(
            "- {}: {}; {}\n",
            markdown_text(&title(flips)),
            markdown_text(&gained),
            markdown_text(&lost)
        )
    };
    all.iter().map(line).collect::<String>() + "\n"
}

fn title(flips: &Flips) -> String {
    format!("{} against {}, {} {}", flips.cell, flips.against, flips.compared, flips.task)
}

fn sides(flips: &Flips) -> [(String, &[SamplePicture]); 2] {
    let verb = if flips.task == "captions" { "nearer to the references" } else { "right" };
    [
        (format!("{} {verb} only with {}", flips.gained, flips.cell), &flips.gains[..]),
        (format!("{} {verb} only with {}", flips.lost, flips.against), &flips.losses[..]),
    ]
}

/// Writes answers and captions of all pictures as Markdown, without the pictures themselves.
pub(crate) fn markdown(samples: &[SamplePicture]) -> String {
    let mut out = String::new();
    for sample in by_group(samples).into_iter().flat_map(|(_, members)| members) {
        let group = if sample.group.is_empty() {
            String::new()
        } else {
            format!(" ({})", group_name(&sample.group))
        };
        out.push_str(&format!("**{}**{}\n\n", markdown_text(&sample.id), markdown_text(&group)));
        if !sample.captions.is_empty() {
            out.push_str(&format!(
                "- references: {}\n",
                markdown_text(&sample.captions.join("; "))
            ));
        }
        if !sample.question.is_empty() {
            let answers = markdown_text(&sample.answers.join(" / "));
            out.push_str(&format!(
                "- question: {} **{answers}**\n",
                markdown_text(&sample.question)
            ));
        }
        for output in &sample.outputs {
            let (sign, _, _) = judged(output.correct);
            let [cell, answer, caption] =
                [&output.cell, &output.answer, &output.caption].map(|text| markdown_text(text));
            out.push_str(&format!("- {cell}: {sign} {answer}; caption: {caption}\n"));
        }
        out.push('\n');
    }
    out
}
