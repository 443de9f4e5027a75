//! The boards of GCompris (`board*.qml`): lists of objects with a picture, a title and a text.
//!
//! Only that much of QML is read: string literals, and which of them follows which key within an
//! object.

/// An object that names a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Board {
    /// The path within the resources.
    pub image: String,
    pub title: String,
    pub text: String,
}

/// Returns all objects with a picture (`image2`) and a title.
pub(crate) fn boards(qml: &str) -> Vec<Board> {
    let mut found = Vec::new();
    let mut board = Board::default();
    // The key that the next string belongs to, and the last string, which is a key if a colon
    // follows.
    let (mut key, mut last) = (String::new(), String::new());
    let mut chars = qml.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => drop(chars.by_ref().find(|c| *c == '\n')),
            '/' if chars.peek() == Some(&'*') => {
                let mut before = ' ';
                for c in chars.by_ref().skip(1) {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            '"' => {
                last = literal(&mut chars);
                let slot = match key.as_str() {
                    "image2" => &mut board.image,
                    "title" => &mut board.title,
                    "text" => &mut board.text,
                    _ => continue,
                };
                // A text may be parts with `+` between.
                slot.push_str(&last);
            }
            ':' => key = std::mem::take(&mut last),
            ',' => key.clear(),
            '{' => {
                board = Board::default();
                key.clear();
            }
            '}' => {
                let board = std::mem::take(&mut board);
                if !board.image.is_empty() && !board.title.trim().is_empty() {
                    found.push(Board { image: resource(&board.image), ..board });
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns a path within the resources: `qrc:/a/b` is `a/b`.
fn resource(path: &str) -> String {
    path.trim_start_matches("qrc:").trim_start_matches('/').to_owned()
}

/// Reads a string literal behind its opening quote.
fn literal(chars: &mut impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n' | 't' | 'r') => text.push(' '),
                Some(other) => text.push(other),
                None => break,
            },
            c => text.push(c),
        }
    }
    text
}

/// Returns the first sentence of a text: up to a full stop, `!` or `?` before a capital.
pub(crate) fn first_sentence(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    for at in 1..words.len() {
        let before = words[at - 1];
        // "St. Michael", "Mt. Rushmore", "J. Smith": an abbreviation is short.
        let ends = before.ends_with(['.', '!', '?']) && before.chars().count() > 3;
        if ends && words[at].starts_with(char::is_uppercase) {
            return words[..at].join(" ");
        }
    }
    words.join(" ")
}
