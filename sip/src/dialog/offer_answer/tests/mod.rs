//! Every pattern of RFC 6337, every message in every state, and two ends that must agree whatever they do.

mod agreement;
mod patterns;
mod states;

use super::*;

/// One line of a ladder, `> INVITE a offer`: the UAC (`>`) or the UAS (`<`) of the first INVITE sends the message with the
/// description `a` (`-`: none), and both ends give the verdict. `< !INVITE before` refuses the INVITE of the other end.
struct Step<'t> {
    from_uac: bool,
    message: &'t str,
    description: Option<&'t str>,
    verdict: &'t str,
}

impl<'t> Step<'t> {
    fn parse(line: &'t str) -> Step<'t> {
        match *line.split_whitespace().collect::<Vec<_>>() {
            [from, message, description, verdict] => Step {
                from_uac: from == ">",
                message,
                description: Some(description).filter(|description| *description != "-"),
                verdict,
            },
            [from, message, verdict] => Step { from_uac: from == ">", message, description: None, verdict },
            _ => panic!("{line}"),
        }
    }

    /// What an end makes of it.
    fn take(&self, end: &mut OfferAnswer<&'t str>, is_uac: bool) -> &'static str {
        let from = if self.from_uac == is_uac { Side::Local } else { Side::Remote };
        let refused = match self.message {
            "!INVITE" => Some(Refusable::Invite),
            "!PRACK" => Some(Refusable::Prack),
            "!UPDATE" => Some(Refusable::Update),
            _ => None,
        };
        match refused {
            Some(request) => match end.refused(from.other(), request) {
                Held::Before => "before",
                Held::Within => "within",
            },
            None => kind(&end.take(from, carrier(self.message), self.description)),
        }
    }
}

fn carrier(message: &str) -> Carrier {
    let all = [
        ("INVITE", Carrier::Invite),
        ("18x", Carrier::Provisional),
        ("18x-rel", Carrier::ReliableProvisional),
        ("2xx", Carrier::InviteOk),
        ("ACK", Carrier::Ack),
        ("PRACK", Carrier::Prack),
        ("2xx-PRACK", Carrier::PrackOk),
        ("UPDATE", Carrier::Update),
        ("2xx-UPDATE", Carrier::UpdateOk),
    ];
    all.iter().find(|(name, _)| *name == message).unwrap().1
}

fn kind<D>(verdict: &Verdict<D>) -> &'static str {
    match verdict {
        Verdict::Nothing => "nothing",
        Verdict::Offer(_) => "offer",
        Verdict::Answer(_) => "answer",
        Verdict::Preview(_) => "preview",
        Verdict::Changed(_) => "changed",
        Verdict::Repeat => "repeat",
        Verdict::Glare => "glare",
        Verdict::TooEarly => "early",
        Verdict::Missing => "missing",
        Verdict::Unexpected => "unexpected",
    }
}

/// Plays a ladder on both ends, which must give the same verdicts; returns the UAC's and the UAS's state.
fn play(ladder: &str) -> (OfferAnswer<&str>, OfferAnswer<&str>) {
    let (mut uac, mut uas) = (OfferAnswer::default(), OfferAnswer::default());
    for line in ladder.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let step = Step::parse(line);
        assert_eq!(step.take(&mut uac, true), step.verdict, "UAC: {line}\nin {ladder}");
        assert_eq!(step.take(&mut uas, false), step.verdict, "UAS: {line}\nin {ladder}");
    }
    assert!(mirrored(&uac, &uas), "{uac:?} {uas:?}\nafter {ladder}");
    (uac, uas)
}

/// Whether both ends know the same of what holds and what is open.
fn mirrored<D: Clone + PartialEq>(one: &OfferAnswer<D>, other: &OfferAnswer<D>) -> bool {
    let held = one.agreed().map(|agreed| (&agreed.local, &agreed.remote));
    let open = one.open().map(|offer| (offer.by(), offer.carrier(), offer.description()));
    held == other.agreed().map(|agreed| (&agreed.remote, &agreed.local))
        && open == other.open().map(|offer| (offer.by().other(), offer.carrier(), offer.description()))
}
