//! The gateway is killed again and again while calls are set up, held and ended, and started again on the same records.
//!
//! What SIPp's traces say was answered, and the call records, must be the same calls, each once. A call that was up says so in
//! its record, and both of its parties are hung up on by the next run. Of one that rang the caller hears a refusal, and the callee
//! CANCEL. No callee has an ACK and no record.
//!
//! `VOICE_CONNECTOR_KILLS` sets how often (`make kill`: 50), `SEED` the moments.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use sip::Method;
use support::{
    EMPTY, Gateway, Net, OURS, Office, PATIENCE, Script, Sipp, SippRun, THEIRS, Traced, eventually, lines,
    missing, with_sdp,
};

const KILLS: u32 = 6;

/// Emergency calls go here.
const DESK: &str = "+15105550111";

/// How long a caller waits for an answer: longer than any callee rings, and a gateway needs to be there again.
const ANSWER: u32 = 7_000;

/// How long a callee waits for its ACK, and for anything else that is due at once.
const DUE: u32 = 8_000;

/// The longest call; most are hung up on before.
const LONGEST: u32 = 20_000;

/// How long calls may last that are there when the last one has begun.
const LAST: Duration = Duration::from_secs(75);

/// The whole run, with the most kills.
const MOST: Duration = Duration::from_secs(1_200);

/// An end so close to a kill may be lost: the parties are told before it is written down.
const CLOSE: Duration = Duration::from_millis(500);

/// So may the ringing: nobody waits until that is written down.
const UNNOTICED: Duration = Duration::from_millis(1_200);

fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

/// xorshift: the moments are the same for the same seed.
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn config(net: Net) -> String {
    let emergency = format!(
        "cps_limit = 1000\nmax_calls = 10000\n[[voice_connector.emergency]]\ncountry = \"US\"\n\
         digits = [\"911\"]\nrouting_number = \"{DESK}\"\n"
    );
    Office { termination: &emergency, ..Office::new(net, "udp") }.config()
}

/// Who calls hangs up after so many milliseconds, unless it is hung up on before.
fn caller(name: &str, lasts: u32) -> Script {
    let call = Script::caller().named(&format!("{name} [pid]-[call_number]")).invite(&with_sdp(None));
    let call = call.optional(100).within(ANSWER, "over").optional(180).within(ANSWER, "over");
    let call = call.expect(200).within(ANSWER, "over").ack();
    let call = call.expect("BYE").within(lasts, "leaves").answer(200, "OK", EMPTY).goes_to("over");
    let call = call.label("leaves").request("BYE", EMPTY);
    call.optional(481).within(DUE, "over").expect(200).within(DUE, "over").label("over")
}

fn callee() -> Script {
    let call = Script::callee().answer(180, "Ringing", EMPTY).pause_between(0, 3_000);
    let call = call.answer(200, "OK", &with_sdp(None)).optional("INVITE").expect("ACK").within(DUE, "over");
    call.expect("BYE").within(LONGEST + DUE, "over").answer(200, "OK", EMPTY).label("over")
}

/// One side's part of a call, as SIPp saw it. Times are since the Unix epoch.
#[derive(Debug, Default)]
struct Side {
    call_id: String,
    /// The 2xx to its INVITE, which a caller got and a callee gave.
    answered: Option<Duration>,
    /// A caller heard that it was refused.
    refused: bool,
    /// A callee has said 180.
    rings: Option<Duration>,
    /// A callee heard CANCEL.
    cancelled: bool,
    /// A callee heard the ACK.
    acknowledged: bool,
    hung_up_on: Vec<Duration>,
    /// Its own BYE, and when that was finally answered.
    left: Option<Duration>,
    has_left: Option<Duration>,
}

impl Side {
    fn crossed(&mut self, calls: bool, traced: &Traced) {
        let Traced { at, sent, message } = traced;
        let of = message.cseq().unwrap().method;
        match (message.method(), message.status().map(sip::StatusCode::code)) {
            (None, Some(200..300)) if of == Method::Invite && *sent != calls => {
                self.answered.get_or_insert(*at);
            }
            (None, Some(300..)) if of == Method::Invite && *sent != calls => self.refused = true,
            (None, Some(200..)) if of == Method::Bye && !sent => {
                self.has_left.get_or_insert(*at);
            }
            (None, Some(180)) if *sent => {
                self.rings.get_or_insert(*at);
            }
            (Some(Method::Cancel), _) => self.cancelled |= !sent,
            (Some(Method::Ack), _) => self.acknowledged |= !sent,
            (Some(Method::Bye), _) if *sent => {
                self.left.get_or_insert(*at);
            }
            (Some(Method::Bye), _) => self.hung_up_on.push(*at),
            _ => {}
        }
    }

