//! A server on loopback that answers as a test wants, rightly or not.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part of this")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// The header of this name.
    pub(crate) authorization: Option<String>,
}

/// What the server does.
pub(crate) enum Answer {
    /// Status, headers, body.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Closes the connection without a word.
    Cut,
    /// One byte of the body each 100 ms, for a minute.
    Slow,
    /// A body that never ends, as fast as it can be read.
    Endless,
    /// Bytes as they are.
    Raw(Vec<u8>),
}

impl Answer {
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Reply(status, Vec::new(), body.as_bytes().to_vec())
    }

    pub(crate) fn bytes(body: Vec<u8>) -> Self {
        Self::Reply(200, Vec::new(), body)
    }
}

/// A running server; it ends when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let paths = Arc::new(Mutex::new(Vec::new()));
        let (counted, noted) = (Arc::clone(&requests), Arc::clone(&paths));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection without a request ends the server.
                let Some(request) = read(&stream) else { break };
                counted.fetch_add(1, Ordering::SeqCst);
                noted.lock().unwrap().push(format!("{} {}", request.method, request.path));
                write(stream, answer(&request));
            }
        });
        Self { address, requests, paths, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// What was asked, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(TcpStream::connect(self.address).and_then(|stream| stream.shutdown(std::net::Shutdown::Both)));
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok(), "the test's server failed");
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some((_, value)) = header.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            authorization = Some(value.trim().to_owned());
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, body, authorization })
}

fn write(mut stream: TcpStream, answer: Answer) {
    // Errors are the client's going away, which some tests want.
    match answer {
        Answer::Reply(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Because\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head = format!("{head}{name}: {value}\r\n");
            }
            drop(stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(&body)));
        }
        Answer::Cut => {}
        Answer::Slow => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n"));
            for _ in 0..600 {
                std::thread::sleep(Duration::from_millis(100));
                if stream.write_all(b" ").is_err() {
                    break;
                }
            }
        }
        Answer::Endless => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"));
            let piece = vec![b'a'; 64 << 10];
            while stream.write_all(&piece).is_ok() {}
        }
        Answer::Raw(bytes) => drop(stream.write_all(&bytes)),
    }
}
