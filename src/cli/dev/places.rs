//! Root's places: `/var/lib/sigid-dev/<hash of DIR>`, and what becomes of one whose DIR is gone.
//!
//! An ordinary user's cluster goes with its DIR. Root's stays behind when somebody removes a DIR by hand, as every
//! test harness with a temporary directory does, and so does its postmaster when the server was killed before. So a
//! place says which DIR it is for and is locked while a server uses it; the next start removes places that nobody
//! uses and whose DIR is gone. Only of temporary directories: any other may be on a disk that is not mounted today.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::fault::Fault;

pub const ROOT: &str = "/var/lib/sigid-dev";

/// A place in use by this process.
pub struct Hold(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

/// Takes a place for a DIR.
pub fn hold(place: &Path, directory: &Path) -> Result<Hold, Fault> {
    let path = place.join(DIRECTORY);
    fs::write(&path, directory.as_os_str().as_encoded_bytes()).map_err(Fault::at("write", &path))?;
    let path = place.join(LOCK);
    let mut options = OpenOptions::new();
    let file =
        options.create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(Fault::at("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Hold(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Fault::refused(format!("another `sigid dev` uses {}; stop it, or name another --dir", place.display())))
        }
        Err(TryLockError::Error(error)) => Err(Fault::at("lock", &path)(error)),
    }
}

/// The places under `root` that nobody uses and nobody can find again.
pub fn find_abandoned(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|place| is_abandoned(place)).collect()
}

/// The DIR that a place is for.
pub fn find_directory(place: &Path) -> Option<PathBuf> {
    fs::read_to_string(place.join(DIRECTORY)).ok().map(PathBuf::from)
}

fn is_abandoned(place: &Path) -> bool {
    let Some(directory) = find_directory(place) else { return false };
    let is_temporary =
        TEMPORARY.iter().any(|root| directory.starts_with(root)) || directory.starts_with(std::env::temp_dir());
    is_temporary && !directory.exists() && !is_held(place)
}

fn is_held(place: &Path) -> bool {
    File::open(place.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

const DIRECTORY: &str = "directory";
const LOCK: &str = "lock";
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;

    #[test]
    fn a_place_is_abandoned_when_nobody_uses_it_and_its_temporary_directory_is_gone() {
        let root = scratch("places");
        let place = |name: &str| {
            let place = root.join(name);
            fs::create_dir_all(&place).unwrap();
            place
        };
        let present = scratch("places-present");
        fs::create_dir_all(&present).unwrap();
        drop(hold(&place("gone"), &root.join("removed")).unwrap());
        drop(hold(&place("present"), &present).unwrap());
        drop(hold(&place("unmounted"), Path::new("/home/somebody/sigid-no-such/.sigid")).unwrap());
        let _held = hold(&place("held"), &root.join("removed")).unwrap();
        fs::write(place("foreign").join("file"), "").unwrap();
        assert_eq!(find_abandoned(&root), [root.join("gone")]);
    }

    #[test]
    fn a_place_is_held_by_one() {
        let place = scratch("places-one");
        fs::create_dir_all(&place).unwrap();
        let first = hold(&place, Path::new("/tmp/x")).unwrap();
        assert!(hold(&place, Path::new("/tmp/x")).err().unwrap().to_string().contains("another `sigid dev` uses"));
        drop(first);
        assert!(hold(&place, Path::new("/tmp/x")).is_ok());
    }
}
