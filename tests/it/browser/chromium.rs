//! A Chromium of one's own, without a window, led over the DevTools protocol.
//!
//! The protocol goes through a pair of pipes (`--remote-debugging-pipe`): JSON, and a zero byte after each message. No
//! driver stands between, and nothing is installed but the browser. Its profile is a directory of the run, its names
//! lead where the test says, and it trusts the keys of the test's servers, each by its digest; any other certificate it
//! checks as always. Its sandbox is off only where there can be none, for root above all.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::PublicKeyData as _;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::place;
use crate::support::wait::{DEADLINE, until_blocking};

/// Whom a browser is to believe, and where names lead.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Private keys of servers, PEM.
    pub keys: Vec<PathBuf>,
    /// As `--host-resolver-rules` has them; empty: names lead where they always do.
    pub names: String,
}

pub struct Chromium {
    child: Child,
    pub(super) pipe: Rc<Pipe>,
}

impl Chromium {
    pub fn start(world: &World) -> Self {
        let directory = place::directory("chromium");
        let log = File::create(directory.join("log")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#]).arg(program()).args(FLAGS);
        command.arg(format!("--user-data-dir={}", directory.join("profile").display()));
        let trusted: Vec<String> = world.keys.iter().map(|key| key_digest(key)).collect();
        command.arg(format!("--ignore-certificate-errors-spki-list={}", trusted.join(",")));
        command.arg(format!("--host-resolver-rules={}", world.names));
        if !has_sandbox() {
            command.arg("--no-sandbox");
        }
        command.env("HOME", &directory).env("XDG_CONFIG_HOME", &directory).env("XDG_CACHE_HOME", &directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let pipe = Pipe::new(child.stdin.take().unwrap(), child.stdout.take().unwrap(), directory.join("log"));
        let chromium = Self { child, pipe: Rc::new(pipe) };
        chromium.pipe.call("", "Browser.getVersion", &json!({}));
        chromium
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.kill();
        } else {
            self.pipe.ask("", "Browser.close", &json!({}));
        }
        until_blocking("the browser's end", || self.child.try_wait().unwrap());
    }
}

/// `SIGID_CHROMIUM`, or what Debian installs; the one without windows is smaller and begins sooner.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("SIGID_CHROMIUM") {
        return named.into();
    }
    let found = PROGRAMS.iter().map(PathBuf::from).find(|program| program.exists());
    found.expect("Chromium is needed: ./dev test gets it, or apt-get install chromium-headless-shell")
}

/// Chromium refuses to make one for root, and some containers let nobody make one.
fn has_sandbox() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "true"]).stderr(Stdio::null()).status();
    !is_root && probe.is_ok_and(|status| status.success())
}

/// SHA-256 of the public key, as Chromium names a key that it is to trust.
fn key_digest(key: &Path) -> String {
    let key = rcgen::KeyPair::from_pem(&fs::read_to_string(key).unwrap()).unwrap();
    STANDARD.encode(digest(&SHA256, &key.subject_public_key_info()))
}

/// Questions one way, answers and events the other.
pub(super) struct Pipe {
    input: RefCell<ChildStdin>,
    output: Receiver<Value>,
    /// The number of the last question.
    last: Cell<u64>,
    /// Events that nobody has asked for yet.
    unread: RefCell<Vec<Value>>,
    log: PathBuf,
}

impl Pipe {
    fn new(input: ChildStdin, output: impl Read + Send + 'static, log: PathBuf) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { input: input.into(), output: receiver, last: Cell::new(0), unread: RefCell::default(), log }
    }

    /// A command's result. `session` is empty where the browser itself is asked.
    pub fn call(&self, session: &str, method: &str, parameters: &Value) -> Value {
        let number = self.ask(session, method, parameters);
        let mut answer = self.wait_for(method, |message| message["id"] == number);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// Asks, and gives the number of the question. That the browser is gone shows in the answer.
    fn ask(&self, session: &str, method: &str, parameters: &Value) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        let mut question = json!({ "id": number, "method": method, "params": parameters });
        if !session.is_empty() {
            question["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&question).unwrap();
        bytes.push(0);
        let _ = self.input.borrow_mut().write_all(&bytes);
        number
    }

    /// The first message that nobody has read and that `is_it`.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut unread = self.unread.borrow_mut();
        if let Some(at) = unread.iter().position(&is_it) {
            return unread.remove(at);
        }
        let began = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(began.elapsed());
            match self.output.recv_timeout(left) {
                Ok(message) if is_it(&message) => return message,
                Ok(message) => unread.push(message),
                Err(error) => panic!("in vain awaited ({error}): {what}; {}; {}", last_words(&unread), self.log()),
            }
        }
    }

    /// The events of one page until here.
    pub fn take(&self, session: &str) -> Vec<Value> {
        let mut unread = self.unread.borrow_mut();
        unread.extend(self.output.try_iter());
        unread.extract_if(.., |message| message["sessionId"] == session).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// What the browser complained about, for whoever waits in vain.
fn last_words(events: &[Value]) -> String {
    let complaints = events.iter().filter_map(|event| event["params"]["entry"]["text"].as_str());
    complaints.collect::<Vec<_>>().join("; ")
}

const PROGRAMS: &[&str] = &["/usr/lib/chromium/chromium-headless-shell", "/usr/bin/chromium"];

/// Nothing is fetched, synchronized or asked for by the browser itself.
const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    // A frame in a sandbox shares the process of its page, so that a key pressed after another meets the focus it moved.
    "--disable-features=IsolateSandboxedIframes",
];
