//! A cluster with a suite's databases on it, and messages to the server of one device that holds them all.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::by_hand::{self, Answer};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::{Value, json};

/// The node whose server is told things, and its device, a primary of every case.
pub(crate) const NODE: usize = 1;
pub(crate) const DEVICE: &str = "d1a";

pub(crate) struct Port {
    pub(crate) cluster: Cluster,
    pub(crate) server_type: ServerType,
    origin: Value,
    manifest: Value,
}

impl Port {
    /// No server runs yet.
    pub(crate) fn open(suite: &str, server_type: ServerType) -> Result<Self> {
        Self::open_with("max_request_bytes = 1000000", suite, server_type)
    }

    /// As [`Port::open`], with other lines in our daemon's section.
    pub(crate) fn open_with(lines: &str, suite: &str, server_type: ServerType) -> Result<Self> {
        let mut shape = Shape::default();
        lines.clone_into(&mut shape.tuning.daemon);
        let cluster = Cluster::start(shape)?;
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
        let origin = json!({
            "type": server_type.name(), "roots": cluster.roots(), "swift_dir": cluster.swift_dir(), "base": base,
        });
        let manifest = cluster.stock().call(&with(&origin, json!({"op": "build", "suite": suite})))?;
        Ok(Self { cluster, server_type, origin, manifest })
    }

    /// As [`Port::open`], with the server that is to be told things.
    pub(crate) fn serving(suite: &str, server_type: ServerType, daemon: Daemon) -> Result<Self> {
        let mut port = Self::open(suite, server_type)?;
        port.cluster.serve(NODE, server_type, daemon)?;
        Ok(port)
    }

    fn case(&self, title: &str) -> &Value {
        let cases = self.manifest.as_array().into_iter().flatten();
        cases.into_iter().find(|case| case["title"] == title).expect("the suite has the case")
    }

    /// `PARTITION/HASH` of a case.
    pub(crate) fn place(&self, title: &str) -> String {
        let case = self.case(title);
        format!("{}/{}", case["part"], case["hash"].as_str().expect("a case has a hash"))
    }

    /// The database file of a case, below its device.
    pub(crate) fn file(&self, title: &str) -> String {
        let case = self.case(title);
        let hash = case["hash"].as_str().expect("a case has a hash");
        format!("{}s/{}/{}/{hash}/{hash}.db", self.server_type, case["part"], &hash[29..])
    }

    /// Sends a body to the database at `PARTITION/HASH`; the status that comes back.
    pub(crate) fn tell(&self, place: &str, body: impl AsRef<[u8]>) -> Result<u16> {
        self.tell_from(Ipv4Addr::LOCALHOST, place, body)
    }

    /// As [`Port::tell`], from one of this machine's addresses.
    pub(crate) fn tell_from(&self, from: Ipv4Addr, place: &str, body: impl AsRef<[u8]>) -> Result<u16> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddrV4::new(from, 0))?;
        connect(&socket, &SocketAddrV4::new(self.cluster.address(NODE), self.server_type.default_port()))?;
        let mut stream = TcpStream::from(socket);
        // A server that refuses early may close before it has read everything.
        let _ = by_hand::replicate(&stream, &format!("/{DEVICE}/{place}"), "", body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Ok(Answer::parse(&String::from_utf8_lossy(&answer))?.status)
    }

    /// The databases of a case on a device, as dump.py tells them: file name → what it says.
    pub(crate) fn databases(&self, title: &str, device: &str) -> Result<Value> {
        let request = with(&self.origin, json!({"op": "dump", "manifest": self.manifest}));
        let dump = self.cluster.stock().call(&request)?;
        let places = dump["cases"][title].as_object().into_iter().flatten();
        let here = places.filter(|(place, _)| place.starts_with(device));
        let databases = here.map(|(_, folder)| folder["databases"].clone());
        Ok(databases.into_iter().next().unwrap_or_else(|| json!({})))
    }

    /// The one stat row of a case on a device.
    pub(crate) fn stat(&self, title: &str, device: &str) -> Result<Value> {
        let databases = self.databases(title, device)?;
        let (_, database) = databases.as_object().into_iter().flatten().next().context("a database")?;
        Ok(database["content"]["stat"][0].clone())
    }
}

fn with(object: &Value, more: Value) -> Value {
    let mut object = object.clone();
    let more = if let Value::Object(more) = more { more } else { serde_json::Map::new() };
    for (key, value) in more {
        object[key] = value;
    }
    object
}
