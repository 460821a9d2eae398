//! What phones do by chance beyond a plain call: each group of abilities by itself, so that a run has those alone that
//! the gateway carries.

use std::time::Duration;

use sip::Method;

use super::phone::{Abilities, Phone, PhoneCall, Pracks, Rel100, Stage, TimerHabit};
use super::world::{CallId, World};
use crate::random::{Random, SeededRandom};

/// Which abilities chance may switch on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    /// 100rel and PRACK.
    pub reliable: bool,
    /// UPDATE, before and after the answer.
    pub update: bool,
    /// Session timers.
    pub timers: bool,
    /// Several early dialogs of one INVITE, in parallel and one after the other.
    pub forks: bool,
    /// 3xx.
    pub redirects: bool,
    /// Offers at awkward moments: right after the own 200, crossing, of no use.
    pub corners: bool,
    /// REFER and Replaces.
    pub transfers: bool,
}

impl Groups {
    pub const NONE: Groups = Groups {
        reliable: false,
        update: false,
        timers: false,
        forks: false,
        redirects: false,
        corners: false,
        transfers: false,
    };
    pub const ALL: Groups = Groups {
        reliable: true,
        update: true,
        timers: true,
        forks: true,
        redirects: true,
        corners: true,
        transfers: true,
    };

    /// The groups of these names, with commas between; `all`.
    pub fn named(names: &str) -> Groups {
        let has = |name: &str| names.split(',').any(|one| one == name || one == "all");
        Groups {
            reliable: has("reliable"),
            update: has("update"),
            timers: has("timers"),
            forks: has("forks"),
            redirects: has("redirects"),
            corners: has("corners"),
            transfers: has("transfers"),
        }
    }

    fn any(self) -> bool {
        self.reliable || self.update || self.timers || self.forks || self.corners || self.transfers
    }
}

fn one_of<T: Copy>(random: &mut SeededRandom, all: &[T]) -> T {
    all[random.below(all.len() as u64) as usize]
}

fn chance(random: &mut SeededRandom, percent: u64) -> bool {
    random.below(100) < percent
}

fn millis(random: &mut SeededRandom, most: u64) -> Duration {
    Duration::from_millis(random.below(most))
}

/// Gives a phone abilities of these groups, by chance.
pub(crate) fn equip(phone: &mut Phone, groups: Groups, random: &mut SeededRandom) {
    if !groups.any() {
        return;
    }
    let mut abilities =
        Abilities { marks: true, offers_again: true, allow: chance(random, 80), ..Abilities::default() };
    if groups.reliable {
        let all = [Rel100::Unknown, Rel100::OnDemand, Rel100::Supported, Rel100::Supported, Rel100::Required];
        abilities.rel100 = one_of(random, &all);
        let late = Pracks::Late(millis(random, 3_000));
        let all = [Pracks::AtOnce, Pracks::AtOnce, Pracks::AtTheSecondCopy, late, Pracks::Twice];
        abilities.pracks = one_of(random, &all);
        abilities.offers_in_prack = chance(random, 30);
    }
    abilities.update = groups.update && chance(random, 70);
    if groups.timers && chance(random, 70) {
        abilities.timer = Some(TimerHabit {
            expires: 90 + random.below(120) as u32,
            min: one_of(random, &[90, 90, 120, 150]),
            refreshes: one_of(random, &[None, Some(true), Some(false)]),
            by_update: chance(random, 50),
        });
        if let Some(timer) = &mut abilities.timer {
            timer.expires = timer.expires.max(timer.min);
        }
    }
    abilities.early_end = groups.forks && chance(random, 50);
    abilities.follows = if groups.redirects { 5 } else { 0 };
    abilities.refer = groups.transfers;
    abilities.replaces = groups.transfers;
    phone.abilities = abilities;
}

/// How a callee takes a call, beyond ringing, answering and refusing: false, where chance leaves that to the caller.
///
/// - `elsewhere`: where a 3xx may lead.
pub(crate) fn take(
    world: &mut World,
    call: CallId,
    groups: Groups,
    elsewhere: &[String],
    random: &mut SeededRandom,
) -> bool {
    match random.below(10) {
        0..3 if groups.forks => fork(world, call, random),
        3 if groups.redirects && !elsewhere.is_empty() => {
            let (status, after) = (one_of(random, &[300, 301, 302, 302]), millis(random, 2_000));
            let first = random.below(elsewhere.len() as u64) as usize;
            let most = 1 + random.below(2) as usize;
            let uris: Vec<String> = elsewhere.iter().cycle().skip(first).take(most).cloned().collect();
            while_open(world, call, after, move |phone, now, index| {
                phone.redirect(now, index, status, &uris)
            });
        }
        4..6 if groups.corners => {
            let after = millis(random, 4_000);
            let method = if chance(random, 50) { Method::Update } else { Method::Invite };
            while_open(world, call, after, move |phone, now, index| {
                phone.respond(now, index, 200, true, &[]);
                let allowed =
                    method != Method::Update || phone.calls[index].is_allowed("UPDATE") == Some(true);
                if phone.calls[index].stage == Stage::Up && !phone.calls[index].is_offering() && allowed {
                    phone.request(now, index, method, Some("sendrecv"));
                }
            });
        }
        6..9 if groups.reliable || groups.update => progress(world, call, groups, random),
        _ => return false,
    }
    true
}

