//! From a request to its page: who asks, whether a page of ours sent it, and which page it is for.

use api::access::ConsoleAction;
use api::{Failure, Insider, Key, Operation, Request, Response};
use inventory::Timestamp;
use serde_json::Value;
use time::OffsetDateTime;

use crate::form::{Form, decoded};
use crate::guard::{self, Stranger};
use crate::session::{self, Session};
use crate::{Console, page, respond};

/// What a page knows of its request.
pub struct Cx<'a> {
    pub console: &'a Console,
    pub session: Session,
    /// Whose key it is.
    pub user: String,
    request: Request<'a>,
    pub query: Form,
    /// Of a POST.
    pub form: Form,
    pub now: OffsetDateTime,
}

/// What comes of a page.
pub type Done = Result<Response, Failure>;

impl Cx<'_> {
    pub fn insider(&self) -> Insider<'_> {
        Insider {
            key: &self.session.key,
            source: self.request.source,
            agent: self.request.header("user-agent").unwrap_or_default(),
        }
    }

    /// Does an operation of the API, or reads by one.
    pub fn operate(&self, operation: Operation, path: &[&str], input: Value) -> Result<Value, Failure> {
        self.console.api.operate(&self.insider(), operation, path, input, self.now)
    }

    /// Whether it would be allowed.
    pub fn may(&self, operation: Operation, path: &[&str]) -> bool {
        self.console.api.may(&self.insider(), operation, path, self.now)
    }

    /// Whether it would be allowed, for whoever must look at something before it can be asked for; a denial is on record.
    pub fn ask(&self, operation: Operation, path: &[&str]) -> Result<(), Failure> {
        self.console.api.ask(&self.insider(), operation, path, self.now)
    }

    /// Whether what no operation of the API stands for would be allowed.
    pub fn allows(&self, action: ConsoleAction) -> bool {
        self.require(action).is_ok()
    }

    pub fn require(&self, action: ConsoleAction) -> Result<(), Failure> {
        self.console.api.allow(&self.insider(), action, self.now)
    }

    pub fn when(&self) -> Timestamp {
        let milliseconds = self.now.unix_timestamp_nanos() / 1_000_000;
        Timestamp(u64::try_from(milliseconds).unwrap_or(0))
    }

    /// The path of the page.
    pub fn path(&self) -> &str {
        self.request.path
    }
}

pub fn handle(console: &Console, request: &Request<'_>, now: OffsetDateTime) -> Response {
    let below = request.path.strip_prefix("/console").unwrap_or(request.path);
    let parts: Vec<String> = below.split('/').skip(1).map(|part| decoded(part.as_bytes(), false)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method, parts.as_slice()) {
        ("GET" | "HEAD", ["style.css"]) => return respond::asset("text/css; charset=utf-8", page::STYLE),
        ("GET" | "HEAD", ["icon.svg"]) => return respond::asset("image/svg+xml", page::ICON),
        ("GET" | "HEAD" | "POST", _) => {}
        _ => return page::plain(405, "This page is read with GET and sent with POST."),
    }
    let form = if request.method == "POST" {
        if let Err(stranger) = guard::check(request) {
            return page::plain(403, stranger.sentence());
        }
        Form::read(request.body)
    } else {
        Form::default()
    };
    if let ("POST", ["login"]) = (request.method, parts.as_slice()) {
        return log_in(console, request, &form, now);
    }
    let token = session::token(request, console.settings.secure);
    let session = token.and_then(|token| console.sessions().used(token, now));
    let known = session.and_then(|session| Some((key_of(console, request, &session, now)?, session)));
    let Some((key, session)) = known else {
        return match (request.method, parts.as_slice()) {
            ("POST", _) => page::login(401, Some("You are logged out: log in, and send it again."), ""),
            (_, [] | ["" | "login"]) => page::login(200, None, ""),
            _ => page::login(401, None, request.path),
        };
    };
    if request.method == "POST" && !session.is_own_form(form.text("form")) {
        return page::plain(
            403,
            "This form is not of this session: go back, reload the page, and send it again.",
        );
    }
    if let ("POST", ["logout"]) = (request.method, parts.as_slice()) {
        if let Some(token) = token {
            console.sessions().end(token);
        }
        let mut response = respond::see_other("/console/login");
        response.headers.push(("set-cookie", session::cookie(console.settings.secure, "")));
        response.headers.push(("clear-site-data", "\"cache\"".to_owned()));
        return response;
    }
    let query = Form::read(request.query.as_bytes());
    let cx = Cx { console, session, user: key.user, request: *request, query, form, now };
    page::of(&cx, request.method == "POST", &parts)
}

fn key_of(console: &Console, request: &Request<'_>, session: &Session, now: OffsetDateTime) -> Option<Key> {
    let insider = Insider { key: &session.key, source: request.source, agent: "" };
    console.api.key_of(&insider, now)
}

fn log_in(console: &Console, request: &Request<'_>, form: &Form, now: OffsetDateTime) -> Response {
    if !console.tries().may(request.source, now) {
        return page::login(429, Some("Too many wrong tries from your address: wait a minute."), "");
    }
    let (id, secret) = (form.text("key"), form.text("secret"));
    if console.api.prove_secret(id, secret, now).is_none() {
        console.tries().failed(request.source, now);
        return page::login(403, Some("No such key, another secret, or it has expired."), form.text("to"));
    }
    let token = console.random() + &console.random();
    console.sessions().begin(&token, id, console.random(), now);
    let to = Some(form.text("to")).filter(|to| is_own_path(to)).unwrap_or("/");
    let mut response = respond::see_other(to);
    response.headers.push(("set-cookie", session::cookie(console.settings.secure, &token)));
    response
}

/// Whether one may be sent there after a log-in: a page of ours, in plain letters.
fn is_own_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%/+".contains(&byte);
    path.starts_with("/console/") && path.bytes().all(plain) && !path.contains("//")
}

impl Stranger {
    fn sentence(self) -> &'static str {
        match self {
            Stranger::OtherSite => {
                "This form was not sent by a page of this console: go back and reload the page."
            }
            Stranger::NoForm => "This is no form.",
        }
    }
}
