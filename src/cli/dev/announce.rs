//! `dev.json`, the ready line, and the same for scripts.
//!
//! `dev.json` is the contract with everything outside: it appears whole, last of all, and is gone when the server
//! is. Keys of features that this build does not have are absent.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::{Directory, Name};
use super::fault::Fault;
use super::people::{self, Login};
use super::seed::{Demo, RESOURCES, TENANT};
use super::settings;
use super::state::{Credential, State};

/// `DIR/dev.json`, in the order of the contract.
#[derive(Serialize, Deserialize)]
pub struct DevJson {
    pub issuer: String,
    pub ca_pem_path: String,
    pub config_path: String,
    pub database_url: String,
    pub metrics_url: String,
    pub pid: u32,
    pub admin_cli: Vec<String>,
    pub tenant: String,
    pub clients: Vec<Client>,
    pub users: Vec<Login>,
    pub admin: Option<Login>,
    pub mail_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_url: Option<String>,
    pub resources: Vec<String>,
}

/// A client's credentials, and what it is registered with.
#[derive(Serialize, Deserialize)]
pub struct Client {
    #[serde(flatten)]
    pub credential: Credential,
    #[serde(flatten)]
    pub registered: serde_json::Map<String, serde_json::Value>,
}

impl DevJson {
    pub fn new(
        directory: &Directory,
        state: &State,
        database_url: String,
        port: u16,
        metrics_port: u16,
    ) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(Fault::at("find", Path::new("/proc/self/exe")))?;
        let admin = [text(&program), "admin".into(), "--dir".into(), text(directory.path())];
        Ok(Self {
            issuer: settings::issuer(port),
            ca_pem_path: text(&directory.file(Name::CaCertificate)),
            config_path: text(&directory.file(Name::Config)),
            database_url,
            metrics_url: settings::metrics_url(metrics_port),
            pid: std::process::id(),
            admin_cli: admin.into(),
            tenant: TENANT.into(),
            clients: Demo::ALL
                .iter()
                .filter_map(|demo| Some(client(demo, state.find_credential(demo.name)?)))
                .collect(),
            users: state.people.iter().filter(|login| login.email != people::ADMIN).cloned().collect(),
            admin: state.find_login(people::ADMIN).cloned(),
            mail_dir: text(&directory.mail()),
            mail_url: state.mail_page_port.map(settings::mail_url),
            resources: RESOURCES.map(Into::into).into(),
        })
    }

    /// A shifted server is administered at the shifted time.
    #[must_use]
    pub fn with_clock_offset_file(mut self, file: Option<&Path>) -> Self {
        if let Some(file) = file {
            let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
            self.admin_cli.extend(["--clock-offset-file".to_owned(), text(&file)]);
        }
        self
    }

    pub fn publish(&self, directory: &Directory) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Fault::refused(error.to_string()))?;
        directory.write(Name::DevJson, &(text + "\n"))
    }

    /// What the person in front of it sees.
    pub fn ready_lines(&self, directory: &Directory, budgets: bool, is_bench: bool) -> String {
        let mut lines = format!("SigID is ready at {}\n\n", self.issuer);
        for (what, value) in [
            ("discovery", format!("{}/.well-known/openid-configuration", self.issuer)),
            ("metrics", self.metrics_url.clone()),
            ("mail", self.mail_url.clone().unwrap_or_default()),
            ("trust this CA", self.ca_pem_path.clone()),
            ("configuration", self.config_path.clone()),
            ("for scripts", text(&directory.file(Name::DevJson))),
            ("tenant", self.tenant.clone()),
        ] {
            let _ = writeln!(lines, "  {what:<16} {value}");
        }
        let credentials = self.clients.iter().map(|client| &client.credential);
        for Credential { name, client_id, client_secret } in credentials.clone() {
            let secret = client_secret.as_deref().unwrap_or("(public, no secret)");
            let _ = writeln!(lines, "  {name:<16} {client_id} {secret}");
        }
        for Login { email, password } in self.users.iter().chain(&self.admin) {
            let _ = writeln!(lines, "  {email:<18} {password}");
        }
        if let Some(Credential { client_id, client_secret: Some(secret), .. }) = credentials.clone().next() {
            let (ca, issuer) = (&self.ca_pem_path, &self.issuer);
            let _ = write!(
                lines,
                "\n  curl --cacert {ca} -u {client_id}:{secret} -d grant_type=client_credentials {issuer}/oauth/token\n"
            );
        }
        if !budgets {
            lines.push_str("\n  BUDGETS ARE OFF: nothing slows down guessing. For load and timing runs only.\n");
        }
        if is_bench {
            lines.push_str(
                "\n  BENCH ROUTES ARE MOUNTED: any client gets costly work on request. For load runs only.\n",
            );
        }
        lines
    }
}

