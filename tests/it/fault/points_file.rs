//! The file that fail points follow.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::support::place;

/// A fail file, and what it has done.
pub struct Points {
    file: PathBuf,
    turn: AtomicU32,
}

impl Points {
    pub fn new() -> Self {
        Self { file: place::directory("fail").join("fail"), turn: AtomicU32::new(0) }
    }

    pub fn path(&self) -> &'static str {
        self.file.display().to_string().leak()
    }

    /// The rule holds from here on, and nothing has struck yet.
    pub fn arm(&self, rule: &str) {
        let _ = fs::remove_file(self.hits_file());
        // Different each time, so that it begins to count anew.
        let turn = self.turn.fetch_add(1, Relaxed);
        fs::write(&self.file, format!("# {turn}\n{rule}\n")).unwrap();
    }

    pub fn disarm(&self) {
        fs::write(&self.file, "").unwrap();
    }

    /// What has struck since the last arming.
    pub fn hits(&self) -> Vec<String> {
        fs::read_to_string(self.hits_file()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn hits_file(&self) -> PathBuf {
        self.file.with_extension("hits")
    }
}
