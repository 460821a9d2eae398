//! Somebody asks why a call came to nothing: by Call-ID, transaction id, number or address, for a while after it did.

use std::net::{IpAddr, SocketAddr};

use sip::{Builder, Method, Name};

use super::phone::Stage;
use super::registered_customer::{REGISTERS, Registering};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::{Answers, CallId};
use crate::core::Input;
use crate::drains::Part;
use crate::peer::Transport;
use crate::question::{Answer, Question};
use crate::record::EndedBy;
use crate::why::{Explanation, LadderLine, Leg, Wanted, What};

impl Trunk {
    /// What all shards say of it.
    pub fn why(&mut self, wanted: &str) -> Vec<Explanation> {
        let mut found = Vec::new();
        for shard in 0..self.world.cores.len() {
            let question = Question::Why(Wanted(wanted.to_owned()));
            match self.ask(u16::try_from(shard).unwrap(), question) {
                Answer::Why(more) => found.extend(more),
                other => panic!("{other:?}"),
            }
        }
        found
    }

    fn why_one(&mut self, wanted: &str) -> Explanation {
        let found = self.why(wanted);
        assert_eq!(found.len(), 1, "{wanted}: {found:#?}");
        found.into_iter().next().unwrap()
    }

    fn why_call(&mut self, call: CallId) -> Explanation {
        let call_id = self.call(call).call_id();
        self.why_one(&call_id)
    }
}

/// A leg's messages as `<INVITE`, `>100`, in order.
fn rungs(ladder: &[LadderLine], leg: Leg) -> String {
    let word = |line: &LadderLine| {
        let what = line.status.map_or(line.method.clone(), |status| status.to_string());
        format!("{}{what}", if line.sent { ">" } else { "<" })
    };
    let mine = ladder.iter().filter(|line| line.leg == leg);
    mine.map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_refused_call_says_which_step_refused_it_and_what_to_do() {
    let denied = ("pbx_termination", "denied_prefixes = [\"+1212\"]");
    everywhere_with(&[denied], |trunk| {
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        let why = trunk.why_call(call);
        assert_eq!((why.step.as_str(), why.status), ("denied prefixes", 403));
        assert_eq!((why.caller.as_str(), why.callee.as_str()), (PBX, OUTSIDE));
        assert_eq!(why.from.as_deref(), Some("voice connector pbx"));
        assert_eq!(why.source.map(|source| source.ip()), Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(why.to_do, "take +1212 out of termination.denied_prefixes, if it may be called");
        let told = why.told.clone().unwrap();
        assert_eq!(
            (told.status, told.reason.unwrap().as_str()),
            (Some(403), "SIP;cause=403;text=\"Prefix +1212 is denied: +12125550123\"")
        );
        assert_eq!(rungs(&why.ladder, Leg::A), "<INVITE >403");
        assert!(why.steps.contains(&"denied prefixes: +1212 matches".to_owned()), "{:?}", why.steps);
        let id = why.transaction_id.clone().unwrap();
        for wanted in [id.as_str(), &id.to_uppercase(), PBX, "2125550123", "10.0.0.1"] {
            assert_eq!(trunk.why_one(wanted), why, "{wanted}");
        }
        assert_eq!(trunk.why("+12125550124"), []);
        let text = why.to_string();
        for part in ["from: voice connector pbx, 10.0.0.1:", "refused by: denied prefixes", "sent: 403"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    });
}

#[test]
fn a_carriers_refusal_is_told_with_every_host_and_the_ladder_to_the_end() {
    everywhere(|trunk| {
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let first = trunk.incoming(trunk.east);
        trunk.respond_with(first, 503, &[("Reason", "Q.850;cause=34")]);
        trunk.run(0.5);
        let second = trunk.incoming(trunk.west);
        trunk.respond(second, 404);
        trunk.run(1.0);
        let why = trunk.why_call(call);
        assert_eq!(trunk.why_call(second), why, "by the Call-ID of the b-leg");
        assert_eq!((why.step.as_str(), why.status), ("carrier", 404));
        let tried: Vec<_> = why
            .attempts
            .iter()
            .map(|tried| {
                (tried.detail.carrier.as_deref().unwrap(), tried.detail.status, tried.to_do.as_deref())
            })
            .collect();
        let line = "ask whose host it is: it has no free line (Q.850;cause=34)";
        let number = "see that the number exists and is written as this side wants it: its number_format";
        assert_eq!(tried, [("east", Some(503), Some(line)), ("west", Some(404), Some(number))]);
        assert_eq!(rungs(&why.ladder, Leg::A), "<INVITE >100 >404");
        assert_eq!(rungs(&why.ladder, Leg::B), ">INVITE <100 <503 >ACK >INVITE <100 <404 >ACK");
        assert_eq!(why.told.clone().unwrap().status, Some(404));
        assert!(why.ladder.windows(2).all(|two| two[0].milliseconds <= two[1].milliseconds));
        let to: Vec<SocketAddr> = why.ladder.iter().map(|line| line.remote).collect();
        assert!(
            to.contains(&"10.0.1.1:5060".parse().unwrap()) && to.contains(&"10.0.1.2:5060".parse().unwrap())
        );
    });
}

#[test]
fn time_outs_limits_media_and_callers_who_give_up_are_told_apart() {
    everywhere(|trunk| {
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        trunk.cancel(call);
        trunk.run(1.0);
        let why = trunk.why_call(call);
        assert_eq!((why.step.as_str(), why.status, why.ended_by.as_label()), ("caller", 487, "caller"));
        assert!(rungs(&why.ladder, Leg::A).contains("<CANCEL"), "{:?}", why.ladder);

        trunk.world.media = Answers::Failing;
        let call = trunk.dial(trunk.pbx, "+12125550199");
        trunk.run(1.0);
        assert_eq!(trunk.why_call(call).step, "media ports");
        trunk.world.media = super::world::AT_ONCE;

        trunk.broadcast(|| Input::Drain);
        let call = trunk.dial(trunk.pbx, "+12125550198");
        trunk.run(1.0);
        assert_eq!(trunk.why_call(call).step, "gateway");
    });
    everywhere_with(&[("pbx_termination", "max_calls = 1")], |trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let call = trunk.dial(trunk.pbx, "+12125550197");
        trunk.run(1.0);
        let why = trunk.why_call(call);
        assert_eq!((why.step.as_str(), why.status), ("calls at one time", 503));
        assert!(why.to_do.starts_with("raise max_calls of"), "{}", why.to_do);
        trunk.hang_up(up);
    });
}

#[test]
fn a_host_that_says_nothing_is_a_time_out() {
    over_udp(&[], |trunk| {
        trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), false);
        trunk.world.dead.insert("10.0.1.2:5060".parse().unwrap(), false);
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(15.0);
        let why = trunk.why_call(call);
        assert_eq!((why.step.as_str(), why.status), ("time-out", 504));
        let copies: u32 = why.ladder.iter().filter(|line| line.leg == Leg::B).map(|line| line.copies).sum();
        assert!(copies > 4, "repeated INVITEs are copies of a rung: {:#?}", why.ladder);
    });
}

