//! The network between the nodes: every request goes through it, and the seed decides what becomes of it.
//!
//! What becomes of a request depends on the seed, the step, whom it is for, what it is about and how often the like was sent in
//! the step, and on nothing else: not on which of two databases happens to be worked on first. So a seed replays.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

use crate::message::Message;

/// What can become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It is answered.
    Delivered,
    /// It never comes to the peer.
    Lost,
    /// The peer does what it says, and the answer is lost.
    Unanswered,
    /// The peer gets it twice; the first answer counts.
    Twice,
    /// The sender gives up, and the peer gets it some steps later.
    Late,
    /// It comes to the peer, for whose clock it is too far ahead. Not drawn.
    TooFarAhead,
}

/// A request, and what it met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Met {
    /// Whom it is for.
    pub(super) node: usize,
    about: String,
    /// How many of the like there were in its step before it, and it.
    number: u64,
    pub(super) fate: Fate,
}

/// Of a thousand requests.
pub(super) type PerMille = u64;

/// Where requests of peers come in, one door for each node.
pub(super) struct Network {
    shared: Arc<Shared>,
    doors: Vec<Door>,
}

struct Shared {
    seed: u64,
    state: Mutex<State>,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    step: u64,
    trouble: PerMille,
    /// Nodes that get nothing.
    unreachable: BTreeSet<usize>,
    /// How often a request was sent in this step.
    sent: HashMap<(usize, String), u64>,
    late: Vec<Letter>,
    fates: Vec<Met>,
}

/// A request that is still on its way.
struct Letter {
    node: usize,
    about: String,
    number: u64,
    message: Message,
    upstream: SocketAddr,
}

struct Door {
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, about, number, fate } = self;
        write!(f, "{fate:?}: to node {node}, {about} ({number})")
    }
}

impl Network {
    /// Opens no door yet.
    pub(super) fn new(seed: u64) -> Self {
        let shared = Shared { seed, state: Mutex::default(), closed: AtomicBool::new(false) };
        Self { shared: Arc::new(shared), doors: Vec::new() }
    }

    /// Opens the door of a node at its address in the ring; `upstream` is the port at which its server listens.
    pub(super) fn open(&mut self, node: usize, ip: Ipv4Addr, port: u16, upstream: u16) -> Result<()> {
        let address = SocketAddr::from((ip, port));
        let listener = TcpListener::bind(address).with_context(|| format!("the door at {address}"))?;
        let shared = Arc::clone(&self.shared);
        let acceptor =
            thread::spawn(move || accept(&listener, &shared, node, SocketAddr::from((ip, upstream))));
        self.doors.push(Door { address, acceptor: Some(acceptor) });
        Ok(())
    }

    /// Begins a step: so many of a thousand requests meet a fate, and these nodes get none.
    pub(super) fn begin_step(&self, step: u64, trouble: PerMille, unreachable: BTreeSet<usize>) {
        let mut state = self.shared.state();
        state.step = step;
        state.trouble = trouble;
        state.unreachable = unreachable;
        state.sent.clear();
    }

    /// What became of requests since this was asked last, but of those that were simply answered; in an order that replays.
    pub(super) fn take_fates(&self) -> Vec<Met> {
        let mut fates = std::mem::take(&mut self.shared.state().fates);
        fates.sort();
        fates
    }

    /// Brings what is late to nodes that are reachable; what is for others is lost.
    pub(super) fn deliver_late(&self) -> Vec<String> {
        let (mut late, unreachable) = {
            let mut state = self.shared.state();
            (std::mem::take(&mut state.late), state.unreachable.clone())
        };
        late.retain(|letter| !unreachable.contains(&letter.node));
        late.sort_by(|one, other| {
            (one.node, &one.about, one.number).cmp(&(other.node, &other.about, other.number))
        });
        for letter in &late {
            // Nobody waits for the answer.
            let _ = forward(&letter.message, letter.upstream);
        }
        late.iter().map(|letter| format!("to node {}, {}", letter.node, letter.about)).collect()
    }

    /// What is on its way to a node whose server ends is lost.
    pub(super) fn forget_late(&self, node: usize) {
        self.shared.state().late.retain(|letter| letter.node != node);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        for door in &mut self.doors {
            // Wakes the acceptor, which looks whether it is closed.
            if TcpStream::connect(door.address).is_ok()
                && let Some(acceptor) = door.acceptor.take()
            {
                let _ = acceptor.join();
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate_of(&self, node: usize, message: &Message, upstream: SocketAddr) -> Fate {
        let mut state = self.state();
        let about = message.about();
        let sent = state.sent.entry((node, about.clone())).or_default();
        *sent += 1;
        let number = *sent;
        let lot = self.lot(state.step, node, &about, number);
        let fate = match lot % 1000 {
            _ if state.unreachable.contains(&node) => Fate::Lost,
            luck if luck >= state.trouble => Fate::Delivered,
            _ => [Fate::Lost, Fate::Unanswered, Fate::Twice, Fate::Late][(lot / 1000 % 4) as usize],
        };
        if fate == Fate::Late {
            let letter = Letter { node, about: about.clone(), number, message: message.clone(), upstream };
            state.late.push(letter);
        }
        if fate != Fate::Delivered {
            state.fates.push(Met { node, about, number, fate });
        }
        fate
    }

    fn note_too_far_ahead(&self, node: usize, message: &Message) {
        let (mut state, about) = (self.state(), message.about());
        let number = state.sent.get(&(node, about.clone())).copied().unwrap_or_default();
        state.fates.push(Met { node, about, number, fate: Fate::TooFarAhead });
    }

    fn lot(&self, step: u64, node: usize, about: &str, number: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, step, node, about, number).hash(&mut hasher);
        hasher.finish()
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, node: usize, upstream: SocketAddr) {
    for client in listener.incoming() {
        if shared.closed.load(Ordering::Acquire) {
            return;
        }
        let (Ok(client), shared) = (client, Arc::clone(shared)) else { continue };
        thread::spawn(move || {
            // A connection that breaks is the sender's to notice.
            let _ = relay(&client, &shared, node, upstream);
            let _ = client.shutdown(Shutdown::Both);
        });
    }
}

/// Request by request, until one is not answered or the sender closes.
fn relay(client: &TcpStream, shared: &Shared, node: usize, upstream: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut requests, mut answers) = (BufReader::new(client.try_clone()?), client);
    while let Some(request) = Message::read(&mut requests)? {
        let fate = shared.fate_of(node, &request, upstream);
        if matches!(fate, Fate::Lost | Fate::Late) {
            return Ok(());
        }
        let answer = forward(&request, upstream)?;
        if answer.says_too_far_ahead() {
            shared.note_too_far_ahead(node, &request);
        }
        if fate == Fate::Unanswered {
            return Ok(());
        }
        if fate == Fate::Twice {
            let _ = forward(&request, upstream);
        }
        answers.write_all(&answer.of_one_at_a_time())?;
    }
    Ok(())
}

/// On a connection of its own, so that what the last one has met does not matter.
fn forward(request: &Message, upstream: SocketAddr) -> io::Result<Message> {
    let server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    (&server).write_all(request.bytes())?;
    Message::read(&mut BufReader::new(server))?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
