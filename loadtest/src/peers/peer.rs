//! The servers: SigID, nginx, h2o, each with one worker on one core, the same certificate, and a configuration of
//! which nobody could say that it holds the server back.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fault::Fault;
use crate::peers::dev::Dev;
use crate::procfs::{self, Times};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sigid,
    Nginx,
    H2o,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Sigid, Self::Nginx, Self::H2o];

    pub fn label(self) -> &'static str {
        match self {
            Self::Sigid => "SigID",
            Self::Nginx => "nginx",
            Self::H2o => "h2o",
        }
    }
}

/// What they are made of.
pub struct Site {
    pub dev: Dev,
    pub directory: PathBuf,
    pub sigid: PathBuf,
    pub nginx: PathBuf,
    pub nginx_echo: Option<PathBuf>,
    pub h2o: PathBuf,
    pub core: usize,
    /// What nginx answers a POST with: SigID's own reply.
    pub answer: Vec<u8>,
}

/// A server that runs.
pub struct Peer {
    pub kind: Kind,
    pub port: u16,
    child: Child,
    /// The process and all that it started.
    pids: Vec<u32>,
}

impl Peer {
    pub async fn start(site: &Site, kind: Kind) -> Result<Self, Fault> {
        let port = free_port()?;
        let name = kind.label().to_lowercase();
        let directory = site.directory.join(format!("{name}-{port}"));
        fs::create_dir_all(&directory).map_err(|e| Fault::local(&directory.display().to_string(), e))?;
        let command = match kind {
            Kind::Sigid => sigid(site, &directory, port)?,
            Kind::Nginx => nginx(site, &directory, port)?,
            Kind::H2o => h2o(site, &directory, port)?,
        };
        let log = fs::File::create(directory.join("log")).map_err(|e| Fault::local("log", e))?;
        let child = Command::new("taskset")
            .args(["-c", &site.core.to_string()])
            .args(command)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| Fault::local("log", e))?)
            .stderr(log)
            .spawn()
            .map_err(|e| Fault::local("taskset", e))?;
        let mut peer = Self { kind, port, child, pids: Vec::new() };
        peer.wait_ready(&directory).await?;
        peer.pids = family(peer.child.id());
        Ok(peer)
    }

    async fn wait_ready(&mut self, directory: &Path) -> Result<(), Fault> {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait().map_err(|e| Fault::local(self.kind.label(), e))?;
            if ended.is_some() || began.elapsed() > START_MAX {
                let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
                return Err(Fault::Local(format!("{} does not start:\n{}", self.kind.label(), log.trim_end())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // A master listens before its workers are there.
        tokio::time::sleep(SETTLE).await;
        Ok(())
    }

    pub fn times(&self) -> Times {
        let mut sum = Times::default();
        for (_, times) in self.pids.iter().flat_map(|pid| procfs::task_times(*pid)) {
            sum += times;
        }
        sum
    }

    pub fn rss_bytes(&self) -> u64 {
        self.pids.iter().filter_map(|pid| procfs::rss_bytes(*pid)).sum()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let began = Instant::now();
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Gone already is as good. nginx' master takes its workers with it, which SIGKILL would not.
            let _ = kill_process(pid, Signal::TERM);
        }
        while !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            if began.elapsed() > STOP_MAX {
                let _ = self.child.kill();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// A copy of the development server's configuration: one shard, ports of its own.
fn sigid(site: &Site, directory: &Path, port: u16) -> Result<Vec<String>, Fault> {
    let text = site.dev.configuration_with(port, free_port()?)?;
    let config = site.dev.directory()?.join(format!("{}.toml", file_name(directory)));
    fs::write(&config, text).map_err(|e| Fault::local(&config.display().to_string(), e))?;
    Ok(words(&[&site.sigid.display(), &"serve", &"-c", &config.display(), &"--budgets", &"off"]))
}

/// Access log off, connections kept for ever, open files cached; the answer to a POST is in the configuration.
fn nginx(site: &Site, directory: &Path, port: u16) -> Result<Vec<String>, Fault> {
    write_static(directory)?;
    let answer = String::from_utf8_lossy(&site.answer).replace('\\', "\\\\").replace('\'', "\\'");
    // `echo_read_request_body` waits for the body, as a server that needs it must; `return` does not.
    let reply = match &site.nginx_echo {
        Some(_) => format!("echo_read_request_body; echo_duplicate 1 '{answer}';"),
        None => format!("return 200 '{answer}';"),
    };
    let mut text = String::new();
    if let Some(module) = &site.nginx_echo {
        let _ = writeln!(text, "load_module {};", module.display());
    }
    if rustix::process::getuid().is_root() {
        text.push_str("user root;\n");
    }
    let shown = directory.display();
    let (certificate, key) = (site.dev.file("server.pem")?, site.dev.file("server.key")?);
    let _ = write!(
        text,
        "daemon off;\nworker_processes 1;\npid {shown}/pid;\nerror_log stderr error;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\nkeepalive_timeout 1h;\nopen_file_cache max=16;\n\
         client_body_buffer_size 16k;\nclient_body_in_single_buffer on;\nclient_body_temp_path {shown};\n\
         proxy_temp_path {shown};\nfastcgi_temp_path {shown};\nuwsgi_temp_path {shown};\nscgi_temp_path {shown};\n\
         server {{\nlisten 127.0.0.1:{port} ssl http2;\nroot {shown}/www;\n\
         ssl_certificate {};\nssl_certificate_key {};\nssl_protocols TLSv1.3;\n\
         location = {POST_PATH} {{ default_type application/json; {reply} }}\n}}\n}}\n",
        certificate.display(),
        key.display(),
    );
    let file = write_config(directory, "nginx.conf", &text)?;
    Ok(words(&[&site.nginx.display(), &"-p", &shown, &"-c", &file.display(), &"-e", &"stderr"]))
}

fn h2o(site: &Site, directory: &Path, port: u16) -> Result<Vec<String>, Fault> {
    write_static(directory)?;
    let user = if rustix::process::getuid().is_root() { "user: root\n" } else { "" };
    let shown = directory.display();
    let (certificate, key) = (site.dev.file("server.pem")?, site.dev.file("server.key")?);
    let text = format!(
        "{user}num-threads: 1\nmax-connections: 16384\nhttp2-idle-timeout: 3600\npid-file: {shown}/pid\n\
         error-log: /dev/stderr\nssl-session-resumption:\n  mode: ticket\n\
         listen:\n  host: 127.0.0.1\n  port: {port}\n  ssl:\n    certificate-file: {}\n    key-file: {}\n\
         hosts:\n  default:\n    paths:\n      /:\n        file.dir: {shown}/www\n",
        certificate.display(),
        key.display(),
    );
    let file = write_config(directory, "h2o.conf", &text)?;
    Ok(words(&[&site.h2o.display(), &"-c", &file.display()]))
}

fn write_static(directory: &Path) -> Result<(), Fault> {
    let www = directory.join("www");
    fs::create_dir_all(&www).map_err(|e| Fault::local("www", e))?;
    fs::write(www.join("2"), "ok").map_err(|e| Fault::local("www", e))
}

fn write_config(directory: &Path, name: &str, text: &str) -> Result<PathBuf, Fault> {
    let path = directory.join(name);
    fs::write(&path, text).map_err(|e| Fault::local(name, e))?;
    Ok(path)
}

fn words(words: &[&dyn std::fmt::Display]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A port that nobody has at this moment.
fn free_port() -> Result<u16, Fault> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| Fault::local("a free port", e))?;
    Ok(listener.local_addr().map_err(|e| Fault::local("a free port", e))?.port())
}

/// A process and all below it: nginx has workers, h2o a process that holds the key.
fn family(first: u32) -> Vec<u32> {
    let mut found = vec![first];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(children(parent));
        at += 1;
    }
    found
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| find_parent(*pid) == Some(parent)).collect()
}

fn find_parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, parentheses too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// SigID's path, at nginx too: the header must be as long.
pub const POST_PATH: &str = "/oauth/introspect";
pub const FILE_PATH: &str = "/2";

const START_MAX: Duration = Duration::from_secs(20);
const STOP_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_millis(300);
