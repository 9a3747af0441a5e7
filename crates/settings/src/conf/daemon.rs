use serde::{Deserialize, Deserializer};

use super::{Lines, yes_no};
use crate::{FallocateReserve, Section, python, value};

/// How the process behaves towards the system.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DaemonConf {
    /// False means a single pass, as `once` on the command line.
    #[serde(deserialize_with = "value::truth")]
    pub daemonize: bool,
    /// The user to become.
    pub user: String,
    /// What to set the process's niceness to, if anything; the kernel takes -20 to 19.
    #[serde(default, deserialize_with = "nice")]
    pub nice_priority: Option<i32>,
    /// The I/O scheduling class, if any.
    #[serde(default, deserialize_with = "ionice_class")]
    pub ionice_class: Option<IoniceClass>,
    /// The priority within `ionice_class`; the kernel takes 0 to 7.
    #[serde(deserialize_with = "ionice_priority")]
    pub ionice_priority: i32,
    /// Do not reserve space before writing.
    #[serde(deserialize_with = "value::truth")]
    pub disable_fallocate: bool,
    /// Below this much free space a device answers 507.
    #[serde(deserialize_with = "value::reserve")]
    pub fallocate_reserve: FallocateReserve,
}

/// An I/O scheduling class of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoniceClass {
    /// `IOPRIO_CLASS_RT`
    RealTime,
    /// `IOPRIO_CLASS_BE`
    BestEffort,
    /// `IOPRIO_CLASS_IDLE`
    Idle,
}

impl IoniceClass {
    const ALL: [Self; 3] = [Self::RealTime, Self::BestEffort, Self::Idle];

    /// The name in the conf file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RealTime => "IOPRIO_CLASS_RT",
            Self::BestEffort => "IOPRIO_CLASS_BE",
            Self::Idle => "IOPRIO_CLASS_IDLE",
        }
    }

    /// The number the kernel knows it by.
    pub const fn code(self) -> u8 {
        match self {
            Self::RealTime => 1,
            Self::BestEffort => 2,
            Self::Idle => 3,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

fn small_int(text: &str) -> Option<i32> {
    python::int(text).and_then(|number| number.try_into().ok())
}

// Stock keeps going with a warning when these three cannot be used; so do we, see `warnings`.

fn nice<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    value::read(deserializer, |text| Ok(small_int(text)))
}

fn ionice_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IoniceClass>, D::Error> {
    value::read(deserializer, |text| Ok(IoniceClass::parse(text)))
}

fn ionice_priority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    value::read(deserializer, |text| Ok(small_int(text).unwrap_or(0)))
}

impl DaemonConf {
    pub(super) fn lines(&self) -> Lines {
        let mut lines = vec![("daemonize", yes_no(self.daemonize)), ("user", self.user.clone())];
        lines.extend(self.nice_priority.map(|nice| ("nice_priority", nice.to_string())));
        lines.extend(self.ionice_class.map(|class| ("ionice_class", class.name().to_owned())));
        lines.extend([
            ("ionice_priority", self.ionice_priority.to_string()),
            ("disable_fallocate", yes_no(self.disable_fallocate)),
            ("fallocate_reserve", self.fallocate_reserve.to_string()),
        ]);
        lines
    }

    pub(super) fn warnings(section: &Section) -> impl Iterator<Item = String> {
        let is_integer = |text: &str| small_int(text).is_some();
        let is_class = |text: &str| IoniceClass::parse(text).is_some();
        [
            section.doubt(
                "nice_priority",
                is_integer,
                "an integer from -20 to 19 is needed; niceness is left alone",
            ),
            section.doubt(
                "ionice_class",
                is_class,
                "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE is needed; I/O priority is left alone",
            ),
            section.doubt("ionice_priority", is_integer, "an integer from 0 to 7 is needed; 0 is used"),
        ]
        .into_iter()
        .flatten()
    }
}
