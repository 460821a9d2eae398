//! What every store does.

use inventory::store::Write;
use inventory::{Embedded, Memory, Revision, Store, StoreError};

fn write(key: &str, expected: u64, revision: u64, value: Option<&str>) -> Write {
    Write {
        key: key.into(),
        expected: Revision(expected),
        revision: Revision(revision),
        value: value.map(|value| value.as_bytes().to_vec()),
    }
}

fn with_each(check: impl Fn(&dyn Store)) {
    check(&Memory::default());
    let directory = tempfile::tempdir().unwrap();
    check(&Embedded::open(&directory.path().join("store")).unwrap());
}

#[test]
fn all_is_written_or_nothing() {
    with_each(|store| {
        store.commit(&[write("a", 0, 1, Some("1")), write("b", 0, 1, Some("2"))]).unwrap();
        for stale in [0, 2] {
            let writes = [write("b", 1, 3, Some("3")), write("a", stale, 3, Some("4"))];
            assert!(matches!(store.commit(&writes), Err(StoreError::Conflict(key)) if key == "a"));
            assert_eq!(store.get("b").unwrap().unwrap().value, b"2");
        }
        // What one commit does to a key twice is done in order.
        store.commit(&[write("a", 1, 4, None), write("a", 0, 5, Some("5"))]).unwrap();
        let kept = store.get("a").unwrap().unwrap();
        assert_eq!((kept.revision, kept.value.as_slice()), (Revision(5), &b"5"[..]));
        store.commit(&[write("a", 5, 6, None)]).unwrap();
        assert_eq!(store.get("a").unwrap(), None);
    });
}

#[test]
fn keys_are_read_in_order_from_behind_a_key() {
    with_each(|store| {
        let keys = ["a/1", "b/1", "b/2", "b/3", "c/1"];
        store.commit(&keys.map(|key| write(key, 0, 1, Some(key)))).unwrap();
        let range = |prefix: &str, after: Option<&str>, limit| {
            let found = store.range(prefix, after, limit).unwrap();
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(range("b/", None, 10), ["b/1", "b/2", "b/3"]);
        assert_eq!(range("b/", None, 2), ["b/1", "b/2"]);
        assert_eq!(range("b/", Some("b/2"), 2), ["b/3"]);
        assert_eq!(range("b/", Some("b/15"), 2), ["b/2", "b/3"]);
        assert_eq!(range("b/", Some("a/9"), 9), ["b/1", "b/2", "b/3"]);
        assert_eq!(range("", None, 9), keys);
        assert!(range("d", None, 9).is_empty());
    });
}

#[test]
fn who_watches_hears_of_every_change_or_that_it_does_not() {
    with_each(|store| {
        let changes = store.watch("a/");
        let slow = store.watch("a/");
        store.commit(&[write("a/1", 0, 1, Some("1")), write("b/1", 0, 1, Some("2"))]).unwrap();
        store.commit(&[write("a/1", 1, 2, None)]).unwrap();
        store.commit(&[write("a/1", 1, 3, None)]).unwrap_err();
        let heard: Vec<_> = changes.try_iter().map(|change| (change.key, change.revision.0)).collect();
        assert_eq!(heard, [("a/1".to_owned(), 1), ("a/1".to_owned(), 2)]);
        let many: Vec<Write> = (0..2_000).map(|at| write(&format!("a/{at}"), 0, 4, Some(""))).collect();
        store.commit(&many).unwrap();
        // It ends, so that whoever waits reads anew.
        assert!(slow.iter().count() < 2_002);
    });
}
