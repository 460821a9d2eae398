//! A customer's system registers, from wherever it is, and calls come by the flow that it registered by.

use sip::auth::{Challenge, Secret, answer};
use sip::{Builder, Message, Method, Name};

use super::phone::Stage;
use super::trunk::{Change, GROUP, OUTSIDE, PBX, Trunk, everywhere_with, over_tcp, over_udp};
use super::world::PhoneId;
use crate::peer::Transport;

/// The PBX registers as `office`.
pub(super) const REGISTERS: [Change; 2] = [
    ("pbx_termination", "credentials = [{ username = \"office\", password = \"s3cret\" }]"),
    ("pbx_peer", "registration = true"),
];

/// Behind its router, which nobody can call.
const INSIDE: &str = "192.168.7.2:5060";
const OUT: &str = "10.0.0.1:51000";

/// What a phone has of its registration: Call-ID and CSeq go on from one REGISTER to the next.
pub(super) struct Registering {
    phone: PhoneId,
    pub connector: &'static str,
    pub user: &'static str,
    pub password: &'static str,
    pub record: &'static str,
    call_id: String,
    cseq: u32,
}

impl Registering {
    pub fn new(trunk: &mut Trunk, phone: PhoneId) -> Registering {
        let call_id = trunk.phone(phone).token();
        let (user, password, connector) = ("office", "s3cret", "pbx");
        Registering { phone, connector, user, password, record: user, call_id, cseq: 0 }
    }

    /// The response to a REGISTER without credentials.
    fn ask(&mut self, trunk: &mut Trunk, headers: &[(&str, &str)]) -> Message {
        let register = self.build(trunk, headers);
        self.send(trunk, register)
    }

    /// The final response, with the challenge answered.
    pub fn register(&mut self, trunk: &mut Trunk, headers: &[(&str, &str)]) -> Message {
        let challenged = self.ask(trunk, headers);
        assert_eq!(status(&challenged), 401);
        let register = self.prove(trunk, &challenged, headers);
        self.send(trunk, register)
    }

    fn prove(&mut self, trunk: &mut Trunk, challenged: &Message, headers: &[(&str, &str)]) -> Message {
        let lines: Vec<_> = challenged.lines(Name::WwwAuthenticate).collect();
        let secret = Secret::password(self.password);
        let challenge = Challenge::choose(lines.iter().map(|line| &**line), &secret).unwrap();
        let register = self.build(trunk, headers);
        let uri = register.request_uri().unwrap().to_owned();
        let proof = answer(&challenge, self.user, &secret, "REGISTER", &uri, "c0ffee", 1).unwrap();
        register.edit().header(Name::Authorization, proof.to_string()).build()
    }

    fn build(&mut self, trunk: &mut Trunk, headers: &[(&str, &str)]) -> Message {
        self.cseq += 1;
        let host = format!("{}.vc.example.com", self.connector);
        let phone = trunk.phone(self.phone);
        let branch = phone.branch();
        let mut builder = Builder::request(Method::Register, &format!("sip:{host}"))
            .header(Name::Via, phone.via(&branch))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:{}@{host}>;tag=1", self.record))
            .header(Name::To, format!("<sip:{}@{host}>", self.record))
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format!("{} REGISTER", self.cseq));
        if headers.iter().all(|(name, _)| *name != "Contact") {
            builder = builder.header(Name::Contact, phone.contact());
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            builder = builder.raw(name, value);
        }
        builder.build()
    }

    fn send(&self, trunk: &mut Trunk, register: Message) -> Message {
        let before = trunk.world.ladder.len();
        trunk.world.send(self.phone, register);
        trunk.run(0.1);
        let answers = trunk.world.ladder[before..].iter().filter(|line| line.from == "gw");
        let mine = answers.map(|line| &line.message).filter(|one| one.call_id() == Ok(&self.call_id));
        mine.last().expect("a response").clone()
    }
}

fn status(message: &Message) -> u16 {
    message.status().unwrap().code()
}

fn contacts(message: &Message) -> Vec<String> {
    message.values(Name::Contact).map(|value| value.into_owned()).collect()
}

