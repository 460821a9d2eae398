//! What a side may not say to the other: orders to a phone, words of a network that nobody trusts, broken signatures.

use sip::{Message, Method, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::PhoneId;

const BOTH_TRUSTED: &[Change] = &[("pbx_peer", "trusted = true"), ("east_peer", "trusted = true")];

/// A call with `headers` that is refused; the INVITE that reached `to`.
fn reached(trunk: &mut Trunk, from: PhoneId, number: &str, to: PhoneId, headers: &[(&str, &str)]) -> Message {
    trunk.dial_with(from, number, headers);
    trunk.run(0.5);
    let b = trunk.incoming(to);
    trunk.respond(b, 486);
    trunk.run(0.5);
    trunk.call(b).invite.clone()
}

fn lines(message: &Message, name: &str) -> Vec<String> {
    message.lines(name.into()).map(|line| line.into_owned()).collect()
}

const ORDERS: &[(&str, &str)] = &[
    ("Alert-Info", "<http://www.example.com>;info=alert-autoanswer;delay=0"),
    ("Alert-Info", "Auto Answer"),
    ("Alert-Info", "Ring-Answer"),
    ("Alert-Info", "<sip:x@example.com>;Answer-After=0"),
    ("Alert-Info", "info=intercom"),
    ("Call-Info", "<sip:x@example.com>;answer-after=0"),
    ("Call-Info", "<sip:x@example.com>; Answer_After = 5"),
    ("Answer-Mode", "Auto"),
    ("priv-answer-mode", "Auto;require"),
    ("P-Auto-Answer", "normal"),
    ("X-Auto-Answer", "true"),
];
const RINGS: &[(&str, &str)] = &[
    ("Alert-Info", "<http://127.0.0.1/Bellcore-dr2>"),
    ("Call-Info", "<http://example.com/a.png>;purpose=icon"),
];

/// How many of the orders came through; the ordinary ring tone and picture always do.
fn obeyed(invite: &Message) -> usize {
    for (name, value) in RINGS {
        assert!(lines(invite, name).iter().any(|line| line == value), "{name}: {value}");
    }
    ORDERS.iter().filter(|(name, value)| lines(invite, name).iter().any(|line| line == value)).count()
}

/// A phone that answers by itself is a microphone in the room: only a customer whom we trust may ask for it.
#[test]
fn nobody_makes_a_phone_answer_by_itself() {
    let said = [ORDERS, RINGS].concat();
    let passing = [BOTH_TRUSTED, &[("east_peer", "pass_headers = [\"X-*\"]")]].concat();
    over_udp(&passing, |trunk| {
        assert_eq!(obeyed(&reached(trunk, trunk.east, PBX, trunk.pbx, &said)), 0, "a carrier");
        assert_eq!(obeyed(&reached(trunk, trunk.branch, PBX, trunk.pbx, &said)), 0, "another customer");
        assert_eq!(obeyed(&reached(trunk, trunk.pbx, OUTSIDE, trunk.east, &said)), ORDERS.len());
    });
    over_udp(&[], |trunk| {
        assert_eq!(obeyed(&reached(trunk, trunk.pbx, OUTSIDE, trunk.east, &said)), 0);
    });
    everywhere_with(BOTH_TRUSTED, |trunk| {
        trunk.phone(trunk.east).says = ORDERS;
        let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        let again = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(ORDERS.iter().all(|(name, _)| !again.has((*name).into())), "{again:?}");
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// Words of one network to another: where the caller is, what he is charged by, which networks he crossed.
const NETWORK: &[(&str, &str)] = &[
    ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=23456789abcde"),
    ("P-Charging-Vector", "icid-value=1"),
    ("P-Charging-Function-Addresses", "ccf=192.1.1.1"),
    ("P-Called-Party-ID", "<sip:user@example.com>"),
    ("P-Visited-Network-ID", "\"Visited\""),
    ("P-Associated-URI", "<sip:user@example.com>"),
    ("P-User-Database", "<aaa://host.example.com>"),
    ("P-Profile-Key", "<sip:room@example.com>"),
    ("P-Private-Network-Indication", "example.com"),
    ("P-DCS-Billing-Info", "01/5"),
    ("P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.mmtel"),
    ("P-Refused-URI-List", "sip:a@example.com"),
];

#[test]
fn a_networks_own_words_pass_between_the_trusted_alone() {
    let count = |invite: &Message| NETWORK.iter().map(|(name, _)| lines(invite, name).len()).sum::<usize>();
    for changes in [&[][..], &BOTH_TRUSTED[..1], &BOTH_TRUSTED[1..]] {
        over_udp(changes, |trunk| {
            assert_eq!(count(&reached(trunk, trunk.pbx, OUTSIDE, trunk.east, NETWORK)), 0);
            assert_eq!(count(&reached(trunk, trunk.east, PBX, trunk.pbx, NETWORK)), 0);
        });
    }
    over_udp(BOTH_TRUSTED, |trunk| {
        assert_eq!(count(&reached(trunk, trunk.pbx, OUTSIDE, trunk.east, NETWORK)), NETWORK.len());
        assert_eq!(count(&reached(trunk, trunk.east, PBX, trunk.pbx, NETWORK)), NETWORK.len());
    });
}

/// What speaks of a hop, or promises what we lack.
#[test]
fn a_hops_own_words_stay() {
    const HOP: &[(&str, &str)] = &[
        ("Proxy-Authentication-Info", "nextnonce=\"x\""),
        ("Proxy-Anything", "x"),
        ("Security-Verify", "tls;q=0.2"),
        ("Security-Client", "tls"),
        ("Max-Breadth", "60"),
        ("Allow-Events", "refer"),
        ("Authorization", "Digest username=\"x\""),
        ("Identity-Info", "<https://example.com/cert>;alg=rsa-sha1"),
    ];
    everywhere(|trunk| {
        let invite = reached(trunk, trunk.pbx, OUTSIDE, trunk.east, HOP);
        let stayed = HOP.iter().filter(|(name, _)| !invite.has((*name).into())).count();
        assert_eq!(stayed, HOP.len(), "{invite:?}");
    });
}

const SIGNED: (&str, &str) = ("Identity", PASSPORT);

/// As long as they are: certificates' addresses and base64.
const PASSPORT: &str = concat!(
    "eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9",
    ".eyJhdHRlc3QiOiJBIiwiZGVzdCI6eyJ0biI6WyIxMjEyNTU1MDEyMyJdfSwiaWF0IjoxNzAwMDAwMDAwLCJvcmlnIjp7InRuIjoiMTIwNjU1NTAxMDAifSwib3JpZ2lkIjoiMTIzZTQ1NjctZTg5Yi0xMmQzLWE0NTYtNDI2NjU1NDQwMDAwIn0",
    ".bG9uZyBzaWduYXR1cmUgbG9uZyBzaWduYXR1cmUgbG9uZyBzaWduYXR1cmUgbG9uZyBzaWduYXR1cmU",
    ";info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=\"shaken\""
);

/// A signature speaks of two numbers (RFC 8224 §8.3): it crosses while both are what was signed.
#[test]
fn a_signature_crosses_with_the_numbers_that_were_signed() {
    let signed = |changes: &[Change], from: &str, number: &str, more: &[(&str, &str)]| {
        let mut count = 0;
        let said: Vec<_> = [&[SIGNED], more].concat();
        let mut trunk = Trunk::new(changes, crate::peer::Transport::Udp, 1, 1);
        trunk.tell(|trunk| {
            trunk.world.with(trunk.pbx, |phone, now| {
                let mut invite = phone.invite("vc.example.com", from, number, true);
                for (name, value) in &said {
                    invite = invite.raw(name, value);
                }
                phone.place(now, invite.build())
            });
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            count = trunk.call(b).invite.lines(Name::Identity).count();
            trunk.respond(b, 486);
            trunk.run(0.5);
            if number == "911" {
                trunk.cancel(super::world::CallId(trunk.pbx, 0)); // Help is looked for elsewhere.
            }
            trunk.finish();
        });
        count
    };
    let own = ("P-Asserted-Identity", "<sip:+12065550100@pbx.example.com>");
    let bare = "number_format = \"e164-without-plus\"\ncaller_id_format = \"e164-without-plus\"";
    assert_eq!(signed(&[], PBX, OUTSIDE, &[]), 1);
    assert_eq!(signed(&[], "+1-206-555-0100", OUTSIDE, &[]), 1);
    assert_eq!(signed(&[("east", bare)], PBX, OUTSIDE, &[]), 1, "the same digits");
    assert_eq!(signed(&[], "200", OUTSIDE, &[own]), 0, "From is replaced");
    assert_eq!(signed(&[], "anonymous", OUTSIDE, &[own]), 0, "From is hidden");
    assert_eq!(signed(&[], PBX, OUTSIDE, &[("Privacy", "id")]), 0, "From is hidden");
    assert_eq!(signed(&[], PBX, "911", &[]), 0, "To is replaced");
    let replaced = ("pbx_termination", "caller_id = \"+12065550199\"");
    assert_eq!(signed(&[replaced], PBX, OUTSIDE, &[]), 0, "From is the operator's");
    let strips = ("east_peer", "strip_headers = [\"y\"]");
    assert_eq!(signed(&[strips], PBX, OUTSIDE, &[]), 0);
    let old = ("Identity-Info", "<https://example.com/cert>;alg=rsa-sha1");
    assert_eq!(signed(&[], PBX, OUTSIDE, &[old]), 0, "it signs Call-ID and Contact too: RFC 4474");
}
