//! A trunk with two customers and two carriers, the stage of every scenario.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sip::{Message, Method};

use super::ladder::Line;
use super::legs;
use super::phone::{Abilities, Phone, PhoneCall, Stage};
use super::world::{CallId, PhoneId, World};
use crate::core::Input;
use crate::direction::Direction;
use crate::peer::{Peer, Transport};
use crate::record::CallFacts;

/// The configuration: `{protocol}` is the phones' transport, `{more}` what a scenario adds.
const CONFIG: &str = r#"
[gateway]
region = "us-east-1"
domain = "vc.example.com"
{gateway}

[[listen]]
protocol = "udp"
address = "192.0.2.1:5060"

[[listen]]
protocol = "tcp"
address = "192.0.2.1:5060"

[media]
address = "192.0.2.1"

[[voice_connector]]
id = "pbx"
{pbx}
[voice_connector.termination]
allowlist = ["10.0.0.1/32"]
calling_plan = ["US"]
cps_limit = 1000
max_duration = "{max_duration}"
{pbx_termination}
[voice_connector.origination]
options_interval = "0s"
cps_limit = 1000
{pbx_origination}
[voice_connector.peer]
{pbx_peer}
[[voice_connector.origination.route]]
host = "10.0.0.1"
port = 5060
protocol = "{protocol}"
priority = 1
weight = 1
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"

[[voice_connector]]
id = "branch"
[voice_connector.termination]
allowlist = ["10.0.0.2/32"]
calling_plan = ["US"]
cps_limit = 1000
[voice_connector.origination]
options_interval = "0s"
cps_limit = 1000
[[voice_connector.origination.route]]
host = "10.0.0.2"
port = 5060
protocol = "{protocol}"
priority = 1
weight = 1
[voice_connector.peer]
{branch_peer}

[[voice_connector_group]]
id = "main"
members = [{ voice_connector = "pbx", priority = 1 }, { voice_connector = "branch", priority = 2 }]

[[phone_number]]
number = "+12065550100"
voice_connector = "pbx"
[[phone_number]]
number = "+12065550101"
voice_connector = "branch"
[[phone_number]]
number = "+12065550199"
voice_connector_group = "main"

[[carrier]]
name = "east"
allowlist = ["10.0.1.1/32"]
prefixes = ["+1"]
priority = 1
{east}
[[carrier.host]]
host = "10.0.1.1"
port = 5060
protocol = "{protocol}"
[carrier.peer]
{east_peer}

[[carrier]]
name = "west"
allowlist = ["10.0.1.2/32"]
prefixes = ["+1"]
priority = {west_priority}
{west}
[[carrier.host]]
host = "10.0.1.2"
port = 5060
protocol = "{protocol}"
[carrier.peer]
{west_peer}
"#;

/// What a scenario changes of the configuration: lines for the place of that name.
pub(crate) type Change = (&'static str, &'static str);

/// See the module.
pub(crate) struct Trunk {
    pub world: World,
    /// The customers' systems.
    pub pbx: PhoneId,
    pub branch: PhoneId,
    /// The carriers.
    pub east: PhoneId,
    pub west: PhoneId,
}

/// Numbers of the two customers, of the group of both, and of somebody outside.
pub(crate) const PBX: &str = "+12065550100";
pub(crate) const BRANCH: &str = "+12065550101";
pub(crate) const GROUP: &str = "+12065550199";
pub(crate) const OUTSIDE: &str = "+12125550123";

/// Runs a scenario with 1, 2 and 4 shards over UDP and over TCP, then checks that nothing is left.
pub(crate) fn everywhere(scenario: impl Fn(&mut Trunk)) {
    everywhere_with(&[], scenario);
}

/// The same under a changed configuration.
pub(crate) fn everywhere_with(changes: &[Change], scenario: impl Fn(&mut Trunk)) {
    for transport in [Transport::Udp, Transport::Tcp] {
        for shards in [1, 2, 4] {
            let mut trunk = Trunk::new(changes, transport, shards, u64::from(shards));
            trunk.tell(|trunk| {
                scenario(trunk);
                trunk.finish();
            });
        }
    }
}

/// Runs a scenario over TCP, with 1, 2 and 4 shards.
pub(crate) fn over_tcp(changes: &[Change], scenario: impl Fn(&mut Trunk)) {
    for shards in [1, 2, 4] {
        Trunk::new(changes, Transport::Tcp, shards, u64::from(shards)).tell(|trunk| {
            scenario(trunk);
            trunk.finish();
        });
    }
}

