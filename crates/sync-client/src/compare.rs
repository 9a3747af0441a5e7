use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use protocol::{BodyDigest, Capabilities, Comparative, CompareMessage, Comparison, MarkMessage, Signable};
use ring::Device;
use serde_json::Value;

use crate::{CallError, Reply, SyncClient, exchange::replicate, target::authority};

/// What one peer is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// A device of the peer; others of it may be meant by the comparisons.
    pub peer: Arc<Device>,
    /// In the order in which they are asked.
    pub comparisons: Vec<Comparison>,
}

/// What one peer is asked by marks.
#[derive(Clone, Debug)]
pub struct Reminder {
    /// A device of the peer; others of it may be meant by the message.
    pub peer: Arc<Device>,
    /// About [`MarkMessage::MOST`] databases at most.
    pub message: MarkMessage,
}

/// What a peer says of one database.
#[derive(Clone, Debug)]
pub enum Compared {
    /// Neither side has anything to do.
    InSync,
    /// It differs, or there was no answer: to be asked by `sync`.
    AskBySync,
    /// What `sync` is answered with: an error, or what a database that differs says of itself.
    Answered(Reply),
}

impl SyncClient {
    /// What a peer can do beyond stock's protocol, by its last answer; none if there was none.
    pub fn abilities_of(&self, peer: &Device) -> Option<Capabilities> {
        self.abilities.of(peer)
    }

    /// Takes a peer that does not answer for one that can do nothing, until it answers.
    pub fn doubt(&self, peer: &Device) {
        self.abilities.learn(peer, Capabilities::default());
    }

    /// Asks several peers at once, each about many databases; the answers are in the order of the questions and their
    /// comparisons. Blocks up to `node_timeout` for each answer, of which there is more than one only where a peer had no time
    /// for all databases.
    pub fn compare(&self, questions: &[Question]) -> Vec<Vec<Compared>> {
        let unanswered = |question: &Question| vec![Compared::AskBySync; question.comparisons.len()];
        let asked = join_all(questions.iter().map(|question| self.ask(question)));
        let said = self.wait(async { Ok::<_, CallError>(asked.await) });
        said.unwrap_or_else(|_| questions.iter().map(unanswered).collect())
    }

    /// Asks several peers at once which of many databases still are as they were compared; the answers are in the order of the
    /// reminders and their databases, none of a peer that gives no answer. Blocks up to `node_timeout`.
    pub fn recall(&self, reminders: Vec<Reminder>) -> Vec<Option<Vec<bool>>> {
        let nothing = reminders.iter().map(|_| None).collect();
        let asked = join_all(reminders.into_iter().map(|reminder| self.remind(reminder)));
        self.wait(async { Ok::<_, CallError>(asked.await) }).unwrap_or(nothing)
    }

    async fn remind(&self, reminder: Reminder) -> Option<Vec<bool>> {
        let Reminder { peer, message } = reminder;
        let count = message.len();
        let reply = self.ask_in_one(&peer, MarkMessage::CONTENT_TYPE, message.into_body().into()).await?;
        let mut same: Vec<_> = reply.body.iter().map(|&letter| letter == MarkMessage::SAME).collect();
        same.resize(count, false);
        Some(same)
    }

    async fn ask(&self, question: &Question) -> Vec<Compared> {
        let mut compared = Vec::with_capacity(question.comparisons.len());
        while compared.len() < question.comparisons.len() {
            let rest = &question.comparisons[compared.len()..];
            let some = &rest[..rest.len().min(CompareMessage::MOST)];
            match self.ask_once(&question.peer, some).await {
                Some(said) if !said.is_empty() => compared.extend(said.into_iter().take(some.len())),
                _ => break,
            }
        }
        compared.resize(question.comparisons.len(), Compared::AskBySync);
        compared
    }

    async fn ask_once(&self, peer: &Device, comparisons: &[Comparison]) -> Option<Vec<Compared>> {
        let body = CompareMessage::to_json(comparisons);
        let reply = self.ask_in_one(peer, CompareMessage::CONTENT_TYPE, body.into()).await?;
        let said = CompareMessage::parse_reply(&reply.body).ok()?;
        Some(said.into_iter().map(|said| Compared::of(said, reply.capabilities)).collect())
    }

    /// Asks about many databases in one request; none if that does not succeed.
    async fn ask_in_one(&self, peer: &Device, content_type: &str, body: Bytes) -> Option<Reply> {
        let authority = authority(&peer.replication_ip, peer.replication_port);
        let timeout = self.settings.node_timeout;
        let request = replicate(&self.http, format!("http://{authority}/")).timeout(timeout);
        let request = self.signed(request, |secrets, seconds| {
            secrets.sign(Signable::new("/", content_type, None), seconds, BodyDigest::of(&body))
        });
        let request = request.header("content-type", content_type).body(body);
        let exchange = async {
            let response = request.send().await.map_err(|error| self.call_error(error, timeout))?;
            self.read_reply(response, timeout).await
        };
        let Ok(reply) = self.unless_left_alone(&authority, exchange).await else {
            self.doubt(peer);
            return None;
        };
        self.abilities.learn(peer, reply.capabilities);
        reply.is_success().then_some(reply)
    }
}

impl Compared {
    fn of(said: Comparative, capabilities: Capabilities) -> Self {
        let answered = |status, body| Self::Answered(Reply { status, body, capabilities });
        match said {
            Comparative::IN_SYNC => Self::InSync,
            Comparative::DIFFERS => Self::AskBySync,
            Comparative::Status(status) => answered(status, Bytes::new()),
            Comparative::Reply(reply) => answered(200, Value::Object(reply).to_string().into()),
        }
    }
}
