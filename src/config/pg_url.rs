//! A PostgreSQL connection string, read far enough to know where it leads and that the client will take it.
//!
//! Two forms (PostgreSQL manual 34.1.1): `postgres://user:password@host:port/name?parameter=value`, and
//! `host=.. user=.. password=..`. The string holds a password, so a fault is words only.

/// What the configuration must know of a connection string.
#[derive(Debug, PartialEq, Eq)]
pub struct PgUrl {
    /// Names, addresses, or the absolute directories of Unix sockets.
    pub hosts: Vec<String>,
    /// It writes `sslmode=disable`.
    pub ssl_disabled: bool,
}

impl PgUrl {
    pub fn parse(text: &str) -> Result<Self, String> {
        let scheme = ["postgres://", "postgresql://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
        let parameters = match scheme {
            Some(rest) => parse_url(rest)?,
            None if text.contains("://") => return Err("does not begin with postgres://".to_owned()),
            None => parse_pairs(text)?,
        };
        Self::from_parameters(&parameters)
    }

    fn from_parameters(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut hosts = Vec::new();
        let mut ssl_disabled = false;
        for (name, value) in parameters {
            match name.as_str() {
                "host" | "hostaddr" => {
                    hosts.extend(value.split(',').filter(|host| !host.is_empty()).map(str::to_owned));
                }
                "port" => check_ports(value)?,
                "sslmode" => ssl_disabled = check_ssl_mode(value)?,
                name if KNOWN.contains(&name) => {}
                _ => return Err("has a parameter that SigID's client does not know".to_owned()),
            }
        }
        if hosts.is_empty() { Err("names no host".to_owned()) } else { Ok(Self { hosts, ssl_disabled }) }
    }

    /// The first host that is another machine. A socket's directory is this one.
    pub fn find_remote_host(&self) -> Option<&str> {
        let remote = |host: &&String| !host.starts_with(['/', '@']) && !sigid_core::settings::is_local_host(host);
        self.hosts.iter().find(remote).map(String::as_str)
    }
}

/// `user:password@host:port,host:port/name?parameter=value`
fn parse_url(rest: &str) -> Result<Vec<(String, String)>, String> {
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, location) = before.rsplit_once('@').unwrap_or(("", before));
    let authority = location.split_once('/').map_or(location, |(authority, _)| authority);
    percent_decode(user)?;
    let mut parameters = Vec::new();
    for host in authority.split(',').filter(|host| !host.is_empty()) {
        let (host, port) = split_port(host)?;
        parameters.push(("host".to_owned(), percent_decode(host)?));
        parameters.extend(port.map(|port| ("port".to_owned(), port.to_owned())));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("has a parameter without a value")?;
        parameters.push((percent_decode(name)?, percent_decode(value)?));
    }
    Ok(parameters)
}

fn split_port(host: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(inner) = host.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').ok_or("has a bracket that is not closed")?;
        return Ok((address, rest.strip_prefix(':')));
    }
    Ok(host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))))
}

/// `name=value name='a value'`, with a backslash before a quote or a backslash.
fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut parameters = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').ok_or("is neither a postgres:// URL nor name=value pairs")?;
        if name.trim().contains(char::is_whitespace) {
            return Err("is neither a postgres:// URL nor name=value pairs".to_owned());
        }
        let (value, behind) = parse_value(behind.trim_start())?;
        parameters.push((name.trim().to_owned(), value));
        rest = behind.trim_start();
    }
    Ok(parameters)
}

/// The value at the start of the text, and what follows it.
fn parse_value(text: &str) -> Result<(String, &str), String> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            c if !quoted && c.is_whitespace() => return Ok((value, text.get(at..).unwrap_or_default())),
            c => value.push(c),
        }
    }
    if quoted { Err("has a quote that is not closed".to_owned()) } else { Ok((value, "")) }
}

fn check_ports(value: &str) -> Result<(), String> {
    let good = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    if value.split(',').all(good) { Ok(()) } else { Err("has no valid port".to_owned()) }
}

/// Whether TLS is switched off.
fn check_ssl_mode(value: &str) -> Result<bool, String> {
    match value {
        "disable" => Ok(true),
        "prefer" | "require" => Ok(false),
        _ => Err("has an sslmode other than disable, prefer and require".to_owned()),
    }
}

fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(value.ok_or("has a broken percent escape")?);
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 behind its percent escapes".to_owned())
}

/// Parameters of tokio-postgres beside those read above.
const KNOWN: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let cases: [(&str, &[&str], Option<&str>); 9] = [
            ("postgres://u:p@localhost:5432/sigid", &["localhost"], None),
            ("postgresql://u:p%40x@db.example/sigid", &["db.example"], Some("db.example")),
            ("postgres://u@a.example:1,localhost:2/x?sslmode=require", &["a.example", "localhost"], Some("a.example")),
            ("postgres://u@[::1]:5432/x", &["::1"], None),
            ("postgres://u@%2Frun%2Fpostgresql/x", &["/run/postgresql"], None),
            ("postgres:///x?host=/tmp/a&user=u", &["/tmp/a"], None),
            ("host=/tmp/a user=u dbname=x", &["/tmp/a"], None),
            ("host='10.0.0.1' password='a \\' b' port=5432", &["10.0.0.1"], Some("10.0.0.1")),
            ("host = localhost", &["localhost"], None),
        ];
        for (text, hosts, remote) in cases {
            let url = PgUrl::parse(text).unwrap();
            assert_eq!(url.hosts, hosts, "{text}");
            assert_eq!(url.find_remote_host(), remote, "{text}");
        }
    }

    #[test]
    fn faults() {
        let cases = [
            ("mysql://u:p@h/x", "does not begin with postgres://"),
            ("postgres://", "names no host"),
            ("postgres://u:p@/x", "names no host"),
            ("postgres://u:p@h:port/x", "has no valid port"),
            ("postgres://u:p@h:0/x", "has no valid port"),
            ("postgres://u:%zz@h/x", "has a broken percent escape"),
            ("postgres://h/x?foo=1", "has a parameter that SigID's client does not know"),
            ("postgres://h/x?sslmode", "has a parameter without a value"),
            ("postgres://h/x?sslmode=verify-full", "has an sslmode other than disable, prefer and require"),
            ("postgres://u@[::1/x", "has a bracket that is not closed"),
            ("host='a", "has a quote that is not closed"),
            ("sigid", "is neither a postgres:// URL nor name=value pairs"),
            ("some words host=a", "is neither a postgres:// URL nor name=value pairs"),
            ("user=u", "names no host"),
        ];
        for (text, fault) in cases {
            assert_eq!(PgUrl::parse(text), Err(fault.to_owned()), "{text}");
        }
    }
}
