use std::io::{self, BufRead, ErrorKind};

/// No head of ours comes near.
const LONGEST_HEAD: usize = 64 << 10;

/// An HTTP request or answer whose length its head tells.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    head: String,
    bytes: Vec<u8>,
}

impl Message {
    /// The next one; none if the connection ends before it.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let line = from.read_until(b'\n', &mut bytes)?;
            if line == 0 && bytes.is_empty() {
                return Ok(None);
            }
            if line == 0 || bytes.len() > LONGEST_HEAD {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        let head = String::from_utf8(bytes.clone()).map_err(|_| ErrorKind::InvalidData)?;
        let mut message = Self { head, bytes };
        let length = message.header("content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| ErrorKind::InvalidData)?;
        let start = message.bytes.len();
        message.bytes.resize(start + length, 0);
        from.read_exact(&mut message.bytes[start..])?;
        Ok(Some(message))
    }

    /// Head and body.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All up to the body, which begins after the empty line.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.head.len()..]
    }

    /// Of a request.
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_after_the_other_until_the_end() {
        let text = "REPLICATE /d1a/7/abc HTTP/1.1\r\nContent-Length: 12\r\n\r\n[\"sync\", 1 ]HTTP/1.1 202 OK\r\n\r\n";
        let mut from = text.as_bytes();
        let request = Message::read(&mut from).unwrap().unwrap();
        assert_eq!((request.path(), request.body()), ("/d1a/7/abc", &b"[\"sync\", 1 ]"[..]));
        assert_eq!(request.bytes(), &text.as_bytes()[..text.find("HTTP/1.1 202").unwrap()]);
        assert!(Message::read(&mut from).unwrap().is_some());
        assert!(Message::read(&mut from).unwrap().is_none());
    }

    #[test]
    fn half_a_message_is_an_error() {
        for text in ["REPLICATE / HTTP/1.1\r\n", "REPLICATE / HTTP/1.1\r\nContent-Length: 5\r\n\r\n[]"] {
            assert!(Message::read(&mut text.as_bytes()).is_err(), "{text}");
        }
    }
}
