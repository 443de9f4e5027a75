//! Finished documents: the HTML page, the Markdown file, the table for the terminal.

pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod terminal;
