//! Calls that go through.

use super::{BRANCH_NUMBER, ENCRYPTED_NUMBER, HEAD_OFFICE, OUTSIDE};
use crate::demo::audio::Tone;
use crate::demo::failure::Failure;
use crate::demo::phone::{Direction, Invite, User};
use crate::demo::scenario::{Expected, Scenario, completed, failed};
use crate::demo::stage::{
    Outcome, Stage, Talk, connect, end, host, talk, want_dialled, want_own_leg, want_secret,
};

pub const TABLE: &[Scenario] = &[
    Scenario {
        title: "An outbound call over UDP",
        story: "The head office calls out; its X-Site header goes along, its Call-ID does not. Both talk until RTCP \
                has told the round trip on both sides.",
        play: |stage| Box::pin(outbound(stage)),
        answer: Expected::Measured,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "An inbound call over UDP",
        story: "The carrier calls the head office's number, and hangs up.",
        play: |stage| Box::pin(inbound(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Inbound")],
        refusals: None,
    },
    Scenario {
        title: "An outbound call over TCP",
        story: "The longest prefix leads to the second carrier, which wants numbers without +.",
        play: |stage| Box::pin(outbound_over_tcp(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "An inbound call from TCP to UDP",
        story: "The gateway joins what speaks differently.",
        play: |stage| Box::pin(inbound_over_tcp(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Inbound")],
        refusals: None,
    },
    Scenario {
        title: "A digest challenge",
        story: "The branch has to prove who it is; the record names its user.",
        play: |stage| Box::pin(challenged(stage)),
        answer: Expected::Answered,
        records: &[completed("branch", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "An encrypted call out",
        story: "TLS and SRTP from the PBX, plain to the carrier. RTCP is encrypted too, and tells the round trip.",
        play: |stage| Box::pin(encrypted_outbound(stage)),
        answer: Expected::Measured,
        records: &[completed("encrypted", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "An encrypted call in",
        story: "The gateway dials the PBX by TLS, checks its certificate, and offers SRTP.",
        play: |stage| Box::pin(encrypted_inbound(stage)),
        answer: Expected::Answered,
        records: &[completed("encrypted", "Inbound")],
        refusals: None,
    },
    Scenario {
        title: "Early media",
        story: "The carrier plays 620 Hz before it answers, as a ringing tone would be.",
        play: |stage| Box::pin(early_media(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "A delayed offer",
        story: "The INVITE has no SDP: the offer is in the 200, the answer in the ACK.",
        play: |stage| Box::pin(delayed_offer(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "Hold and resume",
        story: "Two re-INVITEs go through the gateway; the talk goes on after the second.",
        play: |stage| Box::pin(hold(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "A call between two connectors",
        story: "The branch's number is the gateway's own: no carrier, two records, one transaction.",
        play: |stage| Box::pin(on_net(stage)),
        answer: Expected::Answered,
        records: &[completed("branch", "Inbound"), completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "An emergency call",
        story: "911 goes to its routing number, past caller ID, calling plan and limits.",
        play: |stage| Box::pin(emergency(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "The caller gives up",
        story: "A CANCEL while it rings reaches the callee; nobody is billed.",
        play: |stage| Box::pin(given_up(stage)),
        answer: Expected::PassedOn(487, "Request Terminated"),
        records: &[failed("headoffice", "Outbound", "487 Request Terminated")],
        refusals: None,
    },
];

async fn outbound(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice")).with("X-Site", "hq");
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    want_dialled(&carrier, OUTSIDE)?;
    want_own_leg(&pbx, &carrier, "X-Site")?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    let heard = talk(&pbx, &carrier, Talk::Measured).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn inbound(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(OUTSIDE, HEAD_OFFICE, &stage.gateway.udp.to_string());
    let mut carrier = stage.phones.carrier_a.call(stage.gateway.udp, &invite).await?;
    let mut pbx = stage.phones.pbx.incoming().await?;
    want_dialled(&pbx, HEAD_OFFICE)?;
    let answer = connect(&mut carrier, &mut pbx).await?;
    let heard = talk(&carrier, &pbx, Talk::Short).await?;
    end(&mut carrier, &mut pbx).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn outbound_over_tcp(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, "+442079460123", &host("headoffice"));
    let mut pbx = stage.phones.pbx.call_over_tcp(stage.gateway.tcp, &invite).await?;
    let mut carrier = stage.phones.carrier_b.incoming().await?;
    want_dialled(&carrier, "442079460123")?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    let heard = talk(&pbx, &carrier, Talk::Short).await?;
    end(&mut carrier, &mut pbx).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn inbound_over_tcp(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new("+442079460123", HEAD_OFFICE, &stage.gateway.tcp.to_string());
    let mut carrier = stage.phones.carrier_b.call_over_tcp(stage.gateway.tcp, &invite).await?;
    let mut pbx = stage.phones.pbx.incoming().await?;
    let answer = connect(&mut carrier, &mut pbx).await?;
    let heard = talk(&carrier, &pbx, Talk::Short).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn challenged(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(BRANCH_NUMBER, OUTSIDE, &host("branch"));
    let mut branch = stage.phones.branch.call(stage.gateway.udp, &invite).await?;
    branch.refused().await?;
    branch.authenticate(User { name: "branch", password: "correct horse battery staple" }).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    let answer = connect(&mut branch, &mut carrier).await?;
    let heard = talk(&branch, &carrier, Talk::Short).await?;
    end(&mut branch, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn encrypted_outbound(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(ENCRYPTED_NUMBER, OUTSIDE, &host("encrypted")).encrypted();
    let mut pbx = stage.phones.pbx.call_over_tls(stage.gateway.tls, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    want_secret(&pbx, true)?;
    want_secret(&carrier, false)?;
    let heard = talk(&pbx, &carrier, Talk::Measured).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn encrypted_inbound(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(OUTSIDE, ENCRYPTED_NUMBER, &stage.gateway.udp.to_string());
    let mut carrier = stage.phones.carrier_a.call(stage.gateway.udp, &invite).await?;
    let mut pbx = stage.phones.pbx.incoming().await?;
    let answer = connect(&mut carrier, &mut pbx).await?;
    want_secret(&pbx, true)?;
    want_secret(&carrier, false)?;
    let heard = talk(&carrier, &pbx, Talk::Short).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn early_media(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice"));
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    carrier.progress().await?;
    pbx.provisional(183).await?;
    let ringing = Tone(620);
    carrier.line().speak(ringing, || pbx.line().heard() == Some(ringing)).await?;
    carrier.accept().await?;
    let answer = pbx.answered().await?;
    carrier.acknowledged().await?;
    let heard = talk(&pbx, &carrier, Talk::Short).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn delayed_offer(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice")).without_offer();
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    let heard = talk(&pbx, &carrier, Talk::Short).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn hold(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice"));
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    talk(&pbx, &carrier, Talk::Short).await?;
    for direction in [Direction::SendOnly, Direction::SendRecv] {
        pbx.reinvite(direction).await?;
        let offered = carrier.reinvited().await?;
        if offered != direction {
            let (wanted, got) = (direction.to_string(), offered.to_string());
            return Err(Failure::Unexpected { who: carrier.who().0.to_owned(), wanted, got });
        }
        carrier.accept().await?;
        pbx.answered().await?;
        carrier.acknowledged().await?;
    }
    let heard = talk(&pbx, &carrier, Talk::Short).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn on_net(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, BRANCH_NUMBER, &host("headoffice"));
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut branch = stage.phones.branch.incoming().await?;
    let answer = connect(&mut pbx, &mut branch).await?;
    let heard = talk(&pbx, &branch, Talk::Short).await?;
    end(&mut pbx, &mut branch).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn emergency(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new("+12065559999", "911", &host("headoffice"));
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    want_dialled(&carrier, "+15105550111")?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    let heard = talk(&pbx, &carrier, Talk::Short).await?;
    end(&mut carrier, &mut pbx).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn given_up(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice"));
    let mut pbx = stage.phones.pbx.call(stage.gateway.udp, &invite).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    carrier.ring().await?;
    pbx.provisional(180).await?;
    let (given_up, cancelled) = tokio::join!(pbx.cancel(), carrier.cancelled());
    cancelled?;
    Ok(Outcome::refused(given_up?))
}
