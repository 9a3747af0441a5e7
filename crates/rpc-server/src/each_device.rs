//! A question about databases of several devices: each device is asked by itself.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use swift_types::DeviceName;
use tokio::time::timeout;

use crate::{
    answer::Answer,
    service::{Host, Service},
};

/// How long a device may take with its part of a question, its turn included, before the others are answered for without it:
/// less than a peer's `node_timeout`, and more than [what is worked for](crate::compare::TIME).
const PATIENCE: Duration = Duration::from_secs(5);

/// What a question asks of one device.
struct Part<Q> {
    /// Where its questions stand among all.
    places: Vec<usize>,
    questions: Vec<Q>,
}

impl Service {
    /// Answers in the order of the questions, up to the first for which a device had no time. `late` answers for a device that
    /// could not be asked, or hangs.
    pub(crate) async fn ask_each_device<Q, A>(
        &self,
        questions: Vec<Q>,
        device_of: fn(&Q) -> &DeviceName,
        work: fn(&Host, &DeviceName, Vec<Q>) -> Vec<A>,
        late: A,
    ) -> Vec<A>
    where
        Q: Send + 'static,
        A: Clone + Send + 'static,
    {
        let mut answers: Vec<Option<A>> = vec![None; questions.len()];
        let parts =
            parts(questions, device_of).into_iter().map(|(device, Part { places, questions })| async move {
                let asked = timeout(PATIENCE, self.ask_device(device, questions, work)).await;
                (places, asked.ok().and_then(Result::ok))
            });
        for (places, said) in join_all(parts).await {
            let said = said.unwrap_or_else(|| vec![late.clone(); places.len()]);
            for (place, answer) in places.into_iter().zip(said) {
                answers[place] = Some(answer);
            }
        }
        answers.into_iter().map_while(|answer| answer).collect()
    }

    async fn ask_device<Q, A>(
        &self,
        device: DeviceName,
        questions: Vec<Q>,
        work: fn(&Host, &DeviceName, Vec<Q>) -> Vec<A>,
    ) -> Result<Vec<A>, Answer>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        // Who asks about all devices at once ends no body at each of them.
        let place = self.shares.enter_at_once(&device)?;
        self.in_turn_of(&place, move |host| Ok(work(host, &device, questions))).await
    }
}

fn parts<Q>(questions: Vec<Q>, device_of: fn(&Q) -> &DeviceName) -> HashMap<DeviceName, Part<Q>> {
    let mut parts = HashMap::<DeviceName, Part<Q>>::new();
    for (place, question) in questions.into_iter().enumerate() {
        if let Some(part) = parts.get_mut(device_of(&question)) {
            part.places.push(place);
            part.questions.push(question);
        } else {
            let device = device_of(&question).clone();
            parts.insert(device, Part { places: vec![place], questions: vec![question] });
        }
    }
    parts
}
