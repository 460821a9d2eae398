//! Why a call would be taken or refused, and where it would go: the text of `voice-connector explain`.
//!
//! The steps are those of [`crate::admit`] and [`crate::route`] themselves; there is no second copy of the rules.

mod asked;
mod live;

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use config::{Config, ConnectorId, HeaderRule, Recorded, Registration, ResponseRule, RuleDirection};
use serde::{Deserialize, Serialize};

use crate::admit::{Admitted, Destination, Origin, Outcome, Refusal, Step, admit};
use crate::call::{caller_user, from};
use crate::direction::Direction;
use crate::limits::EMERGENCY_CALLS;
use crate::local::{BoundAddresses, Local, Locals};
use crate::peer::Transport;
use crate::record::recordings_of;
use crate::registrar::Registrar;
use crate::route::{Attempt, RouteFacts, RouteStep, Via, route};
use crate::why::of_refusal;

pub use live::{Live, Moment, RefusedNow};

use asked::{facts, header_rules, response_rules};

/// A call that nobody has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The caller: user part of From, as `+12065550100`, `1001` or `anonymous`.
    pub from: String,
    /// The caller by P-Asserted-Identity, as `from`.
    pub asserted: Vec<String>,
    /// The numbers that sent the call on, by Diversion, as `from`.
    pub diversion: Vec<String>,
    /// The callee: user part of the Request-URI, as `+12065550100` or `911`.
    pub to: String,
    /// Where the INVITE comes from.
    pub source: IpAddr,
    /// What carries it.
    pub transport: Transport,
    /// The connector that the Request-URI names; none: the bare domain.
    pub connector: Option<String>,
    /// Draws among routes of equal priority; see [`RouteFacts::draw`].
    pub draw: u64,
}

/// Every step of the decision, and the outcome. Displays as lines of text.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// In order.
    pub steps: Vec<ExplainedStep>,
    /// How it ends.
    pub outcome: Result<Box<Admitted>, Refusal>,
    /// Why it would be refused at this moment, though it is allowed.
    pub refused_now: Option<RefusedNow>,
}

/// A step of one of the functions that decide, or what they were told because nobody calls really.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplainedStep {
    /// Taken for granted.
    Assumed(&'static str),
    /// No listener has the transport of the question: no such call arrives.
    Unheard(Transport),
    /// Of admission.
    Admission(Step),
    /// Of routing.
    Route(RouteStep),
    /// A route that is passed over: no listener has its transport.
    NoListener {
        /// Whose: a connector's id or a carrier's name.
        whose: String,
        /// What would carry the call.
        transport: Transport,
        /// One has it, for the other address family.
        other_family: bool,
    },
    /// From where a route is reached, and as whom; told where there are networks or names.
    From {
        /// Whose: a connector's id or a carrier's name.
        whose: String,
        /// What Via and Contact say, and what carries it.
        signalling: String,
        /// Where the network, if any, has its media, and its name.
        media: String,
    },
    /// A header rule that is obeyed.
    HeaderRule {
        /// Whose.
        whose: String,
        /// The rule.
        rule: HeaderRule,
    },
    /// A response rule of a side of the call.
    ResponseRule {
        /// Whose: a connector's id or a carrier's name.
        whose: String,
        /// The rule.
        rule: ResponseRule,
    },
    /// How the caller stands in From.
    Caller {
        /// The receiver: a connector's id or a carrier's name.
        whose: String,
        /// The value, without name and tag.
        value: String,
    },
    /// A limit that would hold.
    Limit {
        /// Whose.
        whose: String,
        /// New calls a second.
        calls_per_second: Option<u32>,
        /// Calls at one time.
        calls: Option<u32>,
    },
    /// How long the calls of who calls may talk in one day.
    DailyMinutes {
        /// Whose limit.
        whose: String,
        /// `termination.daily_minutes`.
        limit: u32,
    },
    /// No limit holds: an emergency call.
    NoLimit,
    /// The call would be recorded.
    Recorded {
        /// Whose recording it is: a connector's id.
        whose: String,
        /// Its directory.
        directory: String,
        /// Samples a second.
        rate: u32,
    },
    /// The call would be streamed.
    Streamed {
        /// Whose sink it is: a connector's id.
        whose: String,
        /// Its name.
        sink: String,
    },
    /// How something is at this moment, in a running gateway.
    Now(Moment),
}

/// Decides on a call that nobody has made, as it would be decided if somebody did.
///
/// What a question does not say is taken for granted and told: credentials are right, the offer is what the
/// connector asks for, every host answers, and no limit is reached.
///
/// - `now`: any instant; nothing rests.
pub fn explain(config: &Config, now: Instant, question: &Question) -> Explanation {
    explained(config, now, question, None)
}