    /// When the call was over here.
    fn over(&self) -> Option<Duration> {
        self.hung_up_on.first().copied().into_iter().chain(self.has_left).min()
    }
}

/// A call by its name, which its caller shows its callee.
#[derive(Debug, Default)]
struct Call {
    name: String,
    caller: Side,
    callee: Side,
}

impl Call {
    /// The customer's leg names the record.
    fn record_id(&self) -> &str {
        if self.name.starts_with("inbound") { &self.callee.call_id } else { &self.caller.call_id }
    }
}

/// The calls of all runs, from the messages of those who call and of those who are called.
fn calls(callers: &[Traced], callees: &[Traced]) -> Vec<Call> {
    let mut calls: BTreeMap<String, Call> = BTreeMap::new();
    for (calls_out, messages) in [(true, callers), (false, callees)] {
        let mut names: HashMap<String, String> = HashMap::new();
        for traced in messages {
            let call_id = traced.message.call_id().unwrap().to_owned();
            if traced.message.method() == Some(Method::Invite) {
                let name = traced.message.from().unwrap().display_name.unwrap_or_default().to_string();
                names.insert(call_id.clone(), name);
            }
            // A probe, or an answer to one, is in no call.
            let Some(name) = names.get(&call_id) else { continue };
            let call = calls.entry(name.clone()).or_default();
            call.name.clone_from(name);
            let side = if calls_out { &mut call.caller } else { &mut call.callee };
            if traced.message.method() == Some(Method::Invite) && side.call_id != call_id {
                assert!(side.call_id.is_empty(), "{name} is called twice: {} and {call_id}", side.call_id);
                side.call_id.clone_from(&call_id);
            }
            side.crossed(calls_out, traced);
        }
    }
    calls.into_values().collect()
}

/// What came of it.
#[derive(Debug, Default)]
#[allow(dead_code)] // They are shown.
struct Figures {
    calls: usize,
    answered: usize,
    records: usize,
    interrupted: usize,
    interrupted_emergencies: usize,
    /// The callee had answered, and the kill came before the caller knew.
    between: usize,
    failed: usize,
    /// They rang when a kill came.
    rang: usize,
}

/// Holds what the parties saw against what was written.
fn compare(calls: &[Call], records: &[Value], kills: &[Duration]) -> Figures {
    let mut figures = Figures { calls: calls.len(), records: records.len(), ..Figures::default() };
    let mut wrong = Vec::new();
    let mut of: HashMap<&str, Vec<&Value>> = HashMap::new();
    for record in records {
        of.entry(record["CallId"].as_str().unwrap()).or_default().push(record);
    }
    for call in calls {
        let found = of.remove(call.record_id()).unwrap_or_default();
        let mut bad = |what: &str| wrong.push(format!("{what}: {call:?}: {found:?}"));
        let answered = call.caller.answered.is_some();
        figures.answered += usize::from(answered);
        if let Some(rings) = call.callee.rings
            && let Some(kill) = kills.iter().find(|kill| **kill >= rings)
            && rings + UNNOTICED < *kill
            && [call.callee.answered, call.callee.over()]
                .into_iter()
                .flatten()
                .min()
                .is_none_or(|at| at > *kill)
        {
            figures.rang += 1;
            if !call.callee.cancelled && call.callee.hung_up_on.is_empty() {
                bad("a callee that rang was not told");
            }
            if !call.caller.refused && !answered {
                bad("a caller that waited was not told");
            }
        }
        let [record] = found[..] else {
            match found.len() {
                0 if answered => bad("an answered call without a record"),
                0 if call.callee.acknowledged && call.callee.hung_up_on.is_empty() => {
                    bad("a callee that is up without a record")
                }
                0 => {}
                _ => bad("two records"),
            }
            continue;
        };
        if record["Status"] == "Failed" {
            figures.failed += 1;
            if answered {
                bad("an answered call that is said to have failed");
            }
            continue;
        }
        if !answered && (call.callee.answered.is_none() || call.caller.refused) {
            bad("a call that nobody answered is said to have been");
        }
        let interrupted =
            record["StatusMessage"].as_str().unwrap().starts_with("Gateway restarted; end time");
        let began = call.caller.answered.or(call.callee.answered).unwrap();
        // Who hangs up first ends it: the gateway may have heard it, and may have died before it could say so.
        let ends = [&call.caller, &call.callee];
        let left = ends.iter().flat_map(|side| side.left.iter().chain(&side.hung_up_on)).min().copied();
        let over = ends.iter().filter_map(|side| side.over()).min();
        let kill = kills.iter().find(|kill| **kill >= began).copied();
        match kill {
            Some(kill) if left.is_none_or(|left| left >= kill) && !interrupted => {
                bad("an interrupted call that does not say so")
            }
            Some(kill) if over.is_some_and(|over| over + CLOSE < kill) && interrupted => {
                bad("a call that was over says that it was interrupted")
            }
            None if interrupted => bad("interrupted by nothing"),
            _ => {}
        }
        if !interrupted && record["StatusMessage"] != "OK" {
            bad("no end of its own");
        }
        figures.interrupted += usize::from(interrupted);
        figures.interrupted_emergencies += usize::from(interrupted && call.name.starts_with("emergency"));
        figures.between += usize::from(!answered);
        // Whoever has not left by itself is hung up on; a caller that heard no answer has no dialog to end.
        for (who, side) in [("caller", &call.caller), ("callee", &call.callee)] {
            if side.answered.is_some() && side.over().is_none() {
                bad(&format!("the {who} was never hung up on"));
            }
        }
    }
    wrong.extend(of.into_values().map(|found| format!("nobody made this call: {found:?}")));
    assert!(wrong.is_empty(), "{} of {} calls:\n{}\n{figures:?}", wrong.len(), calls.len(), wrong.join("\n"));
    figures
}

