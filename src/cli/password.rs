//! A password's hash, made in this process: for commands, the demonstration, and the first administrator.
//!
//! The same rules and parameters as at registration (`[auth]`), on a hash pool of one thread that lives as long as the
//! command: what an operator does does not compete with the server's own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sigid_core::email::Address;
use sigid_core::secret::Secret;
use sigid_io::hash_pool::{HashPool, PoolSettings};
use sigid_login::password::{HashFault, Password, PasswordFault, Passwords};

use crate::config::Config;

/// Why there is no hash.
#[derive(Debug)]
pub enum Fault {
    Refused(PasswordFault),
    /// The system has no memory or no thread for it.
    NoPool,
    Hash(HashFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(PasswordFault::TooShort { min }) => write!(f, "the password has fewer than {min} characters"),
            Self::Refused(PasswordFault::TooLong) => f.write_str("the password is too long"),
            Self::Refused(PasswordFault::Common) => f.write_str("the password is among the first that are tried"),
            Self::Refused(PasswordFault::LikeAddress) => f.write_str("the password holds the address"),
            Self::NoPool => f.write_str("there is no memory or no thread for a password hash"),
            Self::Hash(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

/// Hashes passwords, one at a time.
pub struct Hasher(Passwords);

impl Hasher {
    /// # Errors
    /// [`Fault::NoPool`].
    pub fn start(config: &Config) -> Result<Self, Fault> {
        let cost = config.auth.cost;
        let settings = PoolSettings {
            threads: 1,
            queue_max: 1,
            deadline: DEADLINE,
            memory_kib: cost.memory_kib,
            memory_kib_max: cost.memory_kib,
        };
        let pool = HashPool::start(settings).map_err(|_| Fault::NoPool)?;
        Ok(Self(Passwords::new(Arc::new(pool), cost, config.auth.password_length_min)))
    }

    /// What is stored of a new password of this address's account.
    ///
    /// # Errors
    /// [`Fault::Refused`] by the rules for new passwords, [`Fault::Hash`].
    pub async fn hash(&self, password: &Secret<String>, address: &Address) -> Result<Secret<String>, Fault> {
        let password = Password::new(password.expose().clone().into_bytes());
        self.0.check(&password, address).map_err(Fault::Refused)?;
        self.0.hash(&password).await.map(Secret::new).map_err(Fault::Hash)
    }
}

/// The thread runs when nobody else wants the core.
const DEADLINE: Duration = Duration::from_mins(1);
