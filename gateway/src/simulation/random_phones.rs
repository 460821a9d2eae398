//! Phones that do whatever comes to their mind, over a bad network, for thousands of calls: the laws hold after each
//! run. `SEED=n cargo test -p gateway --lib random_phones` replays one run and prints its ladder;
//! `SEED=1000..2000` goes looking for trouble.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sip::Method;

use super::answers_without_media::MUTE;
use super::connected;
use super::descriptions_under_any_name::NAMES;
use super::legs::disagreement;
use super::link::Link;
use super::media::Speaks;
use super::phone::{News, Phone, PhoneCall, Stage, Wrap};
use super::trunk::{BRANCH, Change, GROUP, OUTSIDE, PBX, Trunk};
use super::ways;
use super::whims::{self, Groups};
use super::world::{Answers, CallId, PhoneId, World, transaction_ids};
use crate::core::Input;
use crate::direction::Direction;
use crate::media::MediaEvent;
use crate::peer::Transport;
use crate::random::{Random, SeededRandom};
use crate::record::CallFacts;

const CALLS_PER_SEED: u32 = 50;

/// What the gateway carries beyond plain calls: phones do it by chance where it stands here. `CARRIES=reliable,timers`
/// tries other groups, `CARRIES=all` all of them.
const CARRIES: Groups = Groups::ALL;

/// Something between two legs may be at work on one of them while the other rests.
const QUIET: Duration = Duration::from_secs(5);

fn carries() -> Groups {
    std::env::var("CARRIES").map_or(CARRIES, |names| Groups::named(&names))
}

/// So long new calls are placed.
const BUSY: Duration = Duration::from_secs(60);

/// Longest ring is Timer C, for who needs help on each of two routes; what is not over after all of this never will be.
const RUN: Duration = Duration::from_secs(480);

/// How a phone takes a call that comes in.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Answers {
        rings: Option<u16>,
        after: Duration,
    },
    /// With nothing of media in its 200; `rings` may have described it.
    AnswersMute {
        rings: Option<u16>,
        after: Duration,
        wrap: Wrap,
    },
    AnswersTwice {
        after: Duration,
    },
    Rejects {
        after: Duration,
        status: u16,
        rings: bool,
    },
    RingsForEver,
    /// Its 100 is all that is ever heard.
    Hesitates,
    /// It does not hear the INVITE at all.
    Absent,
}

/// A proxy before the gateway forks serially: so often does the INVITE come again by another branch.
const BRANCHES: u32 = 3;

/// What a party does once the call is up.
#[derive(Debug, Clone, Copy)]
enum Talk {
    HangsUp,
    Holds,
    HoldsAndCancels,
    Resumes,
    Updates,
    Informs,
    Vanishes,
}

fn millis(random: &mut SeededRandom, most: u64) -> Duration {
    Duration::from_millis(random.below(most))
}

/// A number of a call's own, the same whenever it is asked for.
fn wits(phone: &Phone, mark: u32) -> SeededRandom {
    SeededRandom::new(phone.seed ^ (u64::from(mark) << 20))
}

fn mood(random: &mut SeededRandom) -> Mood {
    let after = millis(random, 6_000);
    match random.below(100) {
        0..42 => Mood::Answers { rings: [None, Some(180), Some(183)][random.below(3) as usize], after },
        42..45 => Mood::AnswersMute {
            rings: [None, Some(183)][random.below(2) as usize],
            after,
            wrap: MUTE[random.below(MUTE.len() as u64) as usize],
        },
        45..50 => Mood::Answers { rings: None, after: Duration::ZERO },
        50..55 => Mood::AnswersTwice { after },
        55..75 => {
            const REFUSALS: [u16; 10] = [486, 603, 404, 480, 500, 503, 408, 302, 488, 407];
            let status = REFUSALS[random.below(10) as usize];
            Mood::Rejects { after, status, rings: random.below(3) == 0 }
        }
        75..83 => Mood::RingsForEver,
        83..90 => Mood::Hesitates,
        _ => Mood::Absent,
    }
}

/// Whether a record is of a call that a transfer led to.
fn is_transfer(cdr: &CallFacts) -> bool {
    cdr.direction == Direction::Outbound && cdr.destination.number.starts_with("+12126")
}

