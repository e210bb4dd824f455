//! `sigid admin user import`: a file of people, line by line, a thousand in a transaction.
//!
//! Nothing is held but a batch. What was done is kept beside the file after each batch, so `--resume` goes on where an
//! import was cut short; without it the file is read from its beginning, and who is a member already stays as they are.
//! Refused rows are written with line and reason, never with what the row holds, and do not stop the import.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use sigid_core::ids::TenantId;
use sigid_io::pg::PgFault;
use sigid_login::admin::import::{self, BATCH_ROWS_MAX, Columns, LINE_BYTES_MAX, Row, RowFault, csv};
use sigid_login::admin::{self};
use sigid_login::config::HASH_MEMORY_KIB_MAX;
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
    /// You vouch for what the file calls verified; without it every address and telephone is unverified.
    #[arg(long)]
    trust_verified: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Fault> {
    let format = args.format.or_else(|| format_of(&args.file));
    let format = format.ok_or_else(|| Fault::usage("the file's name ends in neither .jsonl nor .csv; say --format"))?;
    let tenant = tenant::choose(args.tenant.as_ref(), context).await?;
    // On this machine; where its own threads could not even start, the most that any have.
    let pool = context.config.auth.pool_settings();
    let hash_kib_max = pool.map_or(HASH_MEMORY_KIB_MAX, |settings| settings.memory_kib_max);
    let mut import = Import::open(&args, format, tenant.slug.as_str(), hash_kib_max)?;
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
    /// What a hash may want of a hash thread's memory.
    hash_kib_max: u32,
    progress: Progress,
    progress_path: PathBuf,
    rejects: File,
    rejects_path: PathBuf,
    is_watched: bool,
}

