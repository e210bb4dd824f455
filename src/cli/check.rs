//! `sigid check`: everything wrong with a configuration, the production checklist, and every limit.
//!
//! Opens no socket and no database, so it runs wherever the file is. The report goes to standard
//! output; the exit code alone says whether the server would start: 0 or 78.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::say;
use crate::config::{self, Examined};

#[derive(clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> u8 {
    let examined = config::load_examined(&args.config, &crate::environment);
    if args.json {
        say(document(&examined));
    } else {
        say(lines(&examined).join("\n"));
    }
    if examined.problems.is_empty() { 0 } else { EXIT_CONFIGURATION }
}

/// Problems first, one line each and nothing before them, so that scripts can read them off the top.
fn lines(examined: &Examined) -> Vec<String> {
    let mut lines: Vec<String> = examined.problems.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        lines.push("No problem found.".to_owned());
    }
    if examined.config.is_none() {
        return lines;
    }
    lines.extend([String::new(), "Production checklist".to_owned()]);
    lines.extend(examined.checklist.iter().map(|item| format!("  {:<17}  {}", item.verdict.as_str(), item.item)));
    lines.extend([String::new(), "Limits".to_owned()]);
    lines.extend(
        examined.limits.iter().map(|limit| format!("  {:<38} {:>10}  {}", limit.name, limit.value, limit.meaning)),
    );
    lines
}

fn document(examined: &Examined) -> Value {
    let problem = |problem: &sigid_core::settings::Problem| json!({ "key": problem.key, "problem": problem.problem, "cure": problem.cure });
    let item = |item: &config::Item| json!({ "item": item.item, "verdict": item.verdict.as_str() });
    let limit = |limit: &config::Limit| json!({ "name": limit.name, "value": limit.value, "meaning": limit.meaning });
    json!({
        "ok": examined.problems.is_empty(),
        "problems": examined.problems.iter().map(problem).collect::<Vec<_>>(),
        "checklist": examined.checklist.iter().map(item).collect::<Vec<_>>(),
        "limits": examined.limits.iter().map(limit).collect::<Vec<_>>(),
    })
}

const EXIT_CONFIGURATION: u8 = 78;
