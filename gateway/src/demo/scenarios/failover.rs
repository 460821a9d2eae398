//! Calls whose first route does not take them.

use super::{HEAD_OFFICE, MAIN_LINE, OUTSIDE};
use crate::demo::failure::Failure;
use crate::demo::phone::{Call, Invite};
use crate::demo::scenario::{Cdr, Expected, Scenario, completed, failed};
use crate::demo::stage::{Outcome, Stage, Talk, connect, end, host, talk, want_quiet};

/// The record says what became of the route that was left.
const LATE: Cdr =
    Cdr { message: "OK; late answer of 127.0.0.5 released", ..completed("headoffice", "Inbound") };

pub const TABLE: &[Scenario] = &[
    Scenario {
        title: "A carrier fails",
        story: "The first carrier answers 503, so the call goes to the second; the caller hears only that one.",
        play: |stage| Box::pin(carrier_fails(stage)),
        answer: Expected::Answered,
        records: &[completed("headoffice", "Outbound")],
        refusals: None,
    },
    Scenario {
        title: "A customer's host is silent, then late",
        story: "Nothing is heard from the group's first member within its limit, so the second takes the call. \
                    The late 200 of the first gets ACK and BYE: nobody talks to a dead line.",
        play: |stage| Box::pin(late_answer(stage)),
        answer: Expected::Answered,
        records: &[LATE],
        refusals: None,
    },
    Scenario {
        title: "Busy is the callee's own word",
        story: "486 is passed on: no other carrier would find the callee less busy.",
        play: |stage| Box::pin(busy(stage)),
        answer: Expected::PassedOn(486, "Busy Here"),
        records: &[failed("headoffice", "Outbound", "486 Busy Here")],
        refusals: None,
    },
    Scenario {
        title: "A number that does not exist",
        story: "500 alone would fail over; Q.850 cause 1, unallocated number, holds on every route, \
                    and is told as 404.",
        play: |stage| Box::pin(unallocated(stage)),
        answer: Expected::PassedOn(404, "Not Found"),
        records: &[failed("headoffice", "Outbound", "404 Not Found")],
        refusals: None,
    },
    Scenario {
        title: "A failure after it rang",
        story: "The caller has heard it ring: a second carrier would ring a second time, and bill twice. \
                    The 503 of one carrier becomes 500, lest the caller take the whole trunk for gone.",
        play: |stage| Box::pin(failed_after_ringing(stage)),
        answer: Expected::PassedOn(500, "Service Unavailable"),
        records: &[failed("headoffice", "Outbound", "500 Service Unavailable")],
        refusals: None,
    },
    Scenario {
        title: "All routes exhausted",
        story: "Both carriers fail. 503 says nothing about the call, so the caller hears the gateway's own.",
        play: |stage| Box::pin(exhausted(stage)),
        answer: Expected::Refused(500, "No route took the call: unavailable"),
        records: &[failed("headoffice", "Outbound", "500 No route took the call: unavailable")],
        refusals: None,
    },
];

async fn head_office_calls(stage: &Stage) -> Result<Call, Failure> {
    let invite = Invite::new(HEAD_OFFICE, OUTSIDE, &host("headoffice"));
    stage.phones.pbx.call(stage.gateway.udp, &invite).await
}

async fn carrier_fails(stage: &Stage) -> Result<Outcome, Failure> {
    let mut pbx = head_office_calls(stage).await?;
    stage.phones.carrier_a.incoming().await?.reject(503, "Service Unavailable", &[]).await?;
    let mut carrier = stage.phones.carrier_b.incoming().await?;
    let answer = connect(&mut pbx, &mut carrier).await?;
    let heard = talk(&pbx, &carrier, Talk::Short).await?;
    end(&mut pbx, &mut carrier).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn late_answer(stage: &Stage) -> Result<Outcome, Failure> {
    let invite = Invite::new(OUTSIDE, MAIN_LINE, &stage.gateway.udp.to_string());
    let mut carrier = stage.phones.carrier_a.call(stage.gateway.udp, &invite).await?;
    let mut branch = stage.phones.branch.incoming().await?;
    let mut pbx = stage.phones.pbx.incoming().await?;
    let answer = connect(&mut carrier, &mut pbx).await?;
    branch.accept().await?;
    branch.acknowledged().await?;
    branch.hung_up().await?;
    let heard = talk(&carrier, &pbx, Talk::Short).await?;
    end(&mut carrier, &mut pbx).await?;
    Ok(Outcome::answered(answer, heard))
}

async fn busy(stage: &Stage) -> Result<Outcome, Failure> {
    let mut pbx = head_office_calls(stage).await?;
    stage.phones.carrier_a.incoming().await?.reject(486, "Busy Here", &[]).await?;
    only_carrier_a(stage, &mut pbx).await
}

async fn unallocated(stage: &Stage) -> Result<Outcome, Failure> {
    let mut pbx = head_office_calls(stage).await?;
    let reason = ("Reason", "Q.850;cause=1;text=\"Unallocated number\"");
    stage.phones.carrier_a.incoming().await?.reject(500, "Server Internal Error", &[reason]).await?;
    only_carrier_a(stage, &mut pbx).await
}

async fn failed_after_ringing(stage: &Stage) -> Result<Outcome, Failure> {
    let mut pbx = head_office_calls(stage).await?;
    let mut carrier = stage.phones.carrier_a.incoming().await?;
    carrier.ring().await?;
    pbx.provisional(180).await?;
    carrier.reject(503, "Service Unavailable", &[]).await?;
    only_carrier_a(stage, &mut pbx).await
}

/// What the first carrier said was the last word: the second was not asked.
async fn only_carrier_a(stage: &Stage, caller: &mut Call) -> Result<Outcome, Failure> {
    let answer = caller.refused().await?;
    want_quiet(&stage.phones.carrier_b).await?;
    Ok(Outcome::refused(answer))
}

async fn exhausted(stage: &Stage) -> Result<Outcome, Failure> {
    let mut pbx = head_office_calls(stage).await?;
    stage.phones.carrier_a.incoming().await?.reject(503, "Service Unavailable", &[]).await?;
    stage.phones.carrier_b.incoming().await?.reject(503, "Service Unavailable", &[]).await?;
    Ok(Outcome::refused(pbx.refused().await?))
}