/// Shell assignments with the coordinates of the server that runs in `directory`; `None` when none is ready.
pub fn find_environment(directory: &Path) -> Option<String> {
    let dev: DevJson = serde_json::from_str(&fs::read_to_string(directory.join("dev.json")).ok()?).ok()?;
    // Left by a server that was killed.
    if !Path::new(&format!("/proc/{}", dev.pid)).exists() {
        return None;
    }
    let service = &dev.clients.first()?.credential;
    let pid = dev.pid.to_string();
    let assignments = [
        ("SIGID_ISSUER", dev.issuer.as_str()),
        ("SIGID_CA_PEM_PATH", &dev.ca_pem_path),
        ("SIGID_CLIENT_ID", &service.client_id),
        ("SIGID_CLIENT_SECRET", service.client_secret.as_deref()?),
        ("SIGID_METRICS_URL", &dev.metrics_url),
        ("SIGID_PID", &pid),
    ];
    Some(assignments.map(|(name, value)| format!("{name}={}\n", quote(value))).concat())
}

fn client(demo: &Demo, credential: &Credential) -> Client {
    Client { credential: credential.clone(), registered: demo.shown() }
}

/// For a POSIX shell.
fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;

    fn published(name: &str) -> (Directory, DevJson) {
        let directory = Directory::take(&scratch(name)).unwrap();
        let mut state = State::new("x".into());
        for demo in Demo::ALL {
            let client_secret = demo.is_confidential().then(|| format!("{}'s secret", demo.name));
            state.remember(Credential {
                name: demo.name.into(),
                client_id: format!("{}-id", demo.name),
                client_secret,
            });
        }
        people::draw_passwords(&mut state);
        state.mail_page_port = Some(8025);
        let dev = DevJson::new(&directory, &state, "postgresql:///sigid".into(), 8443, 9464).unwrap();
        dev.publish(&directory).unwrap();
        (directory, dev)
    }

    #[test]
    fn dev_json_says_what_the_contract_says() {
        let (directory, _) = published("dev_json");
        let text = directory.find_text(Name::DevJson).unwrap().unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["issuer"], "https://localhost:8443");
        assert_eq!(json["metrics_url"], "http://127.0.0.1:9464/metrics");
        assert_eq!(json["pid"], std::process::id());
        assert_eq!(json["admin_cli"][1], "admin");
        assert_eq!(json["admin_cli"][3], directory.path().to_str().unwrap());
        let service = &json["clients"][0];
        assert_eq!(service["name"], "service");
        assert_eq!(service["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(service["scope"], "demo:read demo:write");
        assert_eq!(service["resource"], "https://api.demo.example");
        assert_eq!(json["clients"][1]["audience"][0], "https://api.demo.example");
        let spa = &json["clients"][3];
        assert_eq!((spa["name"].as_str(), spa.get("client_secret")), (Some("spa"), None));
        assert_eq!(json["resources"][1], "https://other.demo.example");
        assert_eq!(json["users"][0]["email"], "demo@example.com");
        assert_eq!(json["users"][1]["email"], "second@example.com");
        assert_eq!(
            (json["users"].as_array().map(Vec::len), json["admin"]["email"].as_str()),
            (Some(2), Some(people::ADMIN))
        );
        assert!(json["admin"]["password"].as_str().is_some_and(|password| !password.is_empty()));
        assert_eq!(json["mail_dir"].as_str(), directory.mail().to_str());
        assert_eq!(json["mail_url"], "http://127.0.0.1:8025/");
        assert!(json.get("registration").is_none(), "its feature does not exist yet");
    }

    #[test]
    fn scripts_get_assignments_from_a_live_server_only() {
        let (directory, mut dev) = published("print_env");
        let lines = find_environment(directory.path()).unwrap();
        assert!(lines.contains("SIGID_ISSUER='https://localhost:8443'\n"), "{lines}");
        assert!(lines.contains(r"SIGID_CLIENT_SECRET='service'\''s secret'"), "{lines}");
        dev.pid = u32::MAX;
        dev.publish(&directory).unwrap();
        assert_eq!(find_environment(directory.path()), None, "its process is gone");
        directory.remove(Name::DevJson).unwrap();
        assert_eq!(find_environment(directory.path()), None);
    }

    #[test]
    fn the_ready_line_is_loud_about_what_only_development_does() {
        let (directory, dev) = published("ready_line");
        assert!(dev.ready_lines(&directory, false, false).contains("BUDGETS ARE OFF"));
        assert!(dev.ready_lines(&directory, true, true).contains("BENCH ROUTES ARE MOUNTED"));
        let lines = dev.ready_lines(&directory, true, false);
        assert!(!lines.contains("BUDGETS") && !lines.contains("BENCH"));
        assert!(lines.starts_with("SigID is ready at https://localhost:8443\n"), "{lines}");
    }
}
