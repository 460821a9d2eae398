//! Causes of the telephone network beside SIP's status codes: ITU-T Q.850, as RFC 3398 maps them.

use sip::{Message, Name};

/// What a `Reason: Q.850` says. RFC 3326, RFC 6432.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Q850 {
    /// 1 to 127.
    pub cause: u16,
    /// The callee itself says so (`location=U`). RFC 8606.
    pub by_user: bool,
}

impl Q850 {
    /// The first of a message.
    pub fn of(message: &Message) -> Option<Q850> {
        message.values(Name::Reason).find_map(|value| Q850::of_value(&value))
    }

    /// The first cause in the values of a `Reason`, one after another with commas between them.
    pub fn said(values: &str) -> Option<u16> {
        values.split(',').find_map(Q850::of_value).map(|said| said.cause)
    }

    fn of_value(value: &str) -> Option<Q850> {
        let mut fields = value.split(';').map(str::trim);
        if !fields.next()?.eq_ignore_ascii_case("Q.850") {
            return None;
        }
        let fields: Vec<(&str, &str)> = fields.filter_map(|field| field.split_once('=')).collect();
        let value = |name: &str| {
            fields
                .iter()
                .find(|(found, _)| found.trim().eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
        };
        let cause = value("cause")?.parse().ok().filter(|cause| (1..=127).contains(cause))?;
        Some(Q850 { cause, by_user: value("location").is_some_and(|place| place.eq_ignore_ascii_case("U")) })
    }

    /// What a final response means that says little itself: a status of the number or the callee, where the cause is about
    /// these. A cause about the network changes nothing: what carries a call is nothing to its caller.
    ///
    /// Source: RFC 3398 §7.2.4.1.
    pub fn refine(self, status: u16) -> u16 {
        if !matches!(status, 480 | 500 | 502..=504) {
            return status;
        }
        match self.cause {
            1..=3 | 26 => 404,
            17 => 486,
            18..=20 => 480,
            21 if self.by_user => 603,
            21 | 55 | 57 | 87 => 403,
            22 | 23 => 410,
            28 => 484,
            65 | 70 => 488,
            _ => status,
        }
    }
}

/// The cause that stands for a final response to the INVITE that begins a call; none for what is about the protocol, and for
/// a call that was given up.
///
/// Source: RFC 3398 §8.2.6.1; RFC 8197 §4 (607) and RFC 8688 §3 (608) as 603.
pub fn cause_of(status: u16) -> Option<u16> {
    Some(match status {
        401 | 407 | 420..=423 | 481 | 487 | 491 | 494 => return None,
        402 | 403 | 603 | 607 | 608 => 21,
        404 | 485 | 604 => 1,
        405 => 63,
        406 | 415 | 501 => 79,
        408 | 504 => 102,
        410 => 22,
        413 | 414 | 416 | 505 | 513 => 127,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        488 | 606 => 65,
        502 => 38,
        400..=599 => 41,
        _ => return None,
    })
}

/// The value of a Reason header that names a cause.
pub fn reason(cause: u16) -> String {
    let text = match cause {
        1 => ";text=\"Unallocated number\"",
        17 => ";text=\"User busy\"",
        18 => ";text=\"No user responding\"",
        21 => ";text=\"Call rejected\"",
        22 => ";text=\"Number changed\"",
        28 => ";text=\"Invalid number format\"",
        38 => ";text=\"Network out of order\"",
        41 => ";text=\"Temporary failure\"",
        102 => ";text=\"Recovery on timer expiry\"",
        _ => "",
    };
    format!("Q.850;cause={cause}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_read_wherever_it_stands() {
        let of = |lines: &[&str]| {
            let response = sip::Builder::response(sip::StatusCode::BUSY_HERE, "");
            let response = lines.iter().fold(response, |response, line| response.header(Name::Reason, line));
            Q850::of(&response.build()).map(|found| (found.cause, found.by_user))
        };
        assert_eq!(of(&["Q.850;cause=17"]), Some((17, false)));
        assert_eq!(
            of(&["SIP;cause=486;text=\"a;cause=1\", q.850 ; text=\"x\" ; Cause = 21 ;location=u"]),
            Some((21, true))
        );
        assert_eq!(of(&["SIP;cause=486", "Q.850;cause=1;location=LN"]), Some((1, false)));
        for line in [
            "Q.850",
            "Q.850;cause=x",
            "Q.850;cause=0",
            "Q.850;cause=128",
            "Q.850;cause=99999999",
            "SIP;cause=17",
        ] {
            assert_eq!(of(&[line]), None, "{line}");
        }
    }

    #[test]
    fn only_a_vague_status_is_refined_and_only_by_what_is_about_the_call() {
        for status in 300..700 {
            for cause in 1..=127 {
                let refined = Q850 { cause, by_user: false }.refine(status);
                let vague = matches!(status, 480 | 500 | 502 | 503 | 504);
                assert!(refined == status || vague && refined < 500, "{status} {cause}: {refined}");
            }
        }
        let refined = |cause, by_user| Q850 { cause, by_user }.refine(503);
        let of_the_network: [u16; 8] = [16, 31, 34, 38, 41, 42, 47, 127];
        assert!(of_the_network.iter().all(|cause| refined(*cause, true) == 503));
        assert_eq!(
            [1, 17, 19, 21, 22, 28, 57, 65].map(|cause| refined(cause, false)),
            [404, 486, 480, 403, 410, 484, 403, 488]
        );
        assert_eq!(refined(21, true), 603);
    }

    /// What a status says by its cause is no other status about the call.
    #[test]
    fn a_status_comes_back_by_its_cause() {
        for status in [403, 404, 410, 480, 484, 486, 488] {
            let cause = cause_of(status).unwrap();
            assert_eq!(Q850 { cause, by_user: false }.refine(500), status, "{status}");
        }
        let known = (400..700).filter_map(cause_of);
        assert!(known.count() > 180 && cause_of(399).is_none() && cause_of(487).is_none());
    }
}
