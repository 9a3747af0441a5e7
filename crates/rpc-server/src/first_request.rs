use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// The longest request line that is forwarded; stock's own limit is 8,192 bytes.
pub(crate) const MAX_LINE: usize = 16 * 1024;

/// A connection's first request that is not ours to answer, as far as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FirstRequest {
    /// With its line end.
    pub(crate) line: Bytes,
    /// What came with it.
    pub(crate) rest: Bytes,
}

/// What a connection begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// REPLICATE, or nothing that is HTTP/1; the bytes that were read.
    Ours(Bytes),
    /// A request with another method.
    Other(FirstRequest),
}

impl FirstRequest {
    /// Method and path, for the log: no query, no control characters.
    pub(crate) fn name(&self) -> String {
        let line = String::from_utf8_lossy(&self.line);
        let end = line.rfind(" HTTP/1.").unwrap_or(line.len());
        line[..end].split('?').next().unwrap_or_default().escape_debug().to_string()
    }

    /// Whether its answer has no body.
    pub(crate) fn is_head(&self) -> bool {
        self.line.starts_with(b"HEAD ")
    }
}

/// Reads until it is plain whose request this is.
///
/// # Errors
/// If the connection breaks.
pub(crate) async fn beginning(stream: &mut TcpStream) -> std::io::Result<Beginning> {
    let mut read = BytesMut::new();
    loop {
        if let Some(beginning) = sort(&mut read) {
            return Ok(beginning);
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(Beginning::Ours(read.freeze()));
        }
    }
}

/// None: more bytes are needed.
pub(crate) fn sort(read: &mut BytesMut) -> Option<Beginning> {
    const OURS: &[u8] = b"REPLICATE ";
    let compared = read.len().min(OURS.len());
    if read[..compared] == OURS[..compared] {
        return (compared == OURS.len()).then(|| Beginning::Ours(read.split().freeze()));
    }
    let Some(end) = read.iter().take(MAX_LINE).position(|&byte| byte == b'\n') else {
        return (read.len() >= MAX_LINE).then(|| Beginning::Ours(read.split().freeze()));
    };
    if !is_request_line(&read[..end]) {
        return Some(Beginning::Ours(read.split().freeze()));
    }
    let line = read.split_to(end + 1).freeze();
    Some(Beginning::Other(FirstRequest { line, rest: read.split().freeze() }))
}

/// Exactly `METHOD SP TARGET SP HTTP/1.x`, so that stock and we see the same request.
fn is_request_line(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts.as_slice() else { return false };
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_plain = |byte: &u8| *byte > b' ' && *byte != 0x7f;
    !method.is_empty()
        && method.iter().all(is_token)
        && !target.is_empty()
        && target.iter().all(is_plain)
        && matches!(*version, b"HTTP/1.0" | b"HTTP/1.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(bytes: &[u8]) -> Option<Beginning> {
        sort(&mut BytesMut::from(bytes))
    }

    #[test]
    fn replicate_is_ours_however_it_arrives() {
        for length in 0..10 {
            assert_eq!(sorted(&b"REPLICATE "[..length]), None, "{length} bytes decide nothing");
        }
        let whole = b"REPLICATE /sdb1/1/x HTTP/1.1\r\nhost: x\r\n\r\n[";
        assert_eq!(sorted(whole), Some(Beginning::Ours(Bytes::from_static(whole))));
    }

    #[test]
    fn a_whole_line_of_another_method_is_forwarded_as_it_is() {
        assert_eq!(sorted(b"GET /sdb1/1/a%2fb?x=%00 HTTP/1.1\r"), None);
        for (line, rest) in [
            ("GET /sdb1/1/a%2fb?x=%00 HTTP/1.1\r\n", "Host: x\r\n\r\n"),
            ("REPLICATED / HTTP/1.0\n", ""),
            ("replicate / HTTP/1.1\r\n", "\r\n"),
            ("PUT /d/1/a/c\u{e9} HTTP/1.1\r\n", "x"),
        ] {
            let first = FirstRequest { line: line.to_owned().into(), rest: rest.to_owned().into() };
            assert_eq!(sorted(format!("{line}{rest}").as_bytes()), Some(Beginning::Other(first)));
        }
    }

    #[test]
    fn what_stock_could_read_otherwise_is_not_forwarded() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MAX_LINE));
        for bytes in [
            "\r\nREPLICATE /sdb1/1/x HTTP/1.1\r\n",
            " REPLICATE / HTTP/1.1\r\n",
            "GET /\r\n",
            "GET / x HTTP/1.1\r\n",
            "GET  / HTTP/1.1\r\n",
            "GET /\t HTTP/1.1\r\n",
            "GET /\r HTTP/1.1\r\n",
            "GET / HTTP/1.1 \r\n",
            "GET / HTTP/2.0\r\n",
            "GET / http/1.1\r\n",
            "PRI * HTTP/2.0\r\n",
            "G\u{e9}T / HTTP/1.1\r\n",
            "\u{16}\u{3}\u{1}\n",
            &long,
        ] {
            assert!(matches!(sorted(bytes.as_bytes()), Some(Beginning::Ours(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_name_for_the_log_has_no_query() {
        let line = Bytes::from_static(b"HEAD /sdb1/1/a\xff/c?marker=x HTTP/1.1\r\n");
        let first = FirstRequest { line, rest: Bytes::new() };
        assert_eq!(first.name(), "HEAD /sdb1/1/a\u{fffd}/c");
        assert!(first.is_head());
    }
}
