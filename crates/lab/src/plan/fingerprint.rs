//! Fingerprints: hashes of all that can change a result.

use toolkit_registry::Card;
use toolkit_system::digest::sha256_hex;

/// Returns the first 12 digits of the SHA-256 of a JSON value's text.
#[must_use]
pub fn hash_json(value: &serde_json::Value) -> String {
    sha256_hex(value.to_string().as_bytes())[..12].to_owned()
}

/// Returns a hash of everything in a card that can change a result: its text without comments, and
/// so its weights by their hash.
#[must_use]
pub fn card_hash(card: &Card) -> String {
    let mut table: toml::Table = toml::from_str(card.text().text()).unwrap_or_default();
    for key in ["about", "scores", "facts", "licence", "source"] {
        table.remove(key);
    }
    // Files that the card may name without a digest.
    let named = card.tokenizer_section.iter().map(|t| &t.file).chain(card.init.get("bert"));
    let files: Vec<String> =
        named.filter_map(|file| Some(sha256_hex(&card.bytes(file).ok()?))).collect();
    sha256_hex(format!("{:?} {} {table:?} {files:?}", card.kind, card.name).as_bytes())[..16]
        .to_owned()
}
