//! A table of text, and how it is written as HTML, Markdown and plain text.

use crate::text::write::escape;

/// Emphasis of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Emphasis {
    #[default]
    None,
    /// The best of its column.
    Best,
}

/// A cell: a main text, and a smaller one below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableCell {
    pub main: String,
    pub small: String,
    pub emphasis: Emphasis,
}

impl TableCell {
    pub(crate) fn new(main: impl Into<String>) -> Self {
        TableCell { main: main.into(), ..TableCell::default() }
    }
}

/// A row of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableRow {
    pub head: String,
    pub cells: Vec<TableCell>,
    /// `true` if a line is drawn above it.
    pub rule: bool,
}

/// A table with a name for each row and column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub caption: String,
    /// Above the names of the rows.
    pub corner: String,
    pub head: Vec<String>,
    pub rows: Vec<TableRow>,
    /// `true` if cells hold words, not numbers.
    pub words: bool,
}

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.head.is_empty()
    }

    /// Rows as columns.
    pub(crate) fn transposed(self, corner: &str) -> Self {
        let head = self.rows.iter().map(|row| row.head.clone()).collect();
        let row = |(at, name): (usize, &String)| TableRow {
            head: name.clone(),
            cells: self
                .rows
                .iter()
                .map(|row| row.cells.get(at).cloned().unwrap_or_default())
                .collect(),
            rule: false,
        };
        let rows = self.head.iter().enumerate().map(row).collect();
        Table { caption: self.caption, corner: corner.to_owned(), head, rows, words: self.words }
    }

    /// The table with its number in HTML.
    pub(crate) fn html(&self, number: usize) -> String {
        let head: String = self
            .head
            .iter()
            .map(|name| format!("<th scope=\"col\">{}</th>", whole_words(name)))
            .collect();
        let mut rows = String::new();
        for row in &self.rows {
            let class = if row.rule { " class=\"rule\"" } else { "" };
            rows.push_str(&format!("<tr{class}><th scope=\"row\">{}</th>", whole_words(&row.head)));
            rows.extend(row.cells.iter().map(html_cell));
            rows.push_str("</tr>\n");
        }
        format!(
            "<div class=\"scroll\"><table{}>\n\
             <caption><span><b>Table {number}.</b> {}</span></caption>\n\
             <thead><tr><th scope=\"col\">{}</th>{head}</tr></thead>\n\
             <tbody>\n{rows}</tbody></table></div>\n",
            if self.words { " class=\"words\"" } else { "" },
            escape(&self.caption),
            escape(&self.corner),
        )
    }

    /// The table with its number in Markdown.
    pub(crate) fn markdown(&self, number: usize) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let names = std::iter::once(&self.corner).chain(&self.head);
        let mut out = format!("**Table {number}.** {}\n\n", markdown_text(&self.caption));
        out.push_str(&line(names.map(|name| markdown_text(name)).collect()));
        let align = if self.words { "---" } else { "---:" };
        let rule = std::iter::once("---").chain(self.head.iter().map(|_| align));
        out.push_str(&line(rule.map(str::to_owned).collect()));
        for row in &self.rows {
            let cells = row.cells.iter().map(markdown_cell);
            out.push_str(&line(std::iter::once(markdown_text(&row.head)).chain(cells).collect()));
        }
        out.push('\n');
        out
    }

    /// The table as aligned text.
    pub(crate) fn plain(&self) -> String {
        let heads = std::iter::once(self.corner.clone()).chain(self.head.clone()).collect();
        let texts = |row: &TableRow| {
            let cells = row
                .cells
                .iter()
                .map(|cell| format!("{} {}", cell.main, cell.small).trim().to_owned());
            std::iter::once(row.head.clone())
                .chain(cells)
                .map(|text| text.replace(char::is_control, " "))
                .collect()
        };
        let lines: Vec<Vec<String>> =
            std::iter::once(heads).chain(self.rows.iter().map(texts)).collect();
        let length = |text: &String| text.chars().count();
        let width =
            |at: usize| lines.iter().filter_map(|line| line.get(at)).map(length).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.head.len()).map(width).collect();
        let mut out = String::new();
        for (index, line) in lines.iter().enumerate() {
            let pad = |(at, text): (usize, &String)| {
                let width = widths.get(at).copied().unwrap_or(0);
                if at == 0 { format!("{text:<width$}") } else { format!("{text:>width$}") }
            };
            let joined = line.iter().enumerate().map(pad).collect::<Vec<_>>().join("  ");
            out.push_str(joined.trim_end());
            out.push('\n');
            if index == 0 {
                out.push_str(&"-".repeat(widths.iter().sum::<usize>() + 2 * self.head.len()));
                out.push('\n');
            }
        }
        out
    }
}

/// Text as HTML that is not broken at hyphens.
fn whole_words(text: &str) -> String {
    let word = |word: &str| match word.contains('-') {
        true => format!("<span class=\"whole\">{}</span>", escape(word)),
        false => escape(word),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn html_cell(cell: &TableCell) -> String {
    let class = if cell.emphasis == Emphasis::Best { " class=\"best\"" } else { "" };
    let small = if cell.small.is_empty() {
        String::new()
    } else {
        format!("<small>{}</small>", escape(&cell.small))
    };
    format!("<td{class}>{}{small}</td>", escape(&cell.main))
}

fn markdown_cell(cell: &TableCell) -> String {
    let main = markdown_text(&cell.main);
    let main = if cell.emphasis == Emphasis::Best { format!("**{main}**") } else { main };
    if cell.small.is_empty() { main } else { format!("{main} {}", markdown_text(&cell.small)) }
}

/// Text that Markdown shows as it is.
pub(crate) fn markdown_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '&' => out.push_str("&amp;"),
            c if c.is_whitespace() && c != '\u{202f}' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
