use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

/// How long after a look-up of a host name, good or bad, the next one is due.
const LOOKED_UP_FOR: Duration = Duration::from_secs(60);

/// Finds the addresses of a host name and port; may block.
pub type LookUp = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Which of a name's addresses is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preferred {
    /// The first of the look-up, as Python's `SysLogHandler` does.
    First,
    /// The first IPv4 one if there is any, as stock's `StatsdClient` does.
    Ipv4,
}

/// Who gets datagrams: a host, whose name is looked up again each minute.
///
/// Only the first look-up is waited for, and not even that if it is [begun ahead](Self::looked_up_ahead); the later ones have a
/// thread of their own. One that fails changes nothing: the address found before goes on being used, and where there is none
/// datagrams are refused until the next minute's. So a name server that is down costs its callers one wait at most.
pub struct UdpTarget {
    name: Name,
    next: Next,
    to: Option<SocketAddr>,
    /// Of the family of `to`.
    socket: Option<UdpSocket>,
}

/// What is looked up, and how.
#[derive(Clone)]
struct Name {
    host: String,
    port: u16,
    preferred: Preferred,
    look_up: LookUp,
}

/// The next look-up.
enum Next {
    /// An address in digits needs none.
    Never,
    /// Nobody has been asked yet.
    First,
    /// Due then.
    At(Instant),
    /// Under way.
    Asked(Receiver<io::Result<SocketAddr>>),
}

impl fmt::Debug for UdpTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("UdpTarget");
        shown
            .field("host", &self.name.host)
            .field("port", &self.name.port)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl UdpTarget {
    /// A target whose name the system looks up, with the first datagram.
    pub fn new(host: String, port: u16, preferred: Preferred) -> Self {
        Self::looked_up_by(
            Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())),
            host,
            port,
            preferred,
        )
    }

    /// The same, asking `look_up`.
    pub fn looked_up_by(look_up: LookUp, host: String, port: u16, preferred: Preferred) -> Self {
        let to = host.parse::<IpAddr>().ok().map(|ip| SocketAddr::from((ip, port)));
        let next = if to.is_some() { Next::Never } else { Next::First };
        Self { name: Name { host, port, preferred, look_up }, next, to, socket: None }
    }

    /// Begins the first look-up, too, on a thread of its own, so that no datagram waits for it. Those that come before it has its
    /// answer are refused. Does not block.
    #[must_use = "it is the target"]
    pub fn looked_up_ahead(mut self) -> Self {
        if matches!(self.next, Next::First) {
            self.next = self.name.ask().map_or(Next::At(Instant::now() + LOOKED_UP_FOR), Next::Asked);
        }
        self
    }

    /// Sends one datagram at `now`. Blocks for the first look-up if it was not begun before, else for nothing that lasts.
    ///
    /// # Errors
    /// If there is no address yet, of the kind `NotConnected` as long as the first look-up is under way, or the system does not take
    /// the datagram; it is lost then.
    pub fn send(&mut self, datagram: &[u8], now: Instant) -> io::Result<()> {
        let to = self.address(now)?;
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => unbound(to)?,
        };
        self.socket.insert(socket).send_to(datagram, to).map(drop)
    }

    fn address(&mut self, now: Instant) -> io::Result<SocketAddr> {
        match &self.next {
            Next::First => {
                let asked = Instant::now();
                let found = self.name.found();
                self.next = Next::At(now + asked.elapsed() + LOOKED_UP_FOR);
                self.turn_to(found?);
            }
            Next::At(due) if *due <= now => {
                self.next = self.name.ask().map_or(Next::At(now + LOOKED_UP_FOR), Next::Asked);
            }
            Next::Asked(answer) => match answer.try_recv() {
                Err(TryRecvError::Empty) if self.to.is_none() => {
                    return Err(io::Error::new(io::ErrorKind::NotConnected, "its name is being looked up"));
                }
                Err(TryRecvError::Empty) => {}
                answered => {
                    self.next = Next::At(now + LOOKED_UP_FOR);
                    match answered {
                        Ok(Ok(to)) => self.turn_to(to),
                        Ok(Err(error)) if self.to.is_none() => return Err(error),
                        Ok(Err(_)) | Err(_) => {}
                    }
                }
            },
            Next::Never | Next::At(_) => {}
        }
        self.to.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its address is not known"))
    }

    fn turn_to(&mut self, to: SocketAddr) {
        if self.to.is_some_and(|before| before.is_ipv4() != to.is_ipv4()) {
            self.socket = None;
        }
        self.to = Some(to);
    }
}

impl Name {
    /// Looks it up on a thread, which sends what it finds.
    fn ask(&self) -> io::Result<Receiver<io::Result<SocketAddr>>> {
        let (sender, answer) = bounded(1);
        let name = self.clone();
        let asking = move || {
            // Whoever asked may be gone by now.
            let _ = sender.send(name.found());
        };
        thread::Builder::new().name("look-up".to_owned()).spawn(asking)?;
        Ok(answer)
    }

    fn found(&self) -> io::Result<SocketAddr> {
        let found = (self.look_up)(&self.host, self.port)?;
        let ipv4 = found.iter().find(|address| address.is_ipv4() && self.preferred == Preferred::Ipv4);
        let none = || io::Error::new(io::ErrorKind::NotFound, "its name has no address");
        ipv4.or(found.first()).copied().ok_or_else(none)
    }
}

