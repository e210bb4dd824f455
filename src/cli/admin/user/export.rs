//! `sigid admin user export`: page by page to standard output, so that a million members need no memory.

use std::io::{BufWriter, Write};

use sigid_login::admin::export::{self, Exported};
use sigid_tenant::tenants::Slug;

use super::Format;
use crate::cli::admin::context::Context;
use crate::cli::admin::fault::Fault;
use crate::cli::admin::tenant;

pub(super) async fn run(slug: Option<&Slug>, format: Format, context: &Context) -> Result<(), Fault> {
    let tenant = tenant::choose(slug, context).await?.tenant_id;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if format == Format::Csv {
        write(&mut out, &export::header())?;
    }
    let mut after = String::new();
    loop {
        let page = export::page(context.pool(), tenant, &after).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.sub);
        for member in &page {
            write(&mut out, &line(member, format))?;
        }
    }
    out.flush().map_err(gone)
}

fn line(member: &Exported, format: Format) -> String {
    match format {
        Format::Jsonl => member.document().to_string(),
        Format::Csv => member.line(),
    }
}

fn write(out: &mut impl Write, line: &str) -> Result<(), Fault> {
    out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(gone)
}

/// An export that is cut short must not look whole.
fn gone(error: std::io::Error) -> Fault {
    Fault::refused(format!("the export cannot be written: {error}"))
}
