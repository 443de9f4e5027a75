use super::*;

#[test]
fn redirects_resolve_as_a_browser_does() {
    let at = |target| resolve("https://hub.test:8443/a/b?x=1/2", target);
    assert_eq!(at("https://cdn.test/x#frag").as_deref(), Some("https://cdn.test/x"));
    assert_eq!(at("//cdn.test/x").as_deref(), Some("https://cdn.test/x"));
    assert_eq!(at("/c?y=1").as_deref(), Some("https://hub.test:8443/c?y=1"));
    assert_eq!(at("c").as_deref(), Some("https://hub.test:8443/a/c"));
    assert_eq!(at("c?to=http://x").as_deref(), Some("https://hub.test:8443/a/c?to=http://x"));
    assert_eq!(at("file:/etc/passwd"), None);
    assert_eq!(at(""), None);
    assert_eq!(resolve("http://hub.test", "x").as_deref(), Some("http://hub.test/x"));
}

#[test]
fn the_token_is_for_one_scheme_host_and_port() {
    let hub = "https://hub.test";
    assert!(same_host("https://HUB.test:443/x", hub));
    for other in [
        "http://hub.test/x",
        "https://hub.test:444/x",
        "https://hub.test.evil/x",
        "https://a.hub.test/",
        "x",
    ] {
        assert!(!same_host(other, hub), "{other}");
    }
    // The part before `@` is a name, not a host.
    assert!(!same_host("https://hub.test@evil.test/x", hub));
}

#[test]
fn signed_addresses_are_not_shown() {
    assert_eq!(shown("https://cdn.test/x?Signature=abc"), "https://cdn.test/x");
}

#[test]
fn the_token_needs_encryption_or_this_machine() {
    for url in [
        "https://hub.test",
        "http://localhost:8080/x",
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:80",
    ] {
        assert!(is_private(url), "{url}");
    }
    for url in [
        "http://hub.test",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "http://10.0.0.1",
        "ftp://x",
        "",
    ] {
        assert!(!is_private(url), "{url}");
    }
}
