//! `sigid admin user import`: a file of people, line by line, a thousand in a transaction.
//!
//! Nothing is held but a batch. What was done is kept beside the file after each batch, so `--resume` goes on where an
//! import was cut short; without it the file is read from its beginning, and who is a member already stays as they are.
//! Refused rows are written with line and reason, never with what the row holds, and do not stop the import.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use sigid_core::ids::TenantId;
use sigid_io::pg::PgFault;
use sigid_login::admin::import::{self, BATCH_ROWS_MAX, Columns, LINE_BYTES_MAX, Row, RowFault, csv};
use sigid_login::admin::{self};
use sigid_tenant::tenants::Slug;

use super::progress::{self, Progress};
use super::{Format, beside};
use crate::cli::admin::context::Context;
use crate::cli::admin::fault::Fault;
use crate::cli::admin::tenant;
use crate::cli::complain;

#[derive(clap::Args)]
pub(in crate::cli::admin) struct Args {
    /// The tenant; the only one there is when left out.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<Slug>,
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// By the ending of the file's name when left out: .jsonl or .csv.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where refused rows are reported, a JSON object a line; FILE.rejects when left out.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Go on where an import of this file was cut short.
    #[arg(long)]
    resume: bool,
    /// You vouch for the file's email_verified; without it every address is unverified.
    #[arg(long)]
    trust_verified: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Fault> {
    let format = args.format.or_else(|| format_of(&args.file));
    let format = format.ok_or_else(|| Fault::usage("the file's name ends in neither .jsonl nor .csv; say --format"))?;
    let tenant = tenant::choose(args.tenant.as_ref(), context).await?;
    let mut import = Import::open(&args, format, tenant.slug.as_str())?;
    while import.load_batch(tenant.tenant_id, context).await? {
        import.tell();
    }
    import.end()?;
    let done = &import.progress;
    let document = || {
        json!({
            "tenant": tenant.slug.as_str(), "lines": done.line, "created": done.created, "invited": done.invited,
            "present": done.present, "rejected": done.rejected, "rejects": import.rejects_path.display().to_string(),
        })
    };
    let text = || {
        let counts = format!(
            "{} created, {} invited, {} there already, {} refused",
            done.created, done.invited, done.present, done.rejected
        );
        if done.rejected == 0 { counts } else { format!("{counts}: see {}", import.rejects_path.display()) }
    };
    context.print(document, text);
    Ok(())
}

/// A file on its way into the database.
struct Import {
    lines: Lines,
    /// What the cells are; `None` for lines of JSON.
    columns: Option<Columns>,
    is_verified_trusted: bool,
    progress: Progress,
    progress_path: PathBuf,
    rejects: File,
    rejects_path: PathBuf,
    is_watched: bool,
}

impl Import {
    fn open(args: &Args, format: Format, tenant: &str) -> Result<Self, Fault> {
        let at = |path: &Path| {
            let name = path.display().to_string();
            move |error: io::Error| Fault::refused(format!("{name}: {error}"))
        };
        let mark = progress::mark(&args.file, tenant).map_err(at(&args.file))?;
        let progress_path = beside(&args.file, ".progress");
        let progress = if args.resume { resumed(&progress_path, mark)? } else { Progress::new(mark) };
        let mut lines = Lines::open(&args.file).map_err(at(&args.file))?;
        let columns = match format {
            Format::Jsonl => None,
            Format::Csv => Some(lines.read_columns().map_err(at(&args.file))??),
        };
        if progress.offset > 0 {
            lines.seek(progress.offset, progress.line).map_err(at(&args.file))?;
        }
        let rejects_path = args.rejects.clone().unwrap_or_else(|| beside(&args.file, ".rejects"));
        let rejects = open_rejects(&rejects_path, progress.rejects_bytes).map_err(at(&rejects_path))?;
        Ok(Self {
            lines,
            columns,
            is_verified_trusted: args.trust_verified,
            progress,
            progress_path,
            rejects,
            rejects_path,
            is_watched: io::stderr().is_terminal(),
        })
    }