#[test]
fn an_answered_call_is_kept_only_where_it_failed() {
    everywhere(|trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let id = trunk.call(a).call_id();
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.why(&id), []);
        let (a, _) = trunk.connect(trunk.pbx, "+12125550196", trunk.east);
        trunk.run(2.0 * 3600.0);
        let why = trunk.why_call(a);
        assert_eq!((why.step.as_str(), why.cause.as_str()), ("duration", "Maximum call duration reached"));
        assert!(why.told.as_ref().unwrap().status.is_none(), "{:?}", why.told);
    });
}

/// One that calls the same number again and again is one entry; one that dials many numbers takes no more than its half, and
/// strangers all together no more than theirs.
#[test]
fn a_flood_of_one_source_leaves_what_is_known_of_others() {
    let denied = ("pbx_termination", "denied_prefixes = [\"+1212\"]");
    over_udp(&[denied], |trunk| {
        let first = trunk.dial(trunk.east, "+12065550177");
        trunk.run(1.0);
        for _ in 0..30 {
            trunk.dial(trunk.pbx, OUTSIDE);
        }
        trunk.run(1.0);
        let why = trunk.why_one(OUTSIDE);
        assert_eq!(why.times, 30);
        let last = trunk.world.phones[trunk.pbx.0].calls.last().unwrap().call_id();
        assert_eq!(trunk.why_one(&last), why, "by the Call-ID of a later one");
        for number in 0..6_000 {
            let number = format!("+1212556{number:04}");
            trunk.dial(trunk.pbx, &number);
            trunk.run(0.05);
        }
        for host in 1..250 {
            let name = format!("stranger{host}");
            let stranger = trunk.world.phone(
                Box::leak(name.into_boxed_str()),
                &format!("203.0.113.{host}:5060"),
                Transport::Udp,
            );
            invite_of(trunk, stranger, host);
            trunk.run(0.05);
        }
        trunk.run(1.0);
        assert_eq!(trunk.why_call(first).step, "number", "the other source's is still known");
        assert_eq!(trunk.why("+12125560000"), [], "the oldest of the flood is gone");
        assert_eq!(trunk.why("+12125565999").len(), 1);
        let stranger = trunk.why_one("203.0.113.249");
        assert_eq!((stranger.step.as_str(), stranger.status), ("allowlist", 403));
        assert!(trunk.why("10.0.0.1").len() > 1);
    });
}

