//! Peers that do not answer, and until when they are left alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// So many calls in a row without an answer, and the peer is left alone for the first time.
const PATIENCE: u32 = 3;
/// The first pause; each next one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A peer that nobody has asked for so many times the longest pause after its own is asked no more: it has left the ring.
const FORGOTTEN_AFTER: u32 = 10;

/// Which peers have not answered lately, by where they answer REPLICATE.
///
/// Each database that has a replica on a dead machine would wait for it again, for `conn_timeout` or, where a machine accepts
/// connections and says nothing, for `node_timeout`, and workers with it. Stock waits each time.
#[derive(Clone, Debug)]
pub(crate) struct Silences {
    longest: Duration,
    peers: Arc<Mutex<HashMap<String, Silence>>>,
}

/// A peer that is left alone time and again until it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// Where it answers REPLICATE: `IP:PORT`.
    pub server: String,
    /// How long it is left alone this time.
    pub pause: Duration,
    /// How often it was asked again after such a pause and has not answered.
    pub retries: u32,
}

/// How long a peer has said nothing.
#[derive(Clone, Copy, Debug)]
struct Silence {
    unanswered: u32,
    retries: u32,
    /// The last pause, and when it began; calls from before tell nothing new.
    pause: Option<(Instant, Duration)>,
}

/// What a call without an answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Nothing yet, or it is known.
    None,
    /// From now on the peer is left alone for so long, the first time since it answered last.
    FirstPause(Duration),
    /// It still does not answer, and is left alone for so long.
    NextPause(Duration),
}

impl Silences {
    /// No pause is longer than `longest`; if that is zero there is none.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { longest, peers: Arc::default() }
    }

    /// For how long a peer is still to be left alone, if it is.
    pub(crate) fn left_alone(&self, peer: &str, now: Instant) -> Option<Duration> {
        let (begun, pause) = self.lock().get(peer)?.pause?;
        let left = pause.saturating_sub(now.saturating_duration_since(begun));
        (!left.is_zero()).then_some(left)
    }

    /// Whether it was silent long enough to have been left alone.
    pub(crate) fn answered(&self, peer: &str) -> bool {
        self.lock().remove(peer).is_some_and(|silence| silence.pause.is_some())
    }

    /// A call that was `begun` then got no answer.
    pub(crate) fn unanswered(&self, peer: &str, begun: Instant, now: Instant) -> Consequence {
        if self.longest.is_zero() {
            return Consequence::None;
        }
        let mut peers = self.lock();
        let silence =
            peers.entry(peer.to_owned()).or_insert(Silence { unanswered: 0, retries: 0, pause: None });
        silence.unanswered += 1;
        match silence.pause {
            Some((since, _)) if begun < since => Consequence::None,
            Some((_, last)) => {
                let pause = last.saturating_mul(2).min(self.longest);
                silence.pause = Some((now, pause));
                silence.retries = silence.retries.saturating_add(1);
                Consequence::NextPause(pause)
            }
            None if silence.unanswered < PATIENCE => Consequence::None,
            None => {
                let pause = FIRST_PAUSE.min(self.longest);
                silence.pause = Some((now, pause));
                Consequence::FirstPause(pause)
            }
        }
    }

    /// Those that are left alone. Forgets those that nobody asks any more.
    pub(crate) fn pauses(&self, now: Instant) -> Vec<LeftAlone> {
        let kept = self.longest.saturating_mul(FORGOTTEN_AFTER);
        let mut peers = self.lock();
        peers.retain(|_, silence| {
            silence.pause.is_none_or(|(begun, pause)| {
                now.saturating_duration_since(begun) <= pause.saturating_add(kept)
            })
        });
        let of_one = |(server, silence): (&String, &Silence)| {
            let ((_, pause), retries) = (silence.pause?, silence.retries);
            Some(LeftAlone { server: server.clone(), pause, retries })
        };
        peers.iter().filter_map(of_one).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Silence>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.0.0.1:6201";
    const SECOND: Duration = Duration::from_secs(1);

    fn left_alone(pause: Duration, retries: u32) -> Vec<LeftAlone> {
        vec![LeftAlone { server: PEER.to_owned(), pause, retries }]
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_end_with_an_answer() {
        let (silences, start) = (Silences::new(5 * SECOND), Instant::now());
        let unanswered = |at: Duration| silences.unanswered(PEER, start + at, start + at);
        assert_eq!([unanswered(SECOND), unanswered(SECOND)], [Consequence::None; 2]);
        assert_eq!(silences.left_alone(PEER, start + SECOND), None);
        assert_eq!(unanswered(SECOND), Consequence::FirstPause(SECOND));
        assert_eq!(silences.left_alone(PEER, start + SECOND * 3 / 2), Some(SECOND / 2));
        assert_eq!(silences.left_alone(PEER, start + 2 * SECOND), None);
        let next = [2, 4, 8, 16].map(|at| unanswered(at * SECOND));
        assert_eq!(next, [2, 4, 5, 5].map(|pause| Consequence::NextPause(pause * SECOND)));
        assert_eq!(silences.pauses(start + 16 * SECOND), left_alone(5 * SECOND, 4));
        assert!(silences.answered(PEER));
        assert!(!silences.answered(PEER));
        assert_eq!(silences.left_alone(PEER, start + 16 * SECOND), None);
        assert_eq!(unanswered(17 * SECOND), Consequence::None);
        assert_eq!(silences.pauses(start + 17 * SECOND), [], "one call without an answer leads to no pause");
    }

    #[test]
    fn calls_that_were_under_way_tell_nothing_new() {
        let (silences, start) = (Silences::new(60 * SECOND), Instant::now());
        let ends = |at: u32| silences.unanswered(PEER, start, start + at * SECOND);
        assert_eq!([ends(10), ends(10)], [Consequence::None; 2]);
        assert_eq!(ends(10), Consequence::FirstPause(SECOND));
        assert_eq!([ends(10), ends(11)], [Consequence::None; 2]);
    }

    #[test]
    fn a_peer_that_nobody_asks_any_more_is_forgotten() {
        let (silences, start) = (Silences::new(6 * SECOND), Instant::now());
        for _ in 0..PATIENCE {
            silences.unanswered(PEER, start, start);
        }
        let paused = |at: u32| silences.pauses(start + at * SECOND);
        assert_eq!(paused(61), left_alone(SECOND, 0), "ten times the longest, after its own");
        assert_eq!((paused(62), paused(1)), (vec![], vec![]));
        assert!(!silences.answered(PEER));
    }

    #[test]
    fn another_peer_and_one_that_answers_now_and_then_are_asked() {
        let (silences, now) = (Silences::new(60 * SECOND), Instant::now());
        for _ in 0..10 {
            for _ in 1..PATIENCE {
                assert_eq!(silences.unanswered(PEER, now, now), Consequence::None);
            }
            assert!(!silences.answered(PEER));
        }
        for _ in 0..PATIENCE {
            silences.unanswered(PEER, now, now);
        }
        assert!(silences.left_alone(PEER, now).is_some());
        assert_eq!(silences.left_alone("10.0.0.2:6201", now), None);
    }

    #[test]
    fn no_longest_pause_means_none() {
        let (silences, now) = (Silences::new(Duration::ZERO), Instant::now());
        for _ in 0..10 {
            assert_eq!(silences.unanswered(PEER, now, now), Consequence::None);
        }
        assert_eq!(silences.left_alone(PEER, now), None);
    }
}
