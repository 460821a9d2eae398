//! The client of Kinesis Video Streams against a strict server of it, and against every way it can fail.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // A test from its first line to its last.

mod support;

use std::time::{Duration, SystemTime};

use audio::Party;
use streaming::aws::{Aws, Keys};
use streaming::kinesis::{Control, Kinesis, Pool};
use streaming::spool::Spool;
use streaming::{Open, Outcome};
use support::kinesis::{Fault, REGION, Service};
use support::{call, call_at, client, sample, signature, speak};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

fn aws() -> Aws {
    let (id, secret) = (signature::KEY.to_owned(), signature::SECRET.into());
    Aws::new(client(), REGION, &Keys::These { id, secret, token: None }).unwrap()
}

fn sink(services: &[&Service], retention: u32) -> Kinesis {
    sink_keeping(services, retention, Duration::from_secs(30))
}

fn sink_keeping(services: &[&Service], retention: u32, kept: Duration) -> Kinesis {
    let pools = services.iter().map(|service| {
        let control = Control::new(aws(), Some(&service.url), retention);
        Pool::new(control, "abcdef1ghij2klmno3pqr4", 10)
    });
    Kinesis::new(pools.collect(), Duration::from_secs(1), kept)
}

/// All outcomes, to the end of both parties.
async fn rest(outcomes: &mut mpsc::Receiver<Outcome>) -> Vec<Outcome> {
    let mut found = Vec::new();
    let mut ended = 0;
    while ended < 2 {
        let outcome = timeout(Duration::from_secs(60), outcomes.recv()).await.expect("an end").unwrap();
        ended += usize::from(matches!(outcome, Outcome::Ended { .. }));
        found.push(outcome);
    }
    found
}

fn failures(outcomes: &[Outcome]) -> Vec<&str> {
    let failed = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Failed { cause, .. } => Some(cause.as_str()),
        _ => None,
    });
    failed.collect()
}

fn started(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Started { .. })).count()
}

fn said(party: Party, frames: usize) -> Vec<i16> {
    (0..frames * 160).map(|at| sample(party, at)).collect()
}

#[track_caller]
fn all_there(service: &Service, frames: usize) {
    for party in [Party::Caller, Party::Callee] {
        let found = service.samples(party == Party::Caller);
        assert_eq!(found.len(), frames * 160, "{party:?}");
        assert!(found == said(party, frames), "{party:?}: another order");
    }
    let state = service.state.lock().unwrap();
    assert!(state.wrong.is_empty(), "{:?}", state.wrong);
}

#[tokio::test]
async fn each_party_goes_to_a_stream_of_its_own_which_the_next_call_uses_again() {
    let service = Service::start().await;
    let sink = sink(&[&service], 0);
    for round in 1..=2 {
        let Open { input, mut outcomes } = sink.open(&call());
        speak(&input, 0, 160).await;
        drop(input);
        let outcomes = rest(&mut outcomes).await;
        assert_eq!((started(&outcomes), outcomes.len()), (2, 4), "{outcomes:?}");
        for outcome in &outcomes {
            match outcome {
                Outcome::Started { stream, first_fragment, .. } => {
                    let (arn, number) = (stream.as_ref().unwrap(), first_fragment.as_ref().unwrap());
                    assert!(arn.contains(":stream/ChimeVoiceConnector-abcdef1ghij2klmno3pqr4-"), "{arn}");
                    assert_eq!(number.len(), 47);
                }
                Outcome::Ended { dropped, .. } => assert_eq!(*dropped, Duration::ZERO),
                other => panic!("{other:?}"),
            }
        }
        if round == 1 {
            all_there(&service, 160);
        }
    }
    let state = service.state.lock().unwrap();
    assert_eq!(state.streams.len(), 2);
    assert!(state.streams.values().all(|stream| stream.sessions == 2));
    assert_eq!(state.asked.iter().filter(|asked| *asked == "createStream").count(), 2);
    assert_eq!(state.asked.iter().filter(|asked| *asked == "getDataEndpoint").count(), 2, "remembered");
    assert_eq!(state.asked[0], "listStreams");
    assert!(state.wrong.is_empty(), "{:?}", state.wrong);
}

