//! Answers of a Hub that are no file.

use super::*;

#[test]
fn a_listing_that_leads_outside_is_refused() {
    for name in ["../evil", "/etc/evil", "a/../../evil", "a\\b", "a//b", ""] {
        let s = setup();
        s.hub.put("config.json", b"{}", false, "aaaa");
        s.hub.world().listed = vec![name.to_owned()];
        let error = s.get("hf:owner/name").unwrap_err();
        assert!(matches!(&error, FetchError::Answer(_)), "{error}");
        let left: Vec<_> = fs::read_dir(s.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_commit_that_is_none_is_refused() {
    let s = setup();
    s.hub.put("c", b"{}", false, "aaaa");
    s.hub.world().commit = "../../x".to_owned();
    let error = s.get("hf:owner/name#c").unwrap_err().to_string();
    assert!(error.contains("is no commit"), "{error}");
}

#[test]
fn statuses_say_what_to_do() {
    let code = |code: &str| vec![("X-Error-Code", code.to_owned())];
    let cases = [
        (404, code("EntryNotFound"), "no such file in this revision"),
        (404, code("RevisionNotFound"), "no such revision"),
        (404, code("RepoNotFound"), "no such model"),
        (401, vec![], "HF_TOKEN"),
        (403, code("GatedRepo"), "accept the terms"),
        (400, vec![], "refused"),
    ];
    for (status, headers, what) in cases {
        let s = setup();
        s.large("m");
        s.hub.world().statuses = [(status, headers)].into();
        let error = s.get("hf:owner/name#m").unwrap_err();
        assert!(
            matches!(&error, FetchError::Status { status: own, .. } if *own == status),
            "{error}"
        );
        assert!(
            error.to_string().contains(what) && error.to_string().contains("; hint: "),
            "{error}"
        );
        assert_eq!(s.hub.requests(), ["hub HEAD"], "{status} is final");
    }
    let s = setup();
    s.hub.world().statuses = [(401, vec![])].into();
    let anonymous = s.store.clone().token(None);
    let error = anonymous
        .get(&read("hf:owner/name#m"), &Digest::default(), &NoProgress)
        .unwrap_err()
        .to_string();
    assert!(error.contains("set HF_TOKEN"), "{error}");
    assert_eq!(s.hub.world().log[0].header("authorization"), None);
}

#[test]
fn a_busy_server_is_asked_again_but_not_for_ever() {
    let s = setup();
    s.large("m");
    s.hub.world().statuses =
        [(429, vec![("Retry-After", "0".to_owned())]), (503, vec![]), (500, vec![])].into();
    s.get("hf:owner/name#m").unwrap();
    assert_eq!(s.hub.requests().len(), 6);

    let s = setup();
    s.hub.world().statuses = vec![(429, vec![]); 100].into();
    let error = s.get("hf:owner/name#m").unwrap_err().to_string();
    assert!(error.contains("too many requests"), "{error}");
    assert_eq!(s.hub.requests().len(), 5);
}

#[test]
fn redirects_end_somewhere() {
    let s = setup();
    let to_itself = (302, vec![("Location", "/owner/name/resolve/main/m".to_owned())]);
    s.hub.world().statuses = vec![to_itself; 100].into();
    let error = s.get("hf:owner/name#m").unwrap_err().to_string();
    assert!(error.contains("too many redirects"), "{error}");

    // A renamed repository: the token goes along on the same host.
    let s = setup();
    let bytes = s.large("m");
    assert_eq!(fs::read(s.get("hf:owner/old#m").unwrap()).unwrap(), bytes);
    let hub = |request: &&server::Request| request.host == "hub";
    assert!(
        s.hub
            .world()
            .log
            .iter()
            .filter(hub)
            .all(|request| request.header("authorization").is_some())
    );
}
