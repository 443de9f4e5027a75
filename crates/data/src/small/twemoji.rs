//! Twemoji pictures of the crate `twemoji-assets`, which `scenes` draws with too: they are in this
//! program already.

use super::pair::Pair;
use super::picture::Picture;
use std::collections::BTreeSet;
use twemoji_assets::png::PngTwemojiAsset;

/// Reads all named emojis but flags, symbols and skin tones, as for Google's pictures.
pub(crate) fn read() -> Vec<Pair> {
    let mut seen = BTreeSet::new();
    let mut pairs = Vec::new();
    for emoji in emojis::iter() {
        if matches!(emoji.group(), emojis::Group::Flags | emojis::Group::Symbols) {
            continue;
        }
        let bare = emoji.as_str().replace('\u{FE0F}', "");
        let asset = PngTwemojiAsset::from_emoji(emoji.as_str())
            .or_else(|| PngTwemojiAsset::from_emoji(&bare));
        let Some((asset, label)) = asset.and_then(|asset| asset.label.map(|label| (asset, label)))
        else {
            continue;
        };
        let codes: Vec<String> = bare.chars().map(|c| format!("{:x}", c as u32)).collect();
        let id = format!("twemoji/{}", codes.join("-"));
        if seen.insert(id.clone()) {
            let picture = Picture::Built { bytes: asset.data.0, name: label };
            pairs.extend(Pair::plain(id, label, picture));
        }
    }
    pairs
}