fn unbound(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0))
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use crossbeam_channel::Select;

    use super::*;

    /// Answers in order, each a list of addresses or a name server that is down; none left: a test asks too often.
    type Answers = Arc<Mutex<VecDeque<Option<Vec<SocketAddr>>>>>;

    fn target(preferred: Preferred, answers: Vec<Option<Vec<SocketAddr>>>) -> (UdpTarget, Answers) {
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let asked = Arc::clone(&answers);
        let look_up = Arc::new(move |_: &str, _| {
            asked.lock().unwrap().pop_front().unwrap().ok_or_else(|| io::Error::other("no name server"))
        });
        (UdpTarget::looked_up_by(look_up, "name".to_owned(), 1, preferred), answers)
    }

    /// Until the look-up that is under way has its answer; the target takes it with the next datagram.
    fn await_answer(target: &UdpTarget) {
        let Next::Asked(answer) = &target.next else { panic!("nothing is being looked up") };
        let mut select = Select::new();
        select.recv(answer);
        select.ready();
    }

    fn receiver() -> (UdpSocket, SocketAddr) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_nonblocking(true).unwrap();
        let address = receiver.local_addr().unwrap();
        (receiver, address)
    }

    /// On loopback a datagram that was sent is there.
    fn received(receiver: &UdpSocket) -> usize {
        std::iter::from_fn(|| receiver.recv(&mut [0; 10]).ok()).count()
    }

    #[test]
    fn a_name_that_is_not_found_is_asked_for_once_a_minute() {
        let (receiver, address) = receiver();
        let (mut target, answers) = target(Preferred::First, vec![None, None, Some(vec![address])]);
        let start = Instant::now();
        let mut sent = |second| {
            let sent = target.send(b"x", start + Duration::from_secs(second));
            if matches!(target.next, Next::Asked(_)) {
                await_answer(&target);
            }
            sent.map_err(|error| error.to_string())
        };
        assert_eq!(sent(0), Err("no name server".to_owned()));
        for second in (1..59).chain([100]) {
            assert_eq!(sent(second), Err("its address is not known".to_owned()), "{second}");
        }
        assert_eq!(sent(101), Err("no name server".to_owned()), "that is why");
        for second in [110, 150, 200] {
            assert_eq!(sent(second), Err("its address is not known".to_owned()), "{second}");
        }
        assert_eq!((sent(201), answers.lock().unwrap().len(), received(&receiver)), (Ok(()), 0, 1));
    }

    #[test]
    fn an_address_is_renewed_and_kept_while_it_cannot_be() {
        let ((first, one), (second, two)) = (receiver(), receiver());
        let answers = vec![Some(vec![one]), None, Some(vec![]), Some(vec![two])];
        let (mut target, answers) = target(Preferred::First, answers);
        let start = Instant::now();
        for minute in 0..4 {
            for second in 0..10 {
                target.send(b"x", start + Duration::from_secs(100 * minute + second)).unwrap();
                if minute > 0 && second == 0 {
                    await_answer(&target);
                }
            }
        }
        assert_eq!((answers.lock().unwrap().len(), received(&first), received(&second)), (0, 31, 9));
    }

    #[test]
    fn a_name_server_that_does_not_answer_holds_nobody_up() {
        let (receiver, address) = receiver();
        let (answer, answers) = bounded(1);
        answer.send(address).unwrap();
        let look_up = Arc::new(move |_: &str, _| Ok(answers.recv().into_iter().collect()));
        let mut target = UdpTarget::looked_up_by(look_up, "name".to_owned(), 1, Preferred::First);
        let start = Instant::now();
        for second in (0..1000).step_by(10) {
            target.send(b"x", start + Duration::from_secs(second)).unwrap();
        }
        assert_eq!(received(&receiver), 100);
        drop(answer);
    }

    #[test]
    fn what_is_looked_up_ahead_keeps_not_even_the_first_datagram_waiting() {
        let (receiver, address) = receiver();
        let (answer, answers) = bounded(1);
        let caller = thread::current().id();
        let look_up = Arc::new(move |_: &str, _| {
            assert_ne!(thread::current().id(), caller, "whoever sends waits");
            Ok(answers.recv().into_iter().collect())
        });
        let target = UdpTarget::looked_up_by(look_up, "name".to_owned(), 1, Preferred::First);
        let mut target = target.looked_up_ahead();
        let send = |target: &mut UdpTarget| target.send(b"x", Instant::now()).map_err(|error| error.kind());
        for _ in 0..10 {
            assert_eq!(send(&mut target), Err(io::ErrorKind::NotConnected));
        }
        answer.send(address).unwrap();
        await_answer(&target);
        assert_eq!((send(&mut target), received(&receiver)), (Ok(()), 1));
    }

    #[test]
    fn an_address_in_digits_is_never_looked_up() {
        let (receiver, address) = receiver();
        let never = Arc::new(|_: &str, _| panic!("looked up"));
        let mut target =
            UdpTarget::looked_up_by(never, "127.0.0.1".to_owned(), address.port(), Preferred::First);
        for hour in 0..3 {
            target.send(b"x", Instant::now() + Duration::from_secs(3600 * hour)).unwrap();
        }
        assert_eq!(received(&receiver), 3);
    }

    #[test]
    fn the_family_is_as_the_protocol_has_it_in_stock() {
        let both: Vec<SocketAddr> = vec!["[::1]:9".parse().unwrap(), "127.0.0.1:9".parse().unwrap()];
        for (preferred, wanted) in [(Preferred::First, both[0]), (Preferred::Ipv4, both[1])] {
            let (target, _) = target(preferred, vec![Some(both.clone())]);
            assert_eq!(target.name.found().unwrap(), wanted);
        }
        let (target, _) = target(Preferred::Ipv4, vec![Some(vec![both[0]])]);
        assert_eq!(target.name.found().unwrap(), both[0]);
    }
}
