//! Databases that peers have compared before, and that nobody has changed since: a line and a letter for each.

use std::{sync::Arc, time::Instant};

use protocol::MarkMessage;
use sync_client::Reminder;

use super::{
    RollCall,
    candidate::{AnswerAt, ByPeer, Candidate, question_to},
};
use crate::{course::Database, from_memory::Heard};

impl<'a> RollCall<'a> {
    /// Those of which a peer remembers something else, or nothing: they are to be compared. The others are done with.
    pub(super) fn recall(&self, candidates: Vec<Candidate<'a>>, started: Instant) -> Vec<Candidate<'a>> {
        let mut reminders = ByPeer::new();
        let places: Vec<Vec<Option<AnswerAt>>> =
            candidates.iter().map(|candidate| self.remind_of(candidate, &mut reminders)).collect();
        let reminders = reminders.into_values().collect();
        let answers = self.wait(&candidates, || self.node.client.recall(reminders));
        let mut others = Vec::new();
        for (candidate, places) in candidates.into_iter().zip(places) {
            let unanswered = |place: &AnswerAt| answers[place.question].is_none();
            let same =
                |place: &AnswerAt| answers[place.question].as_ref().is_some_and(|same| same[place.index]);
            if places.iter().flatten().any(unanswered) {
                // A worker has the time to wait for it.
                let database = Database::Closed(candidate.task);
                self.leave_to_a_worker(database, Heard::new());
            } else if places.iter().all(|place| place.as_ref().is_some_and(same)) {
                self.settle(candidate, started);
            } else {
                others.push(candidate);
            }
        }
        others
    }

    /// Adds it to what each of its peers is reminded of; no place where that is full.
    fn remind_of(
        &self,
        candidate: &Candidate<'_>,
        reminders: &mut ByPeer<Reminder>,
    ) -> Vec<Option<AnswerAt>> {
        let (task, mark) = (&candidate.task, self.node.marks.mark(&candidate.info));
        let mut remind = |peer: &Arc<ring::Device>| {
            let begin = |peer| Reminder { peer, message: MarkMessage::default() };
            let (question, reminder) = question_to(reminders, peer, begin);
            let index = reminder.message.len();
            (index < MarkMessage::MOST).then(|| {
                reminder.message.add(&peer.device, task.partition, task.digest, mark);
                AnswerAt { question, index }
            })
        };
        candidate.peers.iter().map(&mut remind).collect()
    }
}
