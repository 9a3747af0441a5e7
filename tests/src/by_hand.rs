//! Requests that are written by hand: what no client of ours or of stock's would send, or not so.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

const PATIENCE: Duration = Duration::from_secs(60);

/// An answer with all of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the HTTP response.
    pub status: u16,
    /// What comes after the head.
    pub body: String,
}

impl Answer {
    /// Reads until the connection ends, and blocks as long.
    ///
    /// # Errors
    /// When reading fails, or what has come is no answer.
    pub fn read(mut from: impl Read) -> Result<Self> {
        let mut text = String::new();
        from.read_to_string(&mut text)?;
        Self::parse(&text)
    }

    /// # Errors
    /// When it is no answer.
    pub fn parse(text: &str) -> Result<Self> {
        let status = status(text).with_context(|| format!("no answer: {text:?}"))?;
        let (_, body) = text.split_once("\r\n\r\n").with_context(|| format!("half an answer: {text:?}"))?;
        Ok(Self { status, body: body.to_owned() })
    }
}

/// Of an answer, of which the first line has to be there.
pub(crate) fn status(answer: &str) -> Option<u16> {
    let (version, rest) = answer.split_once(' ')?;
    version.starts_with("HTTP/1.").then(|| rest.get(..3)?.parse().ok())?
}

/// The head of a request (`METHOD PATH`), whose body has that many bytes; each of the further `lines` has its end.
pub(crate) fn head(request: &str, lines: &str, length: usize) -> String {
    head_to("x", request, lines, length)
}

fn head_to(host: &str, request: &str, lines: &str, length: usize) -> String {
    format!("{request} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {length}\r\n\r\n")
}

/// Sends a request (`METHOD PATH`) after whose answer the connection ends; each of the further `lines` of its head has its end.
///
/// # Errors
/// When writing fails; so it may where the server refuses the request before it has read all of it, and answers all the same.
pub fn send(mut to: impl Write, request: &str, lines: &str, body: impl AsRef<[u8]>) -> io::Result<()> {
    let body = body.as_ref();
    let lines = format!("Connection: close\r\n{lines}");
    to.write_all(head(request, &lines, body.len()).as_bytes())?;
    to.write_all(body)
}

/// As [`send`], a `REPLICATE` of `/DEVICE/PARTITION/HASH`.
///
/// # Errors
/// As [`send`].
pub fn replicate(to: impl Write, path: &str, lines: &str, body: impl AsRef<[u8]>) -> io::Result<()> {
    send(to, &format!("REPLICATE {path}"), lines, body)
}

/// Opens a connection on which neither side is waited for longer than a minute.
///
/// # Errors
/// When nobody takes it.
pub fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The answer to a GET of a path. Blocks until all of it is there.
///
/// # Errors
/// When nobody answers, or not in time.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    let mut stream = connect(address)?;
    // In pieces no server may answer that.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")?;
    Answer::read(stream)
}

/// The answer to a request (`METHOD PATH`) with a body. Blocks until all of it is there.
///
/// # Errors
/// When nobody answers, or not in time.
pub fn ask(address: SocketAddr, request: &str, body: &str) -> Result<Answer> {
    let mut stream = connect(address)?;
    let head = head_to(&address.to_string(), request, "Connection: close\r\n", body.len());
    stream.write_all((head + body).as_bytes())?;
    Answer::read(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_all_of_a_head() {
        let whole = "HTTP/1.0 204 No Content\r\nx: y\r\n\r\n";
        assert_eq!(Answer::parse(whole).unwrap(), Answer { status: 204, body: String::new() });
        for (text, told) in [("", "no answer"), ("204 x", "no answer"), (&whole[..whole.len() - 2], "half")] {
            let error = Answer::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_request_has_its_lines_and_the_length_of_its_body() {
        let mut sent = Vec::new();
        replicate(&mut sent, "/d/1/x", "A: b\r\n", "[]").unwrap();
        let text = "REPLICATE /d/1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: b\r\nContent-Length: 2\r\n\r\n[]";
        assert_eq!(String::from_utf8(sent).unwrap(), text);
    }
}