/// Runs a scenario over UDP, with one shard.
pub(crate) fn over_udp(changes: &[Change], scenario: impl Fn(&mut Trunk)) {
    let mut trunk = Trunk::new(changes, Transport::Udp, 1, 1);
    trunk.tell(|trunk| {
        scenario(trunk);
        trunk.finish();
    });
}

/// The configuration with these changes.
pub(crate) fn config(changes: &[Change], transport: Transport) -> String {
    let mut config = CONFIG.replace("{protocol}", transport.parameter());
    for place in [
        "gateway",
        "pbx",
        "pbx_termination",
        "pbx_origination",
        "pbx_peer",
        "branch_peer",
        "east",
        "east_peer",
        "west",
        "west_peer",
    ] {
        let lines: Vec<&str> =
            changes.iter().filter(|(at, _)| *at == place).map(|(_, lines)| *lines).collect();
        config = config.replace(&format!("{{{place}}}"), &lines.join("\n"));
    }
    for (place, usual) in [("max_duration", "1h"), ("west_priority", "2")] {
        let changed = changes.iter().find(|(at, _)| *at == place);
        config = config.replace(&format!("{{{place}}}"), changed.map_or(usual, |(_, value)| *value));
    }
    for (_, more) in changes.iter().filter(|(at, _)| *at == "more") {
        config.push_str(more);
    }
    config
}

impl Trunk {
    pub fn new(changes: &[Change], transport: Transport, shards: u16, seed: u64) -> Trunk {
        let mut world = World::new(&config(changes, transport), shards, seed);
        let pbx = world.phone("pbx", "10.0.0.1:5060", transport);
        let branch = world.phone("branch", "10.0.0.2:5060", transport);
        let east = world.phone("east", "10.0.1.1:5060", transport);
        let west = world.phone("west", "10.0.1.2:5060", transport);
        Trunk { world, pbx, branch, east, west }
    }

    /// Another configuration holds for what begins from now on.
    pub fn configure(&mut self, changes: &[Change], transport: Transport) {
        self.world.configure(&config(changes, transport));
    }

