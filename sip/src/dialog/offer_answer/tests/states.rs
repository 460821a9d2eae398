//! Every message in every state.

use super::*;

/// The states, each by a ladder that leads to it, all with `a` and `b` agreed by an earlier INVITE of the UAC.
const STATES: [(&str, &str); 14] = [
    ("stable", ""),
    ("INVITE", "> INVITE c offer"),
    ("INVITE-", "> INVITE - nothing"),
    ("18x", "> INVITE c offer\n < 18x d preview"),
    ("rel-answer", "> INVITE c offer\n < 18x-rel d answer"),
    ("rel-offer", "> INVITE - nothing\n < 18x-rel d offer"),
    ("PRACK-", "> INVITE c offer\n < 18x-rel d answer\n > PRACK - nothing"),
    ("PRACK-answer", "> INVITE - nothing\n < 18x-rel d offer\n > PRACK c answer"),
    ("PRACK-offer", "> INVITE c offer\n < 18x-rel d answer\n > PRACK e offer"),
    ("committed", "> INVITE c offer\n < 18x-rel d answer\n > PRACK - nothing\n < 2xx-PRACK - nothing"),
    ("UPDATE>", "> UPDATE c offer"),
    ("UPDATE<", "< UPDATE d offer"),
    ("2xx-offer", "> INVITE - nothing\n < 2xx d offer"),
    ("2xx-answer", "> INVITE c offer\n < 2xx d answer"),
];

/// One row a state, one column a message; the verdict of the end that receives it.
fn check(from: &str, messages: &str, description: &str, table: &str) {
    let mut rows = table.lines().map(str::trim).filter(|line| !line.is_empty());
    for (state, ladder) in STATES {
        let ladder = format!("> INVITE a offer\n < 2xx b answer\n > ACK - nothing\n {ladder}");
        let verdicts = messages.split_whitespace().map(|message| {
            let step = Step { verdict: "", ..Step::parse_message(from, message, description) };
            let (mut uac, mut uas) = play(&ladder);
            let (receiver, is_uac) = if step.from_uac { (&mut uas, false) } else { (&mut uac, true) };
            step.take(receiver, is_uac)
        });
        let row = [state].into_iter().chain(verdicts).collect::<Vec<_>>().join(" ");
        let expect = rows.next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(row, expect, "\n{from} {messages} {description}");
    }
}

impl<'t> Step<'t> {
    fn parse_message(from: &str, message: &'t str, description: &'t str) -> Step<'t> {
        let description = Some(description).filter(|description| *description != "-");
        Step { from_uac: from == ">", message, description, verdict: "" }
    }
}

#[test]
fn described_messages_of_the_uac() {
    check(
        ">",
        "INVITE UPDATE PRACK ACK 2xx-UPDATE",
        "x",
        "stable        offer  offer  unexpected unexpected unexpected
         INVITE        early  early  unexpected unexpected unexpected
         INVITE-       early  early  unexpected unexpected unexpected
         18x           early  early  unexpected unexpected unexpected
         rel-answer    early  offer  offer      unexpected unexpected
         rel-offer     early  glare  answer     unexpected unexpected
         PRACK-        early  offer  offer      unexpected unexpected
         PRACK-answer  early  offer  offer      unexpected unexpected
         PRACK-offer   early  early  early      unexpected unexpected
         committed     early  offer  offer      unexpected unexpected
         UPDATE>       early  early  unexpected unexpected unexpected
         UPDATE<       glare  glare  unexpected unexpected answer
         2xx-offer     glare  glare  unexpected answer     unexpected
         2xx-answer    offer  offer  unexpected unexpected unexpected",
    );
}

