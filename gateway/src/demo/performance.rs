//! Plays the scenarios one after the other, and tells each: ladder, records, quality, checks.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::check::{self, Check};
use super::failure::Failure;
use super::metrics::Metrics;
use super::paper::{Ink, Paper};
use super::records::{Record, Records};
use super::scenario::{Expected, Scenario};
use super::scenarios;
use super::stage::{BRANCH, CARRIER_A, CARRIER_B, Outcome, PBX, STRANGER, Stage};

/// How long records and metrics may lag behind the call.
const LAG: Duration = Duration::from_secs(20);
/// From one look at the metrics to the next.
const LOOK: Duration = Duration::from_millis(10);

/// One run of the demo.
pub struct Performance {
    paper: Paper,
    stage: Stage,
    admin: SocketAddr,
    records: Records,
    start: Instant,
    /// Title and whether it went as told.
    results: Vec<(&'static str, bool)>,
}

/// What was left on disk by a call.
struct Left {
    record: Record,
    /// Of calls that were answered.
    quality: Option<Record>,
}

impl Performance {
    /// - `records`: the gateway's records directory.
    pub fn new(paper: Paper, stage: Stage, admin: SocketAddr, records: &Path) -> Performance {
        let records = Records::new(records);
        Performance { paper, stage, admin, records, start: Instant::now(), results: Vec::new() }
    }

    /// Plays them all. Fails only where nothing more can be played.
    pub async fn play(&mut self) -> Result<(), Failure> {
        for (heading, scenarios) in scenarios::CHAPTERS {
            self.paper.heading(heading);
            for scenario in scenarios {
                self.play_one(scenario).await?;
            }
        }
        Ok(())
    }

    /// After the gateway has stopped: no record may have come that nobody expected. Returns whether all went as
    /// told.
    pub async fn finish(&mut self) -> Result<bool, Failure> {
        let surplus = self.records.next(0, Duration::ZERO).await?;
        let paper = self.paper;
        paper.heading("In short");
        let failed = self.results.iter().filter(|(_, ok)| !ok).count();
        for (title, _) in self.results.iter().filter(|(_, ok)| !ok) {
            paper.check(false, title);
        }
        let told = format!("{} of {} went as told", self.results.len() - failed, self.results.len());
        paper.check(failed == 0, &format!("{told}, in {:.1} s", self.start.elapsed().as_secs_f64()));
        let told = if surplus.is_empty() { "no record beside theirs" } else { "records beside theirs" };
        paper.check(surplus.is_empty(), told);
        for record in &surplus {
            self.tell_record(record);
        }
        Ok(failed == 0 && surplus.is_empty())
    }

    async fn play_one(&mut self, scenario: &Scenario) -> Result<(), Failure> {
        let number = self.results.len() + 1;
        self.paper.line("");
        self.paper.line(self.paper.ink(Ink::Bold, &format!("{number}. {}", scenario.title)));
        self.paper.paragraph(scenario.story);
        let before = Metrics::read(self.admin).await?;
        let played = (scenario.play)(&self.stage).await;
        let left = self.left(scenario).await?;
        self.draw();
        for left in &left {
            self.tell_record(&left.record);
            if let Some(quality) = &left.quality {
                self.tell_quality(quality);
            }
        }
        let mut checks = match &played {
            Ok(outcome) => Self::checks(scenario, outcome, &left),
            Err(failure) => vec![Check { ok: false, text: failure.to_string() }],
        };
        checks.push(self.metrics(scenario, &before).await?);
        for phone in self.stage.phones.all() {
            let faults = phone.forget().await;
            checks.extend(faults.iter().map(|fault| Check { ok: false, text: fault.to_string() }));
        }
        for check in &checks {
            self.paper.check(check.ok, &check.text);
        }
        self.results.push((scenario.title, checks.iter().all(|check| check.ok)));
        Ok(())
    }

    /// What the call left on disk.
    async fn left(&mut self, scenario: &Scenario) -> Result<Vec<Left>, Failure> {
        let mut left = Vec::new();
        for record in self.records.next(scenario.records.len(), LAG).await? {
            let quality = match record.text("Status") {
                "Completed" => {
                    let (connector, id) = (record.text("VoiceConnectorId"), record.text("TransactionId"));
                    self.records.quality(connector, id, LAG).await?
                }
                _ => None,
            };
            left.push(Left { record, quality });
        }
        Ok(left)
    }