    /// Brings the next batch in; false at the end of the file.
    async fn load_batch(&mut self, tenant: TenantId, context: &Context) -> Result<bool, Fault> {
        let batch = self.read_batch().map_err(|error| Fault::refused(error.to_string()))?;
        let tally = load(batch.rows, tenant, context).await?;
        self.progress.created += tally.created;
        self.progress.invited += tally.invited;
        self.progress.present += tally.present;
        self.report(&batch.refused).and_then(|()| self.progress.keep(&self.progress_path)).map_err(|error| {
            Fault::refused(format!("what was done cannot be kept, {error}; the import may be run again"))
        })?;
        Ok(batch.is_more)
    }

    /// As many rows as a transaction takes.
    fn read_batch(&mut self) -> io::Result<Batch> {
        let (mut rows, mut refused) = (Vec::with_capacity(BATCH_ROWS_MAX), Vec::new());
        let mut seen = HashSet::with_capacity(BATCH_ROWS_MAX);
        let mut is_more = true;
        while rows.len() + refused.len() < BATCH_ROWS_MAX {
            let Some(record) = self.lines.next_record(self.columns.is_some())? else {
                is_more = false;
                break;
            };
            let number = record.line;
            match self.read_row(record) {
                Ok(None) => {}
                Ok(Some(row)) if seen.insert(row.email.key.clone()) => rows.push(row),
                // An earlier line made them a member.
                Ok(Some(_)) => self.progress.present += 1,
                Err(fault) => refused.push((number, fault)),
            }
        }
        (self.progress.offset, self.progress.line) = (self.lines.offset, self.lines.line);
        Ok(Batch { rows, refused, is_more })
    }

    /// Nothing for an empty line.
    fn read_row(&self, record: Record) -> Result<Option<Row>, RowFault> {
        let text = record.text?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let mut row = match &self.columns {
            None => Row::of_json(&text)?,
            Some(columns) => columns.row(csv::split(&text).ok_or(RowFault::Quotes)?)?,
        };
        row.is_email_verified &= self.is_verified_trusted;
        Ok(Some(row))
    }

    fn report(&mut self, refused: &[(u64, RowFault)]) -> io::Result<()> {
        let mut text = String::new();
        for (line, fault) in refused {
            text.push_str(&json!({ "line": line, "reason": fault.to_string() }).to_string());
            text.push('\n');
        }
        self.rejects.write_all(text.as_bytes())?;
        self.progress.rejected += refused.len() as u64;
        self.progress.rejects_bytes += text.len() as u64;
        Ok(())
    }

    /// A line that is written over itself, for somebody who waits.
    fn tell(&self) {
        if self.is_watched && self.progress.line.is_multiple_of(TOLD_EVERY_LINES) {
            complain(format!("{} lines", self.progress.line));
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        let ended = self.rejects.sync_data().and_then(|()| progress::forget(&self.progress_path));
        ended.map_err(|error| Fault::refused(format!("the import is done, but not its report: {error}")))
    }
}

/// What was done of this file.
fn resumed(path: &Path, mark: String) -> Result<Progress, Fault> {
    let found = Progress::find(path).map_err(|error| Fault::refused(format!("{}: {error}", path.display())))?;
    match found {
        None => Err(Fault::refused("no import of this file was cut short; leave --resume out")),
        Some(found) if found.mark != mark => {
            Err(Fault::refused("the file or its tenant is another than that of the import that was cut short"))
        }
        Some(found) => Ok(found),
    }
}

/// The report, without what a batch wrote that is read again.
fn open_rejects(path: &Path, bytes: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.set_len(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// A batch into the database; what another import held up is tried again.
async fn load(rows: Vec<Row>, tenant: TenantId, context: &Context) -> Result<import::Tally, Fault> {
    if rows.is_empty() {
        return Ok(import::Tally::default());
    }
    for _ in 1..TRIES_MAX {
        match import::load(context.pool(), tenant, rows.clone(), context.act()).await {
            Err(admin::Fault::Database(PgFault::Serialization)) => {}
            loaded => return Ok(loaded?),
        }
    }
    Ok(import::load(context.pool(), tenant, rows, context.act()).await?)
}

fn format_of(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

/// The lines of the file, and how far they were read.
struct Lines {
    reader: BufReader<File>,
    offset: u64,
    line: u64,
}

/// What is brought in at once.
struct Batch {
    rows: Vec<Row>,
    /// By their lines.
    refused: Vec<(u64, RowFault)>,
    /// Whether the file may go on.
    is_more: bool,
}

/// A line, or the lines that are one record of a table.
struct Record {
    /// Its first line, from 1.
    line: u64,
    text: Result<String, RowFault>,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(READ_BYTES, File::open(path)?), offset: 0, line: 0 })
    }

    fn seek(&mut self, offset: u64, line: u64) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(offset))?;
        (self.offset, self.line) = (offset, line);
        Ok(())
    }