/// The PBX is behind a NAT, and its only way in is what it opened.
fn behind_nat(trunk: &mut Trunk) {
    trunk.world.hides_at(trunk.pbx, INSIDE);
    trunk.world.sends_from(trunk.pbx, OUT);
    trunk.world.takes_no_connections(trunk.pbx);
    if trunk.phone(trunk.pbx).transport == Transport::Udp {
        trunk.world.is_also_at(trunk.pbx, OUT);
    }
}

/// A call from outside to `number` reaches the PBX and is up.
fn called(trunk: &mut Trunk, number: &str) -> String {
    let (a, b) = trunk.connect(trunk.east, number, trunk.pbx);
    let uri = trunk.call(b).invite.request_uri().unwrap().to_owned();
    trunk.request(a, Method::Invite, Some("sendonly"));
    trunk.run(1.0);
    trunk.hang_up(a);
    trunk.run(1.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    uri
}

#[test]
fn a_call_in_goes_by_the_flow_that_the_customer_registered_by() {
    everywhere_with(&REGISTERS, |trunk| {
        behind_nat(trunk);
        let mut line = Registering::new(trunk, trunk.pbx);
        let ok = line.register(trunk, &[]);
        assert_eq!(status(&ok), 200);
        let udp = trunk.phone(trunk.pbx).transport == Transport::Udp;
        let own = trunk.phone(trunk.pbx).contact();
        // Over UDP its router would forget it in the time that a PBX at a public address is given.
        assert_eq!(contacts(&ok), [format!("{own};expires={}", if udp { 120 } else { 600 })]);
        assert_eq!(ok.value(Name::Date).as_deref(), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
        let uri = called(trunk, PBX);
        assert_eq!(format!("<{uri}>"), own, "as it registered");
        let invite = trunk.incoming(trunk.pbx);
        let to = trunk.call(invite).invite.to().unwrap();
        assert_eq!(to.user(), Some(PBX), "and To tells the number");
        let went = trunk.went(invite, &Method::Invite);
        assert_eq!(udp, went.remote == OUT.parse().unwrap());
        assert_eq!(udp, went.connection.is_none());
    });
}

/// It knows nothing of `rport`: its router's port counts all the same; without a router, the port that it names.
#[test]
fn a_phone_that_asks_for_no_rport_is_called_where_it_can_be() {
    over_udp(&REGISTERS, |trunk| {
        for (inside, expect) in [(INSIDE, OUT), ("10.0.0.1:5062", "10.0.0.1:5062")] {
            trunk.world.hides_at(trunk.pbx, inside);
            trunk.world.sends_from(trunk.pbx, OUT);
            trunk.world.is_also_at(trunk.pbx, expect);
            let mut line = Registering::new(trunk, trunk.pbx);
            let challenged = line.ask(trunk, &[]);
            let register = line.prove(trunk, &challenged, &[]);
            let via = register.value(Name::Via).unwrap().replace(";rport", "");
            let ok = line.send(trunk, register.edit().set(Name::Via, via).build());
            assert_eq!(status(&ok), 200);
            called(trunk, PBX);
            let invite = trunk.incoming(trunk.pbx);
            assert_eq!(trunk.went(invite, &Method::Invite).remote, expect.parse().unwrap());
        }
    });
}

/// RFC 6140: one registration for all numbers, each called under itself.
#[test]
fn a_bulk_contact_is_called_under_each_number() {
    everywhere_with(&REGISTERS, |trunk| {
        behind_nat(trunk);
        let mut line = Registering::new(trunk, trunk.pbx);
        let tcp = if trunk.phone(trunk.pbx).transport == Transport::Tcp { ";transport=tcp" } else { "" };
        let contact = format!("<sip:192.168.7.2:5060{tcp};bnc>");
        let gin = [
            ("Contact", contact.as_str()),
            ("Require", "gin"),
            ("Proxy-Require", "gin"),
            ("Supported", "path"),
        ];
        let ok = line.register(trunk, &gin);
        assert_eq!(status(&ok), 200);
        assert!(contacts(&ok)[0].starts_with(&format!("{contact};expires=")), "{:?}", contacts(&ok));
        assert_eq!(called(trunk, PBX), format!("sip:{PBX}@192.168.7.2:5060{tcp}"));
        assert_eq!(called(trunk, GROUP), format!("sip:{GROUP}@192.168.7.2:5060{tcp}"));
        // It has no user part, and what is demanded must be known.
        for (headers, expect) in [
            ([("Contact", "<sip:+12065550100@192.168.7.2;bnc>"), ("Require", "gin")], 400),
            ([("Contact", contact.as_str()), ("Require", "gin, foo")], 420),
        ] {
            let refused = match expect {
                420 => line.ask(trunk, &headers),
                _ => line.register(trunk, &headers),
            };
            assert_eq!(status(&refused), expect);
        }
    });
}

/// Path: what it registered through is named in each call's Route. RFC 3327.
#[test]
fn what_lies_between_is_a_route_of_the_call() {
    over_udp(&REGISTERS, |trunk| {
        behind_nat(trunk);
        let mut line = Registering::new(trunk, trunk.pbx);
        let path = [("Path", "<sip:edge.example.com;lr>"), ("Supported", "path")];
        let ok = line.register(trunk, &path);
        assert_eq!(ok.value(Name::Path).as_deref(), Some("<sip:edge.example.com;lr>"));
        called(trunk, PBX);
        let invite = trunk.incoming(trunk.pbx);
        assert_eq!(
            trunk.call(invite).invite.value(Name::Route).as_deref(),
            Some("<sip:edge.example.com;lr>")
        );
    });
}

#[test]
fn a_registration_ends_when_it_is_taken_back_or_not_refreshed() {
    over_udp(&REGISTERS, |trunk| {
        behind_nat(trunk);
        let mut line = Registering::new(trunk, trunk.pbx);
        for removes in [&[("Expires", "0")][..], &[("Contact", "*"), ("Expires", "0")], &[]] {
            line.register(trunk, &[]);
            called(trunk, PBX);
            match removes {
                [] => trunk.run(121.0),
                removes => assert_eq!(contacts(&line.register(trunk, removes)), [""; 0]),
            }
            let before = trunk.received(trunk.pbx);
            let a = trunk.dial(trunk.east, PBX);
            trunk.run(40.0);
            assert_eq!(trunk.received(trunk.pbx), before);
            assert!(trunk.heard(a).last().is_some_and(|status| *status >= 400), "{:?}", trunk.heard(a));
        }
        // The routes were tried; a connector without any says that nobody is there.
        let fetched = line.register(trunk, &[("Contact", "")]);
        assert_eq!((status(&fetched), contacts(&fetched).len()), (200, 0));
    });
}

#[test]
fn what_a_registrar_refuses() {
    over_udp(&REGISTERS, |trunk| {
        let mut line = Registering::new(trunk, trunk.pbx);
        let brief = line.register(trunk, &[("Expires", "59")]);
        assert_eq!((status(&brief), brief.value(Name::MinExpires).as_deref()), (423, Some("60")));
        assert_eq!(status(&line.register(trunk, &[("Contact", "*")])), 400);
        assert_eq!(status(&line.register(trunk, &[("Contact", "<tel:+12065550100>")])), 400);
        assert_eq!(status(&line.register(trunk, &[])), 200);
        // A REGISTER that was overtaken, and one for somebody else.
        line.cseq -= 3;
        assert_eq!(status(&line.register(trunk, &[("Expires", "0")])), 500);
        line.cseq += 3;
        for (record, expect) in [("office", 200), (PBX, 200), ("+12065550101", 404), ("boss", 404)] {
            line.record = record;
            assert_eq!(status(&line.register(trunk, &[])), expect, "{record}");
        }
        line.password = "guess";
        assert_eq!(status(&line.register(trunk, &[])), 401);
        // Whoever is in no list is no customer, and a carrier is none either.
        let stranger = trunk.world.phone("mallory", "203.0.113.66:5060", Transport::Udp);
        assert_eq!(status(&Registering::new(trunk, stranger).ask(trunk, &[])), 403);
        assert_eq!(status(&Registering::new(trunk, trunk.east).ask(trunk, &[])), 405);
    });
}

/// A datagram that is repeated is answered as before, and not taken for somebody who listened.
#[test]
fn a_repeated_register_gets_the_same_answer() {
    over_udp(&REGISTERS, |trunk| {
        let mut line = Registering::new(trunk, trunk.pbx);
        let challenged = line.ask(trunk, &[]);
        let register = line.prove(trunk, &challenged, &[]);
        let first = line.send(trunk, register.clone());
        let again = line.send(trunk, register);
        assert_eq!((status(&first), first.bytes()), (200, again.bytes()));
    });
}

/// The number's own contact goes before whatever the trunk's login registered.
#[test]
fn a_phone_that_is_the_number_is_called_alone() {
    over_udp(&REGISTERS, |trunk| {
        let mut own = Registering { record: PBX, ..Registering::new(trunk, trunk.pbx) };
        own.register(trunk, &[("Contact", "<sip:desk@10.0.0.1:5060>")]);
        let mut line = Registering::new(trunk, trunk.pbx);
        line.register(trunk, &[("Contact", "<sip:any@10.0.0.1:5060>")]);
        assert_eq!(called(trunk, PBX), "sip:desk@10.0.0.1:5060");
        assert_eq!(called(trunk, GROUP), "sip:any@10.0.0.1:5060", "the newest");
    });
}

/// RFC 5626: a phone whose connection broke comes back with the same instance and flow, and is called once.
#[test]
fn a_flow_that_is_named_is_replaced() {
    over_tcp(&REGISTERS, |trunk| {
        behind_nat(trunk);
        let mut line = Registering::new(trunk, trunk.pbx);
        let named = |user: &str| {
            format!("<sip:{user}@192.168.7.2;transport=tcp;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id=1")
        };
        let first = line.register(trunk, &[("Contact", &named("one")), ("Supported", "outbound, path")]);
        assert_eq!(first.value(Name::Require).as_deref(), Some("outbound"));
        // RFC 5626 §5.4: how often it shows that it is there.
        assert_eq!(Trunk::header(&first, "Flow-Timer"), "120");
        trunk.world.lose_connections(trunk.pbx);
        let second = line.register(trunk, &[("Contact", &named("two")), ("Supported", "outbound, path")]);
        assert_eq!(contacts(&second).len(), 1);
        assert_eq!(called(trunk, PBX), "sip:two@192.168.7.2;transport=tcp;ob");
    });
}

/// A flow that has a name needs a way of its own: not through a proxy that nothing is known of. RFC 5626 §6.
#[test]
fn a_named_flow_comes_straight_or_through_a_path_that_says_ob() {
    over_udp(&REGISTERS, |trunk| {
        let mut line = Registering::new(trunk, trunk.pbx);
        let contact = "<sip:office@10.0.0.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1";
        for (path, supported, expect) in [
            ("", "path, outbound", 439),
            ("<sip:edge.example.com;lr>", "path, outbound", 439),
            ("<sip:edge.example.com;lr;ob>", "path, outbound", 200),
            ("", "path", 200),
        ] {
            let challenged = line.ask(trunk, &[]);
            let mut headers = vec![("Contact", contact), ("Supported", supported)];
            headers.extend(Some(("Path", path)).filter(|(_, path)| !path.is_empty()));
            let register = line.prove(trunk, &challenged, &headers);
            let register = register.edit().raw("Via", "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKx").build();
            let answered = line.send(trunk, register);
            assert_eq!(status(&answered), expect, "{path} {supported}");
            let outbound = answered.value(Name::Require).as_deref() == Some("outbound");
            assert_eq!(outbound, expect == 200 && supported.contains("outbound"));
        }
    });
}

/// A device that never says who it is, and has another Contact each time, has the newest ten.
#[test]
fn a_login_has_room_for_ten_contacts() {
    over_udp(&REGISTERS, |trunk| {
        let mut line = Registering::new(trunk, trunk.pbx);
        let contact = |port: u16| format!("<sip:office@10.0.0.1:{port}>");
        let mut last = Vec::new();
        for port in 6000..6012 {
            last = contacts(&line.register(trunk, &[("Contact", &contact(port))]));
        }
        let ports: Vec<String> = (6002..6012).map(contact).collect();
        let bare: Vec<&str> = last.iter().filter_map(|one| Some(one.split_once(";expires=")?.0)).collect();
        assert_eq!(bare, ports);
        let many: Vec<String> = (7000..7020).map(contact).collect();
        assert_eq!(status(&line.register(trunk, &[("Contact", &many.join(", "))])), 400);
    });
}

/// A connection that breaks takes its registration with it: the routes are tried at once, without a wait.
#[test]
fn a_contact_whose_connection_is_gone_is_not_called() {
    over_tcp(&REGISTERS, |trunk| {
        trunk.world.hides_at(trunk.pbx, INSIDE);
        trunk.world.sends_from(trunk.pbx, OUT);
        trunk.world.takes_no_connections(trunk.pbx);
        let mut line = Registering::new(trunk, trunk.pbx);
        line.register(trunk, &[("Contact", "<sip:office@192.168.7.2;transport=tcp>")]);
        called(trunk, PBX);
        let now = trunk.world.clocks().instant;
        assert_eq!(trunk.world.shared.registrar.counts(now), [("pbx".to_owned(), 1)]);
        trunk.world.lose_connections(trunk.pbx);
        trunk.run(0.1);
        assert_eq!(trunk.world.shared.registrar.counts(now), [("pbx".to_owned(), 0)]);
        // One that can be dialled stays.
        line.register(trunk, &[("Contact", "<sip:office@10.0.0.1:5060;transport=tcp>")]);
        trunk.world.lose_connections(trunk.pbx);
        trunk.world.is_also_at(trunk.pbx, "10.0.0.1:5060");
        trunk.run(0.1);
        assert_eq!(called(trunk, PBX), "sip:office@10.0.0.1:5060;transport=tcp");
    });
}

/// A new configuration keeps what is registered, unless nobody may register any more.
#[test]
fn another_configuration_keeps_what_is_registered() {
    over_udp(&REGISTERS, |trunk| {
        let count = |trunk: &Trunk| trunk.world.shared.registrar.counts(trunk.world.clocks().instant);
        let mut line = Registering::new(trunk, trunk.pbx);
        line.register(trunk, &[]);
        trunk.configure(&REGISTERS, Transport::Udp);
        assert_eq!(count(trunk), [("pbx".to_owned(), 1)]);
        trunk.configure(&[], Transport::Udp);
        assert_eq!(count(trunk), []);
        assert_eq!(status(&line.ask(trunk, &[])), 405);
    });
}

/// `"accept"`: for systems that do not call before they have registered. Calls go where the routes say.
#[test]
fn a_registration_may_be_answered_and_not_kept() {
    over_udp(&[("pbx_peer", "registration = \"accept\"")], |trunk| {
        let mut line = Registering::new(trunk, trunk.pbx);
        let ok = line.ask(trunk, &[("Contact", "<sip:any@10.0.0.1:5099>"), ("Expires", "300")]);
        assert_eq!(status(&ok), 200);
        assert_eq!(contacts(&ok), ["<sip:any@10.0.0.1:5099>;expires=300"]);
        assert_eq!(called(trunk, PBX), format!("sip:{PBX}@10.0.0.1:5060"));
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// `Allow` promises REGISTER to whom it is kept, and nobody else.
#[test]
fn allow_promises_register_to_customers_that_register() {
    over_udp(&REGISTERS, |trunk| {
        for (phone, allows) in [(trunk.pbx, true), (trunk.branch, false), (trunk.east, false)] {
            let mut line = Registering::new(trunk, phone);
            let register = line.build(trunk, &[]);
            let options = register.bytes().to_vec();
            let options = String::from_utf8(options).unwrap().replace("REGISTER", "SUBSCRIBE");
            let options = options.replace("sip:pbx.vc.example.com SIP", "sip:vc.example.com SIP");
            let refused = line.send(trunk, Message::parse(options.into()).unwrap());
            assert_eq!(status(&refused), 405);
            assert_eq!(refused.values(Name::Allow).any(|one| one == "REGISTER"), allows);
        }
    });
}
