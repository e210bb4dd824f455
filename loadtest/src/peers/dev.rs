//! What `sigid dev` has published of itself: `dev.json` and its configuration.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fault::Fault;

#[derive(Deserialize)]
pub struct Dev {
    pub ca_pem_path: PathBuf,
    config_path: PathBuf,
    clients: Vec<Client>,
}

#[derive(Deserialize)]
struct Client {
    name: String,
    #[serde(rename = "client_id")]
    id: String,
    #[serde(rename = "client_secret")]
    secret: Option<String>,
}

impl Dev {
    pub fn load(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join("dev.json");
        let fault = |why: String| Fault::Usage(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(&path).map_err(|e| fault(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| fault(e.to_string()))
    }

    /// Id and secret of the client that gets tokens.
    pub fn service(&self) -> Result<(&str, &str), Fault> {
        let service = self.clients.iter().find(|client| client.name == "service");
        let found = service.and_then(|client| Some((client.id.as_str(), client.secret.as_deref()?)));
        found.ok_or_else(|| Fault::Usage("dev.json names no client called service".to_owned()))
    }

    pub fn directory(&self) -> Result<&Path, Fault> {
        self.config_path.parent().ok_or_else(|| Fault::Usage("dev.json: config_path is no file".to_owned()))
    }

    /// A file beside the configuration.
    pub fn file(&self, name: &str) -> Result<PathBuf, Fault> {
        Ok(self.directory()?.join(name))
    }

    /// The configuration with one shard and these ports.
    pub fn configuration_with(&self, port: u16, metrics_port: u16) -> Result<String, Fault> {
        let path = &self.config_path;
        let text = fs::read_to_string(path).map_err(|e| Fault::local(&path.display().to_string(), e))?;
        Ok(rewritten(&text, port, metrics_port))
    }
}

fn rewritten(text: &str, port: u16, metrics_port: u16) -> String {
    let (mut lines, mut section) = (Vec::new(), "");
    for line in text.lines() {
        let key = line.split('=').next().unwrap_or_default().trim();
        match (section, key) {
            ("[server]", "shards") => {}
            ("[server]", "port") => lines.push(format!("port = {port}\nshards = 1")),
            ("[telemetry]", "metrics_listen") => {
                lines.push(format!("metrics_listen = \"127.0.0.1:{metrics_port}\""));
            }
            _ => lines.push(line.to_owned()),
        }
        if line.starts_with('[') {
            section = line.trim_end();
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_shards_are_changed_in_their_sections_and_nowhere_else() {
        let text = "[server]\nport = 1\nshards = 4\n[server.tls]\nport = 2\n[telemetry]\nmetrics_listen = \"x\"\n";
        let wanted =
            "[server]\nport = 7\nshards = 1\n[server.tls]\nport = 2\n[telemetry]\nmetrics_listen = \"127.0.0.1:8\"\n";
        assert_eq!(rewritten(text, 7, 8), wanted);
    }
}
