//! What can go wrong with PostgreSQL, said without a word of the server's.
//!
//! A server's message quotes the statement, the value that did not fit and sometimes the row; none of that
//! may reach a log or a reply. What is kept: the kind, the SQLSTATE, and the name of the constraint.

use std::error::Error as _;
use std::fmt;
use std::io;

use tokio_postgres::error::{DbError, SqlState};

/// A failed statement, transaction or connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PgFault {
    /// The connection string or the trust file cannot be used. Nothing but the operator cures it.
    Settings(&'static str),
    /// No connection, a broken one, or a server that takes no statements now.
    Unreachable(&'static str),
    /// A deadline passed: for a free connection, for a lock, or for the answer. After a COMMIT the outcome is
    /// unknown.
    Timeout,
    /// A constraint refused the row: the constraint's name, or the column's.
    Conflict(Box<str>),
    /// Another transaction came first (serialization failure, deadlock); the whole transaction may be tried again.
    Serialization,
    /// Anything else: an SQLSTATE, or a few fixed words.
    Other(Box<str>),
}

impl PgFault {
    /// Whether a constraint of this name refused the row.
    pub fn is_conflict(&self, constraint: &str) -> bool {
        matches!(self, Self::Conflict(name) if &**name == constraint)
    }

    /// Whether the connection it happened on can no longer be trusted.
    pub(super) fn spoils(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Unreachable(_) => true,
            Self::Other(state) => SPOILING_STATES.contains(&&**state),
            Self::Timeout | Self::Conflict(_) | Self::Serialization => false,
        }
    }

    pub(super) fn other(words: &'static str) -> Self {
        Self::Other(words.into())
    }

    fn from_database(error: &DbError) -> Self {
        let state = error.code();
        let class = state.code().get(..2).unwrap_or_default();
        // Never in a release build: there, levels below info are compiled out.
        tracing::debug!(state = state.code(), message = error.message(), "postgres");
        match state {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => Self::Serialization,
            &SqlState::QUERY_CANCELED
            | &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Timeout,
            &SqlState::TOO_MANY_CONNECTIONS => Self::Unreachable("the server has no connection left"),
            &SqlState::READ_ONLY_SQL_TRANSACTION => Self::Unreachable("a standby answered, not the primary"),
            &SqlState::INVALID_CATALOG_NAME => Self::Unreachable("the database does not exist"),
            _ if class == "28" => Self::Unreachable("the server refused the role or its password"),
            _ if class == "08" => Self::Unreachable("the connection failed"),
            _ if state.code().starts_with("57P") => Self::Unreachable("the server is starting or stopping"),
            _ if class == "23" => Self::Conflict(error.constraint().or(error.column()).unwrap_or_default().into()),
            _ => Self::Other(state.code().into()),
        }
    }
}

impl From<tokio_postgres::Error> for PgFault {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(database) = error.as_db_error() {
            return Self::from_database(database);
        }
        if error.is_closed() {
            return Self::Unreachable("the connection closed");
        }
        match error.source().and_then(find_io) {
            Some(kind) => Self::Unreachable(reason(kind)),
            None => Self::from_kind(&error),
        }
    }
}

impl PgFault {
    /// The crate keeps its kinds to itself; their fixed texts are all it shows.
    fn from_kind(error: &tokio_postgres::Error) -> Self {
        let text = error.to_string();
        let starts = |words: &str| text.starts_with(words);
        if starts("error performing TLS") {
            Self::Unreachable("no TLS: the server does not offer it, or its certificate is not trusted for this host")
        } else if starts("error connecting") || starts("error communicating") || starts("timeout waiting") {
            Self::Unreachable("the server does not answer")
        } else if starts("authentication error") {
            Self::Unreachable("the server asks for a password or a method that the connection string does not allow")
        } else if starts("invalid connection string") || starts("invalid configuration") {
            Self::Settings("the connection string is not one")
        } else if starts("error serializing") {
            Self::other("a parameter does not fit its type")
        } else {
            Self::other("the answer does not fit the statement")
        }
    }
}

impl fmt::Display for PgFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(what) => f.write_str(what),
            Self::Unreachable(why) => write!(f, "database unreachable: {why}"),
            Self::Timeout => f.write_str("database deadline passed"),
            Self::Conflict(name) => write!(f, "database constraint {name} refused"),
            Self::Serialization => f.write_str("database transaction must be tried again"),
            Self::Other(what) => write!(f, "database fault {what}"),
        }
    }
}

impl std::error::Error for PgFault {}

fn find_io(source: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(source);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

fn reason(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::NotFound => "no such socket",
        io::ErrorKind::PermissionDenied => "the socket may not be opened",
        io::ErrorKind::TimedOut => "the server does not answer",
        io::ErrorKind::InvalidData => "the server's TLS certificate is not trusted for this host",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the connection broke"
        }
        _ => "the connection failed",
    }
}

/// A changed table under a cached plan, and a prepared statement the server no longer has.
const SPOILING_STATES: [&str; 2] = ["0A000", "26000"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_connection_string_shows_nothing_of_itself() {
        let error = "postgres://u:hush@h/d?nonsense=hush".parse::<tokio_postgres::Config>().unwrap_err();
        let fault = PgFault::from(error);
        assert_eq!(fault, PgFault::Settings("the connection string is not one"));
        assert!(!format!("{fault} {fault:?}").contains("hush"));
    }

    #[test]
    fn only_the_constraint_of_that_name_is_the_conflict() {
        let fault = PgFault::Conflict("tenants_slug_key".into());
        assert!(fault.is_conflict("tenants_slug_key"));
        assert!(!fault.is_conflict("clients_pkey"));
        assert!(!PgFault::Timeout.is_conflict(""));
    }
}
