//! What a second start must know of the first: ports, the cluster that is ours, and the demo's credentials.
//!
//! `dev.json` must say the same after a restart, but the database keeps only digests of client secrets and hashes of
//! passwords, so they are remembered here, beside the keys and as private as those.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::directory::{Directory, Name};
use super::fault::Fault;
use super::people::Login;

#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// Names this DIR's cluster; a cluster with another name was left by an earlier DIR at the same path.
    pub instance: String,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub metrics_port: Option<u16>,
    /// Where the mail catcher takes letters, and where it shows them.
    #[serde(default)]
    pub mail_port: Option<u16>,
    #[serde(default)]
    pub mail_page_port: Option<u16>,
    /// When the certificate of the listener ends, in Unix seconds.
    #[serde(default)]
    pub certificate_ends_s: Option<i64>,
    #[serde(default)]
    pub credentials: Vec<Credential>,
    #[serde(default)]
    pub people: Vec<Login>,
}

/// A client that was made here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub name: String,
    pub client_id: String,
    /// A public client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

impl State {
    pub fn new(instance: String) -> Self {
        Self {
            instance,
            port: None,
            metrics_port: None,
            mail_port: None,
            mail_page_port: None,
            certificate_ends_s: None,
            credentials: Vec::new(),
            people: Vec::new(),
        }
    }

    pub fn find(directory: &Directory) -> Result<Option<Self>, Fault> {
        let Some(text) = directory.find_text(Name::State)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| {
            let file = directory.file(Name::State);
            Fault::refused(format!("{} cannot be read; start over with --reset", file.display()))
        })
    }

    pub fn save(&self, directory: &Directory) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Fault::refused(error.to_string()))?;
        directory.write(Name::State, &text)
    }

    pub fn find_credential(&self, name: &str) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.name == name)
    }

    pub fn find_login(&self, email: &str) -> Option<&Login> {
        self.people.iter().find(|login| login.email == email)
    }

    /// Replaces what was known under the same name.
    pub fn remember(&mut self, credential: Credential) {
        self.credentials.retain(|known| known.name != credential.name);
        self.credentials.push(credential);
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;
    use std::fs;

    fn credential(name: &str, secret: Option<&str>) -> Credential {
        Credential { name: name.into(), client_id: format!("{name}-id"), client_secret: secret.map(Into::into) }
    }

    #[test]
    fn what_was_saved_is_found() {
        let directory = Directory::take(&scratch("state_saved")).unwrap();
        assert!(State::find(&directory).unwrap().is_none());
        let mut state = State::new("abc".into());
        state.port = Some(8444);
        state.remember(credential("service", Some("old")));
        state.remember(credential("spa", None));
        state.remember(credential("service", Some("new")));
        state.save(&directory).unwrap();
        let found = State::find(&directory).unwrap().unwrap();
        assert_eq!((found.instance.as_str(), found.port, found.credentials.len()), ("abc", Some(8444), 2));
        assert_eq!(found.find_credential("service").unwrap().client_secret.as_deref(), Some("new"));
        assert!(found.find_credential("web").is_none());
    }

    #[test]
    fn a_broken_state_is_never_taken_for_a_first_start() {
        let directory = Directory::take(&scratch("state_broken")).unwrap();
        fs::write(directory.file(Name::State), "{").unwrap();
        assert!(State::find(&directory).unwrap_err().to_string().contains("--reset"));
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", credential("service", Some("hush"))).contains("hush"));
    }
}
