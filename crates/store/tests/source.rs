//! Sources as text: what is read, what is refused, and that printing and reading again changes
//! nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use std::path::PathBuf;
use toolkit_store::{Digest, Package, Source};

fn read(text: &str) -> Source {
    text.parse().unwrap()
}

#[test]
fn each_form_is_read() {
    let hf = |rev: &str, path: Option<&str>| Source::Hf {
        repo: "owner/name-1.5".to_owned(),
        rev: rev.to_owned(),
        path: path.map(str::to_owned),
    };
    assert_eq!(read("hf:owner/name-1.5"), hf("main", None));
    assert_eq!(read("hf:owner/name-1.5@main"), hf("main", None));
    assert_eq!(read("hf:owner/name-1.5@refs/pr/1#a/b c#d"), hf("refs/pr/1", Some("a/b c#d")));
    let package = |name: &str, version: &str, member: Option<&str>| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        member: member.map(str::to_owned),
    };
    assert_eq!(read("pip:a_b.c-d==1.0.post1"), Source::Pip(package("a_b.c-d", "1.0.post1", None)));
    let epoch = package("openclipart-png", "1:0.18+dfsg-19", Some("usr/share"));
    assert_eq!(read("apt:openclipart-png=1:0.18+dfsg-19#usr/share"), Source::Apt(epoch));
    assert_eq!(
        read("npm:@scope/x@1.2.3-rc.1#a.json"),
        Source::Npm(package("@scope/x", "1.2.3-rc.1", Some("a.json")))
    );
    assert_eq!(read("npm:x@1.2.3"), Source::Npm(package("x", "1.2.3", None)));
    assert_eq!(read("file:../a b#c"), Source::File(PathBuf::from("../a b#c")));
}

#[test]
fn only_a_commit_and_packages_are_pinned() {
    assert!(read("pip:a==1").is_pinned());
    assert!(read("hf:a/b@0123456789abcdef0123456789abcdef01234567#x").is_pinned());
    assert!(!read("hf:a/b@v1.0#x").is_pinned());
    assert!(!read("file:x").is_pinned());
}

#[test]
fn bad_text_is_refused_in_one_line_with_a_hint() {
    let cases = [
        ("", "no scheme"),
        ("model.safetensors", "no scheme"),
        ("ftp:x", "unknown scheme `ftp`"),
        ("file:", "no path"),
        ("hf:bert-base-uncased", "no owner/name"),
        ("hf:a/b/c", "no owner/name"),
        ("hf:a--b/c", "no owner/name"),
        ("hf:../b", "no owner/name"),
        ("hf:a/b@", "no revision"),
        ("hf:a/b@x/../y", "no revision"),
        ("hf:a/b@--upload", "no revision"),
        ("hf:a/b#", "no path inside"),
        ("hf:a/b#../x", "no path inside"),
        ("hf:a/b#/etc/passwd", "no path inside"),
        ("hf:a/b#x\\..\\y", "no path inside"),
        ("hf:a/b#x\n", "control characters"),
        ("pip:a", "no version"),
        ("pip:a=1", "no version"),
        ("pip:a==", "no exact version"),
        ("pip:a==1.*", "no exact version"),
        ("pip:-r==1", "no package name"),
        ("pip:a==1 --index-url=x", "no exact version"),
        ("apt:a", "no version"),
        ("apt:a=-1", "no exact version"),
        ("npm:x", "no version"),
        ("npm:@s/x", "no version"),
        ("npm:x@latest", "no exact version"),
        ("npm:x@^1.2.0", "no exact version"),
        ("npm:@s@1.0", "no package name"),
        ("npm:@s/../x@1.0", "no package name"),
    ];
    for (text, what) in cases {
        let error = text.parse::<Source>().unwrap_err().to_string();
        assert!(
            error.contains(what) && error.contains("; hint: ") && !error.contains('\n'),
            "{text}: {error}"
        );
    }
}

#[test]
fn serde_uses_the_text() {
    let source = read("hf:a/b@v1#c");
    assert_eq!(serde_json::to_string(&source).unwrap(), "\"hf:a/b@v1#c\"");
    assert_eq!(serde_json::from_str::<Source>("\"hf:a/b@v1#c\"").unwrap(), source);
    let error = serde_json::from_str::<Source>("\"hf:a\"").unwrap_err().to_string();
    assert!(error.contains("no owner/name"), "{error}");
    assert_eq!(serde_json::to_string(&Digest::default()).unwrap(), "{}");
    assert!(serde_json::from_str::<Digest>("{\"sha25\": \"x\"}").is_err());
}

fn member() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-zA-Z0-9#@=: ][^/\\\\\\p{C}]{0,8}(/[a-z#@:]{1,5}){0,2}")
}

fn source() -> impl Strategy<Value = Source> {
    let word = "[a-zA-Z0-9][a-zA-Z0-9._+]{0,12}";
    let package = |name: &'static str, version: &'static str| {
        (name, version, member()).prop_map(|(name, version, member)| Package {
            name,
            version,
            member,
        })
    };
    prop_oneof![
        (
            "[a-z0-9_]{1,9}/[A-Za-z0-9][A-Za-z0-9._]{0,9}",
            "main|v[0-9]{1,3}([.][0-9]){0,2}|[0-9a-f]{40}|refs/pr/[0-9]",
            member()
        )
            .prop_map(|(repo, rev, path)| Source::Hf { repo, rev, path }),
        package(word, "[0-9][0-9a-z.!+]{0,9}").prop_map(Source::Pip),
        package("[a-z0-9][a-z0-9+.-]{0,12}", "[0-9][0-9a-z.:~+-]{0,9}").prop_map(Source::Apt),
        package("(@[a-z0-9][a-z0-9-]{0,5}/)?[a-z0-9][a-z0-9._-]{0,12}", "[0-9][0-9a-z.+-]{0,9}")
            .prop_map(Source::Npm),
        "[^\\p{C}]{1,20}".prop_map(|path| Source::File(path.into())),
    ]
}

proptest! {
    #[test]
    fn printing_and_reading_gives_the_same(source in source()) {
        let text = source.to_string();
        prop_assert_eq!(text.parse::<Source>().unwrap(), source, "{}", text);
    }

    #[test]
    fn what_is_read_prints_a_fixed_point(text in "(hf|pip|apt|npm|file):[a-z@=#/.0-9:-]{0,20}") {
        if let Ok(source) = text.parse::<Source>() {
            let printed = source.to_string();
            prop_assert_eq!(printed.parse::<Source>().unwrap().to_string(), printed);
        }
    }
}