    /// The first line of a table.
    fn read_columns(&mut self) -> io::Result<Result<Columns, Fault>> {
        let record = self.next_record(true)?;
        let header = record.and_then(|record| record.text.ok());
        let cells = header.as_deref().map(|text| text.trim_start_matches('\u{feff}')).and_then(csv::split);
        let Some(cells) = cells else { return Ok(Err(Fault::refused("the first line names no columns"))) };
        Ok(Columns::read(&cells).map_err(|fault| Fault::refused(fault.to_string())))
    }

    /// The next record; nothing at the end.
    fn next_record(&mut self, is_table: bool) -> io::Result<Option<Record>> {
        let Some(mut text) = self.next_line()? else { return Ok(None) };
        let line = self.line;
        let mut is_open = is_table && text.as_ref().is_ok_and(|text| csv::is_open(text));
        while is_open && let Ok(begun) = &mut text {
            let Some(next) = self.next_line()? else { break };
            match next {
                Ok(next) if begun.len() + next.len() < LINE_BYTES_MAX => {
                    is_open ^= csv::is_open(&next);
                    begun.push('\n');
                    begun.push_str(&next);
                }
                Ok(_) => text = Err(RowFault::TooLong),
                Err(fault) => text = Err(fault),
            }
        }
        Ok(Some(Record { line, text }))
    }

    /// A line without its end; of one that is too long, the fault.
    fn next_line(&mut self) -> io::Result<Option<Result<String, RowFault>>> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.offset += read as u64;
        self.line += 1;
        if bytes.len() > LINE_BYTES_MAX && bytes.last() != Some(&b'\n') {
            self.skip_line()?;
            return Ok(Some(Err(RowFault::TooLong)));
        }
        while bytes.pop_if(|byte| matches!(byte, b'\n' | b'\r')).is_some() {}
        Ok(Some(String::from_utf8(bytes).map_err(|_| RowFault::NotUtf8)))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (used, is_over) = match end {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.reader.consume(used);
            self.offset += used as u64;
            if is_over {
                return Ok(());
            }
        }
    }
}

const READ_BYTES: usize = 256 * 1024;
/// Tries of one batch.
const TRIES_MAX: usize = 5;
const TOLD_EVERY_LINES: u64 = 50_000;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;

    fn records(name: &str, content: &[u8], is_table: bool) -> Vec<(u64, Result<String, RowFault>)> {
        let directory = scratch(name);
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("people");
        std::fs::write(&file, content).unwrap();
        let mut lines = Lines::open(&file).unwrap();
        let mut records = Vec::new();
        while let Some(record) = lines.next_record(is_table).unwrap() {
            records.push((record.line, record.text));
        }
        assert_eq!(lines.offset, content.len() as u64, "every byte is counted");
        records
    }

    #[test]
    fn a_file_is_read_line_by_line_whatever_it_holds() {
        let ok = |text: &str| Ok(text.to_owned());
        let lines = records("import_lines", b"a\r\n\nb\xff\nc", false);
        assert_eq!(lines, [(1, ok("a")), (2, ok("")), (3, Err(RowFault::NotUtf8)), (4, ok("c"))]);
        let long = [vec![b'x'; LINE_BYTES_MAX + READ_BYTES], b"\nd\n".to_vec()].concat();
        assert_eq!(records("import_long", &long, false), [(1, Err(RowFault::TooLong)), (2, ok("d"))]);
    }

    #[test]
    fn a_record_of_a_table_may_stand_on_several_lines() {
        let ok = |text: &str| Ok(text.to_owned());
        let table = records("import_table", b"a,\"b\nc\"\nd\n\"e", true);
        assert_eq!(table, [(1, ok("a,\"b\nc\"")), (3, ok("d")), (4, ok("\"e"))]);
        let open = [b"\"".to_vec(), vec![b'\n'; LINE_BYTES_MAX + 10]].concat();
        let first = records("import_open", &open, true).remove(0);
        assert_eq!(first, (1, Err(RowFault::TooLong)), "a quote that is never closed does not take the file");
    }
}
