//! The one door: who asks, for what, whether that may be, and what comes of it.
//!
//! Whoever is proved otherwise than by a signature comes in by [`inside`].

mod inside;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inventory::Inventory;
use ring::hmac;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Builder;

use crate::access::{Asked, Decision, Kept, decide};
use crate::audit::{Facts, Identity, Record, parameters};
use crate::error::{ApiError, Kind};
use crate::operation::{Fate, Operation, Routed, Row, route};
use crate::serve::{Call, request_tags, resources, serve};
use crate::shape::check::{Faults, check};
use crate::shape::{Member, Shape};
use crate::sigv4::replay::{Replays, Seen};
use crate::sigv4::{Claim, Unproven, query_pairs};
use crate::throttle::Throttle;
use crate::{Grant, Host, Key, MAX_BODY, Request, Response, json};

pub use inside::{Failure, Insider};

/// How the API is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What stands before every path; empty, or with a slash in front and none behind. Default: empty.
    pub base_path: String,
    /// A connector answers to `<id>.<domain>`.
    pub domain: String,
    /// The gateway's own.
    pub region: String,
    /// Twelve digits, in ARNs and audit records.
    pub account: String,
    /// Requests a second of a key. Default: 100.
    pub rate: u32,
    /// How many of a key may come at once. Default: 200.
    pub burst: u32,
    /// Whether what only reads leaves a record, too. Default: false.
    pub audit_reads: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            base_path: String::new(),
            domain: "localhost".to_owned(),
            region: "local".to_owned(),
            account: "000000000000".to_owned(),
            rate: 100,
            burst: 200,
            audit_reads: false,
        }
    }
}

/// The API. Shared by threads; a call that changes something returns when that is stored.
pub struct Api {
    settings: Settings,
    inventory: Arc<Inventory>,
    host: Arc<dyn Host>,
    replays: Mutex<Replays>,
    throttle: Mutex<Throttle>,
    policies: Kept,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Who asks, once that is proved.
struct Caller {
    /// The key's id.
    id: String,
    /// The region that the request is for.
    region: String,
    /// The signature; none: the caller is proved otherwise.
    claim: Option<Claim>,
    key: Key,
}

impl Api {
    /// - `now`: changes that were signed before are refused, since another process may have taken them.
    #[must_use]
    pub fn new(
        settings: Settings,
        inventory: Arc<Inventory>,
        host: Arc<dyn Host>,
        now: OffsetDateTime,
    ) -> Api {
        Api {
            replays: Mutex::new(Replays::new(now)),
            throttle: Mutex::new(Throttle::new(settings.rate, settings.burst)),
            policies: Kept::default(),
            settings,
            inventory,
            host,
        }
    }

    /// Does what a request asks for. Never fails: what comes to nothing has a response that says why.
    #[must_use]
    pub fn handle(&self, request: &Request<'_>, now: OffsetDateTime) -> Response {
        let routed = route(request, &self.settings.base_path);
        let changes = routed.as_ref().is_none_or(|routed| routed.row.changes());
        let id = self.uuid();
        let mut response = match self.prove(request, now, changes) {
            Err(error) => error.response(),
            Ok(caller) => self.answer(&caller, request, routed.as_ref(), &id, now),
        };
        response.headers.push(("x-amzn-requestid", id));
        response
    }

    /// What a client hears whose body is longer than [`MAX_BODY`]; the host read no further.
    #[must_use]
    pub fn too_long(&self) -> Response {
        let mut response = too_long().response();
        response.headers.push(("x-amzn-requestid", self.uuid()));
        response
    }

    fn uuid(&self) -> String {
        Builder::from_random_bytes(self.host.random()).into_uuid().to_string()
    }

    /// The response to a proven caller, and the record of the call.
    fn answer(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        routed: Option<&Routed>,
        id: &str,
        now: OffsetDateTime,
    ) -> Response {
        // What its rate refuses and what is no operation changes nothing: whoever repeats it does not fill the journal.
        let Some(routed) = routed else {
            let message = "There is no such operation: check method, path and query.";
            return self
                .count(caller, now)
                .err()
                .unwrap_or_else(|| ApiError::new(Kind::NotFound, message))
                .response();
        };
        if let Err(error) = self.admit(caller, routed, now) {
            return error.response();
        }
        let mut input = Map::new();
        let result = read_input(routed.row, request).and_then(|read| {
            input = read;
            self.perform(caller, request, routed, &input, now)
        });
        if routed.row.changes() || self.settings.audit_reads {
            let facts = self.facts(caller, request, routed, &input, now);
            self.keep(facts, &result, id);
        }
        match result {
            Err(error) => error.response(),
            Ok(_) if routed.row.status == 204 => {
                Response { status: 204, headers: Vec::new(), body: Vec::new() }
            }
            Ok(output) => Response {
                status: routed.row.status,
                headers: vec![("content-type", "application/json".to_owned())],
                body: output.to_string().into_bytes(),
            },
        }
    }

