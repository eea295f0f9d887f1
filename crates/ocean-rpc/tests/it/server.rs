//! A small scripted HTTP server.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A reaction of a scripted server to one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers with this status and body; `ID` in the body is replaced by the request's id.
    Answer(u16, String),
    /// Answers late.
    Late(Duration),
    /// Sends half of a response and closes.
    Truncate,
    /// Sends something that is not HTTP.
    Noise,
    /// Closes without a response.
    HangUp,
}

/// A request to a scripted server.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
    /// The body as raw text.
    pub(crate) text: String,
    /// Whether the client asks to close the connection after the response.
    pub(crate) close: bool,
    /// The index of the connection.
    pub(crate) connection: usize,
}

type Script = dyn Fn(&Request) -> Act + Send + Sync;

/// A server that follows a script and records its requests.
pub(crate) struct Scripted {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    pub(crate) async fn new(script: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        Self::on(
            TcpListener::bind("127.0.0.1:0").await.expect("a port"),
            script,
        )
    }

    pub(crate) fn on(
        listener: TcpListener,
        script: impl Fn(&Request) -> Act + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        tokio::spawn({
            let requests = requests.clone();
            async move {
                let mut connection = 0;
                while let Ok((stream, _)) = listener.accept().await {
                    let (script, requests) = (script.clone(), requests.clone());
                    tokio::spawn(async move {
                        serve(stream, connection, &*script, &requests).await;
                    });
                    connection += 1;
                }
            }
        });
        Self { url, requests }
    }

    /// A server that follows a list, and returns 7 after its end.
    pub(crate) async fn list(acts: Vec<Act>) -> Self {
        let acts = Mutex::new(VecDeque::from(acts));
        Self::new(move |_| {
            let next = acts.lock().expect("not poisoned").pop_front();
            next.unwrap_or_else(|| result("7"))
        })
        .await
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests().len()
    }
}

pub(crate) fn result(value: &str) -> Act {
    Act::Answer(200, format!(r#"{{"result":{value},"error":null,"id":ID}}"#))
}

pub(crate) fn failure(status: u16, code: i32, message: &str) -> Act {
    Act::Answer(
        status,
        format!(r#"{{"result":null,"error":{{"code":{code},"message":"{message}"}},"id":ID}}"#),
    )
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    script: &Script,
    requests: &Mutex<Vec<Request>>,
) {
    let mut bytes = Vec::new();
    while let Some(request) = read(&mut stream, &mut bytes, connection).await {
        let id = request.body["id"].to_string();
        requests.lock().expect("not poisoned").push(request.clone());
        let (status, text) = match script(&request) {
            Act::Answer(status, text) => (status, text.replace("ID", &id)),
            Act::Late(pause) => {
                tokio::time::sleep(pause).await;
                (200, format!(r#"{{"result":1,"error":null,"id":{id}}}"#))
            }
            Act::Truncate => {
                let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"resu";
                let _ = stream.write_all(half).await;
                return;
            }
            Act::Noise => {
                let _ = stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46").await;
                return;
            }
            Act::HangUp => return,
        };
        let close = if request.close {
            "Connection: close\r\n"
        } else {
            ""
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{close}Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() || request.close {
            return;
        }
    }
}

/// Reads one request; keeps bytes of the next one.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>, connection: usize) -> Option<Request> {
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        fill(stream, bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let field = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let length: usize = field("content-length")?.parse().ok()?;
    let (start, end) = (end + 4, end + 4 + length);
    while bytes.len() < end {
        fill(stream, bytes).await?;
    }
    let text = String::from_utf8_lossy(&bytes[start..end]).into_owned();
    let body = serde_json::from_str(&text).expect("the client sends JSON");
    bytes.drain(..end);
    Some(Request {
        path: head.split(' ').nth(1)?.to_owned(),
        authorization: field("authorization"),
        body,
        text,
        close: field("connection").as_deref() == Some("close"),
        connection,
    })
}

async fn fill(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = vec![0; 65536];
    let read = stream
        .read(&mut chunk)
        .await
        .ok()
        .filter(|read| *read > 0)?;
    bytes.extend_from_slice(&chunk[..read]);
    Some(())
}
