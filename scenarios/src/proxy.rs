//! A proxy between a client and a service, which may change any answer: a cache gone wrong, or a liar on the way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use crate::api::{Answer, Api};

/// A proxy that runs until the test's process ends.
#[derive(Debug)]
pub struct Proxy {
    /// Its address.
    pub url: String,
}

impl Proxy {
    /// Passes every request on to `service` and every answer through `change`, which is told the path with its query.
    pub fn start(service: &Api, change: impl Fn(&str, Answer) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (service, change) = (service.clone(), Arc::new(change));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (service, change) = (service.clone(), Arc::clone(&change));
                // whoever asked may have gone away
                std::thread::spawn(move || pass(stream, &service, change.as_ref()).unwrap_or_default());
            }
        });
        Self { url }
    }
}

/// Answers one request and closes the connection.
fn pass(
    stream: TcpStream,
    service: &Api,
    change: &(dyn Fn(&str, Answer) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = if method == "POST" { service.try_post(&path, &body) } else { service.try_get(&path) };
    let Some(answer) = answer else { return Ok(()) };
    let Answer { status, content_type, body } = change(&path, answer);
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n", body.len())?;
    stream.write_all(b"connection: close\r\n\r\n")?;
    stream.write_all(&body)
}
