//! `POST /add-checkpoint` on loopback (C2SP tlog-witness): small, bounded, and without any state but the log witness's.
//!
//! Plain HTTP/1.1, one request a connection. Not here: TLS, and any address that other machines reach; a proxy does both.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sealtrace_console::note;
use sealtrace_tlog::{AddCheckpoint, MAX_REQUEST_BYTES, NoteKey};
use sealtrace_verdict::UnixTime;

use super::desk::cosign;
use super::error::WitnessError;
use super::state::WitnessState;

/// How many requests are answered at the same time (ours).
const WORKERS: usize = 8;
/// The longest that a client may take for its request (ours).
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The longest wait for one piece of it.
const READ_TIME: Duration = Duration::from_secs(2);
/// The most bytes of a request's line and headers (ours).
const MAX_HEAD_BYTES: u64 = 16 << 10;

/// Answers requests until the process ends. `clock` says what time it is.
pub(crate) fn serve(listener: &TcpListener, state: &WitnessState, keys: &[NoteKey], clock: &(dyn Fn() -> UnixTime + Sync)) {
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                for stream in listener.incoming().flatten() {
                    let answer = read(&stream).map_or_else(|early| early, |request| answer(&request, state, keys, clock()));
                    // A client that has gone away needs no answer; the state says what was cosigned.
                    drop(write(&stream, &answer));
                }
            });
        }
    });
}

/// A request, as far as it matters.
struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Answer {
    fn text(status: u16, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: format!("{body}\n") }
    }
}

fn answer(request: &Request, state: &WitnessState, keys: &[NoteKey], time: UnixTime) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/add-checkpoint") => {}
        (_, "/add-checkpoint") => return Answer::text(405, "POST an add-checkpoint request (C2SP tlog-witness)"),
        _ => return Answer::text(404, "a log witness answers POST /add-checkpoint only"),
    }
    let cosigned = AddCheckpoint::parse(&request.body).map_err(WitnessError::from).and_then(|asked| cosign(state, keys, &asked, time));
    match cosigned {
        Ok(cosigned) => Answer::text(200, &cosigned.line.line()),
        Err(error) => {
            if error.status() == 500 {
                note(&format!("not answered: {error}"));
                return Answer::text(500, "the log witness's own state or disk is in the way");
            }
            match error.known_size() {
                Some(size) => Answer { status: 409, content_type: "text/x.tlog.size", body: format!("{size}\n") },
                None => Answer::text(error.status(), &error.to_string()),
            }
        }
    }
}

/// Reads a request within bounds of bytes and time; the answer to one that breaks them.
fn read(stream: &TcpStream) -> Result<Request, Answer> {
    let started = Instant::now();
    let bad = |status, why: &str| Answer::text(status, why);
    stream
        .set_read_timeout(Some(READ_TIME))
        .and_then(|()| stream.set_write_timeout(Some(READ_TIME)))
        .map_err(|_refused| bad(500, "no time limit"))?;
    let mut reader = BufReader::new(stream);
    let mut head = reader.by_ref().take(MAX_HEAD_BYTES);
    let mut line = || {
        let mut line = String::new();
        match head.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') && started.elapsed() < REQUEST_TIME => Ok(line.trim_end().to_owned()),
            _ => Err(bad(400, "the request's head is cut, too long, too slow or no text")),
        }
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0")) = (words.next(), words.next(), words.next()) else {
        return Err(bad(400, "this is no HTTP/1.1 request"));
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut length: Option<usize> = None;
    loop {
        let header = line()?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if header.starts_with("transfer-encoding:") {
            return Err(bad(411, "a body needs a content-length"));
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            // Two lengths are two requests to two readers.
            let parsed = value.trim().parse().ok().filter(|_| length.is_none());
            length = Some(parsed.ok_or_else(|| bad(400, "the content-length is none, or there are two"))?);
        }
    }
    let length = length.unwrap_or(0);
    if length > MAX_REQUEST_BYTES {
        return Err(bad(413, "the request is larger than any add-checkpoint request"));
    }
    let mut body = Vec::new();
    while body.len() < length {
        let mut piece = vec![0; (length - body.len()).min(64 << 10)];
        match reader.read(&mut piece) {
            Ok(count) if count > 0 && started.elapsed() < REQUEST_TIME => body.extend(piece.drain(..count)),
            _ => return Err(bad(400, "the request's body is cut or too slow")),
        }
    }
    Ok(Request { method, path, body })
}

fn write(mut stream: &TcpStream, answer: &Answer) -> std::io::Result<()> {
    let reason = match answer.status {
        200 => "OK",
        409 => "Conflict",
        500 => "Internal Server Error",
        _ => "Refused",
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer.body.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}
