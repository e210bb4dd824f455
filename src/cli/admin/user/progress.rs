//! How far an import has come: kept beside its file, so that one that was cut short goes on where it was.
//!
//! Written whole, by rename, after each batch that is in the database; a batch that went in while the process died is
//! loaded again, which does nothing.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sigid_core::b64;
use sigid_core::secret::Digest32;

/// What was done of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Which file, and for whom: another one does not go on from here.
    pub mark: String,
    /// Bytes of the file that are done.
    pub offset: u64,
    /// Lines of the file that are done.
    pub line: u64,
    pub created: u64,
    pub invited: u64,
    pub present: u64,
    pub rejected: u64,
    /// Bytes of the report of refused rows that belong to this.
    pub rejects_bytes: u64,
}

impl Progress {
    /// Nothing of the file is done.
    pub(super) fn new(mark: String) -> Self {
        Self { mark, ..Self::default() }
    }

    /// What was kept; nothing when there is none.
    pub(super) fn find(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn keep(&self, path: &Path) -> io::Result<()> {
        let part = part(path);
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.sync_data()?;
        fs::rename(part, path)
    }
}

/// What names a file and its tenant: length and beginning say whether it is still the same one.
pub(super) fn mark(path: &Path, tenant: &str) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut beginning = Vec::new();
    Read::by_ref(&mut file).take(BEGINNING_BYTES).read_to_end(&mut beginning)?;
    beginning.extend(format!("\n{length}\n{tenant}").into_bytes());
    Ok(b64::encode(Digest32::of(&beginning).as_bytes()))
}

/// Nothing happens when it is not there.
pub(super) fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn part(path: &Path) -> PathBuf {
    super::beside(path, ".part")
}

/// Enough to tell two files of one length apart.
const BEGINNING_BYTES: u64 = 64 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;

    #[test]
    fn progress_is_found_again_and_belongs_to_one_file_and_tenant() {
        let directory = scratch("import_progress");
        fs::create_dir_all(&directory).unwrap();
        let (file, kept) = (directory.join("people.jsonl"), directory.join("people.jsonl.progress"));
        fs::write(&file, "{}\n").unwrap();
        assert_eq!(Progress::find(&kept).unwrap(), None);
        let mut progress = Progress::new(mark(&file, "one").unwrap());
        (progress.offset, progress.created) = (3, 1);
        progress.keep(&kept).unwrap();
        assert_eq!(Progress::find(&kept).unwrap(), Some(progress.clone()));
        assert_ne!(mark(&file, "two").unwrap(), progress.mark, "another tenant");
        fs::write(&file, "{ }").unwrap();
        assert_ne!(mark(&file, "one").unwrap(), progress.mark, "another file");
        forget(&kept).unwrap();
        forget(&kept).unwrap();
        assert_eq!(Progress::find(&kept).unwrap(), None);
        fs::write(&kept, "{").unwrap();
        assert!(Progress::find(&kept).is_err(), "a broken one is not taken for a beginning");
    }
}