#[test]
fn described_messages_of_the_uas() {
    check(
        "<",
        "INVITE UPDATE 18x 18x-rel 2xx 2xx-PRACK 2xx-UPDATE",
        "x",
        "stable        offer  offer  unexpected unexpected unexpected unexpected unexpected
         INVITE        glare  glare  preview    answer     answer     unexpected unexpected
         INVITE-       glare  glare  unexpected offer      offer      unexpected unexpected
         18x           glare  glare  changed    changed    changed    unexpected unexpected
         rel-answer    glare  early  unexpected unexpected unexpected unexpected unexpected
         rel-offer     glare  early  unexpected unexpected unexpected unexpected unexpected
         PRACK-        glare  offer  unexpected unexpected unexpected unexpected unexpected
         PRACK-answer  glare  offer  unexpected unexpected unexpected unexpected unexpected
         PRACK-offer   glare  glare  unexpected unexpected unexpected answer     unexpected
         committed     glare  offer  unexpected unexpected unexpected unexpected unexpected
         UPDATE>       glare  glare  unexpected unexpected unexpected unexpected answer
         UPDATE<       early  early  unexpected unexpected unexpected unexpected unexpected
         2xx-offer     early  early  unexpected unexpected unexpected unexpected unexpected
         2xx-answer    offer  offer  unexpected unexpected unexpected unexpected unexpected",
    );
}

#[test]
fn messages_of_the_uac_that_describe_nothing() {
    check(
        ">",
        "INVITE UPDATE PRACK ACK 2xx-UPDATE",
        "-",
        "stable        nothing nothing nothing nothing nothing
         INVITE        early   nothing nothing nothing nothing
         INVITE-       early   nothing nothing nothing nothing
         18x           early   nothing nothing nothing nothing
         rel-answer    early   nothing nothing nothing nothing
         rel-offer     early   nothing missing nothing nothing
         PRACK-        early   nothing nothing nothing nothing
         PRACK-answer  early   nothing nothing nothing nothing
         PRACK-offer   early   nothing nothing nothing nothing
         committed     early   nothing nothing nothing nothing
         UPDATE>       early   nothing nothing nothing nothing
         UPDATE<       glare   nothing nothing nothing missing
         2xx-offer     glare   nothing nothing missing nothing
         2xx-answer    nothing nothing nothing nothing nothing",
    );
}

#[test]
fn messages_of_the_uas_that_describe_nothing() {
    check(
        "<",
        "INVITE UPDATE 18x 18x-rel 2xx 2xx-PRACK 2xx-UPDATE",
        "-",
        "stable        nothing nothing nothing nothing nothing nothing nothing
         INVITE        glare   nothing nothing nothing missing nothing nothing
         INVITE-       glare   nothing nothing nothing missing nothing nothing
         18x           glare   nothing nothing nothing answer  nothing nothing
         rel-answer    glare   nothing nothing nothing nothing nothing nothing
         rel-offer     glare   nothing nothing nothing nothing nothing nothing
         PRACK-        glare   nothing nothing nothing nothing nothing nothing
         PRACK-answer  glare   nothing nothing nothing nothing nothing nothing
         PRACK-offer   glare   nothing nothing nothing nothing missing nothing
         committed     glare   nothing nothing nothing nothing nothing nothing
         UPDATE>       glare   nothing nothing nothing nothing nothing missing
         UPDATE<       early   nothing nothing nothing nothing nothing nothing
         2xx-offer     early   nothing nothing nothing nothing nothing nothing
         2xx-answer    nothing nothing nothing nothing nothing nothing nothing",
    );
}

/// Before the first answer there is no session that an UPDATE could change. RFC 3311 §5.1.
#[test]
fn nothing_but_an_invite_begins() {
    for (from, message, verdict) in [
        (">", "UPDATE", "early"),
        ("<", "UPDATE", "early"),
        (">", "PRACK", "unexpected"),
        (">", "ACK", "unexpected"),
        ("<", "18x", "unexpected"),
        ("<", "18x-rel", "unexpected"),
        ("<", "2xx", "unexpected"),
        ("<", "2xx-PRACK", "unexpected"),
        ("<", "2xx-UPDATE", "unexpected"),
        (">", "INVITE", "offer"),
    ] {
        assert_eq!(Step::parse_message(from, message, "x").take(&mut OfferAnswer::default(), false), verdict);
    }
}
