//! Who calls, and whom.

use sip::Name;

use crate::support::{Net, shown};
use crate::trunk::{Trunk, refused};

#[test]
fn what_is_dialled_must_be_e164_with_plus() {
    let trunk = Trunk::start(Net(131));
    let office = trunk.phone(2);
    for dialled in ["12125550123", "2125550123", "00442071838750", "+0123", "+1212555012345678", "reception"]
    {
        trunk.refuses(
            &office,
            refused(office.invite(dialled), 484, format!("{dialled} is not an E.164 number with +"))
                .counted("not_e164")
                .recorded("office", "Outbound")
                .explained("+12065550100", dialled, ""),
        );
    }
    let nothing = office.invite_uri("sip:office.trunk.example.com");
    trunk.refuses(
        &office,
        refused(nothing, 484, "Nothing dialled is not an E.164 number with +")
            .counted("not_e164")
            .recorded("office", "Outbound"),
    );
    trunk.close();
}

#[test]
fn the_caller_id_must_be_owned() {
    let trunk = Trunk::start(Net(132));
    for phone in [trunk.phone(2), trunk.connected_phone(2)] {
        let from = |user: &str| format!("<sip:{user}@trunk.example.com>;tag=f");
        for caller in ["+12125559999", "+12065550101", "1001", "12065550100"] {
            let call = phone.invite("+12125550123").set(Name::From, from(caller));
            trunk.refuses(
                &phone,
                refused(call, 403, format!("Caller Id {caller} is not valid"))
                    .counted("caller_id")
                    .recorded("office", "Outbound")
                    .explained(caller, "+12125550123", ""),
            );
        }
        // What the caller asserts of itself does not help, unless it is a number of the connector's.
        let call = phone
            .invite("+12125550123")
            .set(Name::From, from("+12125559999"))
            .header(Name::PAssertedIdentity, "<sip:+12125558888@trunk.example.com>");
        trunk.refuses(
            &phone,
            refused(call, 403, "Caller Id +12125559999 is not valid")
                .counted("caller_id")
                .recorded("office", "Outbound"),
        );
        // Anonymous: what it asserts counts.
        let anonymous = || {
            let from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=f";
            phone.invite("+12125550123").set(Name::From, from)
        };
        trunk.refuses(
            &phone,
            refused(anonymous(), 403, "Caller Id anonymous is not valid")
                .counted("caller_id")
                .recorded("office", "Outbound")
                .explained("anonymous", "+12125550123", ""),
        );
        let lying = anonymous().header(Name::PAssertedIdentity, "<sip:+12125559999@trunk.example.com>");
        trunk.refuses(
            &phone,
            refused(lying, 403, "Caller Id +12125559999 is not valid")
                .counted("caller_id")
                .recorded("office", "Outbound"),
        );
    }
    trunk.close();
}

#[test]
fn an_owned_caller_id_is_admitted() {
    let trunk = Trunk::start(Net(133));
    let ([office, branch], carrier) = ([trunk.phone(2), trunk.phone(11)], &trunk.west);
    let from = |user: &str| format!("<sip:{user}@trunk.example.com>;tag=f");
    let number = |phone: &crate::support::Peer, caller: &str| {
        phone.invite("+12125550123").set(Name::From, from(caller))
    };
    let anonymous = office
        .invite("+12125550123")
        .set(Name::From, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=f")
        .header(Name::PAssertedIdentity, "<tel:+12065550100>");
    let asserted = |user: &str| {
        number(&office, user).header(Name::PAssertedIdentity, "<sip:+12065550100@trunk.example.com>")
    };
    // A number of a group is every member's.
    for (phone, connector, call, from) in [
        (&office, "office", number(&office, "+12065550100"), "sip:+12065550100@"),
        (&office, "office", number(&office, "+12065550199"), "sip:+12065550199@"),
        (&branch, "branch", number(&branch, "+12065550199"), "sip:+12065550199@"),
        (&office, "office", anonymous, "sip:anonymous@anonymous.invalid"),
        (&office, "office", asserted("200"), "sip:+12065550100@"),
        (&office, "office", asserted("+12125559999"), "sip:+12065550100@"),
    ] {
        let call = call.build();
        phone.send(&call);
        let offered = carrier.receive_request(sip::Method::Invite);
        assert!(offered.value(Name::From).unwrap().contains(from), "{}", shown(&offered));
        assert!(!offered.has(Name::PAssertedIdentity), "this carrier is not trusted");
        carrier.reply(&offered, 486, "Busy Here");
        assert_eq!(carrier.receive().method(), Some(sip::Method::Ack));
        phone.answer_to(&call);
        trunk.expect_record(connector, "Outbound", "Failed", "486 Busy Here");
    }
    trunk.close();
}

#[test]
fn the_calling_plan_its_denied_prefixes_and_premium_numbers() {
    let trunk = Trunk::start(Net(134));
    let office = trunk.phone(2);
    for (number, phrase, counter) in [
        ("+4930123456", "DE is not in the calling plan: +4930123456", "calling_plan"),
        ("+2105550123", "No country has the number +2105550123", "calling_plan"),
        ("+18765550123", "Prefix +1876 is denied: +18765550123", "denied_prefix"),
        ("+19005550123", "Premium numbers are not allowed: +19005550123, premium rate", "premium"),
        (
            "+881612345678",
            "Premium numbers are not allowed: +881612345678, +881 is a code of no country",
            "premium",
        ),
    ] {
        trunk.refuses(
            &office,
            refused(office.invite(number), 403, phrase)
                .counted(counter)
                .recorded("office", "Outbound")
                .explained("+12065550100", number, ""),
        );
    }
    trunk.close();
}
