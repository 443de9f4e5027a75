//! Captions as stage 1 reads them.

use toolkit_core::TextSpecialTokens;
use toolkit_system::problem::Problem;
use toolkit_tokenizer::TextTokenizer;

/// Longest caption in tokens, special ones included (LAVIS: `max_txt_len` 32).
pub const MAX_CAPTION: usize = 32;

/// Returns a function that encodes a caption as `[CLS] caption [SEP]`, at most `positions` tokens
/// long. The end of a longer caption is left out; `[SEP]` stays.
///
/// The function fails at a caption with a token that the model has no row for.
pub fn stage1_caption(
    tokenizer: TextTokenizer,
    special_tokens: TextSpecialTokens,
    positions: usize,
) -> impl Fn(&str) -> Result<Vec<u32>, Problem> + Send + Sync + 'static {
    move |text| {
        let mut ids = vec![special_tokens.cls];
        ids.extend(tokenizer.encode(text)?);
        ids.truncate(positions.min(MAX_CAPTION).saturating_sub(1));
        ids.push(special_tokens.sep);
        Ok(ids)
    }
}
