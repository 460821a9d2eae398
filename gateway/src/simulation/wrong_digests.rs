//! Wrong credentials of one user are that user's own trouble, though many may share its address.

use sip::auth::{Challenge, Secret, answer};
use sip::{Message, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, over_udp};

const LOGINS: Change = (
    "pbx_termination",
    "credentials = [{ username = \"desk\", password = \"one\" }, { username = \"lobby\", password = \"two\" }]",
);

/// What an INVITE of `user` is told at last: after the challenge, 100 where it is admitted.
fn tries(trunk: &mut Trunk, user: &str, password: &str) -> u16 {
    tries_to_call(trunk, OUTSIDE, user, password)
}

fn tries_to_call(trunk: &mut Trunk, number: &str, user: &str, password: &str) -> u16 {
    let invite =
        trunk.world.with(trunk.pbx, |phone, _| phone.invite("vc.example.com", PBX, number, true).build());
    let refused = ask(trunk, &invite);
    let lines: Vec<_> = refused.lines(Name::ProxyAuthenticate).collect();
    let secret = Secret::password(password);
    let challenge = Challenge::choose(lines.iter().map(|line| &**line), &secret).unwrap();
    let uri = invite.request_uri().unwrap();
    let credentials = answer(&challenge, user, &secret, "INVITE", uri, "c0ffee", 1).unwrap();
    let branch = trunk.phone(trunk.pbx).branch();
    let via = trunk.phone(trunk.pbx).via(&branch);
    let again = invite.edit().set(Name::Via, via).set(Name::CSeq, "2 INVITE");
    let again = again.header(Name::ProxyAuthorization, credentials.to_string()).build();
    let call = trunk.world.with(trunk.pbx, |phone, now| phone.place(now, again));
    trunk.run(0.2);
    let call = super::world::CallId(trunk.pbx, call);
    let before = trunk.heard(call).last().copied();
    if before.is_none() {
        trunk.cancel(call);
        trunk.run(0.5);
        return 100;
    }
    before.unwrap()
}

fn ask(trunk: &mut Trunk, invite: &Message) -> Message {
    trunk.world.send(trunk.pbx, invite.clone());
    trunk.run(0.1);
    trunk.phone(trunk.pbx).strays.last().cloned().unwrap()
}

#[test]
fn ten_wrong_digests_of_one_user_leave_the_others_of_its_address_alone() {
    over_udp(&[LOGINS], |trunk| {
        for _ in 0..9 {
            assert_eq!(tries(trunk, "desk", "guess"), 407);
        }
        assert_eq!(tries(trunk, "desk", "guess"), 403);
        assert_eq!(tries(trunk, "desk", "one"), 403, "even the right one is not believed");
        assert_eq!(tries(trunk, "lobby", "two"), 100);
        trunk.run(300.0);
        assert_eq!(tries(trunk, "desk", "one"), 100);
    });
}

/// A source that tries many names is stopped too; those who proved themselves there before go on.
#[test]
fn a_hundred_wrong_digests_of_an_address_stop_whoever_is_new_there() {
    over_udp(&[LOGINS], |trunk| {
        assert_eq!(tries(trunk, "desk", "one"), 100);
        for guess in 0..99 {
            assert_eq!(tries(trunk, &format!("user{guess}"), "guess"), 407);
        }
        assert_eq!(tries(trunk, "user99", "guess"), 403);
        assert_eq!(tries(trunk, "lobby", "two"), 403);
        assert_eq!(tries(trunk, "desk", "one"), 100);
    });
}

/// A user who is locked out by the guesses of another, or by a wrong password in a phone's memory, may need help all the same.
#[test]
fn who_is_locked_out_may_call_for_help() {
    over_udp(&[LOGINS], |trunk| {
        for _ in 0..10 {
            tries(trunk, "desk", "guess");
        }
        assert_eq!(tries(trunk, "desk", "one"), 403);
        assert_eq!(tries_to_call(trunk, "911", "desk", "one"), 100);
        assert_eq!(tries_to_call(trunk, "911", "desk", "guess"), 403);
        assert_eq!(tries_to_call(trunk, "911", "nobody", "guess"), 407, "it is not locked out yet");
        assert_eq!(tries(trunk, "desk", "one"), 403, "help proves nothing for other calls");
        // A guesser gains little by calling for help: it is heard no longer either.
        for _ in 11..100 {
            assert_eq!(tries_to_call(trunk, "911", "desk", "guess"), 403);
        }
        assert_eq!(tries_to_call(trunk, "911", "desk", "one"), 403);
        assert_eq!(tries_to_call(trunk, "911", "lobby", "two"), 100, "nor does it stop the others");
        trunk.run(300.0);
        assert_eq!(tries_to_call(trunk, "911", "desk", "one"), 100);
    });
}
