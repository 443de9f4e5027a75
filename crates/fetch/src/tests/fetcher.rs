use super::*;

#[test]
fn offline_is_on_for_any_yes() {
    for (value, on) in [("1", true), ("true", true), ("0", false), ("", false), ("No", false)] {
        assert_eq!(is_on(Some(value.into())), on, "{value}");
    }
    assert!(!is_on(None));
}

#[test]
fn logs_do_not_hold_the_token() {
    let fetcher = Fetcher::new(Store::new("x")).token(Some("hf_secret".to_owned()));
    assert!(!format!("{fetcher:?}").contains("secret"));
}
