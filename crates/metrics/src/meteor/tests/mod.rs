//! Tests of METEOR's parts; its scores are tested in `tests/meteor.rs`.

mod search;

use super::normaliser::{self, Prefix, Prefixes};
use super::{java, stemmer, synonyms::Synonyms};

fn normal(text: &str) -> String {
    let prefixes: Prefixes =
        [("mr".to_owned(), Prefix::Always), ("no".to_owned(), Prefix::BeforeNumber)].into();
    java::tokens(&normaliser::normal(text, &prefixes)).collect::<Vec<_>>().join(" ")
}

#[test]
fn punctuation_is_parted_as_the_jar_does() {
    for (text, expected) in [
        ("a man's dog can't", "a man 's dog can 't"),
        ("1,000 a,1 1,a a,b,c", "1,000 a , 1 1 , a a , b,c"),
        ("U.S. 101 end. Next stop. go", "us 101 end . next stop. go"),
        ("mr. Smith no. 5 no. X", "mr. smith no. 5 no . x"),
        ("wait... a..b", "wait ... a .. b"),
        ("rock-n-roll -- x - y", "rock n-roll - x - y"),
        ("``it'' \u{2018}so\u{2019}", "\" it \" ' so '"),
        ("$5 50% a/b", "$ 5 50 % a / b"),
        ("caf\u{e9}\u{4e2d}", "caf\u{e9} \u{4e2d}"),
        ("DOTMULTI. x", ".. x"),
        ("", ""),
    ] {
        assert_eq!(normal(text), expected, "{text}");
    }
}

#[test]
fn stems_are_those_of_the_old_snowball() {
    for (word, expected) in [
        ("skies", "sky"),
        ("dying", "die"),
        ("generously", "generous"),
        ("communism", "communism"),
        ("hopping", "hop"),
        ("hoping", "hope"),
        ("bed", "bed"),
        ("flies", "fli"),
        ("ties", "tie"),
        ("herrings", "herring"),
        ("relational", "relat"),
        ("sayings", "say"),
        ("youth", "youth"),
        ("controlled", "control"),
        ("'tis", "tis"),
        ("yy", "yy"),
        ("a", "a"),
        ("", ""),
        ("\u{1f600}s", "\u{1f600}s"),
    ] {
        assert_eq!(String::from_utf16_lossy(&stemmer::stem(word)), expected, "{word}");
    }
}

#[test]
fn hashes_are_javas() {
    // "Aa" and "BB" are the textbook collision; the last one overflows.
    for (text, hash) in
        [("", 0), ("a", 97), ("Aa", 2112), ("BB", 2112), ("polygenelubricants", i32::MIN)]
    {
        assert_eq!(java::hash(text.encode_utf16()), hash, "{text}");
    }
}

#[test]
fn synonyms_of_regular_and_irregular_forms() {
    let synonyms =
        Synonyms::read("child\nchildren\n", "child\n1 2\nkid\n2 3\nclass\n4\n").expect("tables");
    assert_eq!(*synonyms.sets("children"), [1, 2]);
    assert_eq!(*synonyms.sets("kids"), [2, 3]);
    assert_eq!(*synonyms.sets("classes"), [4]);
    assert_eq!(*synonyms.sets("cla"), []);
    let error = Synonyms::read("", "child\n1 x\n").err().expect("a bad number").to_string();
    assert!(error.contains("line 2") && error.contains("; hint: "), "{error}");
}
