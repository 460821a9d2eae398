//! The phones against each other, without a gateway: whoever is to judge must be judged first. All abilities are on,
//! the network is bad, and the laws of legs hold; each law is seen to tell a fault that is planted in a phone.
//!
//! `SEED=n cargo test -p gateway --lib between_phones` replays one run and prints its ladder.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use sip::Method;

use super::legs::{broken, disagreement};
use super::link::Link;
use super::phone::{Abilities, Fault, News, Pracks, Rel100, Stage, TimerHabit};
use super::whims::{Groups, equip, take, talk, update_early};
use super::world::{CallId, PhoneId, World};
use crate::peer::Transport;
use crate::random::{Random, SeededRandom};

const ADDRESSES: [&str; 3] = ["10.0.1.1:5060", "10.0.1.2:5060", "10.0.1.3:5060"];

/// The configuration of the gateway that nobody asks.
const CONFIG: &str = r#"
[gateway]
region = "us-east-1"
domain = "vc.example.com"
[[listen]]
protocol = "udp"
address = "192.0.2.1:5060"
[media]
address = "192.0.2.1"
"#;

const CALLS: u32 = 12;

fn world(seed: u64, link: Link) -> World {
    let mut world = World::new(CONFIG, 1, seed);
    world.direct = true;
    world.link = link;
    for (name, address) in ["anna", "ben", "cora"].into_iter().zip(ADDRESSES) {
        world.phone(name, address, Transport::Udp);
    }
    world
}

/// A user that nobody has called before.
fn fresh(world: &mut World) -> String {
    format!("+1212{:07}", world.random.below(10_000_000))
}

fn place(world: &mut World, from: PhoneId, to: usize, offer: bool) -> CallId {
    let user = fresh(world);
    let index = world.with(from, |phone, now| {
        let invite = phone.invite(ADDRESSES[to], "+12125550100", &user, offer).build();
        phone.place(now, invite)
    });
    CallId(from, index)
}

fn react(world: &mut World, id: PhoneId, news: News) {
    let mut random = SeededRandom::new(world.random.next_u64());
    match news {
        News::Incoming(index) => {
            let call = CallId(id, index);
            // The user stays, so that whoever is referred there can be found.
            let uri = world.phones[id.0].calls[index].invite.request_uri().unwrap_or_default().to_owned();
            let user = uri.split('@').next().unwrap_or_default();
            let elsewhere = ADDRESSES.map(|address| format!("{user}@{address}"));
            if take(world, call, Groups::ALL, &elsewhere, &mut random) {
                return;
            }
            let status = [200, 200, 200, 486, 603][random.below(5) as usize];
            let after = Duration::from_millis(random.below(4_000));
            world.after(after / 3, move |world| respond(world, call, 180));
            world.after(after, move |world| respond(world, call, status));
        }
        News::Refused(_) => {}
        News::Answered(index) | News::Acknowledged(index) => {
            let call = CallId(id, index);
            for _ in 0..random.below(4) {
                let after = Duration::from_millis(random.below(60_000));
                let seed = random.next_u64();
                world.after(after, move |world| {
                    agree(world);
                    let target = format!("sip:{}@{}", fresh(world), ADDRESSES[(seed % 3) as usize]);
                    talk(world, call, Groups::ALL, &target, &mut SeededRandom::new(seed));
                });
            }
            // News comes with each re-INVITE: who has the caller's part hangs up once.
            if matches!(news, News::Answered(_)) {
                world.after(Duration::from_millis(random.below(300_000)), move |world| {
                    agree(world);
                    hang_up(world, call);
                });
            }
        }
    }
}

fn respond(world: &mut World, call: CallId, status: u16) {
    world.with(call.0, |phone, now| {
        if phone.calls[call.1].stage == Stage::Open {
            phone.respond(now, call.1, status, status == 200, &[]);
        }
    });
}

fn hang_up(world: &mut World, call: CallId) {
    world.with(call.0, |phone, now| {
        if phone.calls[call.1].stage == Stage::Up {
            phone.request(now, call.1, Method::Bye, None);
        }
    });
}