    fn checks(scenario: &Scenario, outcome: &Outcome, left: &[Left]) -> Vec<Check> {
        let records: Vec<Record> = left.iter().map(|left| left.record.clone()).collect();
        let mut checks = vec![check::answer(scenario.answer, outcome)];
        checks.extend(check::tones(&outcome.heard));
        checks.push(check::records(scenario.records, &records));
        checks.extend(check::bill(scenario.records, &records));
        if matches!(scenario.answer, Expected::Answered | Expected::Measured) {
            checks.extend(left.iter().map(|left| {
                check::quality(scenario.answer, &left.record, left.quality.as_ref(), &outcome.heard)
            }));
        }
        checks
    }

    /// Whether the metrics have gained what they should, once they have or at the end of patience.
    async fn metrics(&self, scenario: &Scenario, before: &Metrics) -> Result<Check, Failure> {
        let gains = check::gains(scenario);
        let end = Instant::now() + LAG;
        loop {
            let after = Metrics::read(self.admin).await?;
            if gains.iter().all(|gain| gain.is_met(before, &after)) || Instant::now() >= end {
                return Ok(check::metrics(&gains, before, &after));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn draw(&self) {
        let ladder = &self.stage.phones.ladder;
        let lines = ladder.draw(&[PBX, BRANCH, STRANGER], &[CARRIER_A, CARRIER_B], |kind, line| {
            self.paper.arrow(kind, line)
        });
        for line in lines {
            self.paper.line(line);
        }
    }

    fn tell_record(&self, record: &Record) {
        let text = |name| record.text(name);
        let party = |side: &str| {
            let number = record.text(&format!("{side}PhoneNumber"));
            match record.text(&format!("{side}Country")) {
                "" => number.to_owned(),
                country => format!("{number} ({country})"),
            }
        };
        let billed = match record.number("BillableDurationSeconds") {
            0 => "not billed".to_owned(),
            seconds => format!("{seconds} s billed as {}", text("UsageType")),
        };
        let user = match text("SipAuthUser") {
            "" => String::new(),
            user => format!(", user {user}"),
        };
        let (connector, direction) = (text("VoiceConnectorId"), text("Direction"));
        let parties = format!("{} -> {}", party("Source"), party("Destination"));
        self.paper.item("record", &format!("{connector} {direction}, {parties}{user}"));
        self.paper.item("", &format!("{}: {}; {billed}", text("Status"), text("StatusMessage")));
        self.paper.item("", &format!("transaction {}", text("TransactionId")));
    }

    fn tell_quality(&self, line: &Record) {
        let flow = |name: &str| {
            let number = |what: &str| line.number(&format!("{name}_{what}"));
            #[allow(clippy::cast_precision_loss, reason = "microseconds, for people")]
            let jitter = number("jitter") as f64 / 1_000.0;
            let lost = match line.measure(&format!("{name}_packets_lost")) {
                Some(lost) => format!("{lost} lost, jitter {jitter:.1} ms"),
                None => "loss not reported".to_owned(),
            };
            format!("{} packets, {lost}", number("rtp_packets"))
        };
        let sides = [("customer", "cust", "cust2vc", "vc2cust"), ("remote", "rem", "rem2vc", "vc2rem")];
        for (item, (told, name, from, to)) in ["quality", ""].into_iter().zip(sides) {
            let measure = |what: &str| line.measure(&format!("{what}_btwn_vc_and_{name}"));
            let opinion = measure("mos").map_or(String::new(), |mos| format!(", MOS {mos:.1}"));
            let trip = measure("rtt").map(|micros| micros / 1_000.0);
            let trip = trip.map_or(String::new(), |ms| format!(", round trip {ms:.1} ms"));
            self.paper.item(item, &format!("{told:<8} in  {}{opinion}", flow(from)));
            self.paper.item("", &format!("{:<8} out {}{trip}", "", flow(to)));
        }
    }
}
