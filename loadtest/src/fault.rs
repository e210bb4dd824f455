//! Why the harness could not do its work. Exit codes are those of `sigid`: 1 refused, 64 usage,
//! 69 a service is unreachable.

use std::fmt;

#[derive(Debug)]
pub enum Fault {
    /// The settings cannot be meant.
    Usage(String),
    /// The target does not answer, or does not speak HTTP/2 over TLS.
    Unreachable(String),
    /// The target answered, with something the run cannot start from.
    Refused(String),
    /// A file or a thread of this machine.
    Local(String),
}

impl Fault {
    pub fn local(what: &str, error: impl fmt::Display) -> Self {
        Self::Local(format!("{what}: {error}"))
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Unreachable(_) => 69,
            Self::Refused(_) | Self::Local(_) => 1,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) | Self::Unreachable(why) | Self::Refused(why) | Self::Local(why) => f.write_str(why),
        }
    }
}
