use super::*;

#[test]
fn the_standard_root_is_the_first_that_is_set() {
    let root = |set: &[(&str, &str)]| {
        standard_root(|name| {
            set.iter().find(|(own, _)| *own == name).map(|(_, value)| OsString::from(value))
        })
    };
    let all = [("TOOLKIT_CACHE", "/t"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
    assert_eq!(root(&all), Path::new("/t"));
    assert_eq!(root(&all[1..]), Path::new("/x/toolkit"));
    assert_eq!(root(&all[2..]), Path::new("/h/.cache/toolkit"));
    assert_eq!(root(&[("TOOLKIT_CACHE", ""), ("HOME", "/h")]), Path::new("/h/.cache/toolkit"));
}

#[test]
fn offline_is_on_for_any_yes() {
    for (value, on) in [("1", true), ("true", true), ("0", false), ("", false), ("No", false)] {
        assert_eq!(is_on(Some(value.into())), on, "{value}");
    }
    assert!(!is_on(None));
}

#[test]
fn logs_do_not_hold_the_token() {
    let store = Store::new("x").token(Some("hf_secret".to_owned()));
    assert!(!format!("{store:?}").contains("secret"));
}

#[test]
fn tools_get_an_absolute_root() {
    assert!(Store::new("some/where").root().is_absolute());
}
