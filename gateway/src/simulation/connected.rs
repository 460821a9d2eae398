//! Who speaks with whom after an attended transfer.

use std::time::Duration;

use sip::Method;

use super::legs::rests;
use super::phone::{PhoneCall, Stage, Subscription};
use super::world::World;

/// Who was told that an attended transfer succeeded has connected the other parties of both calls: each speaks with the
/// other one, unless they have been connected further since.
pub(super) fn check(world: &mut World, quiet: Duration) {
    let calls = || world.phones.iter().flat_map(|phone| &phone.calls);
    let led = |one: &Subscription| one.replaces && one.outcome() == Some(200);
    let pairs = world.phones.iter().flat_map(|phone| {
        let of_call = |call: &'_ PhoneCall| -> Vec<(u32, u32)> {
            let other = |one: &Subscription| phone.calls.get(one.other?)?.mark();
            let led = call.subscriptions.iter().filter(|one| led(one));
            led.filter_map(|one| Some((call.mark()?, other(one)?))).collect()
        };
        phone.calls.iter().flat_map(of_call).collect::<Vec<_>>()
    });
    let pairs: Vec<(u32, u32)> = pairs.collect();
    // Whoever was transferred blindly is with somebody else, and marks of several transfers lead through each other. What
    // comes of a REFER that was passed is between the phones: the gateway connects nobody by it.
    let moved = |mark: u32| {
        let blind = |call: &PhoneCall| {
            call.mark() == Some(mark) && call.subscriptions.iter().any(|one| !one.replaces)
        };
        let asked = |call: &PhoneCall| {
            let refers = || call.heard.iter().any(|one| one.method() == Some(Method::Refer));
            call.mark() == Some(mark) && refers()
        };
        calls().any(blind)
            || calls().any(asked)
            || pairs.iter().filter(|(a, b)| *a == mark || *b == mark).count() > 1
    };
    let mut found = Vec::new();
    for (first, second) in pairs.iter().filter(|(first, second)| !moved(*first) && !moved(*second)) {
        let stayed = |mark: u32| {
            let mut up = calls().filter(move |call| call.mark() == Some(mark) && call.stage == Stage::Up);
            up.next().filter(|_| up.next().is_none())
        };
        let (Some(a), Some(b)) = (stayed(*first), stayed(*second)) else { continue };
        let apart = [a, b].iter().any(|call| {
            let call_id = call.call_id();
            let watch = &world.watch;
            watch.forged.contains(&call_id)
                || watch.hung_up.contains(&call_id)
                || world.unreached.contains(&call_id)
        });
        let now = world.clocks().instant;
        if apart || a.out_of_step || b.out_of_step || !rests(a, now, quiet) || !rests(b, now, quiet) {
            continue;
        }
        let (Some(one), Some(other)) = (a.media.agreed(), b.media.agreed()) else { continue };
        if !one.ours.is_empty() && one.ours != other.theirs {
            let text =
                format!("transferred: one end describes {}, the other believes {}", one.ours, other.theirs);
            found.push((text, a.call_id()));
        }
        world.watch.connected += 1;
    }
    if !found.is_empty() {
        world.watch.broken.extend(found);
        panic!("{:#?}", world.watch.broken);
    }
}
