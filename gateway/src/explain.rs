//! Why a call would be taken or refused, and where it would go: the text of `voice-connector explain`.
//!
//! The steps are those of [`crate::admit`] and [`crate::route`] themselves; there is no second copy of the rules.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use config::{Config, ConnectorId, Registration};

use crate::admit::{
    Admitted, Destination, Digest, Facts, OfferedMedia, Origin, Outcome, Refusal, Step, admit, source,
};
use crate::direction::Direction;
use crate::limits::EMERGENCY_CALLS;
use crate::local::{Local, Locals};
use crate::peer::Transport;
use crate::registrar::Registrar;
use crate::route::{Attempt, Health, RouteFacts, RouteStep, Via, route};

/// A call that nobody has made.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who calls: user part of From, as `+12065550100`, `1001` or `anonymous`.
    pub from: String,
    /// Who calls by P-Asserted-Identity, as `from`.
    pub asserted: Vec<String>,
    /// Who sent the call on by Diversion, as `from`.
    pub diversion: Vec<String>,
    /// Who is called: user part of the Request-URI, as `+12065550100` or `911`.
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
    /// A limit that would hold.
    Limit {
        /// Whose.
        whose: String,
        /// New calls a second.
        calls_per_second: Option<u32>,
        /// Calls at one time.
        calls: Option<u32>,
    },
    /// No limit holds: an emergency call.
    NoLimit,
}

/// Decides on a call that nobody has made, as it would be decided if somebody did.
///
/// What a question does not say is taken for granted and told: credentials are right, the offer is what the
/// connector asks for, every host answers, and no limit is reached.
///
/// - `now`: any instant; nothing rests.
pub fn explain(config: &Config, now: Instant, question: &Question) -> Explanation {
    let (facts, mut steps) = facts(config, question);
    if !listens(config, question.transport) {
        steps.push(ExplainedStep::Unheard(question.transport));
    }
    let decision = admit(config, &facts);
    steps.extend(decision.steps.into_iter().map(ExplainedStep::Admission));
    let admitted = match decision.outcome {
        Outcome::Admit(admitted) => admitted,
        Outcome::Refuse(refusal) => return Explanation { steps, outcome: Err(refusal) },
        // Not reached: the credentials are taken for right. A challenge is no admission in any case.
        Outcome::Challenge(_) => {
            let connector = decision.connector.unwrap_or_else(|| "".into());
            return Explanation { steps, outcome: Err(Refusal::Digest { connector }) };
        }
    };
    let registrar = Registrar::assumed(config, now);
    let registers = |id: &ConnectorId| {
        config.connector(id.as_str()).is_some_and(|one| one.peer.registration == Registration::On)
    };
    if let Destination::Connectors(ids) = &admitted.destination
        && ids.iter().any(registers)
    {
        steps.push(ExplainedStep::Assumed("a system of the voice connector has registered"));
    }
    let facts = RouteFacts { admitted: &admitted, draw: question.draw, now, registrar: &registrar };
    let plan = route(config, &Health::new(), &facts);
    steps.extend(plan.steps.into_iter().map(ExplainedStep::Route));
    let attempts = match plan.attempts {
        Ok(attempts) => attempts,
        Err(refusal) => return Explanation { steps, outcome: Err(refusal) },
    };
    let registers_us = |attempt: &Attempt| match &attempt.via {
        Via::Carrier(carrier) => carrier.register.is_some(),
        Via::Connector(_) => false,
    };
    if attempts.iter().any(registers_us) {
        steps.push(ExplainedStep::Assumed("the carriers that want it have registered the gateway"));
    }
    let locals = Locals::new(config, &[]);
    let (carried, left): (Vec<Attempt>, Vec<Attempt>) =
        attempts.into_iter().partition(|attempt| local_to(&locals, attempt).is_some());
    steps.extend(carried.iter().filter_map(|attempt| ExplainedStep::from(config, &locals, attempt)));
    steps.extend(left.iter().map(|attempt| ExplainedStep::without_listener(config, attempt)));
    if carried.is_empty() {
        let refusal = Refusal::NoListener { number: admitted.number.clone() };
        return Explanation { steps, outcome: Err(refusal) };
    }
    steps.extend(limits(&admitted, &carried));
    Explanation { steps, outcome: Ok(admitted) }
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
    config.listen.iter().any(|listen| Transport::from(listen.protocol) == transport)
}

impl Explanation {
    /// The exit code of the command: 0 admitted, 1 refused.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.outcome.is_err())
    }
}