fn invite_of(trunk: &mut Trunk, stranger: super::world::PhoneId, number: u32) {
    let branch = trunk.phone(stranger).branch();
    let invite = Builder::request(Method::Invite, "sip:+12065550100@vc.example.com")
        .header(Name::Via, trunk.phone(stranger).via(&branch))
        .header(Name::MaxForwards, "70")
        .header(Name::From, "<sip:+12125550999@b>;tag=1")
        .header(Name::To, "<sip:c@d>")
        .header(Name::CallId, format!("{number}@sbc"))
        .header(Name::CSeq, "1 INVITE")
        .header(Name::Contact, trunk.phone(stranger).contact());
    trunk.world.send(stranger, invite.build());
}

#[test]
fn wrong_credentials_are_told_while_they_are_asked_for_again() {
    let login = ("pbx_termination", "credentials = [{ username = \"pbx\", password = \"right\" }]");
    over_udp(&[login], |trunk| {
        let wrong = "Digest username=\"pbx\", realm=\"vc.example.com\", nonce=\"x\", \
                     uri=\"sip:+12125550123@vc.example.com\", response=\"00000000000000000000000000000000\"";
        let call = trunk.dial_with(trunk.pbx, OUTSIDE, &[("Proxy-Authorization", wrong)]);
        trunk.run(0.5);
        let why = trunk.why_call(call);
        assert_eq!((why.step.as_str(), why.status), ("digest", 407));
        assert!(why.to_do.contains("termination.credentials of voice connector pbx"), "{}", why.to_do);
    });
}

/// A re-INVITE that the other party refuses, and one that we do: the call goes on, and its operator asks all the same.
#[test]
fn a_refusal_inside_a_call_is_told_though_the_call_goes_on() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.east).habits.renegotiates = Some(488);
        for _ in 0..2 {
            trunk.request(a, Method::Invite, Some("sendonly"));
            trunk.run(0.5);
        }
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        let why = trunk.why_call(a);
        assert_eq!(trunk.why_call(b), why, "by the Call-ID of the b-leg");
        assert_eq!((&why.what, why.status, why.times), (&What::InCall("INVITE".into()), 488, 2));
        assert_eq!((why.step.as_str(), why.ended_by), ("media", EndedBy::Callee));
        assert!(why.to_do.starts_with("compare peer.codecs and peer.srtp"), "{}", why.to_do);
        assert_eq!(why.told.clone().unwrap().status, Some(488));
        assert_eq!(
            (why.from.as_deref(), why.to.as_deref()),
            (Some("voice connector pbx"), Some("carrier east"))
        );
        assert!(rungs(&why.ladder, Leg::B).ends_with(">INVITE <488 >ACK"), "{}", rungs(&why.ladder, Leg::B));
        let text = why.to_string();
        let line = format!("INVITE inside the call from {PBX} to {OUTSIDE}, 2 times");
        assert!(text.contains(&line) && text.contains("refused by: media, the callee"), "{text}");
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.why(PBX).len(), 1, "the call itself came to something");
    });
}

/// A REGISTER that is refused, by its credentials or by what it asks for.
#[test]
fn a_refused_registration_is_told() {
    over_udp(&REGISTERS, |trunk| {
        let mut pbx = Registering::new(trunk, trunk.pbx);
        pbx.register(trunk, &[]);
        assert_eq!(trunk.why("10.0.0.1"), []);
        pbx.register(trunk, &[("Expires", "5")]);
        let why = trunk.why_one("10.0.0.1");
        assert_eq!((&why.what, why.status, why.step.as_str()), (&What::Registration, 423, "registration"));
        assert_eq!((why.caller.as_str(), why.callee.as_str()), ("office", "office"));
        assert_eq!(why.from.as_deref(), Some("voice connector pbx"));
        assert_eq!(rungs(&why.ladder, Leg::A), "<REGISTER >423");
        let text = why.to_string();
        for part in
            ["office wanted to register office: 423", "refused by: registration, the gateway", "Min-Expires"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        pbx.password = "wrong";
        pbx.register(trunk, &[]);
        let wrong = trunk.why("Office");
        assert!(wrong.iter().any(|why| why.step == "digest" && why.what == What::Registration), "{wrong:#?}");
    });
}

/// What routing looked at, where nobody takes a number.
#[test]
fn a_call_without_a_way_says_what_routing_looked_at() {
    everywhere(|trunk| {
        for carrier in ["east", "west"] {
            trunk.world.shared.drains.drain(Part::Carrier(carrier.into()));
        }
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        let why = trunk.why_call(call);
        assert_eq!((why.step.as_str(), why.status), ("operator", 503));
        let steps = why.steps.join("\n");
        for line in
            ["calling plan: ", "carrier: east takes it by 1 digit", "route: carrier west at 10.0.1.2:5060"]
        {
            assert!(steps.contains(line), "{line} in {steps}");
        }
    });
}
