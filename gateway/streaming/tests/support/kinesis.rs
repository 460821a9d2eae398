//! Kinesis Video Streams, strictly: signatures, headers, limits, Matroska; and every way to fail.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::matroska::{self, Event, Fragment};
use super::signature;

pub const REGION: &str = "eu-central-1";

/// What a session of `PutMedia` meets.
#[derive(Debug, Clone)]
pub enum Fault {
    None,
    /// An error acknowledgement when that many fragments have ended.
    Error {
        id: u32,
        after: usize,
    },
    /// A refusal before anything is read.
    Refuse(u16, &'static str),
    /// The connection breaks in the middle of a fragment, after so many whole ones.
    Break {
        after: usize,
    },
    /// Reads, and never says anything.
    Mute,
    /// Neither reads nor answers.
    Stuck,
    /// Says what is no acknowledgement.
    Garbage,
    /// Never stops saying what looks like the beginning of one.
    Flood,
    /// Waits before each acknowledgement.
    Slow(Duration),
}

#[derive(Debug, Default)]
pub struct Stored {
    pub arn: String,
    pub retention: u64,
    /// Whole fragments by time; how often each came.
    pub fragments: BTreeMap<u64, (Fragment, usize)>,
    pub sessions: usize,
    connected: bool,
    looks: usize,
}

#[derive(Debug, Default)]
pub struct State {
    pub streams: HashMap<String, Stored>,
    pub faults: VecDeque<Fault>,
    /// Rules that were broken.
    pub wrong: Vec<String>,
    /// Operations of the control plane, in order.
    pub asked: Vec<String>,
    /// Answers to `createStream` and the like, instead of the usual.
    pub refusals: HashMap<&'static str, (u16, &'static str)>,
    numbers: u64,
}

