//! A SIPp scenario, written as the ladder of one side.

use std::fmt::{Display, Write};

/// Which side of the call SIPp is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Caller,
    Callee,
}

/// SIPp sends it again until it is answered: T1.
const REPEATED: &str = r#" retrans="500""#;

/// What one side sends and expects, in order. Numbers it calls and calls from are SIPp's `-s` and `-key from`.
///
/// A callee answers OPTIONS outside of calls, which SIPp counts as one more call that succeeded.
#[derive(Clone)]
pub struct Script {
    side: Side,
    steps: Vec<String>,
    /// The caller's display name.
    name: String,
    /// Our CSeq of the last request.
    cseq: u32,
    /// The step that sent the INVITE that CANCEL and ACK belong to, and its CSeq.
    invite: usize,
    invite_cseq: u32,
    /// What was received last.
    received: String,
    /// What a request was answered last.
    answered: u16,
    confirmed: bool,
    /// Variables of what was [kept](Script::keep).
    kept: Vec<String>,
    /// What ends every call.
    last: String,
}

/// The offer or answer of both sides, with a direction of its own if any.
pub fn sdp(direction: Option<&str>) -> String {
    let direction = direction.map(|direction| format!("a={direction}\n")).unwrap_or_default();
    format!(
        "v=0\no=- 53655765 2353687637 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\n\
         t=0 0\nm=audio [media_port] RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\n\
         a=fmtp:101 0-15\n{direction}"
    )
}

/// [`sdp`] as the lines of a message from Content-Type on.
pub fn with_sdp(direction: Option<&str>) -> String {
    body("application/sdp", &sdp(direction))
}

/// The lines of a message from Content-Type on.
pub fn body(content_type: &str, body: &str) -> String {
    format!("Content-Type: {content_type}\nContent-Length: [len]\n\n{body}")
}

/// No body.
pub const EMPTY: &str = "Content-Length: 0\n\n";

impl Script {
    pub fn caller() -> Script {
        Script::new(Side::Caller)
    }

    /// Begins with the INVITE that it receives.
    pub fn callee() -> Script {
        let mut script = Script::new(Side::Callee);
        script.steps.push(r#"<recv request="OPTIONS" optional="true" next="probe"/>"#.to_owned());
        let keep = |header, variable| {
            format!(r#"<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{variable}"/>"#)
        };
        let actions = [keep("From", "remote"), keep("To", "local"), keep("CSeq", "cseq"), keep("Via", "via")];
        script.received = "INVITE".to_owned();
        script.step(format!(
            r#"<recv request="INVITE" rrs="true"><action>{}</action></recv>"#,
            actions.concat()
        ))
    }

    /// A caller until its ACK.
    pub fn connects() -> Script {
        Script::caller().invite(&with_sdp(None)).optional(100).optional(180).expect(200).ack()
    }

    /// A callee until the ACK.
    pub fn answers() -> Script {
        Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None)).expect("ACK")
    }

    /// Ends the call after a moment, in which also a busy disk has taken the answer down.
    pub fn hangs_up(self) -> Script {
        self.pause(800).request("BYE", EMPTY).expect(200)
    }

    pub fn gets_hung_up_on(self) -> Script {
        self.expect("BYE").answer(200, "OK", EMPTY)
    }

    fn new(side: Side) -> Script {
        let [received, last] = [String::new(), "<nop/>".to_owned()];
        let (steps, kept) = (Vec::new(), Vec::new());
        let [cseq, invite_cseq] = [0, 0];
        Script {
            side,
            steps,
            name: "A caller".to_owned(),
            cseq,
            invite: 0,
            invite_cseq,
            received,
            answered: 0,
            confirmed: false,
            kept,
            last,
        }
    }

    fn step(mut self, step: impl Into<String>) -> Script {
        self.steps.push(step.into());
        self
    }

    /// Sends lines of a message; [`REPEATED`] where the peer answers it.
    fn send(self, attributes: &str, message: &str) -> Script {
        self.step(format!("<send{attributes}>\n<![CDATA[\n{}\n]]>\n</send>", message.trim_end_matches(' ')))
    }

