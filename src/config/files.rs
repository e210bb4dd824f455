//! Files that the configuration names: found, readable, and of the right kind.
//!
//! The reader is handed in, so that tests need no disk. What is in a key file is looked at, never kept
//! or shown.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sigid_core::settings::{Problems, Values, shown};

/// Reads a file's text; at most `FILE_BYTES_MAX`.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// The permission bits of a file.
pub type FileMode<'a> = &'a dyn Fn(&Path) -> Option<u32>;

pub struct Files<'a> {
    /// Where relative paths begin: the directory of the configuration file.
    pub directory: &'a Path,
    pub read: ReadFile<'a>,
    pub mode: FileMode<'a>,
}

/// What is wrong with a file's text, and what would be right.
pub type Fault = (&'static str, &'static str);

impl Files<'_> {
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// The text of the file that a setting names; `None` also where it cannot be read.
    pub fn find_text(&self, values: &Values, name: &str) -> Option<String> {
        values.find_text(name).and_then(|path| (self.read)(&self.resolve(path)).ok())
    }

    /// Others than the owner have rights to the file that a setting names.
    pub fn is_shared(&self, values: &Values, name: &str) -> bool {
        let mode = values.find_text(name).and_then(|path| (self.mode)(&self.resolve(path)));
        mode.is_some_and(|mode| mode & OTHERS != 0)
    }

    /// Checks the file that a setting names, if it is set.
    pub fn check(&self, values: &Values, name: &str, is_good: fn(&str) -> Result<(), Fault>, problems: &mut Problems) {
        let Some(path) = values.find_text(name) else { return };
        let (what, cure) = match (self.read)(&self.resolve(path)) {
            Ok(text) => match is_good(&text) {
                Ok(()) => return,
                Err((what, cure)) => (what.to_owned(), cure),
            },
            Err(error) => (format!("cannot be read, {}", reason(&error)), "name a file that this user may read"),
        };
        values.refuse(problems, name, format!("{} {what}", shown(path)), cure);
    }
}

/// Reads from disk.
pub fn read_file(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Asks the disk.
pub fn file_mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

/// The error in words of ours; the system's may differ by platform and carry a number.
pub fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::PermissionDenied => "permission is denied",
        io::ErrorKind::IsADirectory => "it is a directory",
        io::ErrorKind::InvalidData => "it is not text",
        _ => "the system failed to read it",
    }
}

pub fn is_certificate(text: &str) -> Result<(), Fault> {
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(());
    }
    Err(("holds no certificate in PEM form", "name a file with -----BEGIN CERTIFICATE-----"))
}

pub fn is_private_key(text: &str) -> Result<(), Fault> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(("is encrypted", "name an unencrypted key that only this user may read"));
    }
    let begins = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"].map(|kind| format!("-----BEGIN {kind}-----"));
    if begins.iter().any(|begin| text.contains(begin)) {
        return Ok(());
    }
    Err(("holds no private key in PEM form", "name a file with -----BEGIN PRIVATE KEY-----"))
}

/// 32 bytes in base64 or base64url, padded or not.
pub fn is_root_key(text: &str) -> Result<(), Fault> {
    let text = text.trim();
    let text = text.strip_suffix('=').unwrap_or(text);
    let digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    if text.len() == ROOT_KEY_DIGITS && text.bytes().all(digit) {
        return Ok(());
    }
    Err(("does not hold 32 bytes in base64", "make one with: openssl rand -base64 32"))
}

pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
const ROOT_KEY_DIGITS: usize = 43;
/// Every right of the group and of everybody.
const OTHERS: u32 = 0o077;