    /// Keeps the record of a call.
    fn keep(&self, facts: Facts, result: &Result<Value, ApiError>, id: &str) {
        let error = result.as_ref().err().map(|error| (error.kind.names().1, error.message.as_str()));
        let elements = result.as_ref().ok().filter(|_| facts.changes);
        self.host.record(Record::new(facts, elements, error, id.to_owned(), self.uuid()));
    }

    /// Whether a key may ask for more now, and whether a change is none that was taken already.
    fn admit(&self, caller: &Caller, routed: &Routed, now: OffsetDateTime) -> Result<(), ApiError> {
        let claim = caller.claim.as_ref().filter(|_| routed.row.changes());
        // Whoever repeats what it has overheard takes nothing of the key's rate.
        if claim.is_some_and(|claim| self.replays().has(claim)) {
            return Err(taken_before());
        }
        self.count(caller, now)?;
        match claim.map_or(Seen::New, |claim| self.replays().take(claim, now)) {
            Seen::New => Ok(()),
            Seen::Before => Err(taken_before()),
            Seen::NoRoom => Err(ApiError::throttled("Rate of changes exceeded.", 1000)),
        }
    }

    fn replays(&self) -> MutexGuard<'_, Replays> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more request of a key.
    fn count(&self, caller: &Caller, now: OffsetDateTime) -> Result<(), ApiError> {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.take(&caller.id, now).map_err(|wait| ApiError::throttled("Rate exceeded.", wait))
    }

    /// Does an operation with an input that was checked, if the caller may.
    fn perform(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        routed: &Routed,
        input: &Map<String, Value>,
        now: OffsetDateTime,
    ) -> Result<Value, ApiError> {
        let (call, row) = (self.call(routed, input, now), routed.row);
        self.permit(caller, request, &call)?;
        match row.fate {
            Fate::Served => {}
            Fate::Gone => {
                let message = format!("{} was ended for everybody and is not served.", row.operation.name());
                return Err(ApiError::new(Kind::Gone, message));
            }
            Fate::Lacks(capability) => {
                let message = format!("{}: this gateway has no {capability} yet.", row.operation.name());
                return Err(ApiError::new(Kind::ServiceUnavailable, message));
            }
        }
        serve(&call)
    }