    /// Runs `scenario`; where it fails, the ladder is printed.
    pub fn tell(&mut self, scenario: impl FnOnce(&mut Trunk)) {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| scenario(self))) {
            println!("{}", self.world.draw(&self.suspects()));
            resume_unwind(failure);
        }
    }

    /// The Call-IDs of all legs of the calls that broke a law of the network; none: any may be at fault.
    fn suspects(&self) -> Vec<String> {
        let calls = || self.world.phones.iter().flat_map(|phone| &phone.calls);
        let mut broken: Vec<String> =
            self.world.watch.broken.iter().map(|(_, call_id)| call_id.clone()).collect();
        if broken.is_empty() {
            broken.extend(self.world.cores.iter().flat_map(crate::core::Core::call_ids));
        }
        let marks: Vec<u32> = calls()
            .filter(|call| match broken.is_empty() {
                true => call.timed_out || call.stage != Stage::Over,
                false => broken.contains(&call.call_id()),
            })
            .filter_map(PhoneCall::mark)
            .collect();
        let theirs = calls().filter(|call| call.mark().is_some_and(|mark| marks.contains(&mark)));
        theirs.map(PhoneCall::call_id).collect()
    }

    pub fn run(&mut self, seconds: f64) {
        self.world.run(seconds);
    }

    /// A customer's call to `number`, with an offer.
    pub fn dial(&mut self, phone: PhoneId, number: &str) -> CallId {
        self.dial_with(phone, number, &[])
    }

    /// The same with more headers.
    pub fn dial_with(&mut self, phone: PhoneId, number: &str, headers: &[(&str, &str)]) -> CallId {
        let from = self.own_number(phone);
        let call = self.world.with(phone, |phone, now| {
            let mut invite = phone.invite("vc.example.com", from, number, true);
            for (name, value) in headers {
                invite = invite.raw(name, value);
            }
            phone.place(now, invite.build())
        });
        CallId(phone, call)
    }

    /// Both ends of a call to `number`, which has come to `callee` by now.
    pub fn reach(&mut self, caller: PhoneId, number: &str, callee: PhoneId) -> (CallId, CallId) {
        let call = self.dial(caller, number);
        self.run(0.5);
        (call, self.incoming(callee))
    }

    /// A call without an offer.
    pub fn dial_without_offer(&mut self, phone: PhoneId, number: &str) -> CallId {
        let from = self.own_number(phone);
        let call = self.world.with(phone, |phone, now| {
            let invite = phone.invite("vc.example.com", from, number, false);
            phone.place(now, invite.build())
        });
        CallId(phone, call)
    }

    pub fn own_number(&self, phone: PhoneId) -> &'static str {
        match phone {
            phone if phone == self.pbx => PBX,
            phone if phone == self.branch => BRANCH,
            _ => "+12125550999",
        }
    }

    /// The newest call that reached `phone`.
    pub fn incoming(&self, phone: PhoneId) -> CallId {
        let calls = &self.world.phones[phone.0].calls;
        let index = calls.iter().rposition(|call| !call.caller).expect("a call came in");
        CallId(phone, index)
    }

    /// How many calls reached `phone`.
    pub fn received(&self, phone: PhoneId) -> usize {
        self.world.phones[phone.0].calls.iter().filter(|call| !call.caller).count()
    }

    pub fn call(&self, id: CallId) -> &PhoneCall {
        &self.world.phones[id.0.0].calls[id.1]
    }

    pub fn stage(&self, id: CallId) -> Stage {
        self.call(id).stage
    }

    /// Answers an INVITE; 183 and 2xx with a session description.
    pub fn respond(&mut self, id: CallId, status: u16) {
        self.respond_with(id, status, &[]);
    }

    pub fn respond_with(&mut self, id: CallId, status: u16, headers: &[(&str, &str)]) {
        let sdp = status == 183 || (200..300).contains(&status);
        self.world.with(id.0, |phone, now| phone.respond(now, id.1, status, sdp, headers));
    }

    /// What a phone can do beyond a plain call, from now on. Its descriptions carry marks, and it says what it allows.
    pub fn able(&mut self, phone: PhoneId, abilities: Abilities) {
        self.world.phones[phone.0].abilities = Abilities { marks: true, allow: true, ..abilities };
    }

    /// A forking callee answers under this To tag ([`Phone::fork_tag`]); 183 and 2xx with a description of its own.
    pub fn respond_as(&mut self, id: CallId, status: u16, tag: &str) {
        let sdp = status == 183 || (200..300).contains(&status);
        self.world.with(id.0, |phone, now| phone.respond_as(now, id.1, status, sdp, &[], tag));
    }

    /// Answers an INVITE with a redirection to these URIs.
    pub fn redirect(&mut self, id: CallId, status: u16, uris: &[&str]) {
        let uris: Vec<String> = uris.iter().map(|uri| (*uri).to_owned()).collect();
        self.world.with(id.0, |phone, now| phone.redirect(now, id.1, status, &uris));
    }

    /// Asks the peer of a call to call `target`, a URI.
    pub fn refer(&mut self, id: CallId, target: &str) {
        self.world.with(id.0, |phone, now| phone.refer(now, id.1, target));
    }

    /// Asks the peer of a call to take this phone's place in another call of it; `uri`: who is called for that.
    pub fn refer_attended(&mut self, id: CallId, other: CallId, uri: &str) {
        self.world.with(id.0, |phone, now| phone.refer_attended(now, id.1, other.1, Some(uri)));
    }

    /// Both ends of a call hold the same two descriptions to be agreed on.
    pub fn assert_agreed(&self, a: CallId, b: CallId) {
        let here = self.call(a).media.agreed().expect("agreed");
        let there = self.call(b).media.agreed().expect("agreed");
        assert_eq!((&here.ours, &here.theirs), (&there.theirs, &there.ours));
    }

    pub fn cancel(&mut self, id: CallId) {
        self.world.with(id.0, |phone, now| phone.cancel(now, id.1));
    }

    pub fn early_bye(&mut self, id: CallId) {
        self.world.with(id.0, |phone, now| phone.early_bye(now, id.1));
    }

    pub fn hang_up(&mut self, id: CallId) {
        self.request(id, Method::Bye, None);
    }

    /// Any request inside the dialog; the body is an offer's direction for INVITE and UPDATE.
    pub fn request(&mut self, id: CallId, method: Method, body: Option<&str>) {
        self.world.with(id.0, |phone, now| phone.request(now, id.1, method, body));
    }

    pub fn phone(&mut self, id: PhoneId) -> &mut Phone {
        &mut self.world.phones[id.0]
    }

    /// A call that is up: dials, answers, waits for the ACKs. The caller's side and the callee's.
    pub fn connect(&mut self, from: PhoneId, number: &str, to: PhoneId) -> (CallId, CallId) {
        let a = self.dial(from, number);
        self.run(0.5);
        let b = self.incoming(to);
        self.respond(b, 200);
        self.run(1.0);
        assert_eq!((self.stage(a), self.stage(b)), (Stage::Up, Stage::Up));
        (a, b)
    }

    /// Where the gateway sent its newest request of `method` in this call.
    pub fn went(&self, id: CallId, method: &Method) -> &Peer {
        let call_id = self.call(id).call_id();
        let mine = |line: &&Line| {
            line.message.method().as_ref() == Some(method)
                && line.message.call_id().is_ok_and(|one| one == call_id.as_str())
        };
        let sent = self.world.ladder.iter().rev().filter(mine).find_map(|line| line.peer.as_ref());
        sent.unwrap_or_else(|| panic!("no {method} went out"))
    }

    /// What both parties heard of the initial INVITE: the answers to the caller.
    pub fn heard(&self, id: CallId) -> Vec<u16> {
        self.call(id).answers()
    }

    /// The one record of `connector` in `direction`.
    pub fn cdr(&self, connector: &str, direction: Direction) -> &CallFacts {
        let mine = |facts: &&CallFacts| facts.voice_connector_id == connector && facts.direction == direction;
        let all: Vec<_> = self.world.cdrs.iter().filter(mine).collect();
        assert_eq!(all.len(), 1, "records of {connector} {direction:?}: {all:#?}");
        all[0]
    }

    /// Stops everything that is left from outside: nothing may need it.
    pub fn finish(&mut self) {
        // The longest that anything lasts after the last word: 64*T1 for a missing ACK, 64*T1 for its BYE, Timer D.
        for _ in 0..150 {
            if self.is_quiet() {
                break;
            }
            self.run(1.0);
        }
        self.check();
    }

    pub fn is_quiet(&self) -> bool {
        self.world.cores.iter().all(|core| core.held().iter().all(|held| *held == 0))
    }

    /// The laws that hold when everything is over.
    pub fn check(&mut self) {
        self.world.watch.settle(&self.world.unreached);
        self.check_legs();
        assert!(self.world.watch.broken.is_empty(), "broken: {:#?}", self.world.watch.broken);
        self.assert_nothing_held();
        assert_eq!(self.world.hanging_up, [], "the journal keeps the legs of calls that are over");
        let open = &self.world.open_calls;
        assert!(open.is_empty(), "the journal has calls without an end: {open:#?}");
        for phone in &self.world.phones {
            for call in &phone.calls {
                // A phone that could not be reached for a while may have missed its BYE.
                if self.world.unreached.contains(&call.call_id()) {
                    continue;
                }
                // One of which the gateway never heard anything was left without a word (RFC 3261 §9.1).
                if call.stage == Stage::Open && !self.world.hears(&call.call_id()) {
                    continue;
                }
                assert_eq!(call.stage, Stage::Over, "{} still has {}", phone.name, call.call_id());
            }
        }
        let metrics = self.world.metrics.render();
        for line in metrics.lines().filter(|line| line.starts_with("voice_connector_calls_active{")) {
            assert!(line.ends_with(" 0"), "{line}");
        }
    }

    /// What the gateway did on each leg, as the phone there sees it.
    fn check_legs(&mut self) {
        let broken = legs::broken(&self.world.phones, self.world.clocks().instant);
        for one in broken.into_iter().filter(|one| !one.itself) {
            if !self.world.unreached.contains(&one.call_id) && !self.world.watch.forged.contains(&one.call_id)
            {
                self.world.watch.broken.push((one.text, one.call_id));
            }
        }
    }

    /// No call, dialog, transaction, port or permit is left.
    pub fn assert_nothing_held(&self) {
        for (shard, core) in self.world.cores.iter().enumerate() {
            assert_eq!(core.held(), [0; 8], "shard {shard} still holds something");
        }
        assert!(self.world.open_media.is_empty(), "media sessions are left: {:?}", self.world.open_media);
        assert_eq!(self.world.shared.limits.calls(), 0, "permits are left");
    }

    /// Hands every core the same input.
    pub fn broadcast(&mut self, input: impl Fn() -> Input) {
        for shard in 0..self.world.cores.len() {
            self.world.input(u16::try_from(shard).unwrap(), input());
        }
    }

    /// Hands the first core an input.
    pub fn tell_first(&mut self, input: Input) {
        self.world.input(0, input);
    }

    /// The value of a header in what somebody heard, or nothing.
    pub fn header(message: &Message, name: &str) -> String {
        message.value(name.into()).map(|value| value.into_owned()).unwrap_or_default()
    }
}
