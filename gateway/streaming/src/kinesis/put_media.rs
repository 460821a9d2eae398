//! One session of `PutMedia`: a request whose body and answer are open at the same time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{Response, Uri};
use tokio::sync::mpsc;

use super::acknowledgement::{Acknowledgement, Acknowledgements};
use super::pool::{Lease, Pool, verdict};
use super::verdict::Verdict;
use crate::aws::{self, Error};
use crate::http::{Unanswered, to_origin};

/// Parts of the body that wait for the socket.
const PARTS: usize = 4;

/// So much of a refusal is read, in bytes.
const REFUSAL: usize = 16 << 10;

/// What comes of a session.
#[derive(Debug)]
pub(super) enum Event {
    /// The stream that it is for.
    Leased(Arc<Lease>),
    /// The body may be written.
    Open(mpsc::Sender<Bytes>),
    /// The service said something.
    Said(Acknowledgement),
    /// The service closed its answer as it should.
    Closed,
    /// It failed. What to do, and why.
    Failed(Verdict, String),
}

/// Runs a session to its end.
///
/// - `lease`: the stream of the last session, if it may be used again.
pub(super) async fn run(pool: Arc<Pool>, lease: Option<Arc<Lease>>, events: mpsc::Sender<Event>) {
    let end = match session(&pool, lease, &events).await {
        Ok(()) => Event::Closed,
        Err((verdict, cause)) => Event::Failed(verdict, cause),
    };
    let _ = events.send(end).await;
}

type Failure = (Verdict, String);

fn failure(error: &Error) -> Failure {
    (verdict(error), error.to_string())
}

async fn session(
    pool: &Arc<Pool>,
    lease: Option<Arc<Lease>>,
    events: &mpsc::Sender<Event>,
) -> Result<(), Failure> {
    let lease = match lease {
        Some(lease) => lease,
        None => Arc::new(pool.lease().await.map_err(|error| failure(&error))?),
    };
    let _ = events.send(Event::Leased(lease.clone())).await;
    let endpoint = lease.endpoint().await.map_err(|error| failure(&error))?;
    let url = format!("{endpoint}/putMedia");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = format!("{}.{:03}", now.as_secs(), now.subsec_millis());
    let headers = [
        ("x-amzn-stream-name", lease.stream().name.as_str()),
        ("x-amzn-fragment-timecode-type", "ABSOLUTE"),
        ("x-amzn-producer-start-timestamp", &start),
        ("x-amzn-fragment-acknowledgment-required", "1"),
    ];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
    let request = aws::post(&url, &headers).map_err(|error| failure(&error))?;
    let request = request.header(CONTENT_TYPE, "application/json").body(Bytes::new());
    let request = request.map_err(|error| (Verdict::Target, error.to_string()))?;
    let aws = pool.control().aws();
    let request = aws.sign("kinesisvideo", request, false).await.map_err(|error| failure(&error))?;

    let uri: Uri = request.uri().clone();
    let (body, parts) = mpsc::channel(PARTS);
    let mut request = request.map(|_| Parts(parts));
    to_origin(&mut request);
    let unanswered = |error: Unanswered| (Verdict::Again, error.to_string());
    // Dropped with this future, the connection is closed.
    let (mut sender, _connection) = aws.client().open(&uri).await.map_err(unanswered)?;
    let _ = events.send(Event::Open(body)).await;
    let answer = sender.send_request(request).await.map_err(|error| unanswered(Unanswered::new(&error)))?;
    if !answer.status().is_success() {
        return Err(refusal(answer, &lease).await);
    }
    let mut answer = answer.into_body();
    let mut acknowledgements = Acknowledgements::default();
    while let Some(frame) = answer.frame().await {
        let frame = frame.map_err(|error| unanswered(Unanswered::new(&error)))?;
        let Some(bytes) = frame.data_ref() else { continue };
        let said = acknowledgements.handle(bytes).map_err(|error| (Verdict::Again, error.to_string()))?;
        for said in said {
            let _ = events.send(Event::Said(said)).await;
        }
    }
    Ok(())
}

async fn refusal(answer: Response<Incoming>, lease: &Lease) -> Failure {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, REFUSAL).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let error = aws::refused(&Response::from_parts(head, body));
    if let Error::Refused { status, name, .. } = &error {
        match (name.as_str(), Verdict::of_answer(*status, name)) {
            ("ConnectionLimitExceededException", _) => lease.set_aside(),
            (_, Verdict::OtherStream) => lease.set_gone(),
            (_, Verdict::Endpoint) => lease.forget_endpoint(),
            _ => {}
        }
    }
    failure(&error)
}

/// The body of a request that is written as its parts come.
#[derive(Debug)]
struct Parts(mpsc::Receiver<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}
