//! An HTTP message as bytes, and what it is about.

use std::io::{self, BufRead, ErrorKind};

use protocol::{Capabilities, Capability, FileWithMessage};

/// No head of ours comes near.
const LONGEST_HEAD: usize = 64 << 10;

/// A request or an answer whose length its head tells.
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
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The path, and the operation on it.
    pub(super) fn about(&self) -> String {
        let path = self.head.split(' ').nth(1).unwrap_or_default();
        let said =
            self.header(FileWithMessage::MESSAGE).map_or(&self.bytes[self.head.len()..], str::as_bytes);
        let op = said.iter().skip(2).take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_');
        format!("{path} {}", op.map(|byte| char::from(*byte)).collect::<String>())
    }

    /// Whether it is the answer of a server for whose clock a request was too far ahead.
    pub(super) fn says_too_far_ahead(&self) -> bool {
        let body = &self.bytes[self.head.len()..];
        self.head.starts_with("HTTP/1.1 422 ") && body.ends_with(b"is too far ahead of this node's clock\n")
    }

    /// The answer as of a peer that cannot be asked about many databases at once.
    ///
    /// Whether a peer is known to be able to when a database comes up depends on which other one was worked on first, and so
    /// would what becomes of the requests about it.
    pub(super) fn of_one_at_a_time(&self) -> Vec<u8> {
        let told = self.header(Capabilities::HEADER).unwrap_or_default();
        let can = Capabilities::from_header(told);
        let about_many = |can: Capability| matches!(can, Capability::Compare | Capability::Marks);
        let kept = Capability::ALL.into_iter().filter(|each| can.has(*each) && !about_many(*each));
        let head = match told {
            "" => self.head.clone(),
            told => self.head.replace(told, &kept.collect::<Capabilities>().to_header()),
        };
        [head.as_bytes(), &self.bytes[self.head.len()..]].concat()
    }

    fn header(&self, name: &str) -> Option<&str> {
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
        assert_eq!(request.about(), "/d1a/7/abc sync");
        assert_eq!(request.bytes(), &text.as_bytes()[..text.find("HTTP/1.1 202").unwrap()]);
        assert!(Message::read(&mut from).unwrap().is_some());
        assert!(Message::read(&mut from).unwrap().is_none());
    }

    #[test]
    fn an_answer_tells_no_more_of_questions_about_many() {
        let can: Capabilities = Capability::ALL.into_iter().collect();
        let head = format!("HTTP/1.1 200 OK\r\n{}: {}\r\n", Capabilities::HEADER, can.to_header());
        let text = head + "Content-Length: 7\r\n\r\ncompare";
        let answer = Message::read(&mut text.as_bytes()).unwrap().unwrap();
        let passed_on = String::from_utf8(answer.of_one_at_a_time()).unwrap();
        assert!(passed_on.contains("row-lists") && passed_on.ends_with("\r\n\r\ncompare"), "{passed_on}");
        assert_eq!(
            passed_on.matches("compare").count() + passed_on.matches("marks").count(),
            1,
            "{passed_on}"
        );
    }

    #[test]
    fn half_a_message_is_an_error() {
        for text in ["REPLICATE / HTTP/1.1\r\n", "REPLICATE / HTTP/1.1\r\nContent-Length: 5\r\n\r\n[]"] {
            assert!(Message::read(&mut text.as_bytes()).is_err(), "{text}");
        }
    }
}