/// Each two ends of one call agree, where both rest.
fn agree(world: &mut World) {
    let now = world.clocks().instant;
    let mut texts = Vec::new();
    let calls = || world.phones.iter().flat_map(|phone| &phone.calls);
    for caller in calls().filter(|call| call.caller && call.stage == Stage::Up) {
        let callee = calls().find(|call| !call.caller && call.call_id() == caller.call_id());
        if let Some(text) = callee.and_then(|callee| disagreement(caller, callee, now, Duration::ZERO)) {
            texts.push((text, caller.call_id()));
        }
        world.watch.agreements += usize::from(callee.is_some());
    }
    world.watch.broken.extend(texts);
}

/// All laws after a run.
fn laws(world: &mut World) -> Vec<(String, String)> {
    agree(world);
    let mut all = std::mem::take(&mut world.watch.broken);
    let broken = broken(&world.phones, world.clocks().instant);
    all.extend(broken.into_iter().map(|one| (one.text, one.call_id)));
    for (phone, call) in
        world.phones.iter().flat_map(|phone| phone.calls.iter().map(move |call| (phone, call)))
    {
        if call.stage != Stage::Over {
            all.push((format!("{} still has a call", phone.name), call.call_id()));
        }
    }
    all
}

/// A world in which calls are placed within a minute.
fn busy(seed: u64) -> World {
    let mut random = SeededRandom::new(seed);
    let link = [Link::PERFECT, Link::LOSSY, Link::LOSSY][random.below(3) as usize];
    let mut world = world(seed, link);
    world.wits = Some(react);
    for phone in &mut world.phones {
        equip(phone, Groups::ALL, &mut random);
    }
    for _ in 0..CALLS {
        let (from, at) = (random.below(3) as usize, Duration::from_millis(random.below(60_000)));
        let (to, offer) = ((from + 1 + random.below(2) as usize) % 3, random.below(4) > 0);
        let early = (random.below(3) == 0).then(|| Duration::from_millis(random.below(5_000)));
        let cancels = (random.below(6) == 0).then(|| Duration::from_millis(random.below(5_000)));
        world.after(at, move |world| {
            let call = place(world, PhoneId(from), to, offer);
            if let Some(early) = early {
                world.after(early, move |world| update_early(world, call, false));
            }
            if let Some(cancels) = cancels {
                world.after(cancels, move |world| {
                    world.with(call.0, |phone, now| {
                        if phone.calls[call.1].stage == Stage::Open {
                            phone.cancel(now, call.1);
                        }
                    });
                });
            }
        });
    }
    world
}

fn run(world: &mut World) {
    // Who is transferred talks, and may transfer somebody.
    for _ in 0..30 {
        world.run(100.0);
        if world.phones.iter().flat_map(|phone| &phone.calls).all(|call| call.stage == Stage::Over) {
            break;
        }
    }
    world.run(100.0);
}

fn check(seed: u64) -> World {
    let mut world = busy(seed);
    if let Err(failure) = catch_unwind(AssertUnwindSafe(|| run(&mut world))) {
        println!("seed {seed}\n{}", world.draw(&[]));
        resume_unwind(failure);
    }
    let all = laws(&mut world);
    if !all.is_empty() {
        let call_ids: Vec<String> = all.iter().map(|(_, call_id)| call_id.clone()).collect();
        println!("{}", world.draw(&call_ids));
        panic!("seed {seed}: {all:#?}");
    }
    world
}