#[derive(Clone)]
pub struct Service {
    pub state: Arc<Mutex<State>>,
    pub url: String,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Service {
    pub async fn start() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Service { state: Arc::default(), url };
        let serving = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    let answer = service_fn(move |request| serving.clone().answer(request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        service
    }

    pub fn with_faults(self, faults: impl IntoIterator<Item = Fault>) -> Service {
        self.state.lock().unwrap().faults.extend(faults);
        self
    }

    /// The stream that has the fragments of one party, by the sign of its samples.
    pub fn samples(&self, caller: bool) -> Vec<i16> {
        let state = self.state.lock().unwrap();
        let mut fragments: BTreeMap<u64, Vec<i16>> = BTreeMap::new();
        for stored in state.streams.values() {
            for (time, (fragment, _)) in &stored.fragments {
                if (fragment.samples.last().copied().unwrap_or_default() >= 0) == caller {
                    fragments.insert(*time, fragment.samples.clone());
                }
            }
        }
        fragments.into_values().flatten().collect()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let (head, body) = request.into_parts();
        let operation = head.uri.path().trim_start_matches('/').to_owned();
        if operation == "putMedia" {
            signature::check(&head, "kinesisvideo", REGION, None);
            return Ok(self.put_media(&head, body));
        }
        let body = body.collect().await.unwrap().to_bytes();
        signature::check(&head, "kinesisvideo", REGION, Some(&body));
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let mut state = self.state.lock().unwrap();
        state.asked.push(operation.clone());
        if let Some((status, name)) = state.refusals.get(operation.as_str()) {
            return Ok(refuse(*status, name));
        }
        let name = asked["StreamName"].as_str().unwrap_or_default().to_owned();
        let answer = match operation.as_str() {
            "createStream" => {
                assert!(name.starts_with("ChimeVoiceConnector-") && name.len() <= 256, "{name}");
                assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)));
                let arn = format!("arn:aws:kinesisvideo:{REGION}:123456789012:stream/{name}/1700000000000");
                let retention = asked["DataRetentionInHours"].as_u64().unwrap();
                let stored = Stored { arn: arn.clone(), retention, ..Stored::default() };
                if state.streams.contains_key(&name) {
                    return Ok(refuse(400, "ResourceInUseException"));
                }
                state.streams.insert(name, stored);
                json!({ "StreamARN": arn })
            }
            "describeStream" => {
                let Some(stored) = state.streams.get_mut(&name) else {
                    return Ok(refuse(404, "ResourceNotFoundException"));
                };
                stored.looks += 1;
                let status = if stored.looks == 1 { "CREATING" } else { "ACTIVE" };
                json!({ "StreamInfo": { "StreamName": name, "StreamARN": stored.arn, "Status": status,
                    "Version": "v1", "DataRetentionInHours": stored.retention } })
            }
            "updateDataRetention" => {
                assert_eq!(asked["CurrentVersion"], "v1");
                let stored = state.streams.get_mut(&name).unwrap();
                let change = asked["DataRetentionChangeInHours"].as_u64().unwrap();
                match asked["Operation"].as_str().unwrap() {
                    "INCREASE_DATA_RETENTION" => stored.retention += change,
                    _ => stored.retention -= change,
                }
                json!({})
            }
            "listStreams" => {
                assert_eq!(asked["StreamNameCondition"]["ComparisonOperator"], "BEGINS_WITH");
                let prefix = asked["StreamNameCondition"]["ComparisonValue"].as_str().unwrap();
                let streams = state.streams.iter().filter(|(name, _)| name.starts_with(prefix));
                let list: Vec<Value> = streams
                    .map(|(name, stored)| {
                        json!({ "StreamName": name, "StreamARN": stored.arn, "Status": "ACTIVE",
                        "Version": "v1", "DataRetentionInHours": stored.retention })
                    })
                    .collect();
                json!({ "StreamInfoList": list })
            }
            "getDataEndpoint" => {
                assert_eq!(asked["APIName"], "PUT_MEDIA");
                if !state.streams.contains_key(&name) {
                    return Ok(refuse(404, "ResourceNotFoundException"));
                }
                json!({ "DataEndpoint": self.url })
            }
            other => panic!("{other} is no operation"),
        };
        Ok(Response::new(full(answer.to_string())))
    }

    fn put_media(self, head: &hyper::http::request::Parts, body: Incoming) -> Response<Body> {
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("x-amzn-fragment-timecode-type").as_deref(), Some("ABSOLUTE"));
        assert_eq!(header("transfer-encoding").as_deref(), Some("chunked"));
        assert!(header("x-amzn-stream-arn").is_none());
        let start = header("x-amzn-producer-start-timestamp").unwrap();
        assert!(start.split_once('.').is_some_and(|(_, ms)| ms.len() == 3), "{start}");
        let name = header("x-amzn-stream-name").unwrap();
        let mut state = self.state.lock().unwrap();
        let fault = state.faults.pop_front().unwrap_or(Fault::None);
        if let Fault::Refuse(status, name) = fault {
            return refuse(status, name);
        }
        let Some(stored) = state.streams.get_mut(&name) else {
            return refuse(404, "ResourceNotFoundException");
        };
        if stored.connected {
            state.wrong.push("a second session of a stream".to_owned());
            return refuse(400, "ConnectionLimitExceededException");
        }
        stored.connected = true;
        stored.sessions += 1;
        let retained = stored.retention > 0;
        drop(state);
        let (say, said) = mpsc::channel::<Result<Frame<Bytes>, io::Error>>(4);
        tokio::spawn(async move {
            self.clone().session(&name, fault, retained, body, &say).await;
            if let Some(stored) = self.state.lock().unwrap().streams.get_mut(&name) {
                stored.connected = false;
            }
            drop(say); // The answer's end, once the stream is free.
        });
        let stream = futures_util::stream::unfold(said, |mut said| async move {
            said.recv().await.map(|frame| (frame, said))
        });
        Response::new(BodyExt::boxed_unsync(StreamBody::new(stream)))
    }

    async fn session(
        self,
        name: &str,
        fault: Fault,
        retained: bool,
        mut body: Incoming,
        say: &mpsc::Sender<Result<Frame<Bytes>, io::Error>>,
    ) {
        let text = |text: String| Ok(Frame::data(Bytes::from(text)));
        match fault {
            Fault::Stuck => {
                say.closed().await;
                return;
            }
            Fault::Garbage => {
                let _ = say.send(text("<html>".to_owned())).await;
            }
            Fault::Flood => {
                while say.send(text("{\"EventType\":\"".to_owned() + &"A".repeat(60_000))).await.is_ok() {}
                return;
            }
            _ => {}
        }
        // The body goes to the reader through a pipe, as it comes.
        let (bytes, pipe) = std::sync::mpsc::channel::<Bytes>();
        let (events, mut read) = mpsc::unbounded_channel();
        let reader = std::thread::spawn(move || {
            matroska::read(Pipe(pipe, Bytes::new()), |event| drop(events.send(event)));
        });
        let mut bytes = Some(bytes);
        let (mut whole, mut began, mut numbers) = (0, 0, HashMap::new());
        loop {
            tokio::select! {
                () = say.closed() => break,
                frame = body.frame(), if bytes.is_some() => match frame {
                    Some(Ok(frame)) => {
                        let _ = bytes.as_ref().unwrap().send(frame.into_data().unwrap());
                    }
                    None => bytes = None,
                    // The client cut it: what is not whole was never sent.
                    Some(Err(_)) => break,
                },
                event = read.recv() => {
                    let mut acknowledgements = Vec::new();
                    match event {
                        None => break,
                        Some(Event::Began(time)) => {
                            began += 1;
                            let number = {
                                let mut state = self.state.lock().unwrap();
                                state.numbers += 1;
                                format!("9134385233318143{:031}", state.numbers)
                            };
                            numbers.insert(time, number);
                            acknowledgements.push(("BUFFERING", time));
                        }
                        Some(Event::Ended(fragment)) => {
                            whole += 1;
                            let time = fragment.time_ms;
                            if let Fault::Break { after } = fault && whole > after {
                                break;
                            }
                            if let Fault::Error { id, after } = fault && whole > after {
                                let error = json!({ "EventType": "ERROR", "FragmentTimecode": time,
                                    "FragmentNumber": numbers[&time], "ErrorId": id, "ErrorCode": "PLANTED" });
                                let _ = say.send(text(error.to_string())).await;
                                // What the service does then: it closes.
                                tokio::time::sleep(Duration::from_millis(20)).await;
                                break;
                            }
                            let mut state = self.state.lock().unwrap();
                            let stored = state.streams.get_mut(name).unwrap();
                            stored.fragments.entry(time).or_insert((fragment, 0)).1 += 1;
                            acknowledgements.push(("RECEIVED", time));
                            if retained {
                                acknowledgements.push(("PERSISTED", time));
                            }
                        }
                        Some(Event::Wrong(id, rule)) => {
                            // In a session that we cut, the cut is no mistake of the client.
                            self.state.lock().unwrap().wrong.push(format!("{id} {rule}"));
                            let error = json!({ "EventType": "ERROR", "ErrorId": id, "ErrorCode": rule });
                            let _ = say.send(text(error.to_string())).await;
                            break;
                        }
                    }
                    if matches!(fault, Fault::Break { after } if began > after + 1) {
                        let _ = say.send(Err(io::Error::other("broken"))).await;
                        break;
                    }
                    if matches!(fault, Fault::Mute) {
                        continue;
                    }
                    if let Fault::Slow(wait) = fault {
                        tokio::time::sleep(wait).await;
                    }
                    for (kind, time) in acknowledgements {
                        let number = &numbers[&time];
                        let said = format!("{{\"EventType\":\"{kind}\",\"FragmentTimecode\":{time},\"FragmentNumber\":\"{number}\"}}\n");
                        // Cut in the middle.
                        let (first, second) = said.split_at(said.len() / 3);
                        for part in [first, second] {
                            let _ = say.send(text(part.to_owned())).await;
                        }
                    }
                }
            }
        }
        drop(bytes);
        let _ = tokio::task::spawn_blocking(move || reader.join()).await;
    }
}

fn full(body: String) -> Body {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync()
}

fn refuse(status: u16, name: &str) -> Response<Body> {
    let response = Response::builder().status(status).header("x-amzn-ErrorType", name);
    if name.is_empty() {
        return response.body(Empty::new().map_err(|never| match never {}).boxed_unsync()).unwrap();
    }
    response.body(full(json!({ "Message": "planted" }).to_string())).unwrap()
}

struct Pipe(std::sync::mpsc::Receiver<Bytes>, Bytes);

impl io::Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.1.is_empty() {
            let Ok(next) = self.0.recv() else { return Ok(0) };
            self.1 = next;
        }
        let size = buffer.len().min(self.1.len());
        buffer[..size].copy_from_slice(&self.1.split_to(size));
        Ok(size)
    }
}
