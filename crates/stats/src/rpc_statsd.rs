use std::time::Duration;

use settings::StatsdConf;
use swift_types::ServerType;

use crate::{Statsd, statsd::milliseconds};

/// The share of a container server's times that is sent unless the conf multiplies it: they are many.
const CONTAINER_RATE: f64 = 0.01;

/// Sends the times of REPLICATE requests to a statsd server as stock's account and container servers do.
///
/// Stock: `timing_stats` on the servers' `REPLICATE`.
#[derive(Debug)]
pub struct RpcStatsd {
    statsd: Statsd,
    rate: f64,
}

impl RpcStatsd {
    /// None where [`Statsd::new`] gives none. `log_name` is that of the server, as stock's servers have names of
    /// their own.
    pub fn new(conf: &StatsdConf, server_type: ServerType, log_name: &str) -> Option<Self> {
        let rate = match server_type {
            ServerType::Account => conf.log_statsd_default_sample_rate,
            ServerType::Container => CONTAINER_RATE,
        };
        let rate = rate * conf.log_statsd_sample_rate_factor;
        Statsd::new(conf, log_name).map(|statsd| Self { statsd, rate })
    }

    /// Sends one time, with the HTTP status of the answer. Blocks as [`Statsd::send`] does.
    pub fn answered(&self, status: u16, elapsed: Duration) {
        let metric = if status < 500 { "REPLICATE.timing" } else { "REPLICATE.errors.timing" };
        self.statsd.send_share(metric, &milliseconds(elapsed), self.rate);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn conf(port: u16, default_rate: f64, factor: f64) -> StatsdConf {
        StatsdConf {
            log_statsd_host: Some("127.0.0.1".to_owned()),
            log_statsd_port: port,
            log_statsd_default_sample_rate: default_rate,
            log_statsd_sample_rate_factor: factor,
            log_statsd_metric_prefix: String::new(),
            statsd_emit_legacy: true,
        }
    }

    /// The server's words for 2,000 answers, and how many there were.
    fn told(server_type: ServerType, default_rate: f64, factor: f64, status: u16) -> (String, usize) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_nonblocking(true).unwrap();
        let conf = conf(receiver.local_addr().unwrap().port(), default_rate, factor);
        let statsd = RpcStatsd::new(&conf, server_type, "s").unwrap();
        let (mut line, mut count, mut buffer) = (String::new(), 0, [0; 100]);
        for _ in 0..2000 {
            statsd.answered(status, Duration::from_micros(1500));
            if let Ok(length) = receiver.recv(&mut buffer) {
                line = String::from_utf8_lossy(&buffer[..length]).into_owned();
                count += 1;
            }
        }
        (line, count)
    }

    #[test]
    fn containers_have_a_rate_of_their_own_and_accounts_the_default() {
        let (line, count) = told(ServerType::Container, 1.0, 1.0, 202);
        assert_eq!(line, "s.REPLICATE.timing:1.5|ms|@0.01");
        assert!((1..100).contains(&count), "{count}");
        let (line, count) = told(ServerType::Account, 0.5, 1.0, 507);
        assert_eq!(line, "s.REPLICATE.errors.timing:1.5|ms|@0.5");
        assert!((700..1300).contains(&count), "{count}");
        let whole = "s.REPLICATE.timing:1.5|ms".to_owned();
        assert_eq!(told(ServerType::Container, 0.0, 100.0, 404), (whole, 2000));
    }
}
