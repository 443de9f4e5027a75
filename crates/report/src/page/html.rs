//! The report as one HTML file that needs nothing else.

use crate::draw::paint::{Paint, variables};
use crate::draw::{Figure, dots, losses, main_figure, time};
use crate::stats::grid::Grid;
use crate::stats::summary::Summary;
use crate::text::differences::compared;
use crate::text::notes::{notes, revision};
use crate::text::table::Table;
use crate::text::verdict::{Sentence, verdict};
use crate::text::write::{capital, escape};
use crate::text::{cost, glossary, retrieval, samples, tables};
use crate::{Results, summary};

/// The style sheet, less the colours.
const STYLE: &str = include_str!("style.css");

/// A page under construction.
#[derive(Default)]
struct Page {
    body: String,
    /// Id and title of the sections.
    sections: Vec<(String, String)>,
    figures: usize,
    tables: usize,
}

impl Page {
    fn section(&mut self, title: &str) {
        let id = format!("s{}", self.sections.len() + 1);
        self.body.push_str(&format!("<h2 id=\"{id}\">{}</h2>\n", escape(title)));
        self.sections.push((id, title.to_owned()));
    }

    fn figure(&mut self, figure: Option<Figure>) {
        let Some(figure) = figure else { return };
        self.figures += 1;
        self.body.push_str(&format!(
            "<figure><div class=\"scroll\">{}</div><figcaption><b>Figure {}.</b> \
            {}</figcaption></figure>\n",
            figure.svg,
            self.figures,
            escape(&figure.caption)
        ));
    }

    fn table(&mut self, table: &Table) {
        if !table.is_empty() {
            self.tables += 1;
            self.body.push_str(&table.html(self.tables));
        }
    }

    /// A section of tables; nothing if all are empty.
    fn tables(&mut self, title: &str, tables: &[Table]) {
        if tables.iter().any(|table| !table.is_empty()) {
            self.section(title);
            tables.iter().for_each(|table| self.table(table));
        }
    }
}

/// The report as a self-contained HTML page: no scripts, no other files, light and dark, printable.
#[must_use]
pub fn html(results: &Results) -> String {
    let (grid, summary) = (Grid::new(results), summary(results));
    let mut page = Page::default();
    scores(&mut page, results, &grid, &summary);
    training(&mut page, results);
    if !results.samples.is_empty() {
        page.section("Samples");
        page.body.push_str(&samples::html(&results.samples));
    }
    if !results.flips.is_empty() {
        page.section("What flipped");
        page.body.push_str(&samples::flips_html(&results.flips));
    }
    run(&mut page, results, &grid, &summary);
    document(results, &grid, &summary, &page)
}

fn scores(page: &mut Page, results: &Results, grid: &Grid, summary: &Summary) {
    let corner = grid.axes_label();
    page.section("Main result");
    page.figure(main_figure(results, grid, Paint::Page));
    page.table(&tables::results(summary, &corner));
    if !summary.effects.is_empty() || !summary.comparisons.is_empty() {
        page.section("Comparisons");
        page.figure(dots::differences(&summary.effects, &summary.primary, Paint::Page));
        compared(grid, summary).iter().for_each(|table| page.table(table));
    }
    page.tables("By kind of question", &[tables::kinds(summary, &corner)]);
    page.tables("By group of pictures", &[tables::groups(summary, &corner)]);
    page.tables("Controls: does the picture matter?", &tables::controls(summary, &corner));
    let both =
        [retrieval::retrieval(results, summary, &corner), tables::captions(summary, &corner)];
    page.tables("Retrieval and captions", &both);
}

fn training(page: &mut Page, results: &Results) {
    for (name, figure) in losses::figures(results, Paint::Page) {
        let name = if name.is_empty() { "training".to_owned() } else { name };
        page.section(&format!("Losses of {name}"));
        page.figure(Some(figure));
    }
}

fn run(page: &mut Page, results: &Results, grid: &Grid, summary: &Summary) {
    page.section("Cost and machine");
    let facts = cost::facts(results)
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect::<Vec<_>>();
    page.body.push_str(&definitions("facts", &facts));
    page.figure(time::bar(results, Paint::Page));
    page.table(&cost::cells(grid));
    page.tables("Frozen parts", &[cost::frozen(results)]);
    let notes = notes(results, summary);
    if !notes.is_empty() {
        page.section("Notes");
        let notes: String = notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
        page.body.push_str(&format!("<ul class=\"notes\">{notes}</ul>\n"));
    }
    if !results.command.is_empty() {
        page.section("Reproduce");
        page.body.push_str(&format!("<pre><code>{}</code></pre>\n", escape(&results.command)));
        page.body.push_str(&format!(
            "<p class=\"note\">{} All numbers of this page are in <code>results.json</code> beside \
            it.</p>\n",
            escape(&revision(results))
        ));
    }
    let terms = glossary::terms(results, summary);
    if !terms.is_empty() {
        page.section("Terms");
        page.body.push_str(&definitions("terms", &terms));
    }
}

fn definitions(class: &str, entries: &[(String, String)]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let entry = |(term, meaning): &(String, String)| {
        let term = if term.starts_with("p ") { term.clone() } else { capital(term) };
        format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(&term), escape(meaning))
    };
    format!("<dl class=\"{class}\">{}</dl>\n", entries.iter().map(entry).collect::<String>())
}

fn document(results: &Results, grid: &Grid, summary: &Summary, page: &Page) -> String {
    let name = if results.name.is_empty() { "Experiment" } else { &results.name };
    let axes: Vec<String> =
        results.axes.iter().map(|a| format!("{} ({})", a.label, a.values.join(", "))).collect();
    let varied =
        if axes.is_empty() { String::new() } else { format!("varied: {}", axes.join("; ")) };
    let meta: Vec<String> = [results.created.clone(), varied, results.device.clone()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let question = if results.question.is_empty() {
        String::new()
    } else {
        format!("<p class=\"question\">{}</p>\n", escape(&results.question))
    };
    let sentence = |s: &Sentence| match s.lead.is_empty() {
        true => escape(&s.rest),
        false => format!("<b>{}</b> {}", escape(&s.lead), escape(&s.rest)),
    };
    let verdict: Vec<String> = verdict(grid, summary).iter().map(sentence).collect();
    let links: Vec<String> = page
        .sections
        .iter()
        .map(|(id, title)| format!("<a href=\"#{id}\">{}</a>", escape(title)))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n\
         <style>\n{variables}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"meta\">{meta}</p>\n<h1>{title}</h1>\n{question}</header>\n\
         <section class=\"verdict\"><h2>In short</h2>\n<p>{verdict}</p></section>\n\
         <nav aria-label=\"Sections\">{links}</nav>\n{body}</main>\n</body>\n</html>\n",
        title = escape(name),
        variables = variables(),
        meta = escape(&meta.join(" · ")),
        verdict = verdict.join(" "),
        links = links.join(" "),
        body = page.body,
    )
}
