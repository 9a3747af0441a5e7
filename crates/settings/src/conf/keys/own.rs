use super::{Default, Key};

/// Keys that stock does not know.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "allow_mass_misplacement",
        default: Default::Value("no"),
        meaning: "move databases that lie on wrong partitions however many they are: for a change of the partition power that is \
                  meant, see [operations](operations.md#many-databases-on-wrong-partitions)",
    },
    Key {
        name: "device_databases_per_second",
        default: Default::Value("0"),
        meaning: "databases of each device by the second, with a burst of 5 s, within what `databases_per_second` allows to all \
                  together: for disks that are slow or have other work; 0: no limit of their own",
    },
    Key {
        name: "device_concurrency",
        default: Default::Value("0"),
        meaning: "of `concurrency` what one device may keep busy; 0: half of it, rounded up, where there are several devices, so \
                  that a slow disk leaves workers to the others. Two slow ones can take all: set less where that is to be feared",
    },
    Key {
        name: "device_timeout",
        default: Default::Value("300"),
        meaning: "seconds for which a pass waits for a device where somebody is at work and nothing comes to an end: then the \
                  log names it and what is in hand there, and when nothing else is left the pass ends without it. No pass takes \
                  it up again before its disk has answered. One transfer may take as long, which costs the device's other \
                  databases their turn until it is over; 0: a pass waits for ever, as stock's",
    },
    Key {
        name: "peer_backoff",
        default: Default::Value("30"),
        meaning: "seconds for which a peer that has not answered three times in a row is left alone at most: the first pause is \
                  a second, each next twice as long; its databases count as failures meanwhile, without waiting for \
                  `conn_timeout` or `node_timeout` each; 0: it is asked every time, as by stock",
    },
    Key {
        name: "db_cache_size",
        default: Default::Value("200000"),
        meaning: "databases that are remembered, about half a KiB each and its metadata, and not opened while their files do not \
                  change: as many on the sending side, and with `serve` as many on the answering side; 0: none",
    },
    Key {
        name: "db_cache_age",
        default: Default::Value("86400"),
        meaning: "seconds after which a database is opened all the same, so that what has become old in it is reclaimed; each \
                  after a time of its own between half of this and the whole; 0: none is remembered",
    },
    Key {
        name: "serve",
        default: Default::Value("no"),
        meaning: "the loop also answers REPLICATE on `bind_ip:bind_port`",
    },
    Key {
        name: "metrics_bind_ip",
        default: Default::Value("127.0.0.1"),
        meaning: "where the [status page](operations.md#the-status-page) and the metrics are",
    },
    Key {
        name: "metrics_bind_port",
        default: Default::OfType { account: "9462", container: "9461" },
        meaning: "the port there, one for each process; 0: no page; a port in use is a warning",
    },
    Key {
        name: "metrics_textfile",
        default: Default::None,
        meaning: "a file, absolute and ending in `.prom`, in the folder of node_exporter's textfile collector: every pass, \
                  `once` too, replaces it with the metrics page; give accounts and containers one each. What cannot be written \
                  is an error in the log and costs the pass nothing",
    },
    Key {
        name: "max_request_bytes",
        default: Default::Value("67108864"),
        meaning: "the largest JSON message; a larger one gets 413. Four times as much is the memory for all bodies above 16 KiB \
                  together, half of it for those of one device",
    },
    Key {
        name: "rpc_threads",
        default: Default::Value("16"),
        meaning: "databases worked on at once for peers; one device has half of them at most",
    },
    Key {
        name: "rpc_queue",
        default: Default::Value("128"),
        meaning: "requests that may wait beside them, half of them for one device; beyond it the one whose body has brought \
                  less than 16 KiB for longest, for a second at least, gets 503, and where there is none \
                  within five seconds the next",
    },
    Key {
        name: "max_clients",
        default: Default::Value("1024"),
        meaning: "connections that may be open at once, as of a process of stock's servers, whose key in `[DEFAULT]` this is; \
                  where stock lets new ones wait, the one that has been without a request longest is closed for each. No more \
                  than half of the files that the process may open",
    },
    Key {
        name: "replicate_from",
        default: Default::Value("ring"),
        meaning: "from whom REPLICATE is taken, beside loopback: `ring` is every `ip` and `replication_ip` of the ring (host \
                  names are looked up); networks such as `10.1.0.0/16, fd00::/8` are added to these; `any` takes it from \
                  everybody, as stock does",
    },
    Key {
        name: "cluster_secret_file",
        default: Default::None,
        meaning: "a file with a secret of the cluster, 16 characters at least, the same on every node: REPLICATE is signed with \
                  it, and taken only if it is. Of several, with blanks or line ends between, the first signs and all are \
                  accepted. Stock cannot sign. See [operations](operations.md#a-secret-of-the-cluster)",
    },
    Key {
        name: "future_timestamp_limit",
        default: Default::Value("86400"),
        meaning: "seconds that the timestamps and metadata of a peer's database (not its rows and shard ranges) may be ahead of \
                  this node's clock; 0 takes any, as stock does",
    },
    Key {
        name: "forward_to",
        default: Default::None,
        meaning: "`IP:PORT` (`[IP]:PORT`) of stock's server, which gets all requests that are not REPLICATE; without it they get \
                  405",
    },
    Key {
        name: "forward_limit",
        default: Default::Value("256"),
        meaning: "requests forwarded at once; beyond it they get 503",
    },
    Key {
        name: "forward_timeout",
        default: Default::Value("90"),
        meaning: "seconds in which neither side of a forwarded request sends a byte; above stock's `client_timeout`, so that \
                  stock answers first",
    },
    Key { name: "shutdown_grace", default: Default::Value("10"), meaning: "seconds from SIGTERM to the end" },
];