#[tokio::test]
async fn streams_of_an_earlier_run_are_used_again_and_keep_what_they_get_as_long_as_is_configured() {
    let service = Service::start().await;
    for retention in [0, 24] {
        let sink = sink(&[&service], retention);
        let Open { input, mut outcomes } = sink.open(&call());
        speak(&input, 0, 60).await;
        drop(input);
        let outcomes = rest(&mut outcomes).await;
        assert_eq!((started(&outcomes), outcomes.len()), (2, 4), "{outcomes:?}");
    }
    assert_eq!(service.state.lock().unwrap().streams.len(), 2);
}

#[tokio::test]
async fn a_session_that_breaks_in_any_way_goes_on_without_a_sample_lost() {
    let mut running = JoinSet::new();
    for fault in [
        Fault::Break { after: 1 },
        Fault::Garbage,
        Fault::Flood,
        Fault::Refuse(500, ""),
        Fault::Refuse(503, "ServiceUnavailable"),
        Fault::Refuse(400, "ClientLimitExceededException"),
        Fault::Refuse(400, "ConnectionLimitExceededException"),
        Fault::Refuse(400, "InvalidEndpointException"),
        Fault::Error { id: 4000, after: 0 },
        Fault::Error { id: 4003, after: 1 },
        Fault::Error { id: 5000, after: 0 },
        Fault::Error { id: 5001, after: 0 },
        Fault::Error { id: 4008, after: 0 },
    ] {
        running.spawn(async move {
            let service = Service::start().await.with_faults([fault.clone(), fault.clone()]);
            let sink = sink(&[&service], 0);
            let Open { input, mut outcomes } = sink.open(&call());
            speak(&input, 0, 160).await;
            drop(input);
            let outcomes = rest(&mut outcomes).await;
            let lost = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Dropped { .. }));
            assert!(!lost && started(&outcomes) >= 2, "{fault:?}: {outcomes:?}");
            all_there(&service, 160);
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_target_that_refuses_is_left_for_the_next_by_priority() {
    let mut running = JoinSet::new();
    for (operation, status, name) in [
        ("createStream", 401, "NotAuthorizedException"),
        ("createStream", 400, "AccountStreamLimitExceededException"),
        ("getDataEndpoint", 403, "AccessDeniedException"),
        ("describeStream", 500, ""),
    ] {
        running.spawn(async move {
            let (bad, good) = (Service::start().await, Service::start().await);
            bad.state.lock().unwrap().refusals.insert(operation, (status, name));
            let sink = sink(&[&bad, &good], 0);
            let Open { input, mut outcomes } = sink.open(&call());
            speak(&input, 0, 160).await;
            let Open { input: second, outcomes: mut others } = sink.open(&call());
            drop(input);
            let outcomes = rest(&mut outcomes).await;
            assert_eq!((started(&outcomes), outcomes.len()), (2, 4), "{operation} {name}: {outcomes:?}");
            all_there(&good, 160);
            drop(second);
            rest(&mut others).await;
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn where_nobody_takes_the_audio_that_is_said_and_nothing_grows() {
    let bad = Service::start().await;
    bad.state.lock().unwrap().refusals.insert("createStream", (401, "NotAuthorizedException"));
    let sink = sink(&[&bad], 0);
    let Open { input, mut outcomes } = sink.open(&call());
    speak(&input, 0, 3_000).await;
    drop(input);
    let outcomes = rest(&mut outcomes).await;
    assert_eq!(failures(&outcomes).len(), 2, "once for each party: {outcomes:?}");
    let asked = bad.state.lock().unwrap().asked.len();
    assert!(asked < 200, "{asked} requests");
    for outcome in &outcomes {
        if let Outcome::Ended { dropped, .. } = outcome {
            assert!(*dropped >= Duration::from_secs(59), "{dropped:?}");
        }
    }
}

/// Neither reads nor answers; or reads and says nothing.
#[tokio::test]
async fn a_service_that_never_answers_costs_a_few_seconds_and_is_left() {
    for fault in [Fault::Stuck, Fault::Mute] {
        let (bad, good) = (Service::start().await, Service::start().await);
        let bad = bad.with_faults(vec![fault.clone(); 10]);
        let sink = sink(&[&bad, &good], 0).patience(Duration::from_secs(3));
        let Open { input, mut outcomes } = sink.open(&call());
        for round in 0..40 {
            speak(&input, round * 10, round * 10 + 10).await;
            tokio::time::sleep(Duration::from_millis(180)).await;
        }
        drop(input);
        let outcomes = rest(&mut outcomes).await;
        assert_eq!((started(&outcomes), failures(&outcomes).len()), (2, 0), "{fault:?}: {outcomes:?}");
        all_there(&good, 400);
    }
}

/// An outage, a restart in it, and everything is there afterwards, once each, in order.
#[tokio::test]
async fn what_no_target_took_waits_on_disk_and_is_delivered_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    let with_spool = || {
        let spool = Spool::open(directory.path(), 1 << 24).unwrap();
        (spool.clone(), sink_keeping(&[&service], 0, Duration::from_secs(2)).spool(spool))
    };
    service.state.lock().unwrap().refusals.insert("createStream", (500, ""));
    let (spool, first) = with_spool();
    for ago in [200, 100] {
        let answered = SystemTime::now() - Duration::from_secs(ago);
        let Open { input, mut outcomes } = first.open(&call_at(answered));
        // More than is kept in memory.
        speak(&input, 0, 300).await;
        drop(input);
        let outcomes = rest(&mut outcomes).await;
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::Dropped { on_disk: true, .. })));
        for outcome in &outcomes {
            assert!(!matches!(outcome, Outcome::Dropped { on_disk: false, .. }), "{outcome:?}");
            if let Outcome::Ended { dropped, .. } = outcome {
                assert_eq!(*dropped, Duration::ZERO);
            }
        }
    }
    assert_eq!(spool.depth().0, 4, "a file for each party of each call");
    drop((spool, first));
    service.state.lock().unwrap().refusals.clear();
    let (spool, second) = with_spool();
    let emptied = async {
        while spool.depth().0 > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = second.backfill() => panic!(),
        done = timeout(Duration::from_secs(120), emptied) => done.expect("delivered"),
    }
    let state = service.state.lock().unwrap();
    assert!(state.wrong.is_empty(), "{:?}", state.wrong);
    for (caller, party) in [(true, Party::Caller), (false, Party::Callee)] {
        let mut found: Vec<(u64, Vec<i16>)> = Vec::new();
        for stored in state.streams.values() {
            for (time, (fragment, times)) in &stored.fragments {
                assert_eq!(*times, 1, "sent once");
                if (fragment.samples[0] >= 0) == caller {
                    found.push((*time, fragment.samples.clone()));
                }
            }
        }
        found.sort();
        let samples: Vec<i16> = found.into_iter().flat_map(|(_, samples)| samples).collect();
        assert!(samples == [said(party, 300), said(party, 300)].concat(), "{party:?}: {}", samples.len());
    }
}

/// What is on disk goes when the service has it, and not before.
#[tokio::test]
async fn what_is_not_delivered_stays_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    let spool = Spool::open(directory.path(), 1 << 24).unwrap();
    let sink = sink_keeping(&[&service], 0, Duration::from_secs(2)).spool(spool.clone());
    service.state.lock().unwrap().refusals.insert("createStream", (500, ""));
    let Open { input, mut outcomes } = sink.open(&call());
    speak(&input, 0, 50).await;
    drop(input);
    rest(&mut outcomes).await;
    assert_eq!(spool.depth().0, 2);
    // Longer than the rest of a call is tried for.
    let given_up = timeout(Duration::from_secs(40), sink.backfill()).await;
    assert!(given_up.is_err());
    assert_eq!((spool.depth().0, spool.depth().2), (2, 0));
    service.state.lock().unwrap().refusals.clear();
    let emptied = async {
        while spool.depth().0 > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = sink.backfill() => panic!(),
        done = timeout(Duration::from_secs(120), emptied) => done.expect("delivered"),
    }
    all_there(&service, 50);
}

#[tokio::test]
async fn whom_nobody_listens_to_costs_nothing() {
    let service = Service::start().await.with_faults([Fault::Slow(Duration::from_millis(5)), Fault::None]);
    let sink = sink(&[&service], 0);
    let Open { input, outcomes } = sink.open(&call());
    drop(outcomes);
    speak(&input, 0, 100).await;
    wait_until_taken(&service, 100).await;
    drop(input);
}

async fn wait_until_taken(service: &Service, frames: usize) {
    let taken = async {
        while service.samples(true).len() + 160 * 50 < frames * 160 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), taken).await.expect("taken");
}
