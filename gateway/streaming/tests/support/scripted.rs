//! An HTTP server that gives the answers of a test, one after another.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Response;
use hyper::body::{Frame, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
pub enum Answer {
    Body(u16, String),
    /// Closes without one.
    Close,
    /// Never ends.
    Endless,
}

pub struct Scripted {
    pub url: String,
    requests: Arc<Mutex<Vec<(Parts, Bytes)>>>,
}

impl Scripted {
    pub async fn start(answers: Vec<Answer>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<(Parts, Bytes)>>> = Arc::default();
        let (kept, answers) = (requests.clone(), Arc::new(Mutex::new(VecDeque::from(answers))));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answers) = (kept.clone(), answers.clone());
                let answer = service_fn(move |request: hyper::Request<Incoming>| {
                    let (kept, answers) = (kept.clone(), answers.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        kept.lock().unwrap().push((head, body));
                        let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Close);
                        Ok::<Response<UnsyncBoxBody<Bytes, io::Error>>, Infallible>(match answer {
                            Answer::Body(status, body) => {
                                let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
                                Response::builder().status(status).body(body.boxed_unsync()).unwrap()
                            }
                            Answer::Close => Response::new(endless(true)),
                            Answer::Endless => Response::new(endless(false)),
                        })
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Scripted { url, requests }
    }

    pub fn requests(&self) -> Vec<(Parts, Bytes)> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn endless(breaks: bool) -> UnsyncBoxBody<Bytes, io::Error> {
    let stream = futures_util::stream::unfold((), move |()| async move {
        let frame = if breaks {
            Err(io::Error::other("broken"))
        } else {
            Ok(Frame::data(Bytes::from(vec![b'a'; 65_536])))
        };
        Some((frame, ()))
    });
    StreamBody::new(stream).boxed_unsync()
}