#[test]
fn phones_with_all_abilities_keep_the_laws() {
    if let Ok(seeds) = std::env::var("SEED") {
        let (first, end) = seeds.split_once("..").unwrap_or((&seeds, ""));
        let first: u64 = first.parse().expect("SEED is a number or a range like 1000..2000");
        let end = end.parse().unwrap_or(first + 1);
        for seed in first..end {
            println!("seed {seed}");
            let world = check(seed);
            if end == first + 1 {
                println!("{}", world.draw(&[]));
            }
        }
        return;
    }
    let mut methods = std::collections::BTreeMap::new();
    let mut up = 0;
    for seed in 0..40 {
        let world = check(seed);
        let calls = || world.phones.iter().flat_map(|phone| &phone.calls);
        up += calls().filter(|call| call.caller && call.is_confirmed()).count();
        for seen in calls().flat_map(|call| &call.trace).filter(|seen| seen.said) {
            let word = seen.message.method().map(|method| method.to_string());
            let word = word.or_else(|| seen.message.status().map(|status| status.code().to_string()));
            *methods.entry(word.unwrap_or_default()).or_insert(0) += 1;
        }
    }
    println!("{up} calls were up; said: {methods:?}");
    assert!(up > 200, "{up} calls were up");
    for word in ["PRACK", "UPDATE", "REFER", "NOTIFY", "199", "302", "422", "491", "500", "202"] {
        assert!(methods.contains_key(word), "nobody said {word}: {methods:?}");
    }
}

/// Two phones that are told what to do.
fn pair(abilities: Abilities) -> World {
    let mut world = world(1, Link::PERFECT);
    for phone in &mut world.phones {
        phone.abilities = Abilities { marks: true, allow: true, ..abilities.clone() };
        phone.habits.strict = false;
    }
    world
}

/// A call of the first phone to the second, which has come in.
fn ring(world: &mut World) -> (CallId, CallId) {
    let a = place(world, PhoneId(0), 1, true);
    world.run(0.1);
    (a, CallId(PhoneId(1), world.phones[1].calls.len() - 1))
}

fn connect(world: &mut World) -> (CallId, CallId) {
    let (a, b) = ring(world);
    respond(world, b, 200);
    world.run(1.0);
    (a, b)
}

fn ask(world: &mut World, call: CallId, method: Method, body: Option<&str>) {
    world.with(call.0, |phone, now| phone.request(now, call.1, method, body));
}

/// The same with a fault in both phones, and without: the law tells it, and nothing else.
fn tells(abilities: &Abilities, fault: Fault, law: &str, story: impl Fn(&mut World)) {
    let laws_of = |fault| {
        let mut world = pair(abilities.clone());
        world.phones.iter_mut().for_each(|phone| phone.fault = fault);
        story(&mut world);
        world.run(300.0);
        agree(&mut world);
        for call in 0..2 {
            for index in 0..world.phones[call].calls.len() {
                hang_up(&mut world, CallId(PhoneId(call), index));
            }
        }
        world.run(100.0);
        laws(&mut world).into_iter().map(|(text, _)| text).collect::<Vec<String>>()
    };
    assert_eq!(laws_of(None), Vec::<String>::new());
    let told = laws_of(Some(fault));
    assert!(told.iter().any(|text| text.contains(law)), "{fault:?}: {told:?}");
}

#[test]
fn a_reliable_response_that_nobody_acknowledges_is_told() {
    let abilities = Abilities { rel100: Rel100::Supported, pracks: Pracks::AtOnce, ..Abilities::default() };
    tells(&abilities, Fault::NeverPracks, "was acknowledged 0 times", |world| {
        let (_, b) = ring(world);
        world.with(b.0, |phone, now| phone.respond(now, b.1, 183, true, &[]));
        world.run(40.0);
        respond(world, b, 200);
        world.run(1.0);
    });
}

#[test]
fn an_offer_before_the_last_is_answered_is_told() {
    let abilities = Abilities { update: true, ..Abilities::default() };
    tells(&abilities, Fault::OffersTwice, "before the last offer is answered", |world| {
        let (a, _) = connect(world);
        ask(world, a, Method::Update, Some("sendonly"));
        world.run(1.0);
    });
}

#[test]
fn an_answer_that_changes_is_told() {
    tells(&Abilities::default(), Fault::ChangesItsAnswer, "describes other media", |world| {
        let (_, b) = ring(world);
        world.with(b.0, |phone, now| phone.respond(now, b.1, 183, true, &[]));
        world.run(1.0);
        respond(world, b, 200);
        world.run(1.0);
    });
}