impl Import {
    fn open(args: &Args, format: Format, tenant: &str, hash_kib_max: u32) -> Result<Self, Fault> {
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
        check_rejects(&args.file, &rejects_path, args.resume).map_err(at(&rejects_path))?;
        let rejects = open_rejects(&rejects_path, progress.rejects_bytes).map_err(at(&rejects_path))?;
        Ok(Self {
            lines,
            columns,
            is_verified_trusted: args.trust_verified,
            hash_kib_max,
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
            let (line, lines) = (record.line, record.lines);
            match self.read_row(record) {
                Ok(None) => {}
                Ok(Some(row)) if seen.insert(row.email.key.clone()) => rows.push(row),
                // An earlier line made them a member.
                Ok(Some(_)) => self.progress.present += 1,
                Err(fault) => refused.push(Refused { line, lines, fault }),
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
            None => Row::of_json(&text, self.hash_kib_max)?,
            Some(columns) => columns.row(csv::split(&text).ok_or(RowFault::Quotes)?, self.hash_kib_max)?,
        };
        if !self.is_verified_trusted {
            row.distrust();
        }
        Ok(Some(row))
    }

    fn report(&mut self, refused: &[Refused]) -> io::Result<()> {
        let mut text = String::new();
        for Refused { line, lines, fault } in refused {
            let mut row = json!({ "line": line, "reason": fault.to_string() });
            if let Some(members) = row.as_object_mut().filter(|_| *lines > 1) {
                members.insert("lines".to_owned(), json!(lines));
            }
            text.push_str(&row.to_string());
            text.push('\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        self.rejects.write_all(text.as_bytes())?;
        // Before what was done says that it is there.
        self.rejects.sync_data()?;
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

/// What would be written over must be a report, and never the people themselves.
fn check_rejects(file: &Path, rejects: &Path, is_resumed: bool) -> io::Result<()> {
    let mut report = match File::open(rejects) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (of_people, of_rejects) = (std::fs::metadata(file)?, report.metadata()?);
    if (of_people.dev(), of_people.ino()) == (of_rejects.dev(), of_rejects.ino()) {
        return Err(io::Error::other("this is the file of the people; name another for the report"));
    }
    let mut begins = Vec::new();
    Read::by_ref(&mut report).take(REPORT_BEGINS.len() as u64).read_to_end(&mut begins)?;
    if is_resumed || begins.is_empty() || begins == REPORT_BEGINS {
        Ok(())
    } else {
        Err(io::Error::other("this file is there and no report of an import; name another for the report"))
    }
}

/// The report, without what a batch wrote that is read again.
fn open_rejects(path: &Path, bytes: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    if file.metadata()?.len() < bytes {
        return Err(io::Error::other("this is not the report that the import left"));
    }
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
    refused: Vec<Refused>,
    /// Whether the file may go on.
    is_more: bool,
}

/// A record that is no row.
struct Refused {
    line: u64,
    lines: u64,
    fault: RowFault,
}

/// A line, or the lines that are one record of a table.
struct Record {
    /// Its first line, from 1.
    line: u64,
    /// How many there are.
    lines: u64,
    text: Result<String, RowFault>,
}

/// What was read of a line or a record, without the ends of lines; no more than may be.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Text {
    fn push(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.bytes.len());
        self.is_cut |= part.len() > room;
        self.bytes.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn trim(&mut self) {
        while self.bytes.pop_if(|byte| *byte == b'\r').is_some() {}
    }

    fn read(mut self) -> Result<String, RowFault> {
        if self.is_cut {
            return Err(RowFault::TooLong);
        }
        self.trim();
        String::from_utf8(self.bytes).map_err(|_| RowFault::NotUtf8)
    }
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
        let cells = header.as_deref().and_then(csv::split);
        let Some(cells) = cells else { return Ok(Err(Fault::refused("the first line names no columns"))) };
        Ok(Columns::read(&cells).map_err(|fault| Fault::refused(fault.to_string())))
    }

    /// The next record; nothing at the end. A cell that was opened is read to its end even where the record is too long
    /// to be kept: what stands in it is no row.
    fn next_record(&mut self, is_table: bool) -> io::Result<Option<Record>> {
        let (mut text, mut scan) = (Text::default(), csv::Scan::default());
        if !self.next_line(&mut text, &mut scan)? {
            return Ok(None);
        }
        let line = self.line;
        while is_table && scan.is_open() {
            text.trim();
            let before = text.bytes.len();
            text.push(b"\n");
            if !self.next_line(&mut text, &mut scan)? {
                text.bytes.truncate(before);
                break;
            }
        }
        let text = text.read().map(|text| match text.strip_prefix('\u{feff}') {
            // What some programs begin a file with.
            Some(rest) if line == 1 => rest.to_owned(),
            _ => text,
        });
        Ok(Some(Record { line, lines: self.line - line + 1, text }))
    }

    /// Adds a line to `text`; false at the end of the file.
    fn next_line(&mut self, text: &mut Text, scan: &mut csv::Scan) -> io::Result<bool> {
        let began = self.offset;
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = end.and_then(|end| buffer.get(..end)).unwrap_or(buffer);
            text.push(part);
            scan.feed(part);
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            self.offset += used as u64;
            if end.is_some() || used == 0 {
                break;
            }
        }
        let is_line = self.offset > began;
        self.line += u64::from(is_line);
        Ok(is_line)
    }
}

/// How each line of a report begins.
const REPORT_BEGINS: &[u8] = br#"{"line":"#;
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
        let marked = records("import_mark", b"\xef\xbb\xbfa\n\xef\xbb\xbfb", false);
        assert_eq!(marked, [(1, ok("a")), (2, ok("\u{feff}b"))], "a mark begins a file and no line");
    }

    #[test]
    fn a_record_of_a_table_may_stand_on_several_lines() {
        let ok = |text: &str| Ok(text.to_owned());
        let table = records("import_table", b"a,\"b\nc\"\nd\n\"e", true);
        assert_eq!(table, [(1, ok("a,\"b\nc\"")), (3, ok("d")), (4, ok("\"e"))]);
        let stray = records("import_stray", b"a\"b,c\nd\n\"e\"f\ng", true);
        assert_eq!(stray, [(1, ok("a\"b,c")), (2, ok("d")), (3, ok("\"e\"f")), (4, ok("g"))], "no cell is opened");
    }

    /// Somebody's name of many lines, which look like rows.
    #[test]
    fn what_stands_in_a_cell_is_no_row_however_long_it_is() {
        let inner = "eve@people.example,Eve\n".repeat(LINE_BYTES_MAX / 10);
        let lines = inner.lines().count() as u64 + 1;
        let table = format!("ann@people.example,\"Ann\n{inner}\"\nbob@people.example,Bob");
        let read = records("import_cell", table.as_bytes(), true);
        assert_eq!(read, [(1, Err(RowFault::TooLong)), (lines + 2, Ok("bob@people.example,Bob".to_owned()))]);
    }

    #[test]
    fn a_report_is_not_written_over_anything_else() {
        let directory = scratch("import_rejects");
        std::fs::create_dir_all(&directory).unwrap();
        let (people, report) = (directory.join("people.jsonl"), directory.join("people.jsonl.rejects"));
        std::fs::write(&people, "{}\n").unwrap();
        let link = directory.join("link");
        std::fs::hard_link(&people, &link).unwrap();
        assert!(check_rejects(&people, &report, false).is_ok(), "nothing is there");
        for (reason, path, is_resumed) in
            [("the file itself", &people, false), ("by another name", &link, false), ("resumed", &people, true)]
        {
            assert!(check_rejects(&people, path, is_resumed).is_err(), "{reason}");
        }
        for (reason, content, is_good) in [
            ("empty", "", true),
            ("a report", "{\"line\":1,\"reason\":\"x\"}\n", true),
            ("a letter", "Dear Ann", false),
        ] {
            std::fs::write(&report, content).unwrap();
            assert_eq!(check_rejects(&people, &report, false).is_ok(), is_good, "{reason}");
        }
    }
}