/// The same of a running gateway, with the health of hosts, the registrations and the limits of this moment.
pub fn explain_live(config: &Config, live: Live<'_>, question: &Question) -> Explanation {
    explained(config, live.now.instant, question, Some(live))
}

fn explained(config: &Config, now: Instant, question: &Question, live: Option<Live<'_>>) -> Explanation {
    let (facts, mut steps) = facts(config, question);
    steps.extend(live.and_then(|live| live.source(question)).map(ExplainedStep::Now));
    let refused = |steps, refusal| Explanation { steps, outcome: Err(refusal), refused_now: None };
    if !listens(config, question.transport) {
        steps.push(ExplainedStep::Unheard(question.transport));
    }
    let decision = admit(config, &facts);
    steps.extend(decision.steps.into_iter().map(ExplainedStep::Admission));
    let admitted = match decision.outcome {
        Outcome::Admit(admitted) => admitted,
        Outcome::Refuse(refusal) => return refused(steps, refusal),
        // Not reached: the credentials are taken for right. A challenge is no admission in any case.
        Outcome::Challenge(_) => {
            let connector = decision.connector.unwrap_or_else(|| "".into());
            return refused(steps, Refusal::Digest { connector });
        }
    };
    let assumed;
    let registrar = match live {
        Some(live) => &live.shared.registrar,
        None => {
            assumed = Registrar::assumed(config, now);
            &assumed
        }
    };
    let registers = |id: &ConnectorId| {
        config.connector(id.as_str()).is_some_and(|one| one.peer.registration == Registration::On)
    };
    if let Destination::Connectors(ids) = &admitted.destination
        && live.is_none()
        && ids.iter().any(registers)
    {
        steps.push(ExplainedStep::Assumed("a system of the voice connector has registered"));
    }
    let health = live.map_or_else(Default::default, |live| live.shared.health());
    let facts = RouteFacts { admitted: &admitted, draw: question.draw, now, registrar };
    let plan = route(config, &health, &facts);
    steps.extend(plan.steps.into_iter().map(ExplainedStep::Route));
    let attempts = match plan.attempts {
        Ok(attempts) => attempts,
        Err(refusal) => return refused(steps, refusal),
    };
    let registers_us = |attempt: &Attempt| match &attempt.via {
        Via::Carrier(carrier) => carrier.register.is_some(),
        Via::Connector(_) => false,
    };
    if live.is_none() && attempts.iter().any(registers_us) {
        steps.push(ExplainedStep::Assumed("the carriers that want it have registered the gateway"));
    }
    let mut moments = Vec::new();
    let emergency = admitted.emergency.is_some();
    let attempts = match live {
        Some(live) => live.undrained(attempts, emergency, &mut moments),
        None => attempts,
    };
    steps.extend(moments.drain(..).map(ExplainedStep::Now));
    if attempts.is_empty() {
        return refused(steps, Refusal::every_way_drains(&admitted.number));
    }
    let locals = live.map_or_else(
        || Locals::new(config, &BoundAddresses::new()),
        |live| Locals::new(config, &live.shared.bound.load()),
    );
    let (carried, left): (Vec<Attempt>, Vec<Attempt>) =
        attempts.into_iter().partition(|attempt| local_to(&locals, attempt).is_some());
    steps.extend(carried.iter().filter_map(|attempt| ExplainedStep::from(config, &locals, attempt)));
    steps.extend(left.iter().map(|attempt| ExplainedStep::without_listener(config, attempt)));
    if carried.is_empty() {
        let refusal = Refusal::NoListener { number: admitted.number.clone() };
        return refused(steps, refusal);
    }
    steps.extend(told(&locals, &admitted, &carried));
    steps.extend(limits(&admitted, &carried));
    steps.extend(recorded(config, &admitted, &carried));
    let refused_now = live.and_then(|live| {
        let closed = live.gateway(emergency, &mut moments);
        let drains = live.caller_drains(&admitted, &mut moments);
        let caller = live.caller(&admitted, &mut moments);
        let callees = live.callees(&carried, &mut moments).filter(|_| !emergency);
        moments.extend(carried.iter().flat_map(|attempt| live.hosts(attempt)));
        closed.or(drains).or(caller).or(callees)
    });
    steps.extend(moments.into_iter().map(ExplainedStep::Now));
    Explanation { steps, outcome: Ok(admitted), refused_now }
}