fn is_absent(phone: &Phone, invite: &sip::Message) -> bool {
    let mark = invite.value("X-Call".into()).and_then(|mark| mark.parse().ok());
    let mark = mark.unwrap_or_else(|| target_mark(invite));
    matches!(mood(&mut wits(phone, mark)), Mood::Absent)
}

/// Of a call that a transfer led to, which carries no mark: its number is its own.
fn target_mark(invite: &sip::Message) -> u32 {
    let uri = invite.request_uri().unwrap_or_default();
    let digits: String = uri.chars().skip_while(|one| *one != '+').take_while(|one| *one != '@').collect();
    digits.get(5..).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A number of a call's own.
fn mark_of(call: &PhoneCall) -> u32 {
    call.mark().unwrap_or_else(|| target_mark(&call.invite))
}

/// What the phones make of what happens to them.
fn react(world: &mut World, id: PhoneId, news: News) {
    if let News::Refused(index) = news
        && ways::comes_back(world, CallId(id, index))
    {
        return;
    }
    let phone = &world.phones[id.0];
    match news {
        News::Incoming(index) => {
            let call = CallId(id, index);
            if ways::goes_round(world, call) {
                return;
            }
            let phone = &world.phones[id.0];
            let mark = mark_of(&phone.calls[index]);
            let mut random = wits(phone, mark ^ 0x4000);
            let host = phone.address;
            let elsewhere = [format!("sip:{OUTSIDE}@{host}"), format!("sip:+12125550188@{host}")];
            // Who sends a transferred call on would be known by another number.
            let elsewhere = if phone.calls[index].mark().is_some() { &elsewhere[..] } else { &[] };
            if carries() != Groups::NONE && whims::take(world, call, carries(), elsewhere, &mut random) {
                return;
            }
            let phone = &world.phones[id.0];
            incoming(world, call, mood(&mut wits(phone, mark)));
        }
        News::Refused(index) => fork(world, CallId(id, index)),
        News::Answered(index) | News::Acknowledged(index) => {
            let mark = mark_of(&phone.calls[index]);
            let mut random = wits(phone, mark ^ 0x8000);
            talk(world, CallId(id, index), &mut random);
        }
    }
}

/// Now and then who was refused comes again by another branch of the same INVITE.
fn fork(world: &mut World, call: CallId) {
    let phone = &world.phones[call.0.0];
    let one = &phone.calls[call.1];
    let branches =
        phone.calls.iter().filter(|other| other.caller && other.call_id() == one.call_id()).count();
    let mut random = wits(phone, one.mark().unwrap_or(0) ^ 0x10_0000 ^ branches as u32);
    let busy = world.elapsed() < BUSY;
    if !busy || one.cancelled || one.mark().is_none() || branches as u32 >= BRANCHES || random.below(4) > 0 {
        return;
    }
    let after = millis(&mut random, 3_000);
    world.after(after, move |world| {
        world.with(call.0, |phone, now| phone.fork(now, call.1));
    });
}

fn incoming(world: &mut World, call: CallId, mood: Mood) {
    let respond = |world: &mut World, after: Duration, status: u16| {
        world.after(after, move |world| {
            world.with(call.0, |phone, now| {
                if phone.calls[call.1].stage == Stage::Open {
                    phone.respond(now, call.1, status, status == 183 || status == 200, &[]);
                }
            });
        });
    };
    match mood {
        Mood::Answers { rings, after } => {
            if let Some(status) = rings {
                respond(world, after / 4, status);
            }
            respond(world, after, 200);
        }
        Mood::AnswersMute { rings, after, wrap } => {
            if let Some(status) = rings {
                respond(world, after / 4, status);
            }
            world.after(after, move |world| world.phones[call.0.0].calls[call.1].wraps = Some(wrap));
            respond(world, after, 200);
        }
        Mood::AnswersTwice { after } => {
            respond(world, after, 200);
            world.after(after + Duration::from_millis(30), move |world| {
                world.with(call.0, |phone, now| {
                    if phone.calls[call.1].stage == Stage::Up {
                        let tag = phone.token();
                        phone.respond_as(now, call.1, 200, true, &[], &tag);
                    }
                });
            });
        }
        Mood::Rejects { after, status, rings } => {
            if rings {
                respond(world, after / 2, 180);
            }
            respond(world, after, status);
        }
        Mood::RingsForEver => respond(world, Duration::from_millis(100), 180),
        Mood::Hesitates | Mood::Absent => {}
    }
}

/// A few things to do while the call is up; one of the parties hangs up in the end, or both at once.
fn talk(world: &mut World, call: CallId, random: &mut SeededRandom) {
    for _ in 0..random.below(4) {
        let what = match random.below(20) {
            0..7 => Talk::Holds,
            7..9 => Talk::HoldsAndCancels,
            9..13 => Talk::Resumes,
            13..16 => Talk::Updates,
            16..19 => Talk::Informs,
            _ => Talk::Vanishes,
        };
        let after = millis(random, 20_000);
        world.after(after, move |world| act(world, call, what));
    }
    for _ in 0..random.below(3) {
        if carries() == Groups::NONE {
            break;
        }
        let (after, seed) = (millis(random, 20_000), random.next_u64());
        world.after(after, move |world| {
            let target = format!("sip:+1212{:07}@vc.example.com", 6_000_000 + seed % 1_000_000);
            whims::talk(world, call, carries(), &target, &mut SeededRandom::new(seed));
        });
    }
    // Both know it: an even mark is for the caller to end, an odd one for the callee, each third for both.
    let phone = &world.phones[call.0.0];
    let mark = mark_of(&phone.calls[call.1]);
    let mine = phone.calls[call.1].caller == mark.is_multiple_of(2) || mark.is_multiple_of(3);
    // Who was called by a transfer has nobody to agree on it with.
    let mine = mine || phone.calls[call.1].mark().is_none();
    let shared = SeededRandom::new(u64::from(mark)).below(25_000);
    let after = if mark.is_multiple_of(7) { 0 } else { shared };
    if mine {
        world.after(Duration::from_millis(after), move |world| act(world, call, Talk::HangsUp));
    }
    // Whoever was to end it may have been transferred away.
    world.after(Duration::from_secs(60), move |world| {
        let mut calls = world.phones.iter().enumerate().flat_map(|(phone, one)| {
            one.calls.iter().enumerate().map(move |(index, call)| (CallId(PhoneId(phone), index), call))
        });
        if !calls.any(|(id, one)| id != call && one.stage == Stage::Up && mark_of(one) == mark) {
            act(world, call, Talk::HangsUp);
        }
    });
}

/// The media workers know of both parties of a call what these have agreed on with us, whenever nobody waits for an
/// answer: keys above all.
fn check_agreement(world: &mut World, mark: Option<u32>) {
    if mark.is_none() {
        return;
    }
    let calls = world.phones.iter().flat_map(|phone| phone.calls.iter().map(move |call| (phone.name, call)));
    let parties: Vec<_> = calls.filter(|(_, call)| call.mark() == mark && call.stage == Stage::Up).collect();
    // Somebody else spoke for it, or a party cannot be reached and the call is about to end, or is being hung up.
    let apart = |call_id: &String| {
        let watch = &world.watch;
        watch.forged.contains(call_id) || watch.hung_up.contains(call_id) || world.unreached.contains(call_id)
    };
    if parties.iter().any(|(_, call)| apart(&call.call_id()) || is_contested(world, &call.call_id())) {
        return;
    }
    if parties.len() != 2 || !parties.iter().all(|(_, call)| call.is_settled() && !call.out_of_step) {
        return;
    }
    if let [(_, a), (_, b)] = parties.as_slice()
        && let Some(text) = disagreement(a, b, world.clocks().instant, QUIET)
    {
        world.watch.broken.push((text, a.call_id()));
        panic!("{:#?}", world.watch.broken);
    }
    for (name, call) in parties {
        let Some(agreed) = call.media.agreed() else { return };
        let told = world.told_of(agreed.port).map(|remote| (&remote.srtp, remote.on_hold));
        let agreed = Some((&agreed.keys, agreed.on_hold));
        if told != agreed {
            let text = format!("the media workers know {told:?} of {name}, which has agreed on {agreed:?}");
            world.watch.broken.push((text, call.call_id()));
            panic!("{:#?}", world.watch.broken);
        }
    }
    world.watch.agreements += 1;
}

/// Whether somebody asks for the place of a party, whose media may be led there until that is refused.
fn is_contested(world: &World, call_id: &str) -> bool {
    let mut calls = world.phones.iter().flat_map(|phone| &phone.calls);
    let replaces =
        |invite: &sip::Message| invite.value(sip::Name::Replaces).is_some_and(|one| one.starts_with(call_id));
    calls.any(|call| call.caller && call.stage == Stage::Open && replaces(&call.invite))
}

fn act(world: &mut World, call: CallId, what: Talk) {
    connected::check(world, QUIET);
    check_agreement(world, world.phones[call.0.0].calls[call.1].mark());
    world.with(call.0, |phone, now| {
        let index = call.1;
        if phone.calls[index].stage != Stage::Up {
            return;
        }
        let offering = phone.calls[index].is_offering();
        match what {
            Talk::HangsUp => phone.request(now, index, Method::Bye, None),
            Talk::Holds | Talk::HoldsAndCancels if !offering => {
                phone.request(now, index, Method::Invite, Some("sendonly"));
            }
            Talk::Resumes if !offering => phone.request(now, index, Method::Invite, None),
            Talk::Updates if !offering => phone.request(now, index, Method::Update, Some("sendrecv")),
            Talk::Informs => phone.request(now, index, Method::Info, Some("Signal=1")),
            Talk::Vanishes => phone.vanish(index),
            _ => {}
        }
    });
    if matches!(what, Talk::HoldsAndCancels) {
        world.after(Duration::from_millis(40), move |world| {
            world.with(call.0, |phone, now| phone.cancel_offer(now, call.1));
        });
    }
}

/// Places a call that carries `mark`.
fn place(trunk: &mut Trunk, mark: u32, random: &mut SeededRandom) {
    let (pbx, branch, east) = (trunk.pbx, trunk.branch, trunk.east);
    let (from, number) = match random.below(20) {
        0..8 => (pbx, OUTSIDE),
        8..11 => (pbx, BRANCH),
        11..14 => (east, PBX),
        14..16 => (east, GROUP),
        16..17 => (pbx, GROUP),
        17..19 => (branch, OUTSIDE),
        _ => (pbx, "911"),
    };
    call(trunk, mark, from, number, random);
}

/// The same from this phone to this number.
fn call(trunk: &mut Trunk, mark: u32, from: PhoneId, number: &'static str, random: &mut SeededRandom) {
    let offer = random.below(5) > 0;
    let at = millis(random, BUSY.as_millis() as u64);
    let own = trunk.own_number(from);
    let cancels = (random.below(10) < 3).then(|| millis(random, 8_000));
    let acknowledges = random.below(40) > 0;
    // An ACK that lacks the answer, where it owes one.
    let mute = (random.below(20) == 0).then(|| MUTE[random.below(MUTE.len() as u64) as usize]);
    trunk.world.after(at, move |world| {
        let index = world.with(from, |phone, now| {
            let invite = phone.invite("vc.example.com", own, number, offer).raw("X-Call", mark.to_string());
            let index = phone.place(now, invite.build());
            phone.calls[index].acknowledges = acknowledges;
            phone.calls[index].wraps = mute;
            index
        });
        if let Some(after) = cancels {
            world.after(after, move |world| {
                world.with(from, |phone, now| {
                    if phone.calls[index].stage == Stage::Open {
                        phone.cancel(now, index);
                    }
                });
            });
        }
    });
}

/// Now and then the media workers hear nothing on some call.
fn silence(world: &mut World, random: &mut SeededRandom) {
    let mut keys: Vec<_> = world.open_media.keys().copied().collect();
    keys.sort();
    if let Some(key) = keys.get(random.below(keys.len() as u64) as usize).copied() {
        world.input(key.shard(), Input::Media(MediaEvent::Silent { key }));
    }
}

/// Whether a party speaks SRTP, and what the configuration has to say of it.
fn security(random: &mut SeededRandom, place: &'static str) -> (Change, Speaks) {
    match random.below(6) {
        0 => ((place, "srtp = \"required\""), Speaks::Rtp), // No call of its comes about.
        1 => ((place, "srtp = \"optional\""), Speaks::Rtp),
        2 => ((place, "srtp = \"optional\""), Speaks::Either),
        3 => ((place, "srtp = \"optional\""), Speaks::Srtp),
        4 => ((place, "srtp = \"required\""), Speaks::Either),
        _ => ((place, "srtp = \"required\""), Speaks::Srtp),
    }
}

/// Which parties are asked by TCP what is too large for a datagram, and which of these take connections. They know us by a
/// name. Drawn apart, so that each seed tells its old story otherwise.
fn sizes(seed: u64) -> Vec<(Change, bool)> {
    let mut random = SeededRandom::new(seed ^ 0x51ce);
    let limit = "udp_size_limit = 560\ncontact = \"sbc.example.com\"";
    let places = ["pbx_peer", "east_peer", "west_peer"];
    places
        .into_iter()
        .map(|place| {
            let lines = if random.below(3) == 0 { limit } else { "" };
            ((place, lines), !lines.is_empty() && random.below(2) == 0)
        })
        .collect()
}

/// A world of its own, with all that may be chosen of it; and whether limits may refuse calls.
fn world(seed: u64, random: &mut SeededRandom) -> (Trunk, bool) {
    let shards = [1, 2, 4][random.below(3) as usize];
    let transport = if random.below(4) == 0 { Transport::Tcp } else { Transport::Udp };
    let changes: &[Change] = match random.below(5) {
        0 => &[("max_duration", "15s")],
        1 => &[("pbx_termination", "max_calls = 4"), ("pbx_origination", "max_calls = 2")],
        _ => &[],
    };
    let secure = [
        (random.below(3) == 0).then(|| security(random, "pbx_peer")),
        (random.below(3) == 0).then(|| security(random, "east_peer")),
        (random.below(3) == 0).then(|| security(random, "west_peer")),
    ];
    // The phones know their calls by X-Call.
    const PASS: &str = "pass_headers = [\"X-*\"]";
    let marks: [Change; 2] = [("east_peer", PASS), ("west_peer", PASS)];
    let refer = if seed % 3 == 2 { "refer = \"pass\"" } else { "refer = \"handle\"" };
    let refers: Option<Change> = carries().transfers.then_some(("pbx_peer", refer));
    let changes: Vec<Change> = changes
        .iter()
        .copied()
        .chain(marks)
        .chain(refers)
        .chain(ways::configured(seed))
        .chain(secure.iter().flatten().map(|(change, _)| *change))
        .chain(sizes(seed).into_iter().map(|(change, _)| change))
        .collect();
    let limited = changes.iter().any(|(_, lines)| lines.contains("max_calls"));
    let mut trunk = Trunk::new(&changes, transport, shards, seed);
    for (phone, secure) in [trunk.pbx, trunk.east, trunk.west].into_iter().zip(secure) {
        if let Some((_, speaks)) = secure {
            trunk.phone(phone).speaks = speaks;
            trunk.phone(phone).rekeys = random.below(2) == 0;
        }
    }
    for (phone, (_, takes_tcp)) in [trunk.pbx, trunk.east, trunk.west].into_iter().zip(sizes(seed)) {
        if takes_tcp {
            trunk.world.takes_tcp(phone);
        }
    }
    ways::register(&mut trunk, seed, transport, carries(), is_absent);
    trunk.world.link = [Link::PERFECT, Link::LOSSY, Link::LOSSY][random.below(3) as usize];
    trunk.world.media = match random.below(10) {
        0..6 => Answers::After(Duration::from_millis(2)),
        6..8 => Answers::After(Duration::from_millis(700)),
        8 => Answers::Failing,
        _ => Answers::Never,
    };
    trunk.world.journal = match random.below(6) {
        0..4 => Answers::After(Duration::from_millis(3)),
        4 => Answers::After(Duration::from_millis(800)),
        _ => Answers::Never,
    };
    trunk.world.wits = Some(react);
    let mut chance = SeededRandom::new(seed ^ 0xab1e);
    // But for who has registered.
    for phone in trunk.world.phones.iter_mut().take(4) {
        whims::equip(phone, carries(), &mut chance);
    }
    for phone in trunk.world.phones.iter_mut().take(4) {
        phone.ignores = Some(is_absent);
        phone.wraps = (random.below(3) == 0).then(|| NAMES[random.below(NAMES.len() as u64) as usize]);
        phone.habits.informed = [Some(200), Some(200), Some(481), None][random.below(4) as usize];
    }
    (trunk, limited)
}

/// A world in which `calls` are placed within a minute.
pub(super) fn busy_world(seed: u64, calls: u32) -> Trunk {
    let mut random = SeededRandom::new(seed);
    let (mut trunk, _) = world(seed, &mut random);
    for mark in 1..=calls {
        place(&mut trunk, mark, &mut random);
    }
    trunk
}

/// One run: a world of its own from `seed`.
fn run(seed: u64) -> Trunk {
    let mut random = SeededRandom::new(seed);
    let (mut trunk, limited) = world(seed, &mut random);
    let stops = random.below(8) == 0;
    let dies = random.below(4) == 0;
    trunk.tell(|trunk| {
        for mark in 1..=CALLS_PER_SEED {
            place(trunk, mark, &mut random);
        }
        let mut beside = SeededRandom::new(seed ^ 0x3a75);
        for (mark, (from, number)) in (CALLS_PER_SEED + 1..).zip(ways::calls(trunk, seed)) {
            call(trunk, mark, from, number, &mut beside);
        }
        ways::begin_loops(trunk, seed, BUSY);
        for _ in 0..random.below(4) {
            let (at, mut random) = (millis(&mut random, 60_000), SeededRandom::new(random.next_u64()));
            trunk.world.after(at, move |world| silence(world, &mut random));
        }
        if dies {
            let host = trunk.world.phones[trunk.east.0].address;
            let refuses = random.below(2) == 0;
            trunk.world.after(millis(&mut random, 40_000), move |world| {
                world.dead.insert(host, refuses);
            });
            trunk.world.after(Duration::from_secs(45), move |world| {
                world.dead.remove(&host);
            });
        }
        if stops {
            let at = Duration::from_secs(20) + millis(&mut random, 40_000);
            let input = if random.below(2) == 0 { || Input::Drain } else { || Input::Stop };
            trunk.world.after(at, move |world| {
                for shard in 0..world.cores.len() {
                    world.input(shard as u16, input());
                }
            });
        }
        trunk.run(RUN.as_secs_f64());
        trunk.end_silent_calls();
        trunk.finish();
        trunk.check_records(stops || limited);
        trunk.check_loops();
    });
    trunk
}

impl Trunk {
    /// What is still up after so long has lost a party without a word: its media is silent.
    fn end_silent_calls(&mut self) {
        let calls = self.world.phones.iter().flat_map(|phone| &phone.calls);
        let lost = |call: &&PhoneCall| call.vanished || self.world.unreached.contains(&call.call_id());
        let lost = calls.filter(lost).count();
        let up: usize = self.world.cores.iter().map(crate::core::Core::live_calls).sum();
        assert!(up <= lost, "{up} calls are up, and of {lost} at most a party is gone");
        let mut keys: Vec<_> = self.world.open_media.keys().copied().collect();
        keys.sort();
        for key in keys {
            self.world.input(key.shard(), Input::Media(MediaEvent::Silent { key }));
        }
    }

    /// Each transfer has a record, answered where the target was, and where that was told. How many there were.
    fn check_transfers(&self, refused: bool) -> usize {
        let phones =
            || self.world.phones.iter().flat_map(|phone| phone.calls.iter().map(move |call| (phone, call)));
        let taken: Vec<_> = phones()
            .filter(|(phone, _)| phone.name == "pbx")
            .flat_map(|(_, call)| &call.subscriptions)
            .filter(|one| !one.replaces && one.response == Some(202))
            .collect();
        let records: Vec<_> = self.world.cdrs.iter().filter(|cdr| is_transfer(cdr)).collect();
        for cdr in &records {
            let number = cdr.destination.number.as_str();
            let gave = phones().any(|(_, call)| {
                let is_target = call.invite.request_uri().is_some_and(|uri| uri.contains(number));
                is_target && !call.caller && call.gave.contains(&200)
            });
            assert!(gave || cdr.answered_at.is_none(), "{number} is billed, and never answered");
            let told = taken.iter().any(|one| one.target.contains(number) && one.outcome() == Some(200));
            // Both parties of a call may think of the same target.
            let billed = |one: &&&CallFacts| one.destination.number == number && one.answered_at.is_some();
            let billed = records.iter().any(|one| billed(&one));
            assert!(!told || billed, "{number} is not billed, and was told to have answered");
        }
        // Who is asked itself may be somebody whose calls have no record.
        let asked = |call: &PhoneCall| call.heard.iter().any(|one| one.method() == Some(Method::Refer));
        let passed = phones().any(|(_, call)| asked(call));
        if !refused && !passed {
            assert!(records.len() >= taken.len(), "{} transfers, {} records", taken.len(), records.len());
        }
        records.len()
    }

    /// Each call has the records that it should, and nobody pays for what was not answered.
    fn check_records(&self, refused: bool) {
        let mut answered: HashMap<u32, usize> = HashMap::new();
        let mut heard_answer: HashMap<String, bool> = HashMap::new();
        let (mut out, mut inward, mut on_net) = (0, 0, 0);
        for (phone, call) in
            self.world.phones.iter().flat_map(|phone| phone.calls.iter().map(move |call| (phone, call)))
        {
            let Some(mark) = call.mark() else {
                let target = target_mark(&call.invite) > 0 && !call.caller;
                assert!(target || call.is_of_a_transfer(), "every other call has a mark");
                continue;
            };
            if !call.caller {
                *answered.entry(mark).or_default() += usize::from(call.gave.contains(&200));
                continue;
            }
            // Who gives up soon does not repeat a lost INVITE for ever.
            if call.cancelled && !self.world.hears(&call.call_id()) {
                continue;
            }
            let reached = !self.world.unreached.contains(&call.call_id());
            assert!(!call.timed_out || !reached, "{} heard no final answer: {}", phone.name, call.call_id());
            let number = call.invite.request_uri().unwrap_or_default();
            let ours = [PBX, BRANCH, GROUP, ways::ROAMER]
                .iter()
                .any(|number_of_ours| number.contains(number_of_ours));
            match (phone.name, ours) {
                ("east", _) => inward += 1,
                // It goes no further than to us.
                _ if call.invite.max_forwards() == Ok(Some(0)) => out += 1,
                (_, true) => on_net += 1,
                (_, false) => out += 1,
            }
            *heard_answer.entry(call.call_id()).or_default() |= call.answers().contains(&200);
        }
        // Whom a REFER asks that crossed calls by itself, help too.
        let led = |call: &&PhoneCall| call.caller && call.mark().is_none() && call.is_of_a_transfer();
        let led: HashSet<String> = self
            .world
            .phones
            .iter()
            .flat_map(|phone| &phone.calls)
            .filter(led)
            .map(PhoneCall::call_id)
            .collect();
        let cdrs =
            || self.world.cdrs.iter().filter(|cdr| !is_transfer(cdr) && !led.contains(cdr.call_id.as_str()));
        let of = |direction: Direction| cdrs().filter(move |cdr| cdr.direction == direction);
        let transfers = self.check_transfers(refused);
        // A customer that sent the call on pays for its way, under the Call-ID of that.
        let (asked, sent_on): (Vec<_>, Vec<_>) =
            of(Direction::Outbound).partition(|cdr| heard_answer.contains_key(cdr.call_id.as_str()));
        for cdr in sent_on {
            let called = |twin: &CallFacts| twin.transaction_id == cdr.transaction_id;
            assert!(of(Direction::Inbound).any(called), "{} was sent on by nobody", cdr.call_id);
        }
        assert_eq!(asked.len(), out + on_net, "outbound records");
        if refused {
            assert!(of(Direction::Inbound).count() <= inward + on_net, "inbound records");
        } else {
            assert_eq!(of(Direction::Inbound).count(), inward + on_net, "inbound records");
            let ids = transaction_ids(&self.world.cdrs).len();
            let is_led = |cdr: &&CallFacts| !is_transfer(cdr) && led.contains(cdr.call_id.as_str());
            let led = self.world.cdrs.iter().filter(is_led).count();
            assert_eq!(ids, out + inward + on_net + transfers + led, "transaction ids");
        }
        self.check_wide_records();
        // One INVITE by several branches is one Call-ID, and a record for each.
        let billed = |call_id: &str| {
            let mine = cdrs().filter(|cdr| cdr.call_id == call_id);
            mine.filter(|cdr| cdr.answered_at.is_some() || is_unproven(cdr)).count()
        };
        for cdr in asked {
            let heard = heard_answer.get(cdr.call_id.as_str()).expect("a record's Call-ID is the caller's");
            assert!(!heard || billed(&cdr.call_id) > 0, "{} was answered, its record says no", cdr.call_id);
            let twins = of(Direction::Inbound).filter(|twin| twin.transaction_id == cdr.transaction_id);
            for twin in twins {
                assert_eq!(twin.answered_at, cdr.answered_at, "{}", cdr.call_id);
            }
        }
        let marks: HashMap<String, u32> = self
            .world
            .phones
            .iter()
            .flat_map(|phone| &phone.calls)
            .map(|call| (call.call_id(), call.mark().unwrap_or(0)))
            .collect();
        let calls = || self.world.phones.iter().flat_map(|phone| &phone.calls);
        let callers: HashMap<u32, String> = calls()
            .filter(|call| call.caller)
            .filter_map(|call| Some((call.mark()?, call.call_id())))
            .collect();
        for cdr in cdrs() {
            let Some(mark) = marks.get(cdr.call_id.as_str()) else {
                assert_eq!(cdr.answered_at, None, "{} is billed, it reached nobody", cdr.call_id);
                continue;
            };
            let told = callers.get(mark).is_some_and(|call_id| self.world.watch.accepted.contains(call_id));
            let is_billed = |one: &CallFacts| one.answered_at.is_some() || is_unproven(one);
            let came_again = calls().filter(|call| call.caller && call.mark() == Some(*mark)).count() > 1;
            let of_mark = |one: &&CallFacts| marks.get(one.call_id.as_str()) == Some(mark);
            let recorded = is_billed(cdr) || came_again && cdrs().filter(of_mark).any(is_billed);
            assert_eq!(recorded, told, "{}: billed, and was the caller told?", cdr.call_id);
            let answers = answered.get(mark).copied().unwrap_or(0);
            assert!(!told || answers > 0, "{} is billed, nobody answered", cdr.call_id);
        }
    }

    /// One of each call, with the ways to those who talked, and the last figures of the media.
    fn check_wide_records(&self) {
        let details = &self.world.details;
        let ids: HashSet<&str> = details.iter().map(|detail| detail.transaction_id.as_str()).collect();
        assert_eq!((ids.len(), ids), (details.len(), transaction_ids(&self.world.cdrs)), "wide records");
        // Others may take longer than records wait for them.
        let quick = self.world.media == Answers::After(Duration::from_millis(2));
        for detail in details.iter().filter(|detail| detail.times.answer.is_some()) {
            let id = &detail.transaction_id;
            assert!(detail.caller_leg.is_some() && detail.callee_leg.is_some(), "{id} has no legs");
            assert!(detail.media.is_some() || !quick, "{id} has no figures");
        }
    }
}

/// It was answered, and whoever asked for it never showed that it heard the answer.
fn is_unproven(cdr: &CallFacts) -> bool {
    cdr.status_message.ends_with("the answer was never acknowledged")
}

const SEEDS_PER_TEST: u64 = 200;

/// The runs of one of four tests, which share the cores of the machine.
fn runs(quarter: u64) {
    if let Ok(seeds) = std::env::var("SEED") {
        let (first, end) = seeds.split_once("..").unwrap_or((&seeds, ""));
        let first: u64 = first.parse().expect("SEED is a number or a range like 1000..2000");
        let end = end.parse().unwrap_or(first + 1);
        for seed in (first..end).filter(|seed| seed % 4 == quarter) {
            println!("seed {seed}");
            let trunk = run(seed);
            println!("compared {} and {}", trunk.world.watch.agreements, trunk.world.watch.connected);
            if end == first + 1 {
                println!("{}", trunk.world.draw(&[]));
            }
        }
        return;
    }
    let (mut calls, mut agreements, mut connected) = (0, 0, 0);
    let (mut loops, mut roamed) = (0, 0);
    for seed in quarter * SEEDS_PER_TEST..(quarter + 1) * SEEDS_PER_TEST {
        println!("seed {seed}: replay it with SEED={seed} cargo test -p gateway --lib random_phones");
        let trunk = run(seed);
        agreements += trunk.world.watch.agreements;
        connected += trunk.world.watch.connected;
        loops += trunk.check_loops();
        roamed += trunk.roamed();
        calls += trunk.world.phones.iter().flat_map(|phone| &phone.calls).filter(|call| call.caller).count();
    }
    assert!(calls > 10_000, "{calls} calls were placed, with those that come again by another branch");
    assert!(
        loops > 40 && roamed > 80,
        "{loops} loops ended, {roamed} calls by a registered flow were answered"
    );
    assert!(agreements > 2_000, "the media of parties was compared {agreements} times");
    assert!(connected > 0, "the parties of attended transfers were compared {connected} times");
}

#[test]
fn ten_thousand_calls() {
    runs(0);
}

#[test]
fn ten_thousand_other_calls() {
    runs(1);
}

#[test]
fn a_third_ten_thousand() {
    runs(2);
}

#[test]
fn the_last_of_forty_thousand_calls() {
    runs(3);
}