    /// The headers of a request of ours: start line to Max-Forwards.
    fn head(&self, method: &str, uri: &str, to_tag: &str, branch: &str) -> String {
        let cseq = if matches!(method, "ACK" | "CANCEL") { self.invite_cseq } else { self.cseq };
        let number = if self.side == Side::Caller { "pbx" } else { "carrier" };
        let (from, to) = match self.side {
            Side::Caller => (
                format!(
                    "From: \"{}\" <sip:[from]@[local_ip]:[local_port]>;tag=[pid]-a-[call_number]",
                    self.name
                ),
                format!("To: <sip:[service]@[remote_ip]:[remote_port]>{to_tag}"),
            ),
            Side::Callee => ("From:[$local];tag=[pid]-b-[call_number]".to_owned(), "To:[$remote]".to_owned()),
        };
        format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n{from}\n{to}\n\
             Call-ID: [call_id]\nCSeq: {cseq} {method}\n\
             Contact: <sip:{number}@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n"
        )
    }

    /// The caller's display name, which the callee is shown.
    pub fn named(self, name: &str) -> Script {
        Script { name: name.to_owned(), ..self }
    }

    /// The INVITE that begins the call, with what follows Max-Forwards.
    pub fn invite(mut self, rest: &str) -> Script {
        self.cseq += 1;
        (self.invite, self.invite_cseq) = (self.steps.len(), self.cseq);
        let head = self.head("INVITE", "sip:[service]@[remote_ip]:[remote_port]", "", "[branch]");
        self.send(REPEATED, &format!("{head}{rest}"))
    }

    /// A request inside the dialog, with what follows Max-Forwards.
    pub fn request(mut self, method: &str, rest: &str) -> Script {
        self.cseq += 1;
        if method == "INVITE" {
            (self.invite, self.invite_cseq) = (self.steps.len(), self.cseq);
        }
        let head = self.head(method, "[next_url]", "[peer_tag_param]", "[branch]");
        self.send(REPEATED, &format!("{head}[routes]\n{rest}"))
    }

    /// The ACK of a 2xx.
    pub fn ack(self) -> Script {
        self.ack_with(EMPTY)
    }

    /// The ACK of a 2xx, with what follows Max-Forwards.
    pub fn ack_with(mut self, rest: &str) -> Script {
        self.confirmed = true;
        let head = self.head("ACK", "[next_url]", "[peer_tag_param]", "[branch]");
        self.send("", &format!("{head}[routes]\n{rest}"))
    }

    /// The ACK of a failure of the INVITE that began the call.
    pub fn ack_failure(self) -> Script {
        let branch = self.invite_branch();
        let head = self.head("ACK", "sip:[service]@[remote_ip]:[remote_port]", "[peer_tag_param]", &branch);
        self.send("", &format!("{head}{EMPTY}"))
    }

    /// The ACK of a failure of an INVITE inside the dialog.
    pub fn ack_refused(self) -> Script {
        let branch = self.invite_branch();
        let head = self.head("ACK", "[next_url]", "[peer_tag_param]", &branch);
        self.send("", &format!("{head}[routes]\n{EMPTY}"))
    }

    /// Sends the INVITE that begins the call once more, as the network might.
    pub fn again(mut self) -> Script {
        let branch = self.invite_branch();
        let Some(invite) = self.steps.get_mut(self.invite) else { return self };
        // SIPp sends nothing else while it waits to repeat a message by itself.
        *invite = invite.replace(REPEATED, "");
        let again = invite.replace("branch=[branch]", &format!("branch={branch}"));
        self.step(again)
    }

    pub fn cancel(self) -> Script {
        let branch = self.invite_branch();
        let head = self.head("CANCEL", "sip:[service]@[remote_ip]:[remote_port]", "", &branch);
        self.send(REPEATED, &format!("{head}{EMPTY}"))
    }

    /// SIPp's branch says which step sent it; this is that of the INVITE, said from here.
    fn invite_branch(&self) -> String {
        format!("[branch-{}]", self.steps.len() - self.invite)
    }

    /// Answers what was received last, with what follows CSeq.
    pub fn answer(mut self, status: u16, reason: &str, rest: &str) -> Script {
        self.answered = status;
        let begins = self.received == "INVITE" && !self.confirmed && self.side == Side::Callee;
        let tag = if begins { ";tag=[pid]-b-[call_number]" } else { "" };
        let attributes = match self.received == "INVITE" {
            true if status >= 200 => REPEATED,
            // A SIPp that loses all that it says at first never says it again, however often it is asked.
            true => r#" lost="0""#,
            false => "",
        };
        self.send(
            attributes,
            &format!(
                "SIP/2.0 {status} {reason}\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:]{tag}\n\
                 [last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[local_ip]:[local_port];transport=[transport]>\n{rest}"
            ),
        )
    }

    /// Answers the INVITE that began the call, whatever was received since.
    pub fn answer_invite(mut self, status: u16, reason: &str, rest: &str) -> Script {
        self.answered = status;
        self.send(
            REPEATED,
            &format!(
                "SIP/2.0 {status} {reason}\nVia:[$via]\nFrom:[$remote]\nTo:[$local];tag=[pid]-b-[call_number]\n\
                 [last_Call-ID:]\nCSeq:[$cseq]\nContact: <sip:[local_ip]:[local_port];transport=[transport]>\n{rest}"
            ),
        )
    }

    /// Waits for a request by its method, or for a response by its status.
    pub fn expect(self, what: impl Display) -> Script {
        self.receive(&what.to_string(), r#"rrs="true""#)
    }

    /// Takes it if it comes before the next that is expected.
    pub fn optional(self, what: impl Display) -> Script {
        self.receive(&what.to_string(), r#"optional="true""#)
    }

    /// Waits for a challenge, which the next INVITE answers by `[authentication]`.
    pub fn challenge(self, status: u16) -> Script {
        self.receive(&status.to_string(), r#"auth="true""#)
    }

    fn receive(mut self, what: &str, attributes: &str) -> Script {
        what.clone_into(&mut self.received);
        self.confirmed |= what == "ACK" && self.answered < 300;
        let kind =
            if what.starts_with(|first: char| first.is_ascii_digit()) { "response" } else { "request" };
        self.step(format!(r#"<recv {kind}="{what}" {attributes}><action></action></recv>"#))
    }

    /// What was just waited for comes within so many milliseconds, or it goes on at a [label](Script::label).
    pub fn within(mut self, milliseconds: u32, label: &str) -> Script {
        if let Some(step) = self.steps.last_mut() {
            let limit = format!(r#"<recv timeout="{milliseconds}" ontimeout="{label}" "#);
            *step = step.replacen("<recv ", &limit, 1);
        }
        self
    }

    /// Goes on at a [label](Script::label).
    pub fn goes_to(self, label: &str) -> Script {
        self.step(format!(r#"<nop next="{label}"/>"#))
    }

    pub fn label(self, label: &str) -> Script {
        self.step(format!(r#"<label id="{label}"/>"#))
    }

    /// What was received last must match an extended regular expression.
    pub fn matching(self, expression: &str) -> Script {
        self.check(expression, r#"check_it="true""#)
    }

    /// What was received last must not match it.
    pub fn without(self, expression: &str) -> Script {
        self.check(expression, r#"check_it_inverse="true""#)
    }

    /// The first number in a header of what was received last is `[$variable]` from now on.
    pub fn keep(mut self, header: &str, variable: &str) -> Script {
        self.kept.push(variable.to_owned());
        self.act(&format!(
            r#"<ereg regexp="[0-9]+" search_in="hdr" header="{header}:" check_it="true" assign_to="{variable}"/>"#
        ))
    }

    fn check(self, expression: &str, how: &str) -> Script {
        let expression = expression.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        self.act(&format!(r#"<ereg regexp="{expression}" search_in="msg" {how} assign_to="match"/>"#))
    }

    fn act(mut self, action: &str) -> Script {
        if let Some(step) = self.steps.last_mut() {
            *step = step.replacen("<action>", &format!("<action>{action}"), 1);
        }
        self
    }

    /// Waits so many milliseconds.
    pub fn pause(self, milliseconds: u32) -> Script {
        self.step(format!(r#"<pause milliseconds="{milliseconds}"/>"#))
    }

    /// Waits for any number of milliseconds between these.
    pub fn pause_between(self, min: u32, max: u32) -> Script {
        self.step(format!(r#"<pause distribution="uniform" min="{min}" max="{max}"/>"#))
    }

    /// Repeats its last message for so many milliseconds after the call, whenever it is asked again.
    pub fn linger(mut self, milliseconds: u32) -> Script {
        self.last = format!(r#"<timewait milliseconds="{milliseconds}"/>"#);
        self
    }

    /// Waits as long as the run says.
    pub fn hold(self) -> Script {
        self.step("<pause/>")
    }

    /// Has SIPp do something of its own: the inside of an `<exec/>`.
    pub fn exec(self, what: &str) -> Script {
        self.step(format!("<nop><action><exec {what}/></action></nop>"))
    }

    /// The scenario as SIPp reads it.
    pub fn xml(self, name: &str) -> String {
        let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"{name}\">\n");
        for step in &self.steps {
            let _ = writeln!(xml, "{step}");
        }
        if self.side == Side::Callee {
            xml.push_str("<nop next=\"end\"/>\n<label id=\"probe\"/>\n");
            let mut probe = Script::new(Side::Callee);
            probe.received = "OPTIONS".to_owned();
            xml.push_str(&probe.answer(200, "OK", EMPTY).steps.concat());
            xml.push_str("\n<label id=\"end\"/>\n<Reference variables=\"remote,local,cseq,via\"/>\n");
        }
        xml.push_str(&self.last);
        if xml.contains("assign_to=\"match\"") {
            xml.push_str("<Reference variables=\"match\"/>\n");
        }
        for variable in &self.kept {
            let _ = writeln!(xml, "<Reference variables=\"{variable}\"/>");
        }
        xml + "</scenario>\n"
    }
}