/// What we are towards the host of an attempt; towards whoever it is, where that is a name.
fn local_to(locals: &Locals, attempt: &Attempt) -> Option<Local> {
    let transport = attempt.lookup.transport;
    let local = match address_of(attempt) {
        Some(address) => locals.towards(transport, address),
        None => locals.first(transport),
    };
    Some(local?.named(attempt.via.peer().contact.as_ref()))
}

/// The address of an attempt's host; none where it is looked up, or has registered from nobody knows where.
fn address_of(attempt: &Attempt) -> Option<IpAddr> {
    let literal = attempt.lookup.literal().filter(|_| attempt.registered.is_none());
    literal.map(|address| address.ip())
}

/// Whether we hear by `transport`, which takes a listener.
fn listens(config: &Config, transport: Transport) -> bool {
    config.listen.iter().any(|listen| listen.protocol == transport)
}

impl Explanation {
    /// The exit code of the command: 0 admitted, 1 refused.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.outcome.is_err() || self.refused_now.is_some())
    }
}

/// What the sides that may be called are told of the caller, and their rules.
fn told(locals: &Locals, admitted: &Admitted, attempts: &[Attempt]) -> Vec<ExplainedStep> {
    let mut steps: Vec<ExplainedStep> = Vec::new();
    let hidden = admitted.caller.private && admitted.emergency.is_none();
    for attempt in attempts {
        let (speech, whose) = (attempt.via.peer(), attempt.via.name());
        let user = caller_user(speech, &attempt.caller, hidden);
        let own_host = local_to(locals, attempt).map(|local| local.host()).unwrap_or_default();
        let value = from(speech, user.as_deref(), hidden, &own_host, None).to_string();
        let told = ExplainedStep::Caller { whose: whose.to_owned(), value };
        if !steps.contains(&told) {
            steps.push(told);
            steps.extend(header_rules(whose, speech, RuleDirection::To));
            steps.extend(response_rules(whose, speech, RuleDirection::From));
        }
    }
    steps
}

