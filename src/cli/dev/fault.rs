//! What keeps a development server from starting, in one line for the person in front of it.

use std::fmt;
use std::io;
use std::path::Path;

#[derive(Debug)]
pub enum Fault {
    /// What was asked for is not possible; the line says what would be.
    Refused(String),
    /// PostgreSQL is missing, or did not do what it was told.
    Postgres(String),
    /// A file or a program could not be used.
    System {
        doing: String,
        source: io::Error,
    },
    Certificate(rcgen::Error),
}

impl Fault {
    pub fn refused(what: impl Into<String>) -> Self {
        Self::Refused(what.into())
    }

    pub fn postgres(what: impl Into<String>) -> Self {
        Self::Postgres(what.into())
    }

    /// For `map_err`: what was being done to which file.
    pub fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("cannot {verb} {}", path.display());
        move |source| Self::System { doing, source }
    }

    /// 1 refused, 69 a service is unreachable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Postgres(_) => 69,
            Self::Refused(_) | Self::System { .. } | Self::Certificate(_) => 1,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(what) | Self::Postgres(what) => f.write_str(what),
            Self::System { doing, source } => write!(f, "{doing}: {source}"),
            Self::Certificate(source) => write!(f, "cannot make a development certificate: {source}"),
        }
    }
}

impl From<rcgen::Error> for Fault {
    fn from(source: rcgen::Error) -> Self {
        Self::Certificate(source)
    }
}