    fn call<'a>(
        &'a self,
        routed: &'a Routed,
        input: &'a Map<String, Value>,
        now: OffsetDateTime,
    ) -> Call<'a> {
        Call {
            operation: routed.row.operation,
            parameters: &routed.parameters,
            input,
            now,
            inventory: &self.inventory,
            host: self.host.as_ref(),
            settings: &self.settings,
        }
    }

    /// Who asks, if the signature proves it.
    fn prove(&self, request: &Request<'_>, now: OffsetDateTime, changes: bool) -> Result<Caller, ApiError> {
        if request.body.len() > MAX_BODY {
            return Err(too_long());
        }
        let claim = Claim::read(request)?;
        let key = self.host.key(&claim.key);
        // Without a key there is as much work, so that the time does not tell which keys there are.
        let proved = claim.verify(request, key.as_ref().map_or("", |key| &key.secret));
        let key = key.filter(|key| key.expires.is_none_or(|expires| now < expires)).ok_or(Unproven::Wrong)?;
        proved?;
        if !same(key.token.as_deref().map(String::as_str), claim.token.as_deref()) {
            return Err(Unproven::Wrong.into());
        }
        claim.check_time(now, changes)?;
        Ok(Caller { id: claim.key.clone(), region: claim.region.clone(), claim: Some(claim), key })
    }

    /// Whether the caller's policies allow it, for each resource.
    fn permit(&self, caller: &Caller, request: &Request<'_>, call: &Call<'_>) -> Result<(), ApiError> {
        if caller.key.grant == Grant::Root {
            return Ok(());
        }
        let (action, tags) = (call.operation.action(), request_tags(call.input));
        for resource in resources(call, &caller.region) {
            let asked = Asked {
                action: &action,
                resource: &resource.arn,
                source: request.source,
                resource_tags: &resource.tags,
                request_tags: &tags,
            };
            self.decide(&caller.key, &asked)?;
        }
        Ok(())
    }

    /// Whether a key may do one thing to one resource.
    fn decide(&self, key: &Key, asked: &Asked<'_>) -> Result<(), ApiError> {
        let Grant::Policies(texts) = &key.grant else { return Ok(()) };
        let policies: Result<Vec<_>, _> = texts.iter().map(|text| self.policies.policy(text)).collect();
        match policies {
            Ok(policies) if decide(policies.iter().map(Arc::as_ref), asked) == Decision::Allowed => Ok(()),
            _ => {
                let user = self.user_arn(key);
                let message = format!("User: {user} is not authorized to perform: {}", asked.action);
                Err(ApiError::new(Kind::AccessDenied, message))
            }
        }
    }

    fn user_arn(&self, key: &Key) -> String {
        let account = &self.settings.account;
        match key.grant {
            Grant::Root => format!("arn:aws:iam::{account}:root"),
            Grant::Policies(_) => format!("arn:aws:iam::{account}:user/{}", key.user),
        }
    }

    fn facts(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        routed: &Routed,
        input: &Map<String, Value>,
        now: OffsetDateTime,
    ) -> Facts {
        let row = routed.row;
        let hide_address = row.operation == Operation::ValidateE911Address;
        let said = parameters(routed.named_parameters(), row.input, input, hide_address);
        let facts = self.facts_of(caller, request, row.operation.name(), said, now);
        Facts { changes: row.changes(), ..facts }
    }

    /// The same of what no operation stands for.
    fn facts_of(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        name: String,
        parameters: Value,
        now: OffsetDateTime,
    ) -> Facts {
        let Caller { id, region, key, .. } = caller;
        Facts {
            identity: Identity {
                kind: if key.grant == Grant::Root { "Root" } else { "IAMUser" },
                principal_id: id.clone(),
                arn: self.user_arn(key),
                account_id: self.settings.account.clone(),
                access_key_id: id.clone(),
                user_name: key.user.clone(),
                session_context: Value::Null,
            },
            name,
            region: region.clone(),
            source: request.source,
            agent: request.header("user-agent").map(str::to_owned),
            parameters,
            changes: true,
            at: now,
        }
    }
}

fn taken_before() -> ApiError {
    ApiError::throttled(
        "This very request was taken before: sign it anew, in another second, to have it done again.",
        1000,
    )
}

fn too_long() -> ApiError {
    ApiError::new(Kind::BadRequest, format!("The body is longer than {MAX_BODY} bytes."))
}

impl From<Unproven> for ApiError {
    fn from(unproven: Unproven) -> ApiError {
        ApiError::new(Kind::UnauthorizedClient, unproven.to_string())
    }
}

/// Whether two texts are the same, in a time that does not tell where they differ.
fn same(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"same");
            hmac::verify(&key, other.as_bytes(), hmac::sign(&key, one.as_bytes()).as_ref()).is_ok()
        }
        _ => false,
    }
}

/// Body and query as one object, checked.
fn read_input(row: &Row, request: &Request<'_>) -> Result<Map<String, Value>, ApiError> {
    let mut input = json::parse(request.body).map_err(|problem| ApiError::new(Kind::BadRequest, problem))?;
    for member in row.input {
        read_query(member, request, &mut input)?;
    }
    let mut faults = Faults::default();
    check(row.input, &input, "", &mut faults);
    match faults.message() {
        Some(message) => Err(ApiError::new(Kind::BadRequest, message)),
        None => Ok(input),
    }
}

fn read_query(
    member: &Member,
    request: &Request<'_>,
    input: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    let Some(query) = member.query else { return Ok(()) };
    input.remove(member.name);
    let Some((_, value)) = query_pairs(request.query).find(|(name, _)| name == query.as_bytes()) else {
        return Ok(());
    };
    let text = String::from_utf8(value)
        .map_err(|_| ApiError::new(Kind::BadRequest, format!("The parameter {query} is no UTF-8.")))?;
    let number = matches!(member.shape, Shape::Integer(_)).then(|| text.parse::<i64>().ok()).flatten();
    input.insert(member.name.to_owned(), number.map_or(Value::String(text), Value::from));
    Ok(())
}
