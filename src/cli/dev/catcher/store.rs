//! Caught messages on disk. Their names order them by time.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sigid_io::{clock, rng};

use super::super::fault::Fault;
use super::smtp::MESSAGE_BYTES_MAX;

pub struct Store {
    directory: PathBuf,
}

/// Who wrote to whom, as the sender of the mail said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    pub from: String,
    pub to: Vec<String>,
}

impl Store {
    pub fn open(directory: PathBuf) -> Result<Self, Fault> {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(Fault::at("create", &directory))?;
        Ok(Self { directory })
    }

    /// Keeps a message under a new id, with the envelope in front as a mail system would write it.
    pub fn write(&self, envelope: &Envelope, message: &[u8]) -> io::Result<String> {
        let id = new_id();
        let part = self.directory.join(format!(".{id}.part"));
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&part)?;
        let mut head = format!("Return-Path: <{}>\r\n", envelope.from);
        for to in &envelope.to {
            let _ = write!(head, "Delivered-To: {to}\r\n");
        }
        file.write_all(head.as_bytes())?;
        file.write_all(message)?;
        fs::rename(&part, self.directory.join(format!("{id}.eml")))?;
        Ok(id)
    }

    /// The ids of the newest messages, newest first.
    pub fn list(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".eml").map(str::to_owned)).filter(|id| is_id(id)).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(LISTED_MAX);
        ids
    }

    /// A message's bytes; `None` when there is none of that id.
    pub fn find(&self, id: &str) -> Option<Vec<u8>> {
        let file = fs::File::open(self.directory.join(format!("{id}.eml"))).ok().filter(|_| is_id(id))?;
        let mut bytes = Vec::new();
        file.take(2 * MESSAGE_BYTES_MAX as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Removes what was caught, and nothing else that is there.
pub fn clear(directory: &Path) -> Result<(), Fault> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| is_ours(path)) {
        fs::remove_file(&path).map_err(Fault::at("remove", &path))?;
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let id = name.strip_suffix(".eml").or_else(|| name.strip_prefix('.')?.strip_suffix(".part"));
    id.is_some_and(is_id)
}

/// When a message was caught, in Unix seconds.
pub fn caught_s(id: &str) -> i64 {
    id.split('-').next().and_then(|ms| ms.parse::<i64>().ok()).unwrap_or_default() / 1000
}

/// Milliseconds, so that names sort, and something random, so that no two are the same.
fn new_id() -> String {
    format!("{:013}-{:08x}", clock::system_ms(), u32::from_be_bytes(rng::random()))
}

fn is_id(text: &str) -> bool {
    text.len() == 22
        && text.bytes().enumerate().all(|(at, byte)| match at {
            0..=12 => byte.is_ascii_digit(),
            13 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

const LISTED_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn messages_are_whole_private_and_newest_first() {
        let directory = scratch("catcher_store");
        let store = Store::open(directory.clone()).unwrap();
        let envelope = Envelope { from: "a@b.example".into(), to: vec!["c@d.example".into(), "e@f.example".into()] };
        let id = store.write(&envelope, b"Subject: x\r\n\r\nhi\r\n").unwrap();
        fs::write(directory.join("0000000000001-00000000.eml"), "old").unwrap();
        fs::write(directory.join("notes.eml"), "mine").unwrap();
        assert_eq!(store.list(), [id.clone(), "0000000000001-00000000".into()]);
        let text = String::from_utf8(store.find(&id).unwrap()).unwrap();
        let head = "Return-Path: <a@b.example>\r\nDelivered-To: c@d.example\r\nDelivered-To: e@f.example\r\n";
        assert_eq!(text, format!("{head}Subject: x\r\n\r\nhi\r\n"));
        let mode = fs::metadata(directory.join(format!("{id}.eml"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for (reason, id) in [
            ("another name", "notes"),
            ("a way out", "../state"),
            ("nobody's", "0000000000002-00000000"),
            ("upper case", "0000000000001-0000000A"),
            ("nothing", ""),
        ] {
            assert!(store.find(id).is_none(), "{reason}");
        }
        clear(&directory).unwrap();
        assert!(store.list().is_empty());
        assert!(directory.join("notes.eml").exists(), "not ours");
    }
}