#[test]
fn what_was_answered_is_on_record_once_however_often_the_gateway_is_killed() {
    if missing(&["sipp"]) {
        return;
    }
    let (kills, seed) = (number("VOICE_CONNECTOR_KILLS", KILLS), number("SEED", 1));
    let net = Net(300);
    let mut gateway = Gateway::start(net, &config(net));
    let listens = |at: SocketAddr| {
        Sipp::new("callee", callee(), at, "u1").calls(1_000_000).traced().lasting(MOST).listen()
    };
    let callees = [net.at(3, 5060), net.at(2, 5070)].map(listens);
    // Short ones, some seconds, until hung up on; emergencies; from the carrier.
    let loads = [
        ("short", (2, 5061), OURS, THEIRS, 300, 8),
        ("middle", (2, 5062), OURS, THEIRS, 2_500, 5),
        ("long", (2, 5063), OURS, THEIRS, LONGEST, 4),
        ("emergency", (2, 5064), OURS, "911", 4_000, 2),
        ("inbound", (3, 5061), THEIRS, OURS, 3_000, 4),
    ];
    let callers = loads.map(|(name, (host, port), from, to, lasts, rate)| {
        let sipp = Sipp::new("caller", caller(name, lasts), net.at(host, port), "u1").calls(1_000_000);
        sipp.traced().lasting(MOST).rate(rate).key("from", from).to(to).call(net.gateway())
    });

    let mut moments = Moments(0x9E37_79B9_7F4A_7C15 ^ u64::from(seed));
    let mut dead = Vec::new();
    for _ in 0..kills {
        // Some die while they start, before they have said BYE to anybody.
        let wait = match moments.below(4) {
            0 => moments.below(250),
            _ => {
                gateway.is_ready();
                moments.below(2_500)
            }
        };
        std::thread::sleep(Duration::from_millis(wait));
        dead.push(gateway.kill_and_run());
    }
    gateway.is_ready();
    let ends = |runs: Vec<SippRun>| runs.into_iter().flat_map(|run| run.ends(LAST)).collect::<Vec<_>>();
    let called = ends(callers.into());
    let taken = ends(callees.into());
    gateway.settled();

    let calls = calls(&called, &taken);
    let records = eventually("records", PATIENCE, || {
        let records = support::call_details(&gateway.records());
        let left = gateway.metrics().sum("journal_undelivered_records", &[]);
        if left == 0.0 { Ok(records) } else { Err(format!("{left} are on their way")) }
    });
    let figures = compare(&calls, &records, &dead);
    println!("{kills} kills, seed {seed}: {figures:?}");
    let Figures { interrupted, interrupted_emergencies, rang, .. } = figures;
    assert!(![interrupted, interrupted_emergencies, rang].contains(&0), "nothing was tried: {figures:?}");

    // A wide record each.
    let wide = lines(&gateway.records(), "voice-connector-calls");
    let sorted = |of: &[Value], key: &str| {
        let mut ids: Vec<String> = of.iter().map(|record| record[key].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(sorted(&wide, "transaction_id"), sorted(&records, "TransactionId"));
    gateway.stop();
}