/// The INVITE of the question; and what it takes for granted.
fn facts(config: &Config, question: &Question) -> (Facts, Vec<ExplainedStep>) {
    let domain = &config.gateway.domain;
    let host = match &question.connector {
        Some(id) => format!("{id}.{domain}"),
        None => domain.clone(),
    };
    let mut facts = Facts::new(question.source, question.transport, &host, &question.to);
    facts.from = Some(question.from.clone());
    facts.from_host = domain.clone();
    facts.asserted = question.asserted.clone();
    facts.diversion = question.diversion.clone();
    let mut assumed = Vec::new();
    if let Ok(Origin::Connector(connector)) = source(config, &facts).outcome {
        facts.media = if connector.encryption { OfferedMedia::Srtp } else { OfferedMedia::Plain };
        assumed.push(ExplainedStep::Assumed("the offer is what the voice connector takes"));
        if let Some(user) = connector.termination.credentials.first() {
            facts.digest = Digest::Verified(user.username.clone());
            assumed.push(ExplainedStep::Assumed("the caller answers the digest challenge rightly"));
        }
    }
    (facts, assumed)
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
            ExplainedStep::Assumed(what) => write!(f, "assumed: {what}"),
            ExplainedStep::Admission(step) => step.fmt(f),
            ExplainedStep::Route(step) => step.fmt(f),
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
            ExplainedStep::NoLimit => {
                write!(
                    f,
                    "limits: {EMERGENCY_CALLS} emergency calls at one time and no other on an emergency call"
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
                )
            }
            Err(refusal) => {
                let verdict = refusal.verdict();
                writeln!(f, "refused: {} {}", verdict.status, verdict.phrase)?;
                write!(f, "  Reason: {}", verdict.reason())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::testing::config;

    fn question(from: &str, to: &str, source: &str) -> Question {
        Question {
            from: from.to_owned(),
            asserted: Vec::new(),
            diversion: Vec::new(),
            to: to.to_owned(),
            source: source.parse().unwrap(),
            transport: Transport::Udp,
            connector: None,
            draw: 1,
        }
    }

    fn explained(question: &Question) -> (u8, String) {
        let explanation = explain(&config(), Instant::now(), question);
        (explanation.exit_code(), explanation.to_string())
    }

    #[test]
    fn an_admitted_call_is_explained_to_its_last_route() {
        let (code, text) = explained(&question("+12065550100", "+12065550123", "127.0.0.2"));
        assert_eq!(code, 0);
        insta::assert_snapshot!(text, @r"
          assumed: the offer is what the voice connector takes
          source: 127.0.0.2 over udp is listed for voice connector hq
          connector: Request-URI host vc.example.com is ours; the source means hq
          termination: on for hq
          signalling: udp; encryption is off
          media: plain RTP offered; encryption is off
          digest: no credentials are set; the allowlist alone admits
          emergency: +12065550123 are no emergency digits
          dialled: +12065550123 is E.164
          caller ID: +12065550100 of From is owned; the policy is owned
          calling plan: +12065550123 is US, in the calling plan
          denied prefixes: none matches
          premium: an ordinary number
          number: +12065550123 is not assigned here
          carrier: east takes it by 1 digit
          carrier: west takes it by 4 digits
          carrier: britain has no matching prefix
          route: carrier west at 127.0.0.6 over tcp as 12065550123
          route: carrier east at 127.0.0.3:5060 over udp as +12065550123
          route: carrier east at 127.0.1.3:5060 over udp as +12065550123
          route: west is passed over: no listener has tcp
          limits: 100 calls per second and 2000 calls at one time for voice connector hq, outbound
          limits: none for carrier east
        admitted: outbound call from +12065550100 to +12065550123, billed to voice connector hq
        ");
    }

    /// A user of its own, other parameters, another To, and a proxy on the way are told of each host that has them.
    #[test]
    fn a_host_that_is_called_otherwise_is_explained() {
        let text = r#"
            listen = [{ address = "192.0.2.10" }]
            [[voice_connector]]
            id = "office"
            termination = { allowlist = ["127.0.0.2"], calling_plan = ["US"], caller_id_policy = "any" }
            [[carrier]]
            name = "service"
            prefixes = ["+1206"]
            host = [{ host = "sip.api.example", user = "proj", to_user = "desk", uri_parameters = "user=phone" }]
            [[carrier]]
            name = "far"
            outbound_proxy = "sip:sbc.far.example:5070;lr"
            host = [{ host = "sip.far.example", port = 5080, protocol = "tls" }]
        "#;
        let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
        let asked = |to: &str| {
            let explanation = explain(&config, Instant::now(), &question("+12125550000", to, "127.0.0.2"));
            (explanation.exit_code(), explanation.to_string())
        };
        let (code, text) = asked("+12065550123");
        assert_eq!(code, 0, "{text}");
        let told = "\n  route: carrier service at sip.api.example over udp as +12065550123, \
                    Request-URI sip:proj@sip.api.example;user=phone, To sip:desk@sip.api.example\n  \
                    route: carrier far at sip.far.example:5080 as +12065550123, by way of sbc.far.example:5070 over udp\n";
        assert!(text.contains(told), "{text}");
        // The plan is on the number, whatever stands in the Request-URI.
        let (code, text) = asked("+442079460958");
        assert!(code == 1 && text.contains("GB is not in the calling plan"), "{text}");
    }

    /// From which network each host is called, and under which name.
    #[test]
    fn where_a_call_goes_out_is_explained() {
        let text = r#"
            listen = [{ address = "192.0.2.10", network = "outside" }, { address = "10.1.1.5", network = "inside" }]
            network = [{ name = "outside" }, { name = "inside", local = ["10.0.0.0/8"], media_address = "10.1.1.6" }]
            [[voice_connector]]
            id = "office"
            termination = { allowlist = ["127.0.0.2"], calling_plan = ["US"], caller_id_policy = "any" }
            [[carrier]]
            name = "east"
            host = [{ host = "10.2.3.4" }, { host = "198.51.100.1" }, { host = "2001:db8::1" }, { host = "sip.east.example" }]
            peer = { contact = "sbc.example.com:5070" }
            [[carrier]]
            name = "west"
            priority = 2
            host = [{ host = "sip.west.example" }]
        "#;
        let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
        let asked = Question { draw: 3, ..question("+12125550000", "+12065550123", "127.0.0.2") };
        let text = explain(&config, Instant::now(), &asked).to_string();
        for told in [
            "from: east is called from sbc.example.com:5070 over udp, with media at 10.1.1.6 in network inside\n",
            "from: east is called from sbc.example.com:5070 over udp, with media at 192.0.2.10 in network outside\n",
            "from: east is called from sbc.example.com over udp\n",
            "from: west is called from the listener of the network that its name leads to\n",
            "route: east is passed over: no listener has udp for its address\n",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
    }

    /// Nobody has registered in an explanation: it says what it takes for granted.
    #[test]
    fn registrations_are_taken_for_granted_and_told() {
        let text = r#"
            listen = [{ address = "192.0.2.10", protocol = "tcp" }]
            [[voice_connector]]
            id = "office"
            origination = { }
            peer = { registration = true }
            [voice_connector.termination]
            allowlist = ["127.0.0.2"]
            calling_plan = ["US"]
            credentials = [{ username = "u", password = "p" }]
            [[phone_number]]
            number = "+12065550100"
            voice_connector = "office"
            [[carrier]]
            name = "far"
            allowlist = ["127.0.0.3"]
            register = { user = "trunk", domain = "far.example", password = "p" }
            host = [{ host = "sip.far.example", protocol = "tcp" }]
        "#;
        let (config, _) = Config::parse(text, std::path::Path::new("f.toml")).unwrap();
        let asked = |from: &str, to: &str, source: &str| {
            let asked = Question { transport: Transport::Tcp, ..question(from, to, source) };
            explain(&config, Instant::now(), &asked).to_string()
        };
        let inbound = asked("+12125550000", "+12065550100", "127.0.0.3");
        for line in [
            "  assumed: a system of the voice connector has registered\n",
            "  registered: voice connector office has 1 contact\n",
            "  routes: voice connector office has none that can be reached\n",
            "  route: voice connector office at whatever contact has registered as +12065550100\n",
        ] {
            assert!(inbound.contains(line), "{line} in {inbound}");
        }
        let outbound = asked("+12065550100", "+12065550123", "127.0.0.2");
        let line = "  assumed: the carriers that want it have registered the gateway\n";
        assert!(outbound.contains(line), "{outbound}");
    }

    #[test]
    fn the_caller_is_explained_wherever_he_is_named() {
        let asked = Question {
            asserted: vec!["desk".to_owned(), "+12065550100".to_owned()],
            ..question("200", "+12065550123", "127.0.0.2")
        };
        let (code, text) = explained(&asked);
        assert_eq!(code, 0, "{text}");
        let steps = "  caller ID: desk of P-Asserted-Identity is not E.164 with +\n  \
                     caller ID: +12065550100 of P-Asserted-Identity is owned; the policy is owned\n";
        assert!(text.contains(steps), "{text}");
        let forwarded = Question {
            diversion: vec!["+12065550101".to_owned()],
            connector: Some("two".to_owned()),
            ..question("+12125550000", "+12065550123", "127.0.0.9")
        };
        let (code, text) = explained(&forwarded);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("is not owned, sent on by +12065550101 of Diversion; the policy is forwarded"));
    }

    #[test]
    fn a_refused_call_is_explained_to_the_step_that_refused_it() {
        let (code, text) = explained(&question("+12125550000", "+12065550123", "127.0.0.2"));
        assert_eq!(code, 1);
        let end = "  caller ID: +12125550000 of From is not owned; the policy is owned\n\
                   refused: 403 Caller Id +12125550000 is not valid\n  \
                   Reason: SIP;cause=403;text=\"Caller Id +12125550000 is not valid\"";
        assert!(text.ends_with(end), "{text}");
    }

    /// Each cause that a question can meet, by the words that the caller would hear.
    #[test]
    fn every_refusal_is_explained_with_its_true_cause() {
        let to = |to: &str| question("+12065550100", to, "127.0.0.2");
        let named =
            |connector: &str, question: Question| Question { connector: Some(connector.into()), ..question };
        for (question, step, refused) in [
            (to("112"), "emergency: ", "404 No emergency entry for 112"),
            (to("2065550123"), "dialled: ", "484 2065550123 is not an E.164 number with +"),
            (to("+18765550123"), "denied prefixes: ", "403 Prefix +1876 is denied: +18765550123"),
            (to("+442079460958"), "calling plan: ", "403 GB is not in the calling plan: +442079460958"),
            (to("+21012345678"), "calling plan: ", "403 No country has the number +21012345678"),
            (to("+12065550102"), "origination: ", "403 Origination is off for voice connector off"),
            (to("+12065550198"), "origination: ", "403 Origination is off for voice connector off"),
            (
                question("anonymous", "+12065550123", "127.0.0.2"),
                "caller ID: ",
                "403 Caller Id anonymous is not valid",
            ),
            (
                question("+12065550102", "+12065550123", "127.0.0.8"),
                "termination: ",
                "403 Termination is off for voice connector off",
            ),
            (
                question("+12125550000", "+12065550123", "127.0.0.9"),
                "connector: ",
                "404 Several voice connectors list 127.0.0.9, call one by its host name",
            ),
            (
                named("nobody", to("+12065550123")),
                "connector: ",
                "404 No voice connector at nobody.vc.example.com",
            ),
            (
                named("one", to("+12065550123")),
                "connector: ",
                "403 Source 127.0.0.2 is not listed for voice connector one",
            ),
            (
                named("one", question("+12065550103", "+12065550123", "127.0.0.9")),
                "route: west is passed over",
                "503 No listener has the transport of any route to +12065550123",
            ),
        ] {
            let (code, text) = explained(&question);
            assert_eq!(code, 1, "{text}");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let [.., told, last, _] = lines.as_slice() else { panic!("{text}") };
            assert_eq!(*last, format!("refused: {refused}"), "{text}");
            assert!(told.starts_with(step), "{told}\n{text}");
        }
        let (_, text) = explained(&to("+19005550123"));
        assert!(text.contains("refused: 403 Premium numbers are not allowed: +19005550123"), "{text}");
    }

    #[test]
    fn the_explanation_says_what_the_call_would_hear() {
        for (question, code, last) in [
            (
                question("1001", "911", "127.0.0.2"),
                0,
                "admitted: emergency call from 1001 to +15105550111, billed to voice connector hq",
            ),
            (
                question("+12125550000", "+12065550100", "127.0.0.3"),
                0,
                "admitted: inbound call from +12125550000 to +12065550100, billed to voice connector hq",
            ),
            (
                question("x", "+12065550100", "127.0.0.10"),
                0,
                "admitted: on-net call from +12065550107 to +12065550100, billed to voice connector free",
            ),
            (
                question("+12065550104", "+12125550123", "127.0.0.7"),
                0,
                "admitted: outbound call from +12065550104 to +12125550123, billed to voice connector digest",
            ),
            (question("x", "+12125550123", "192.0.2.1"), 1, "refused: 403 Source 192.0.2.1 is not listed"),
            (
                question("x", "+12125550123", "127.0.0.5"),
                1,
                "refused: 403 Voice connector locked takes TLS only, not udp",
            ),
            (
                question("x", "+12125550123", "127.0.0.3"),
                1,
                "refused: 404 Number +12125550123 is not assigned",
            ),
            (
                Question {
                    connector: Some("two".into()),
                    ..question("+12065550101", "+12125550123", "127.0.0.9")
                },
                0,
                "admitted: outbound call from +12065550101 to +12125550123, billed to voice connector two",
            ),
        ] {
            let (found, text) = explained(&question);
            assert_eq!(found, code, "{text}");
            assert!(text.lines().any(|line| line == last), "{last}\n{text}");
        }
        let locked =
            Question { transport: Transport::Tls, ..question("+12065550105", "+12125550123", "127.0.0.5") };
        let (code, text) = explained(&locked);
        assert_eq!(code, 0);
        assert!(text.contains("assumed: a listener has tls, and none does\n"), "{text}");
    }
}
