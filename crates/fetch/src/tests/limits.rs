#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn room_follows_the_archive_unless_somebody_says_more() {
    let bytes = |limits: Limits, packed, stated| limits.room(packed, stated).bytes;
    let default = Limits::default();
    assert_eq!(bytes(default, 306_000, None), SMALL);
    assert_eq!(bytes(default, 10_000_000, None), 1_000_000_000);
    assert_eq!(bytes(default, u64::MAX, None), UNPACKED);
    assert_eq!(bytes(default, 306_000, Some(400_000_000)), 400_000_000);
    assert_eq!(bytes(Limits { allowed: Some(5) }, 306_000, None), 5);
}

#[test]
fn room_ends() {
    let mut room = Limits { allowed: Some(10) }.room(1, None);
    let archive = Path::new("a.whl");
    room.must_hold(archive, 10).unwrap();
    room.must_hold(archive, 11).unwrap_err();
    room.take(archive, 7).unwrap();
    room.take(archive, 3).unwrap();
    let error = room.take(archive, 1).unwrap_err().to_string();
    assert!(error.contains("more than 10 bytes") && error.contains("TOOLKIT_MAX_FETCH"), "{error}");
    for _ in 0..ENTRIES {
        room.enter(archive).unwrap();
    }
    room.enter(archive).unwrap_err();
}