/// While the INVITE is not answered.
fn while_open(
    world: &mut World,
    call: CallId,
    after: Duration,
    deed: impl FnOnce(&mut Phone, std::time::Instant, usize) + 'static,
) {
    world.after(after, move |world| {
        world.with(call.0, |phone, now| {
            if phone.calls[call.1].stage == Stage::Open {
                deed(phone, now, call.1);
            }
        });
    });
}

/// A forking proxy: some tags ring, one after the other or side by side, some end, one answers or all refuse.
fn fork(world: &mut World, call: CallId, random: &mut SeededRandom) {
    let tags: Vec<String> = (0..2 + random.below(3)).map(|_| world.phones[call.0.0].fork_tag()).collect();
    let serial = chance(random, 50);
    let mut at = Duration::from_millis(50);
    for (place, tag) in tags.iter().cloned().enumerate() {
        let status = one_of(random, &[180, 183, 183]);
        let ends = place + 1 < tags.len() && (serial || chance(random, 30));
        let rings = tag.clone();
        while_open(world, call, at, move |phone, now, index| {
            phone.respond_as(now, index, status, status == 183, &[], &rings);
        });
        if ends {
            while_open(world, call, at + Duration::from_millis(1_500), move |phone, now, index| {
                phone.end_early(now, index, &tag);
            });
        }
        at += if serial { Duration::from_secs(2) } else { millis(random, 300) };
    }
    let winner = tags.last().cloned().unwrap_or_default();
    let status = if chance(random, 80) { 200 } else { 486 };
    while_open(world, call, at + millis(random, 3_000), move |phone, now, index| {
        phone.respond_as(now, index, status, status == 200, &[], &winner);
    });
}

/// Rings, may tell of media and change it, then answers.
fn progress(world: &mut World, call: CallId, groups: Groups, random: &mut SeededRandom) {
    let mut at = Duration::from_millis(50);
    for _ in 0..1 + random.below(3) {
        let status = one_of(random, &[180, 183, 183, 181]);
        while_open(world, call, at, move |phone, now, index| {
            phone.respond(now, index, status, status == 183, &[]);
        });
        at += millis(random, 2_000);
        if groups.update && chance(random, 50) {
            let mute = chance(random, 30);
            world.after(at, move |world| update_early(world, call, mute));
            at += millis(random, 1_500);
        }
    }
    while_open(world, call, at + millis(random, 2_000), |phone, now, index| {
        phone.respond(now, index, 200, true, &[]);
    });
}

/// An UPDATE in the early dialog, by either party: with an offer, where the first exchange is done, or without.
pub(crate) fn update_early(world: &mut World, call: CallId, mute: bool) {
    world.with(call.0, |phone, now| {
        let index = call.1;
        let one = &phone.calls[index];
        let may = one.is_allowed("UPDATE") == Some(true) && !one.is_offering() && one.dialog.is_some();
        if one.stage == Stage::Open && may && one.is_at_rest_early() && (mute || one.progress.settled) {
            phone.request(now, index, Method::Update, (!mute).then_some("sendrecv"));
        }
    });
}

/// Something to do in the middle of a call: false, where the groups have nothing for it.
///
/// - `target`: the URI of somebody to transfer the peer to, with a user of its own.
pub(crate) fn talk(
    world: &mut World,
    call: CallId,
    groups: Groups,
    target: &str,
    random: &mut SeededRandom,
) -> bool {
    let phone = &mut world.phones[call.0.0];
    let one = &phone.calls[call.1];
    if one.stage != Stage::Up {
        return true;
    }
    let free = !one.is_offering() && one.asked.is_empty();
    let updates = one.is_allowed("UPDATE") == Some(true);
    let other = other_call(&phone.calls, call.1);
    let direction = one_of(random, &["sendrecv", "sendonly", "inactive"]);
    let deed = random.below(10);
    let spoils = chance(random, 15);
    let uri = target.to_owned();
    let deed = move |phone: &mut Phone, now, index| match deed {
        0..2 if groups.update && updates && free => {
            phone.request(now, index, Method::Update, Some(direction));
        }
        2 if groups.update && updates && free => phone.request(now, index, Method::Update, None),
        3..6 if groups.corners && free => {
            phone.request(now, index, Method::Invite, (deed != 3).then_some(direction));
        }
        6 if groups.corners && spoils => phone.abilities.spoils = 1,
        7 if groups.transfers => phone.refer(now, index, &uri),
        8 if groups.transfers => match other {
            Some(other) => phone.refer_attended(now, index, other, None),
            None => phone.refer(now, index, &uri),
        },
        9 if groups.transfers => phone.take_over(now, index),
        _ => {}
    };
    world.with(call.0, |phone, now| deed(phone, now, call.1));
    true
}

/// Another call of the phone that is up.
fn other_call(calls: &[PhoneCall], index: usize) -> Option<usize> {
    let up = |at: &usize| *at != index && calls[*at].stage == Stage::Up;
    (0..calls.len()).rev().find(up)
}
