use std::fs;
use std::path::Path;

use super::*;
use crate::record::journal::{Entry, Journal};
use crate::record::testing::{detail, facts, facts_of};
use crate::record::{CallDetail, CallFacts, WideRecord, call, call_detail};

/// Puts the record of a call into the directory.
fn shelve(dir: &Path, facts: &CallFacts) {
    let path = dir.join(call_detail(&facts.voice_connector_id, facts.started_at, &facts.transaction_id));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, serde_json::to_vec(&CallDetailRecord::new(facts)).unwrap()).unwrap();
}

fn at(n: u32, connector: &str, seconds: u64) -> CallFacts {
    let later = Duration::from_secs(seconds);
    let facts = facts_of(n);
    CallFacts {
        voice_connector_id: connector.into(),
        started_at: facts.started_at + later,
        answered_at: facts.answered_at.map(|at| at + later),
        ended_at: facts.ended_at + later,
        ..facts
    }
}

fn numbers(shelves: &[Box<dyn Shelf>], wanted: &Wanted) -> Vec<u32> {
    let mut numbers = Vec::new();
    read(shelves, wanted, &mut |found| {
        numbers.push(found.record.transaction_id[24..].parse().unwrap());
        true
    })
    .unwrap();
    numbers
}

#[test]
fn records_come_by_time_from_directory_and_journal_each_once() {
    let dir = tempfile::tempdir().unwrap();
    let days = [at(1, "b", 0), at(2, "a", 40), at(3, "a", 90_000), at(4, "b", 20)];
    days.iter().for_each(|facts| shelve(dir.path(), facts));
    fs::write(dir.path().join(format!("{ROOT}/a/2019/08/10/.half.tmp")), "{").unwrap();
    let mut journal = Journal::open(&dir.path().join(".journal")).unwrap();
    // One is in both, one is delivered and was taken away, one is nowhere else.
    let entries = [
        Entry::ended(0, &days[1], false),
        Entry::ended(1, &at(5, "a", 7), false),
        Entry::ended(2, &at(6, "c", 30), false),
    ];
    journal.append(&entries).unwrap();
    journal.append(&[Entry::Delivered { sequence: 1 }]).unwrap();
    // While the gateway runs.
    let shelves: [Box<dyn Shelf>; 2] =
        [Box::new(Folder(dir.path().to_owned())), Box::new(InJournal::of(dir.path()).unwrap())];
    assert_eq!(numbers(&shelves, &Wanted::default()), [1, 4, 6, 2, 3]);
    let began = facts().started_at;
    for (wanted, expect) in [
        (Wanted { connector: Some("a".into()), ..Wanted::default() }, vec![2, 3]),
        (Wanted { since: Some(began + Duration::from_secs(30)), ..Wanted::default() }, vec![6, 2, 3]),
        (Wanted { until: Some(began + Duration::from_secs(20)), ..Wanted::default() }, vec![1, 4]),
        (Wanted { call: Some(facts_of(4).transaction_id.to_string()), ..Wanted::default() }, vec![4]),
        (Wanted { call: Some(facts().call_id.to_string()), ..Wanted::default() }, vec![1, 4, 6, 2, 3]),
        (Wanted { number: Some("5551212".into()), ..Wanted::default() }, vec![1, 4, 6, 2, 3]),
        (Wanted { number: Some("+1206".into()), ..Wanted::default() }, vec![1, 4, 6, 2, 3]),
        (Wanted { number: Some("1207".into()), ..Wanted::default() }, vec![]),
        (Wanted { number: Some("5121".into()), ..Wanted::default() }, vec![]),
        (Wanted { status: Some(Status::Failed), ..Wanted::default() }, vec![]),
        (
            Wanted { status: Some(Status::Completed), connector: Some("c".into()), ..Wanted::default() },
            vec![6],
        ),
    ] {
        assert_eq!(numbers(&shelves, &wanted), expect, "{wanted:?}");
    }
}