#[test]
fn ends_that_do_not_agree_are_told() {
    let abilities = Abilities { update: true, ..Abilities::default() };
    tells(&abilities, Fault::KeepsWhatWasRefused, "to be agreed on", |world| {
        let (a, b) = connect(world);
        world.phones[b.0.0].habits.renegotiates = Some(488);
        ask(world, a, Method::Invite, Some("sendonly"));
        world.run(1.0);
    });
}

#[test]
fn a_session_that_nobody_refreshes_is_told() {
    let timer = TimerHabit { expires: 90, min: 90, refreshes: Some(true), by_update: false };
    let abilities = Abilities { timer: Some(timer), ..Abilities::default() };
    tells(&abilities, Fault::NeverRefreshes, "neither refreshed nor ended", |world| {
        connect(world);
    });
}

/// A blind transfer of the second phone to the third, which answers with `status`.
fn transfer(world: &mut World, status: u16) {
    let (a, _) = connect(world);
    let target = format!("sip:{}@{}", fresh(world), ADDRESSES[2]);
    world.with(a.0, |phone, now| phone.refer(now, a.1, &target));
    world.run(1.0);
    respond(world, CallId(PhoneId(2), 0), status);
    world.run(1.0);
}

#[test]
fn a_notify_that_does_not_tell_the_truth_is_told() {
    let abilities = Abilities { refer: true, ..Abilities::default() };
    tells(&abilities, Fault::LiesAboutTheTransfer, "a transfer to", |world| transfer(world, 486));
}

#[test]
fn a_subscription_without_end_is_told() {
    let abilities = Abilities { refer: true, ..Abilities::default() };
    tells(&abilities, Fault::NeverEndsTheSubscription, "never told the end", |world| transfer(world, 200));
}

/// RFC 3261 §14.1: who made the Call-ID comes back after 2.1 to 4 s, the other one before 2 s are over.
#[test]
fn both_offer_at_once_and_come_again_one_after_the_other() {
    let mut world = pair(Abilities { offers_again: true, ..Abilities::default() });
    let (a, b) = connect(&mut world);
    ask(&mut world, a, Method::Invite, Some("sendonly"));
    ask(&mut world, b, Method::Invite, Some("sendonly"));
    world.run(10.0);
    for call in [a, b] {
        let call = &world.phones[call.0.0].calls[call.1];
        let said: Vec<_> = call
            .trace
            .iter()
            .filter(|seen| {
                seen.said && seen.message.method() == Some(Method::Invite) && seen.message.to_tag().is_some()
            })
            .map(|seen| seen.at)
            .collect();
        assert_eq!(said.len(), 2, "offered, and offered again");
        let after = (said[1] - said[0]).as_secs_f64();
        assert!(if call.caller { (2.1..4.2).contains(&after) } else { after < 2.1 }, "{after}");
    }
    agree(&mut world);
    hang_up(&mut world, a);
    world.run(40.0);
    assert_eq!(laws(&mut world), []);
}

/// RFC 3891: the third phone takes the place of the first.
#[test]
fn an_attended_transfer_replaces_the_second_call() {
    let mut world = pair(Abilities { refer: true, replaces: true, ..Abilities::default() });
    let (a, b) = connect(&mut world);
    let c = place(&mut world, PhoneId(0), 2, true);
    world.run(0.1);
    respond(&mut world, CallId(PhoneId(2), 0), 200);
    world.run(1.0);
    world.with(a.0, |phone, now| phone.refer_attended(now, a.1, c.1, None));
    world.run(1.0);
    let first = &world.phones[0];
    assert_eq!(first.calls[a.1].subscriptions[0].outcome(), Some(200));
    assert_eq!(first.calls[c.1].stage, Stage::Over, "replaced");
    assert_eq!(world.phones[2].calls[1].stage, Stage::Up);
    hang_up(&mut world, a);
    hang_up(&mut world, CallId(PhoneId(1), b.1 + 1));
    world.run(40.0);
    assert_eq!(laws(&mut world), []);
}
