//! A picture of a source with the texts that people wrote and the kind that its folder names.

use super::picture::Picture;

/// A picture with captions, before it is put into a split.
pub(crate) struct Pair {
    /// Unique within the data set: the source, then the path within the package without its ending.
    pub id: String,
    /// Content of the picture, in the words of its name. Two with the same normalised subject
    /// depict the same. Mostly the caption itself, but a word where the caption puts it into a
    /// frame ("a drawing of a {word}"), so that a word of one source meets the same word of
    /// another.
    pub subject: String,
    /// Captions, the one that names the picture first.
    pub captions: Vec<String>,
    /// Kind of thing that its folder names, and the finer kind of a folder below: names of
    /// [`super::kinds::KINDS`].
    pub kind: Option<&'static str>,
    pub finer: Option<&'static str>,
    pub picture: Picture,
}

impl Pair {
    /// Creates a pair whose only caption is its subject, of no known kind; `None` if there is no
    /// text.
    pub(crate) fn plain(id: String, caption: &str, picture: Picture) -> Option<Self> {
        let caption = caption.trim();
        let has_text = !caption.is_empty();
        let (subject, captions) = (caption.to_owned(), vec![caption.to_owned()]);
        has_text.then_some(Self { id, subject, captions, kind: None, finer: None, picture })
    }
}
