//! Calls that the gateway does not take, one for each rule.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{BRANCH_NUMBER, ENCRYPTED_NUMBER, HEAD_OFFICE, OUTSIDE};
use crate::demo::failure::Failure;
use crate::demo::phone::{Invite, Phone, User};
use crate::demo::scenario::{Expected, Scenario, failed};
use crate::demo::stage::{Outcome, Stage, host};

/// A stranger gives up after so many refusals; the gateway should have fallen silent before.
const STRANGERS_PATIENCE: usize = 40;
/// Wrong passwords that are tried at most.
const WRONG_PASSWORDS: usize = 20;
/// How long a stranger listens to silence.
const SILENCE: Duration = Duration::from_secs(2);

pub const TABLE: &[Scenario] = &[
    Scenario {
        title: "Caller ID that is not owned",
        story: "The number in From is nobody's in this connector.",
        play: |stage| Box::pin(head_office(stage, "+12065559999", OUTSIDE)),
        answer: Expected::Refused(403, "Caller Id +12065559999 is not valid"),
        records: &[failed("headoffice", "Outbound", "403 Caller Id +12065559999 is not valid")],
        refusals: Some(("caller_id", 1)),
    },
    Scenario {
        title: "Not an E.164 number",
        story: "Outside numbers are dialled with + and country code.",
        play: |stage| Box::pin(head_office(stage, HEAD_OFFICE, "4155550123")),
        answer: Expected::Refused(484, "4155550123 is not an E.164 number with +"),
        records: &[failed("headoffice", "Outbound", "484 4155550123 is not an E.164 number with +")],
        refusals: Some(("not_e164", 1)),
    },
    Scenario {
        title: "A country outside the calling plan",
        story: "Germany is not in it.",
        play: |stage| Box::pin(head_office(stage, HEAD_OFFICE, "+4930901820")),
        answer: Expected::Refused(403, "DE is not in the calling plan: +4930901820"),
        records: &[failed("headoffice", "Outbound", "403 DE is not in the calling plan: +4930901820")],
        refusals: Some(("calling_plan", 1)),
    },
    Scenario {
        title: "A denied prefix",
        story: "The operator has denied +1907 inside the plan.",
        play: |stage| Box::pin(head_office(stage, HEAD_OFFICE, "+19075550123")),
        answer: Expected::Refused(403, "Prefix +1907 is denied: +19075550123"),
        records: &[failed("headoffice", "Outbound", "403 Prefix +1907 is denied: +19075550123")],
        refusals: Some(("denied_prefix", 1)),
    },
    Scenario {
        title: "A premium number",
        story: "Refused unless allow_premium names it.",
        play: |stage| Box::pin(head_office(stage, HEAD_OFFICE, "+19005550123")),
        answer: Expected::Refused(403, "Premium numbers are not allowed: +19005550123, premium rate"),
        records: &[failed(
            "headoffice",
            "Outbound",
            "403 Premium numbers are not allowed: +19005550123, premium rate",
        )],
        refusals: Some(("premium", 1)),
    },
    Scenario {
        title: "No carrier for the prefix",
        story: "France is in the plan, but no carrier takes +33.",
        play: |stage| Box::pin(head_office(stage, HEAD_OFFICE, "+33142685300")),
        answer: Expected::Refused(404, "No carrier for +33142685300"),
        records: &[failed("headoffice", "Outbound", "404 No carrier for +33142685300")],
        refusals: Some(("no_carrier", 1)),
    },
    Scenario {
        title: "Emergency digits without an entry",
        story: "This connector was never told where 911 goes.",
        play: |stage| {
            Box::pin(refused(&stage.phones.pbx, stage, Invite::new("+12065550103", "911", &host("single"))))
        },
        answer: Expected::Refused(404, "No emergency entry for 911"),
        records: &[failed("single", "Outbound", "404 No emergency entry for 911")],
        refusals: Some(("no_emergency_entry", 1)),
    },
    Scenario {
        title: "A connector that nobody has",
        story: "The source is listed, the host of the Request-URI is not.",
        play: |stage| {
            Box::pin(refused(&stage.phones.pbx, stage, Invite::new(HEAD_OFFICE, OUTSIDE, &host("nobody"))))
        },
        answer: Expected::Refused(404, "No voice connector at nobody.voice.example"),
        records: &[],
        refusals: Some(("unknown_connector", 1)),
    },
    Scenario {
        title: "A source listed for another connector",
        story: "The head office calls as if it were the branch.",
        play: |stage| {
            Box::pin(refused(&stage.phones.pbx, stage, Invite::new(BRANCH_NUMBER, OUTSIDE, &host("branch"))))
        },
        answer: Expected::Refused(403, "Source 127.0.0.2 is not listed for voice connector branch"),
        records: &[],
        refusals: Some(("source_not_listed", 1)),
    },
    Scenario {
        title: "A plain call to an encrypted connector",
        story: "The INVITE comes by UDP.",
        play: |stage| {
            Box::pin(refused(&stage.phones.pbx, stage, Invite::new(HEAD_OFFICE, OUTSIDE, &host("encrypted"))))
        },
        answer: Expected::Refused(403, "Voice connector encrypted takes TLS only, not udp"),
        records: &[failed("encrypted", "Outbound", "403 Voice connector encrypted takes TLS only, not udp")],
        refusals: Some(("encryption", 1)),
    },
    Scenario {
        title: "Plain audio to an encrypted connector",
        story: "The INVITE comes by TLS, but offers RTP.",
        play: |stage| Box::pin(plain_audio(stage)),
        answer: Expected::Refused(488, "Voice connector encrypted takes SRTP only"),
        records: &[failed("encrypted", "Outbound", "488 Voice connector encrypted takes SRTP only")],
        refusals: Some(("encryption", 1)),
    },
    Scenario {
        title: "Termination is off",
        story: "The connector takes no outbound calls.",
        play: |stage| {
            Box::pin(refused(&stage.phones.pbx, stage, Invite::new("+12065550102", OUTSIDE, &host("closed"))))
        },
        answer: Expected::Refused(403, "Termination is off for voice connector closed"),
        records: &[failed("closed", "Outbound", "403 Termination is off for voice connector closed")],
        refusals: Some(("termination_off", 1)),
    },
    Scenario {
        title: "Origination is off",
        story: "It takes no inbound calls either.",
        play: |stage| Box::pin(from_carrier(stage, "+12065550102")),
        answer: Expected::Refused(403, "Origination is off for voice connector closed"),
        records: &[failed("closed", "Inbound", "403 Origination is off for voice connector closed")],
        refusals: Some(("origination_off", 1)),
    },
    Scenario {
        title: "An inbound number that nobody has",
        story: "No connector, no record.",
        play: |stage| Box::pin(from_carrier(stage, "+12065550198")),
        answer: Expected::Refused(404, "Number +12065550198 is not assigned"),
        records: &[],
        refusals: Some(("not_assigned", 1)),
    },
    Scenario {
        title: "Too many calls per second",
        story: "One a second is allowed: the second within it is refused, and told when to come again.",
        play: |stage| Box::pin(too_hasty(stage)),
        answer: Expected::Throttled("More than 1 calls per second for hasty"),
        records: &[
            failed("hasty", "Outbound", "486 Busy Here"),
            failed("hasty", "Outbound", "503 More than 1 calls per second for hasty"),
        ],
        refusals: Some(("cps", 1)),
    },
    Scenario {
        title: "Too many calls at one time",
        story: "One is ringing, so the second is refused; the first is given up.",
        play: |stage| Box::pin(too_many(stage)),
        answer: Expected::Throttled("More than 1 calls at one time for single"),
        records: &[
            failed("single", "Outbound", "487 Request Terminated"),
            failed("single", "Outbound", "503 More than 1 calls at one time for single"),
        ],
        refusals: Some(("concurrent_calls", 1)),
    },
    Scenario {
        title: "Too many hops",
        story: "Max-Forwards has come down to 0: the call goes in circles.",
        play: |stage| Box::pin(with_header(stage, "Max-Forwards", "0")),
        answer: Expected::Refused(483, "Too Many Hops"),
        records: &[failed("headoffice", "Outbound", "483 Too Many Hops")],
        refusals: Some(("protocol", 1)),
    },
    Scenario {
        title: "An extension that the gateway lacks",
        story: "Require names it, so the call can't go on without.",
        play: |stage| Box::pin(with_header(stage, "Require", "precondition")),
        answer: Expected::Refused(420, "Not supported: precondition"),
        records: &[failed("headoffice", "Outbound", "420 Not supported: precondition")],
        refusals: Some(("protocol", 1)),
    },
    Scenario {
        title: "A wrong password, again and again",
        story: "Each is challenged anew, until there have been too many.",
        play: |stage| Box::pin(wrong_password(stage)),
        answer: Expected::Refused(403, "Too many wrong credentials"),
        records: &[failed("branch", "Outbound", "403 Too many wrong credentials")],
        refusals: Some(("digest", 11)),
    },
    Scenario {
        title: "A source listed nowhere",
        story: "403 a few times, then silence: a scanner learns nothing more. No record.",
        play: |stage| Box::pin(stranger(stage)),
        answer: Expected::Refused(403, "Source 127.0.0.9 is not listed"),
        records: &[],
        refusals: Some(("source", 20)),
    },
];

