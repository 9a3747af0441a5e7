//! What a simulation asks of a message.

use protocol::{Capabilities, Capability, FileWithMessage};

use crate::message::Message;

impl Message {
    /// The path, and the operation on it.
    pub(super) fn about(&self) -> String {
        let path = self.path();
        let said = self.header(FileWithMessage::MESSAGE).map_or(self.body(), str::as_bytes);
        let op = said.iter().skip(2).take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_');
        format!("{path} {}", op.map(|byte| char::from(*byte)).collect::<String>())
    }

    /// Whether it is the answer of a server for whose clock a request was too far ahead.
    pub(super) fn says_too_far_ahead(&self) -> bool {
        let body = self.body();
        self.head().starts_with("HTTP/1.1 422 ") && body.ends_with(b"is too far ahead of this node's clock\n")
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
            "" => self.head().to_owned(),
            told => self.head().replace(told, &kept.collect::<Capabilities>().to_header()),
        };
        [head.as_bytes(), self.body()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_about_is_its_path_and_operation() {
        let text = "REPLICATE /d1a/7/abc HTTP/1.1\r\nContent-Length: 12\r\n\r\n[\"sync\", 1 ]";
        let request = Message::read(&mut text.as_bytes()).unwrap().unwrap();
        assert_eq!(request.about(), "/d1a/7/abc sync");
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
}