fn limits(admitted: &Admitted, attempts: &[Attempt]) -> Vec<ExplainedStep> {
    if admitted.emergency.is_some() {
        return vec![ExplainedStep::NoLimit];
    }
    let mut steps = Vec::new();
    if let Origin::Connector(connector) = &admitted.origin {
        let termination = &connector.termination;
        steps.push(ExplainedStep::Limit {
            whose: format!("voice connector {}, outbound", connector.id),
            calls_per_second: Some(termination.cps_limit),
            calls: Some(termination.max_calls),
        });
        let whose = format!("voice connector {}", connector.id);
        steps.extend(termination.daily_minutes.map(|limit| ExplainedStep::DailyMinutes { whose, limit }));
    }
    for attempt in attempts {
        let step = match &attempt.via {
            Via::Carrier(carrier) => ExplainedStep::Limit {
                whose: format!("carrier {}", carrier.name),
                calls_per_second: carrier.cps_limit,
                calls: carrier.max_calls,
            },
            Via::Connector(connector) => ExplainedStep::Limit {
                whose: format!("voice connector {}, inbound", connector.id),
                calls_per_second: Some(connector.origination.cps_limit),
                calls: Some(connector.origination.max_calls),
            },
        };
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// Where the call would be recorded, and streamed to.
fn recorded(config: &Config, admitted: &Admitted, attempts: &[Attempt]) -> Vec<ExplainedStep> {
    let mut steps = Vec::new();
    let caller = match &admitted.origin {
        Origin::Connector(connector) => Some(connector),
        Origin::Carrier(_) => None,
    };
    let callees = attempts.iter().filter_map(|attempt| match &attempt.via {
        Via::Connector(connector) => Some(connector),
        Via::Carrier(_) => None,
    });
    for connector in caller.into_iter().chain(callees) {
        let whose = connector.id.to_string();
        let directory = config.records.directory.join(recordings_of(&whose)).display().to_string();
        let rate = connector.recording.rate.hertz();
        let step = ExplainedStep::Recorded { whose, directory, rate };
        if connector.recording.calls == Recorded::All && !steps.contains(&step) {
            steps.push(step);
        }
        for sink in &connector.streaming.sinks {
            let (whose, sink) = (connector.id.to_string(), sink.name.clone());
            let step = ExplainedStep::Streamed { whose, sink };
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}

impl ExplainedStep {
    /// `None` where everybody is reached alike.
    fn from(config: &Config, locals: &Locals, attempt: &Attempt) -> Option<ExplainedStep> {
        let contact = attempt.via.peer().contact.as_ref();
        if contact.is_none() && config.network.is_empty() {
            return None;
        }
        let local = local_to(locals, attempt)?;
        let address = address_of(attempt);
        let whose = attempt.via.name().to_owned();
        let signalling = match (address, contact) {
            (None, None) => "the listener of the network that its name leads to".to_owned(),
            (None, Some(_)) => format!("{} over {}", local.host(), local.transport),
            (Some(_), _) => format!("{} over {}", local.host_port(), local.transport),
        };
        let network = address.and_then(|address| locals.network_of(address));
        let network = network.map(|name| format!(" in network {name}"));
        let media = match address {
            Some(_) => format!(", with media at {}{}", local.media_advertise, network.unwrap_or_default()),
            None => String::new(),
        };
        Some(ExplainedStep::From { whose, signalling, media })
    }

    fn without_listener(config: &Config, attempt: &Attempt) -> ExplainedStep {
        let transport = attempt.lookup.transport;
        ExplainedStep::NoListener {
            whose: attempt.via.name().to_owned(),
            transport,
            other_family: listens(config, transport),
        }
    }
}

impl fmt::Display for ExplainedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExplainedStep::Unheard(transport) => {
                write!(f, "assumed: a listener has {transport}, and none does")
            }
            ExplainedStep::Now(moment) => moment.fmt(f),
            ExplainedStep::Assumed(what) => write!(f, "assumed: {what}"),
            ExplainedStep::Admission(step) => step.fmt(f),
            ExplainedStep::Route(step) => step.fmt(f),
            ExplainedStep::HeaderRule { whose, rule } => {
                let way = match rule.direction {
                    RuleDirection::From => "from",
                    RuleDirection::To => "to",
                };
                write!(f, "header rule: {way} {whose} {rule}")
            }
            ExplainedStep::ResponseRule { whose, rule } => {
                let way = match rule.direction {
                    RuleDirection::From => "from",
                    RuleDirection::To => "to",
                };
                write!(f, "response rule: {way} {whose} {rule}")
            }
            ExplainedStep::Caller { whose, value } => write!(f, "caller: {whose} reads {value}"),
            ExplainedStep::NoListener { whose, transport, other_family } => {
                let family = if *other_family { " for its address" } else { "" };
                write!(f, "route: {whose} is passed over: no listener has {transport}{family}")
            }
            ExplainedStep::From { whose, signalling, media } => {
                write!(f, "from: {whose} is called from {signalling}{media}")
            }
            ExplainedStep::Limit { whose, calls_per_second: None, calls: None } => {
                write!(f, "limits: none for {whose}")
            }
            ExplainedStep::Limit { whose, calls_per_second, calls } => {
                let or_any =
                    |limit: &Option<u32>| limit.map_or("any number of".to_owned(), |limit| limit.to_string());
                write!(
                    f,
                    "limits: {} calls per second and {} calls at one time for {whose}",
                    or_any(calls_per_second),
                    or_any(calls)
                )
            }
            ExplainedStep::DailyMinutes { whose, limit } => {
                write!(f, "limits: {limit} minutes a day for {whose}")
            }
            ExplainedStep::Recorded { whose, directory, rate } => {
                write!(f, "recording: {whose} records it to {directory}, {rate} samples a second")
            }
            ExplainedStep::Streamed { whose, sink } => {
                write!(f, "streaming: {whose} streams it to {sink}")
            }
            ExplainedStep::NoLimit => {
                write!(
                    f,
                    "limits: none on an emergency call; the ports that are set aside are for {EMERGENCY_CALLS} at one time"
                )
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        match &self.outcome {
            Ok(admitted) => {
                let direction = match (admitted.direction, &admitted.destination) {
                    (_, Destination::Carriers) if admitted.emergency.is_some() => "emergency",
                    (Direction::Outbound, Destination::Connectors(_)) => "on-net",
                    (Direction::Outbound, Destination::Carriers) => "outbound",
                    (Direction::Inbound, _) => "inbound",
                };
                let caller = &admitted.caller.text;
                write!(
                    f,
                    "admitted: {direction} call from {caller} to {}, billed to voice connector {}",
                    admitted.number, admitted.connector
                )?;
                let Some(RefusedNow { cause, meaning }) = &self.refused_now else { return Ok(()) };
                writeln!(f, "\nrefused at this moment: {} {}", cause.status.code(), cause.text)?;
                writeln!(f, "  Reason: {}", cause.reason())?;
                write!(f, "  to do: {meaning}")
            }
            Err(refusal) => {
                let verdict = refusal.verdict();
                writeln!(f, "refused: {} {}", verdict.status, verdict.phrase)?;
                writeln!(f, "  Reason: {}", verdict.reason())?;
                write!(f, "  to do: {}", of_refusal(refusal))
            }
        }
    }
}

#[cfg(test)]
mod tests;