async fn refused(phone: &Phone, stage: &Stage, invite: Invite) -> Result<Outcome, Failure> {
    let mut call = phone.call(stage.gateway.udp, &invite).await?;
    Ok(Outcome::refused(call.refused().await?))
}

async fn head_office(stage: &Stage, from: &str, to: &str) -> Result<Outcome, Failure> {
    refused(&stage.phones.pbx, stage, Invite::new(from, to, &host("headoffice"))).await
}

async fn with_header(stage: &Stage, name: &'static str, value: &str) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice")).with(name, value);
    refused(&stage.phones.pbx, stage, invite).await
}

async fn plain_audio(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(ENCRYPTED_NUMBER, OUTSIDE, &host("encrypted"));
    let mut call = stage.phones.pbx.call_over_tls(stage.gateway.tls, &invite).await?;
    Ok(Outcome::refused(call.refused().await?))
}

async fn from_carrier(stage: &Stage, to: &str) -> Result<Outcome, Failure> {
    let invite = Invite::new(OUTSIDE, to, &stage.gateway.udp.to_string());
    refused(&stage.phones.carrier_a, stage, invite).await
}

async fn too_hasty(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new("+12065550104", OUTSIDE, &host("hasty"));
    room_in_this_second().await;
    let mut first = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    let mut second = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let answer = second.refused().await?;
    carrier.reject(486, "Busy Here", &[]).await?;
    first.refused().await?;
    Ok(Outcome::refused(answer))
}

