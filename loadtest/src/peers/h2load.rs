//! The same request by a tool that is not ours, where it is installed (Debian: nghttp2-client).

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fault::Fault;
use crate::peers::load::{Measured, Shape};
use crate::peers::wire::Plan;
use crate::procfs::Times;

/// A request, told once for both tools.
#[derive(Clone)]
pub struct Order {
    path: String,
    /// All but those with a colon, and but content-length: those h2load makes.
    fields: Vec<(&'static str, String)>,
    body: String,
}

impl Order {
    pub fn get(path: &str) -> Self {
        Self { path: path.to_owned(), fields: Vec::new(), body: String::new() }
    }

    /// A form, filled up with `more` bytes.
    pub fn form(path: &str, authorization: &str, form: &str, more: usize) -> Self {
        let fields = vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("authorization", authorization.to_owned()),
        ];
        Self { path: path.to_owned(), fields, body: form.to_owned() + &"x".repeat(more) }
    }

    /// The same fields in the same order as h2load sends them.
    pub fn plan(&self, authority: &str) -> Plan {
        let method = if self.body.is_empty() { "GET" } else { "POST" };
        let length = self.body.len().to_string();
        let mut header =
            vec![(":path", self.path.as_str()), (":scheme", "https"), (":authority", authority), (":method", method)];
        header.push(("user-agent", concat!("sigid-loadtest/", env!("CARGO_PKG_VERSION"))));
        header.extend(self.fields.iter().map(|(name, value)| (*name, value.as_str())));
        if !self.body.is_empty() {
            header.push(("content-length", &length));
        }
        Plan::new(&header, self.body.as_bytes())
    }
}

/// One run of h2load.
pub struct Shot {
    pub program: PathBuf,
    pub core: usize,
    pub order: Order,
    pub port: u16,
    pub shape: Shape,
    pub count: u64,
    /// Where the body can be put for it.
    pub directory: PathBuf,
}

/// What it told.
pub struct Told {
    elapsed: Duration,
    count: u64,
}

impl Shot {
    pub fn run(&self) -> Result<Told, Fault> {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core.to_string()]).arg(&self.program);
        command.args(["-t", "1", "-n", &self.count.to_string()]);
        command.args(["-c", &self.shape.connections.to_string(), "-m", &self.shape.streams.to_string()]);
        for (name, value) in &self.order.fields {
            command.args(["-H", &format!("{name}: {value}")]);
        }
        if !self.order.body.is_empty() {
            command.arg("-d").arg(self.write_body()?);
        }
        command.arg(format!("https://localhost:{}{}", self.port, self.order.path)).stdin(Stdio::null());
        let output = command.output().map_err(|e| Fault::local("h2load", e))?;
        let said = String::from_utf8_lossy(&output.stdout);
        match read(&said) {
            Some((elapsed, count)) if count == self.count => Ok(Told { elapsed, count }),
            _ => Err(Fault::Local(format!("h2load said what was not expected:\n{said}"))),
        }
    }

    fn write_body(&self) -> Result<PathBuf, Fault> {
        let path = self.directory.join("body");
        let mut file = std::fs::File::create(&path).map_err(|e| Fault::local("body", e))?;
        file.write_all(self.order.body.as_bytes()).map_err(|e| Fault::local("body", e))?;
        Ok(path)
    }
}

impl Told {
    /// `server` is all that the server used from before the run to after it, a few handshakes included.
    pub fn measured(&self, server: Times) -> Result<Measured, Fault> {
        let measured = Measured::new(self.count, self.elapsed, server, Times::default());
        measured.ok_or_else(|| Fault::Local("h2load asked nothing".to_owned()))
    }
}

/// How long it took, and how many requests were answered with 2xx.
fn read(said: &str) -> Option<(Duration, u64)> {
    let line = |word: &str| said.lines().find_map(|line| line.strip_prefix(word));
    let finished = line("finished in ")?.split(',').next()?;
    let answered = line("status codes: ")?.split_whitespace().next()?.parse().ok()?;
    Some((duration(finished)?, answered))
}

/// h2load's own way of writing one.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit_s) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1e-3)
    } else if let Some(number) = text.strip_suffix("us") {
        (number, 1e-6)
    } else {
        (text.strip_suffix('s')?, 1.0)
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit_s).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_report_is_read() {
        let said = "finished in 3.02s, 331125.83 req/s, 3.16MB/s\n\
            requests: 1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout\n\
            status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx\n";
        assert_eq!(read(said), Some((Duration::from_millis(3020), 1000)));
        assert_eq!(duration("31.50ms"), Some(Duration::from_micros(31_500)));
        assert_eq!(duration("900us"), Some(Duration::from_micros(900)));
        assert_eq!(read("finished in soon"), None);
    }
}
