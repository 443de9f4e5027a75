//! Tokenizer files against the table they are for: ids without a row, files that the `tokenizers`
//! crate panics on, special tokens that a text spells out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use toolkit_tokenizer::{TextTokenizer, TokenTable};

/// Byte-level, with `</s>` before every text and `<loc0>` behind the words.
fn file(processor: &str, decoder: &str) -> String {
    format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[
{{"id":0,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}},
{{"id":6,"content":"<loc0>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}},
{{"id":7,"content":"cot","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":false}}],
"normalizer":null,"pre_tokenizer":{{"type":"Whitespace"}},"post_processor":{processor},"decoder":{decoder},
"model":{{"type":"WordLevel","vocab":{{"</s>":0,"<unk>":1,"a":2,"red":3,"cat":4,"dog":5}},"unk_token":"<unk>"}}}}"#
    )
}

/// A post-processor that puts `token` with id `id` before a text.
fn before(token: &str, named: &str, id: u32) -> String {
    format!(
        r#"{{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":"{token}","type_id":0}}}},{{"Sequence":{{"id":"A",
"type_id":0}}}}],"pair":[],"special_tokens":{{"{named}":{{"id":"{named}","ids":[{id}],"tokens":["{named}"]}}}}}}"#
    )
}

fn read(json: &str, rows: usize) -> Result<TextTokenizer, String> {
    let read =
        TextTokenizer::read(json.as_bytes(), "t/tokenizer.json", TokenTable::of_language(rows));
    read.map_err(|error| error.to_string())
}

#[test]
fn an_id_without_a_row_is_named_with_its_token_and_the_rows() {
    let tokenizer = read(&file("null", "null"), 6).unwrap();
    assert_eq!(tokenizer.encode("a red cat").unwrap(), [2, 3, 4]);
    let error = tokenizer.encode("a <loc0> cat").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "token `<loc0>` has id 6, the language model has 6 rows --> t/tokenizer.json; hint: "
        ),
        "{error}"
    );
    assert!(
        tokenizer.encode("a cot").unwrap_err().what.starts_with("token `cot` has id 7"),
        "not special ones too"
    );
    let past = tokenizer.tokens_without_row().unwrap();
    assert!(past.contains("2 from `<loc0>` (id 6) on") && past.contains("6 rows"), "{past}");
    let whole = read(&file("null", "null"), 8).unwrap();
    assert_eq!(
        (whole.encode("a <loc0> cot").unwrap(), whole.tokens_without_row()),
        (vec![2, 6, 7], None)
    );
}

#[test]
fn ids_that_a_post_processor_puts_are_compared_too() {
    let framed = |id, rows| {
        read(&file(&before("</s>", "</s>", id), "null"), rows)
            .unwrap()
            .encode_with_special_tokens("a cat")
    };
    assert_eq!(framed(0, 6).unwrap(), [0, 2, 4]);
    assert!(framed(400, 6).unwrap_err().what.contains("has id 400, the language model has 6 rows"));
}

#[test]
fn a_byte_order_mark_is_taken_off() {
    assert!(read(&format!("\u{feff}{}", file("null", "null")), 8).is_ok());
}

#[test]
fn panics_of_the_tokenizers_crate_are_errors_with_the_file() {
    // `decoders/mod.rs`: a decoder that is no JSON once the tag was looked for.
    let cut =
        file("null", "null").replace(r#""decoder":null,"#, r#""decoder":{"type":"ByteLevel","#);
    let cut = cut.split(r#""model""#).next().unwrap();
    let broken = file("null", r#"{"type":"ByteLevel",{"a":1}:true}"#);
    for json in [cut, &broken] {
        let error = read(json, 8).unwrap_err();
        assert!(
            error.starts_with("this is not a tokenizer: it is damaged (")
                && error.contains("--> t/tokenizer.json; hint: "),
            "{error}"
        );
    }
    // `template.rs`: a template that names a token without an entry, or the second of two texts.
    let absent = read(&file(&before("</s>", "<s>", 0), "null"), 8).unwrap();
    assert_eq!(absent.encode("a").unwrap(), [2], "without special tokens nothing is wrong");
    let error = absent.encode_with_special_tokens("a").unwrap_err().to_string();
    assert!(
        error.contains("cannot encode a text: it is damaged") && error.contains("t/tokenizer.json"),
        "{error}"
    );
}

#[test]
fn special_tokens_that_texts_spell_out_are_counted() {
    let tokenizer = read(&file("null", "null"), 8).unwrap();
    assert_eq!(tokenizer.special_tokens_in(["a red cat", "1 < 2", "a cot", "<unk>"]), None);
    let one = tokenizer.special_tokens_in(["a </s> cat"]).unwrap();
    assert!(
        one.starts_with("the text holds special tokens")
            && one.contains("`</s>` (id 0) in `a </s> cat`"),
        "{one}"
    );
    let some = tokenizer.special_tokens_in(["a cat", "<loc0>", "a", "the </s>"]).unwrap();
    assert!(some.starts_with("2 of 4 texts hold") && some.contains("`<loc0>` (id 6)"), "{some}");
}

proptest! {
    /// Any damage is read or refused in one line, quickly, and never ends the process.
    #[test]
    fn damaged_files_are_read_or_refused(
        at in 0.0..1.0_f64,
        kind in 0..4_u8,
        piece in r#"[\[\]{}":,0-9a-zA-Z<>/]{1,6}"#,
        text in "[a-z <>/]{0,12}",
    ) {
        let whole = file(&before("</s>", "</s>", 0), r#"{"type":"WordPiece","prefix":"/","cleanup":true}"#);
        let at = (at * whole.len() as f64) as usize;
        let damaged = match kind {
            0 => whole[..at].to_owned(),
            1 => format!("{}{piece}{}", &whole[..at], &whole[at..]),
            2 => format!("{}{piece}{}", &whole[..at], &whole[(at + piece.len()).min(whole.len())..]),
            _ => format!("{}{}", &whole[..at], &whole[(at + 1 + 7 * piece.len()).min(whole.len())..]),
        };
        match read(&damaged, 8) {
            Ok(tokenizer) => {
                for ids in [tokenizer.encode(&text), tokenizer.encode_with_special_tokens(&text)].into_iter().flatten() {
                    prop_assert!(ids.iter().all(|id| *id < 8));
                    let _ = tokenizer.decode(&ids).map_err(|error| assert!(!error.to_string().contains('\n')));
                }
            }
            Err(error) => prop_assert!(!error.contains('\n') && error.contains("t/tokenizer.json"), "{}", error),
        }
    }
}

#[test]
fn a_tokenizer_in_utf_16_is_called_so() {
    let bytes: Vec<u8> =
        "{\"version\": \"1.0\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = TextTokenizer::read(&bytes, "tokenizer.json", TokenTable::of_language(4))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "this is UTF-16 --> tokenizer.json; hint: save the file as UTF-8");
}
