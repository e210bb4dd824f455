//! DIR: everything that a development server keeps, and the lock that says it is in use.
//!
//! Two servers in one DIR would share a cluster, a port and a `dev.json`, so the second is refused; the lock is
//! the kernel's and dies with its holder. Files with secrets are made 0600 from the start and appear whole, by
//! rename. `--reset` removes only names that this module knows: `--dir` may point at a directory that holds other
//! things.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::catcher;
use super::fault::Fault;

/// A DIR that this process holds.
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing, and takes it.
    pub fn take(path: &Path) -> Result<Self, Fault> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Fault::at("create", path))?;
        let path = path.canonicalize().map_err(Fault::at("find", path))?;
        check_owner(&path)?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: Name) -> PathBuf {
        self.path.join(name.as_str())
    }

    /// Where files that only the cluster knows are kept when an ordinary user runs it.
    pub fn cluster(&self) -> PathBuf {
        self.path.join("pg")
    }

    /// Where the mail catcher keeps what it caught.
    pub fn mail(&self) -> PathBuf {
        self.path.join("mail")
    }

    /// The file's text; `None` when there is none.
    pub fn find_text(&self, name: Name) -> Result<Option<String>, Fault> {
        let path = self.file(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::at("read", &path)(error)),
        }
    }

    /// Writes the file whole, by rename, readable by its owner alone.
    pub fn write(&self, name: Name, text: &str) -> Result<(), Fault> {
        let path = self.file(name);
        write_whole(&path, text).map_err(Fault::at("write", &path))
    }

    /// Nothing happens when it is not there.
    pub fn remove(&self, name: Name) -> Result<(), Fault> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Fault::at("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes what was kept; the cluster removes itself.
    pub fn clear(&self) -> Result<(), Fault> {
        catcher::clear(&self.mail())?;
        Name::ALL.into_iter().try_for_each(|name| self.remove(name))
    }
}

/// The files of a DIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// What the outside may rely on while the server runs.
    DevJson,
    /// What a second start must know of the first.
    State,
    /// The configuration, as `sigid serve -c` takes it.
    Config,
    RootKey,
    CaCertificate,
    CaKey,
    Certificate,
    Key,
}

impl Name {
    /// `dev.json` first: whoever still reads it must not be led to a server that is being taken apart.
    pub const ALL: [Self; 8] = [
        Self::DevJson,
        Self::State,
        Self::Config,
        Self::RootKey,
        Self::CaCertificate,
        Self::CaKey,
        Self::Certificate,
        Self::Key,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::DevJson => "dev.json",
            Self::State => "state.json",
            Self::Config => "sigid.toml",
            Self::RootKey => "root.key",
            Self::CaCertificate => "ca.pem",
            Self::CaKey => "ca.key",
            Self::Certificate => "server.pem",
            Self::Key => "server.key",
        }
    }
}

/// The user this process acts as: the owner of its own entry in /proc.
pub fn own_uid() -> Result<u32, Fault> {
    let path = Path::new("/proc/self");
    Ok(fs::metadata(path).map_err(Fault::at("read", path))?.uid())
}

/// A stable short name for a path: FNV-1a, 64 bits. Not a secret and no defence; owners are checked elsewhere.
pub fn short_name(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", path.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// A directory left by another user would fail file by file, later.
fn check_owner(path: &Path) -> Result<(), Fault> {
    let owner = fs::metadata(path).map_err(Fault::at("read", path))?.uid();
    if owner == own_uid()? {
        return Ok(());
    }
    Err(Fault::refused(format!(
        "{} belongs to user {owner}; start as that user, or name another --dir",
        path.display()
    )))
}

fn lock(directory: &Path) -> Result<File, Fault> {
    let path = directory.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(Fault::at("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let directory = directory.display();
            Err(Fault::refused(format!("another `sigid dev` runs in {directory}; stop it, or name another --dir")))
        }
        Err(TryLockError::Error(error)) => Err(Fault::at("lock", &path)(error)),
    }
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    // A part left by a process that was killed keeps its old mode; start from nothing.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_directory_is_held_by_one() {
        let path = scratch("held_by_one");
        let first = Directory::take(&path).unwrap();
        let second = Directory::take(&path).err().unwrap();
        assert!(second.to_string().contains("another `sigid dev` runs in"), "{second}");
        drop(first);
        assert!(Directory::take(&path).is_ok(), "the lock ends with its holder");
    }

    #[test]
    fn files_are_whole_and_private() {
        let directory = Directory::take(&scratch("whole_and_private")).unwrap();
        fs::write(directory.path().join("root.key.part"), "left behind").unwrap();
        directory.write(Name::RootKey, "one").unwrap();
        directory.write(Name::RootKey, "two").unwrap();
        assert_eq!(directory.find_text(Name::RootKey).unwrap().as_deref(), Some("two"));
        let mode = fs::metadata(directory.file(Name::RootKey)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!directory.path().join("root.key.part").exists());
    }

    #[test]
    fn clearing_spares_what_is_not_ours() {
        let directory = Directory::take(&scratch("spares")).unwrap();
        fs::write(directory.path().join("notes.txt"), "mine").unwrap();
        directory.write(Name::State, "{}").unwrap();
        directory.clear().unwrap();
        assert_eq!(directory.find_text(Name::State).unwrap(), None);
        assert!(directory.path().join("notes.txt").exists());
    }

    #[test]
    fn short_names_are_stable() {
        assert_eq!(short_name(Path::new("")), "cbf29ce484222325", "the offset basis of FNV-1a");
        assert_eq!(short_name(Path::new("a")), "af63dc4c8601ec8c", "a published test vector");
    }
}