/// Waits for the next second of the clock but at the beginning of one: the limit counts by them.
async fn room_in_this_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let over = Duration::from_nanos(now.subsec_nanos().into());
    if over > Duration::from_millis(50) {
        tokio::time::sleep(Duration::from_secs(1) - over).await;
    }
}

async fn too_many(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new("+12065550103", OUTSIDE, &host("single"));
    let mut first = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    carrier.ring().await?;
    first.provisional(180).await?;
    let mut second = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let answer = second.refused().await?;
    let (given_up, cancelled) = tokio::join!(first.cancel(), carrier.cancelled());
    given_up?;
    cancelled?;
    Ok(Outcome::refused(answer))
}

async fn wrong_password(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(BRANCH_NUMBER, OUTSIDE, &host("branch"));
    let mut call = stage.phones.branch.call(stage.gateway.udp, &invite).await?;
    for _ in 0..WRONG_PASSWORDS {
        let answer = call.refused().await?;
        if answer.status != 407 {
            stage.phones.ladder.fold(6, 4);
            return Ok(Outcome::refused(answer));
        }
        call.authenticate(User { name: "branch", password: "a guess" }).await?;
    }
    Ok(Outcome::refused(call.refused().await?))
}

async fn stranger(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice"));
    let mut last = None;
    for _ in 0..STRANGERS_PATIENCE {
        let mut call = stage.phones.stranger.call(stage.gateway.udp, &invite).await?;
        match tokio::time::timeout(SILENCE, call.refused()).await {
            Ok(answer) => last = Some(answer?),
            Err(_) => {
                stage.phones.ladder.fold(3, 1);
                return Ok(Outcome { answer: last, heard: Vec::new() });
            }
        }
    }
    let who = stage.phones.stranger.column().0.to_owned();
    let got = format!("{STRANGERS_PATIENCE} answers");
    Err(Failure::Unexpected { who, wanted: "silence after a while".to_owned(), got })
}
