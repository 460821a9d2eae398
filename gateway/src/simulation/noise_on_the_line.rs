//! Messages are repeated much later, cut, bent and mixed, from sources that are listed: whatever comes of it, nothing
//! stays behind when the gateway has hung up what was left.

use std::time::Duration;

use sip::Message;

use super::random_phones::busy_world;
use super::world::{PhoneId, World};
use crate::core::Input;
use crate::random::{Random, SeededRandom};

/// A message that went to the gateway, as it was or bent in a few places.
fn noise(world: &mut World, random: &mut SeededRandom) {
    let lines: Vec<usize> = (0..world.ladder.len()).filter(|index| world.ladder[*index].to == "gw").collect();
    let Some(line) = lines.get(random.below(lines.len() as u64) as usize) else { return };
    let mut bytes = world.ladder[*line].message.bytes().to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(4) {
            0 => bytes[at] = random.next_u64() as u8,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, b" \r\n;,<>\"0:"[random.below(10) as usize]),
            // A header of another message in its place: tags, branches and Call-IDs that do not belong together.
            _ => {
                let other = lines[random.below(lines.len() as u64) as usize];
                let other = world.ladder[other].message.bytes().clone();
                let from = random.below(other.len() as u64) as usize;
                let until = (from + random.below(80) as usize).min(other.len());
                bytes.splice(at..(at + until - from).min(bytes.len()), other[from..until].iter().copied());
            }
        }
    }
    let phone = PhoneId(random.below(world.phones.len() as u64) as usize);
    if let Ok(message) = Message::parse(bytes.into()) {
        // A 400 to a bent copy of its own request means that request, to a phone.
        let call_ids =
            [&message, &world.ladder[*line].message].map(|one| one.call_id().unwrap_or_default().to_owned());
        world.watch.forged.extend(call_ids);
        world.send(phone, message);
    }
}

#[test]
fn nothing_stays_of_calls_with_noise() {
    for seed in 10_000..10_060 {
        let mut random = SeededRandom::new(seed);
        let mut trunk = busy_world(seed, 15);
        trunk.world.deaf_to_faults();
        trunk.tell(|trunk| {
            for _ in 0..400 {
                trunk.run(0.25);
                noise(&mut trunk.world, &mut random);
            }
            trunk.broadcast(|| Input::Stop);
            // Timer C does not hold any more; what is left has 64*T1 for an ACK and 64*T1 for a BYE.
            trunk.run(Duration::from_secs(150).as_secs_f64());
            trunk.assert_nothing_held();
        });
    }
}
