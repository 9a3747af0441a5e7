//! What is asked for `martlet status`: what each replica holds, and how far it has each other's rows.

use protocol::{RemoteInfo, SyncArgs};

use crate::{
    asking::{Answer, Asker, telling_nothing},
    subject::{Place, Subject},
};

/// The answer of each place, all asked at once.
pub(crate) fn all_replicas(asker: &Asker, subject: &Subject) -> Vec<Answer> {
    let database = (subject.partition, subject.digest);
    let question = |place: &Place| asker.ask(&place.device, database, telling_nothing(String::new()));
    asker.at_once(subject.places.iter().map(question).collect())
}

/// For each place how far it has received from each other, in the order of the places; none where that is not known.
///
/// The answer has the point of one other replica only, so each is asked once about each other.
pub(crate) fn points(asker: &Asker, subject: &Subject, answers: &[Answer]) -> Vec<Vec<Option<i64>>> {
    let database = (subject.partition, subject.digest);
    let pairs: Vec<_> = (0..answers.len())
        .flat_map(|asked| (0..answers.len()).map(move |other| (asked, other)))
        .filter_map(|(asked, other)| {
            let args = about(answers[asked].here()?, answers[other].here().filter(|_| asked != other)?);
            Some(((asked, other), asker.ask(&subject.places[asked].device, database, args)))
        })
        .collect();
    let (pairs, questions): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let mut points = vec![vec![None; answers.len()]; answers.len()];
    for ((asked, other), answer) in pairs.into_iter().zip(asker.at_once(questions)) {
        points[asked][other] = answer.here().map(|info| info.point);
    }
    points
}

/// A question to `asked` about `other`. What the former has said itself is nothing new to it.
fn about(asked: &RemoteInfo, other: &RemoteInfo) -> SyncArgs {
    SyncArgs {
        created_at: asked.created_at.clone(),
        put_timestamp: asked.put_timestamp.clone(),
        delete_timestamp: asked.delete_timestamp.clone(),
        ..telling_nothing(other.id.clone())
    }
}
