//! Ways of calls that chance takes beside the usual ones: to a phone that has registered and is called by its flow, and round a
//! loop of two systems that each take the gateway for the way out. Some seeds have them, and the others tell their old stories.

use std::time::Duration;

use sip::{Method, Name};

use super::phone::{Phone, Stage};
use super::registered_customer::Registering;
use super::trunk::{BRANCH, Change, PBX, Trunk};
use super::whims::{self, Groups};
use super::world::{CallId, PhoneId, World};
use crate::peer::Transport;
use crate::random::{Random, SeededRandom};

/// The number of who registers.
pub(super) const ROAMER: &str = "+12065550102";

/// From here on marks are of calls in loops, each a hundred of one loop.
const LOOPS: u32 = 1_000_000;

const REGISTERS: Change = (
    "more",
    r#"
[[voice_connector]]
id = "roamer"
[voice_connector.termination]
allowlist = ["10.0.0.3/32"]
calling_plan = ["US"]
credentials = [{ username = "office", password = "s3cret" }]
[voice_connector.origination]
options_interval = "0s"
cps_limit = 1000
[voice_connector.peer]
registration = true
[[phone_number]]
number = "+12065550102"
voice_connector = "roamer"
"#,
);

/// What the configuration has of who registers.
pub(super) fn configured(seed: u64) -> Option<Change> {
    roams(seed).then_some(REGISTERS)
}

fn roams(seed: u64) -> bool {
    seed % 3 == 1
}

fn loops(seed: u64) -> bool {
    seed % 4 == 2
}

/// The phone that registers, over a network that loses nothing yet: behind a NAT, or at an address of its own.
pub(super) fn register(
    trunk: &mut Trunk,
    seed: u64,
    transport: Transport,
    groups: Groups,
    is_absent: fn(&Phone, &sip::Message) -> bool,
) {
    if !roams(seed) {
        return;
    }
    let mut random = SeededRandom::new(seed ^ 0x4e61);
    let phone = trunk.world.phone("roamer", "10.0.0.3:5060", transport);
    if transport == Transport::Tcp || random.below(2) == 0 {
        trunk.world.hides_at(phone, "192.168.7.2:5060");
        trunk.world.sends_from(phone, "10.0.0.3:51000");
        trunk.world.takes_no_connections(phone);
        if transport == Transport::Udp {
            trunk.world.is_also_at(phone, "10.0.0.3:51000");
        }
    }
    let one = trunk.phone(phone);
    whims::equip(one, groups, &mut random);
    one.ignores = Some(is_absent);
    let mut line = Registering::new(trunk, phone);
    line.connector = "roamer";
    let ok = line.register(trunk, &[]);
    assert_eq!(ok.status().map(|status| status.code()), Some(200));
}

/// Whom the calls of this seed go to beside the usual ones, each by whom it is placed.
pub(super) fn calls(trunk: &Trunk, seed: u64) -> Vec<(PhoneId, &'static str)> {
    let roaming = [(trunk.east, ROAMER), (trunk.pbx, ROAMER), (trunk.east, ROAMER)];
    roaming.into_iter().cycle().take(if roams(seed) { 12 } else { 0 }).collect()
}

/// Two loops are begun.
pub(super) fn begin_loops(trunk: &mut Trunk, seed: u64, busy: Duration) {
    if !loops(seed) {
        return;
    }
    let mut random = SeededRandom::new(seed ^ 0x1009);
    for (index, from) in (0..).zip([trunk.pbx, trunk.branch]) {
        let at = Duration::from_millis(random.below(busy.as_millis() as u64));
        let hops = 2 + random.below(12) as u32;
        trunk.world.after(at, move |world| {
            send(world, from, LOOPS + 100 * index, hops);
        });
    }
}

/// A call to the other system; its index.
fn send(world: &mut World, from: PhoneId, mark: u32, hops: u32) -> usize {
    let (own, number) = if world.phones[from.0].name == "pbx" { (PBX, BRANCH) } else { (BRANCH, PBX) };
    world.with(from, |phone, now| {
        let invite = phone.invite("vc.example.com", own, number, true).raw("X-Call", mark.to_string());
        phone.place(now, invite.set(Name::MaxForwards, hops.to_string()).build())
    })
}

/// A call of a loop came: it is sent back with a hop less, as a proxy would. Whether it is one.
pub(super) fn goes_round(world: &mut World, call: CallId) -> bool {
    let one = &world.phones[call.0.0].calls[call.1];
    let Some(mark) = one.mark().filter(|mark| *mark >= LOOPS) else { return false };
    let left = one.invite.max_forwards().ok().flatten().unwrap_or(0);
    world.after(Duration::from_millis(20), move |world| {
        if world.phones[call.0.0].calls[call.1].stage == Stage::Open {
            let sent = send(world, call.0, mark + 1, left.saturating_sub(1));
            world.phones[call.0.0].calls[sent].sent_for = Some(call.1);
        }
    });
    true
}

/// A call that was sent back is refused: so is the one that it was sent for. Whether it is one of a loop.
pub(super) fn comes_back(world: &mut World, call: CallId) -> bool {
    let one = &world.phones[call.0.0].calls[call.1];
    if one.mark().is_none_or(|mark| mark < LOOPS) {
        return false;
    }
    if let (Some(asked), Some(status)) = (one.sent_for, one.answers().last().copied()) {
        world.with(call.0, |phone, now| {
            if phone.calls[asked].stage == Stage::Open {
                phone.respond(now, asked, status, false, &[]);
            }
        });
    }
    true
}

impl Trunk {
    /// How many calls who has registered answered.
    pub(super) fn roamed(&self) -> usize {
        let roamer = self.world.phones.iter().filter(|phone| phone.name == "roamer");
        roamer.flat_map(|phone| &phone.calls).filter(|call| call.gave.contains(&200)).count()
    }

    /// No loop was answered, none went on for ever, and each that nothing else ended was ended for want of hops. How many calls
    /// were refused for that.
    pub(super) fn check_loops(&self) -> usize {
        let calls = self.world.phones.iter().flat_map(|phone| &phone.calls);
        let all: Vec<_> = calls.filter(|call| call.mark().is_some_and(|mark| mark >= LOOPS)).collect();
        for call in &all {
            assert!(!call.answers().contains(&200) && !call.requests().contains(&Method::Bye.to_string()));
            assert!(call.mark().unwrap_or(0) % 100 < 8, "more legs than hops");
        }
        let refused =
            |status: u16| all.iter().filter(|call| call.caller && call.answers().contains(&status)).count();
        refused(483) + refused(482)
    }
}