/// Of a call in the directory, of one that only the journal has yet, and of one that has none.
#[test]
fn a_record_brings_the_wide_one_of_its_call() {
    let dir = tempfile::tempdir().unwrap();
    let detail = |n: u32| CallDetail { transaction_id: facts_of(n).transaction_id, ..detail() };
    let name = call(facts().started_at, &facts_of(1).transaction_id);
    for n in 1..4 {
        shelve(dir.path(), &at(n, "a", 0));
    }
    fs::create_dir_all(dir.path().join(&name).parent().unwrap()).unwrap();
    fs::write(dir.path().join(name), serde_json::to_vec(&WideRecord::of(&detail(1))).unwrap()).unwrap();
    let mut journal = Journal::open(&dir.path().join(".journal")).unwrap();
    journal.append(&[Entry::Detail { sequence: 0, detail: Box::new(detail(2)) }]).unwrap();
    let shelves: [Box<dyn Shelf>; 2] =
        [Box::new(Folder(dir.path().to_owned())), Box::new(InJournal::of(dir.path()).unwrap())];
    let mut found = Vec::new();
    let take = &mut |one: &Shelved<'_>| {
        let wide = one.wide().unwrap();
        found.push(wide.map(|wide| {
            (wide["transaction_id"].clone(), wide["media"]["caller"]["received"]["mos"].clone())
        }));
        true
    };
    read(&shelves, &Wanted::default(), take).unwrap();
    let expect = |n| Some((Value::from(facts_of(n).transaction_id.as_str()), Value::from(4.13)));
    assert_eq!(found, [expect(1), expect(2), None]);
}

/// A shelf that notes what it is asked for.
struct Noting(Folder, std::rc::Rc<std::cell::RefCell<Vec<String>>>);

impl Shelf for Noting {
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.1.borrow_mut().push(path.to_owned());
        self.0.list(path)
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.read(path)
    }
}

/// A bucket has years of days, and each that is looked at costs requests.
#[test]
fn days_that_have_nothing_of_it_are_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    for (n, days) in [(1, 0), (2, 1), (3, 2)] {
        shelve(dir.path(), &at(n, "a", days * DAY));
    }
    let asked = std::rc::Rc::<std::cell::RefCell<Vec<String>>>::default();
    let shelves: [Box<dyn Shelf>; 1] = [Box::new(Noting(Folder(dir.path().to_owned()), asked.clone()))];
    let began = facts().started_at;
    let next_day = |hours: u64| Some(began + Duration::from_secs(DAY + hours * 3_600));
    assert_eq!(
        numbers(&shelves, &Wanted { since: next_day(0), until: next_day(1), ..Wanted::default() }),
        [2]
    );
    let days: Vec<String> =
        asked.borrow().iter().filter(|path| path.split('/').count() == 6).cloned().collect();
    assert_eq!(days, [format!("{ROOT}/a/2019/08/11")]);
}

#[test]
fn what_is_no_record_is_counted_and_nothing_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let shelves: [Box<dyn Shelf>; 2] =
        [Box::new(Folder(dir.path().to_owned())), Box::new(InJournal::of(dir.path()).unwrap())];
    assert_eq!(read(&shelves, &Wanted::default(), &mut |_| true).unwrap(), Found::default());
    shelve(dir.path(), &at(1, "a", 0));
    shelve(dir.path(), &at(2, "a", 1));
    fs::write(dir.path().join(format!("{ROOT}/a/2019/08/10/01.13.45.043_x")), "torn").unwrap();
    let found = read(&shelves, &Wanted::default(), &mut |_| true).unwrap();
    assert_eq!(found, Found { records: 2, unreadable: 1 });
    assert_eq!(read(&shelves, &Wanted::default(), &mut |_| false).unwrap().records, 1);
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_is_read_like_the_directory() {
    use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path as ObjectPath};
    let store = std::sync::Arc::new(InMemory::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for facts in [at(1, "b", 50), at(2, "a", 40), at(3, "a", 90_000)] {
        let name = call_detail(&facts.voice_connector_id, facts.started_at, &facts.transaction_id);
        let body = serde_json::to_vec(&CallDetailRecord::new(&facts)).unwrap();
        runtime.block_on(store.put(&ObjectPath::from(format!("gw/{name}")), body.into())).unwrap();
    }
    let store: std::sync::Arc<dyn ObjectStore> = store;
    let shelves: [Box<dyn Shelf>; 1] = [Box::new(Bucket::new(store, "gw/").unwrap())];
    assert_eq!(numbers(&shelves, &Wanted::default()), [2, 1, 3]);
    let tomorrow =
        Wanted { since: Some(facts().started_at + Duration::from_secs(86_400)), ..Wanted::default() };
    assert_eq!(numbers(&shelves, &tomorrow), [3]);
}
