//! The house rules that a compiler does not know. Each says what it protects; a failure names the place.
//!
//! Sizes are printed, largest first, and never fail: a reason beats a number, and the number asks for the reason.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "sizes are for people to read")]

#[path = "../src/features.rs"]
mod features;
#[path = "tidy/paper.rs"]
mod paper;
#[path = "tidy/source.rs"]
mod source;

use source::{File, Literal, files, literals, program, read, root};
use std::collections::{BTreeMap, BTreeSet};

// --- imports with the grain ------------------------------------------------------------------------------------

/// Who may name whom. What is not written here may use the kernel, the runtime and the edge, and no other area.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("sigid-core", &[]),
    ("sigid-io", &[]),
    ("sigid-edge", &["sigid-core", "sigid-io"]),
    ("sigid-account", &["sigid-core", "sigid-io", "sigid-edge", "sigid-login", "sigid-pages", "sigid-platform"]),
    ("sigid-oidc", &["sigid-core", "sigid-io", "sigid-edge", "sigid-platform"]),
    ("sigid-tenant", &["sigid-core", "sigid-io", "sigid-edge", "sigid-pages", "sigid-platform"]),
    ("sigid-login", &["sigid-core", "sigid-io", "sigid-edge", "sigid-pages", "sigid-platform"]),
    ("sigid-loadtest", &[]),
    ("sigid-fuzz", &["sigid-core", "sigid-io", "sigid-edge", "sigid-oidc", "sigid-platform", "sigid-tenant"]),
];
const AREA_MAY_IMPORT: &[&str] = &["sigid-core", "sigid-io", "sigid-edge"];

/// What only `io` may name, so that the runtime can be changed without touching a handler. The load harness and
/// tests are clients and need their own.
const RUNTIME: &[&str] = &[
    "bb8",
    "bb8-postgres",
    "h2",
    "io-uring",
    "monoio",
    "rustls",
    "tokio-postgres",
    "tokio-postgres-rustls",
    "tokio-rustls",
];
/// What would make the kernel impure.
const IMPURE: &[&str] = &["http", "libc", "socket2", "tokio", "tracing"];

#[test]
fn imports_go_with_the_grain() {
    for (name, dependencies) in manifests() {
        if name == "sigid" {
            continue;
        }
        let known = MAY_IMPORT.iter().find(|(area, _)| *area == name);
        let allowed = known.map_or(AREA_MAY_IMPORT, |(_, allowed)| *allowed);
        for dependency in dependencies.iter().filter(|dependency| dependency.starts_with("sigid-")) {
            assert!(allowed.contains(&dependency.as_str()), "{name} may not depend on {dependency}: see MAY_IMPORT");
        }
    }
}

#[test]
fn the_runtime_is_named_by_io_alone_and_the_kernel_is_pure() {
    for (name, dependencies) in manifests() {
        for dependency in &dependencies {
            let is_io = matches!(name.as_str(), "sigid-io" | "sigid-loadtest");
            assert!(is_io || !RUNTIME.contains(&dependency.as_str()), "{name} names {dependency}; only sigid-io may");
            assert!(name != "sigid-core" || !IMPURE.contains(&dependency.as_str()), "the kernel names {dependency}");
        }
    }
}

/// Package name -> what the program links (no dev-dependencies).
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let mut manifests = BTreeMap::new();
    for file in files(&["Cargo.toml"]) {
        let manifest: toml::Table = file.text.parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        let tables =
            ["dependencies", "build-dependencies"].map(|table| manifest.get(table).and_then(toml::Value::as_table));
        manifests.insert(name, tables.into_iter().flatten().flat_map(|table| table.keys().cloned()).collect());
    }
    assert!(manifests.len() >= 7, "the manifests are found: {:?}", manifests.keys());
    manifests
}

// --- unsafe ----------------------------------------------------------------------------------------------------

#[test]
fn unsafe_code_is_forbidden_everywhere_but_in_io() {
    let roots = files(&["lib.rs", "main.rs"]);
    let roots = roots.iter().filter(|file| file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs"));
    for file in roots.filter(|file| file.path != "io/src/lib.rs") {
        assert!(file.text.contains("\n#![forbid(unsafe_code)]\n"), "{}: does not forbid unsafe code", file.path);
    }
}

/// The benches hold one more, the counting allocator: a global allocator cannot be written without.
#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    for file in files(&[".rs"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, code) in source::code(&file.text).lines().enumerate() {
            if !has_word(code, "unsafe") {
                continue;
            }
            let place = format!("{}:{}", file.path, number + 1);
            assert!(file.path.starts_with("io/src/") || file.path.starts_with("benches/"), "{place}: belongs into io");
            let is_remark = |line: &&&str| line.trim_start().starts_with("//") || line.trim_start().starts_with('#');
            let above = lines[..number].iter().rev().take_while(is_remark);
            assert!(above.into_iter().any(|above| above.contains("SAFETY:")), "{place}: no SAFETY comment above it");
        }
    }
}

// --- SQL -------------------------------------------------------------------------------------------------------

/// Every statement of an area stands in its `sql.rs`, so that the whole of what is asked of the database can be
/// read and checked. `io` has its own: pools, boot and migrations; `sigid dev` makes the roles and the database of
/// its private cluster before there is anything to migrate.
#[test]
fn sql_stands_in_sql_files() {
    for file in program().iter().filter(|file| !may_hold_sql(&file.path)) {
        for literal in literals(&file.text) {
            let function = source::function_at(&file.text, literal.at);
            assert!(!is_sql(&literal.value), "{}: {function}: SQL belongs into sql.rs: {}", file.path, literal.value);
        }
    }
}

fn may_hold_sql(path: &str) -> bool {
    path.ends_with("/sql.rs")
        || path.starts_with("io/src/pg/")
        || path.starts_with("io/src/migrate/")
        || path == "src/cli/dev/cluster.rs"
}

fn is_sql(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words = text.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match first {
        "select" => !second.is_empty(),
        "insert" => second == "into",
        "delete" => second == "from",
        "update" => text.contains(" set "),
        "with" => text.contains(" as ("),
        "alter" | "create" | "drop" => {
            ["database", "function", "index", "policy", "role", "schema", "table", "view"].contains(&second)
        }
        _ => false,
    }
}

/// Statements that are about all tenants, each with the duty (`app.scope`) under which it runs. Everything else on
/// a table with a `tenant_id` names the tenant itself: row-level security is the second lock, not the first.
const ACROSS_TENANTS: &[(&str, &str, &str)] = &[
    ("handlers/account/src/sql.rs", "leave_tenants", "jobs"),
    ("handlers/login/src/accounts/sql.rs", "load_memberships", "accounts"),
    ("handlers/login/src/admin/sql.rs", "load_standings", "admin"),
    ("handlers/login/src/admin/sql.rs", "remove_memberships", "admin"),
    ("handlers/login/src/sessions/sql.rs", "load_handed", "accounts"),
    ("handlers/pages/src/logo/sql.rs", "find", "authenticate"),
    ("handlers/platform/src/feed/sql.rs", "load_all", "feed"),
    ("handlers/platform/src/feed/sql.rs", "load_named", "feed"),
    ("handlers/platform/src/feed/sql.rs", "read_window", "feed"),
    ("handlers/platform/src/mail/sql.rs", "claim", "jobs"),
    ("handlers/platform/src/mail/sql.rs", "count_waiting", "jobs"),
    ("handlers/platform/src/mail/sql.rs", "finish", "jobs"),
    ("handlers/platform/src/mail/sql.rs", "retry", "jobs"),
    ("handlers/tenant/src/brand/sql.rs", "give_up_operator", "admin"),
    ("handlers/tenant/src/clients/sql.rs", "find_tenant", "admin"),
    ("handlers/tenant/src/tenants/sql.rs", "find", "admin"),
    ("handlers/tenant/src/tenants/sql.rs", "load_all", "admin"),
];

#[test]
fn statements_on_tenants_rows_name_the_tenant() {
    let tables = tenant_tables();
    assert!(tables.contains("control.clients") && tables.contains("auth.marks"), "{tables:?}");
    let mut across = BTreeSet::new();
    for file in program().iter().filter(|file| file.path.ends_with("/sql.rs")) {
        for literal in literals(&file.text).iter().filter(|literal| is_sql(&literal.value)) {
            let words = |table: &String| {
                literal.value.split(|c: char| !c.is_alphanumeric() && !"._".contains(c)).any(|word| word == table)
            };
            if !tables.iter().any(words) || names_the_tenant(&literal.value) {
                continue;
            }
            let function = source::function_at(&file.text, literal.at);
            let known = ACROSS_TENANTS.iter().any(|(path, name, _)| *path == file.path && *name == function);
            assert!(known, "{}: {function}: names no tenant: {}", file.path, literal.value);
            across.insert((file.path.clone(), function.to_owned()));
        }
    }
    for (path, function, duty) in ACROSS_TENANTS {
        assert!(
            across.contains(&((*path).to_owned(), (*function).to_owned())),
            "{path}: {function}: no longer across tenants"
        );
        assert!(["accounts", "admin", "authenticate", "feed", "jobs"].contains(duty), "{duty}: no duty of the schema");
    }
}

/// The tenant is a parameter of the statement: compared with, or written.
fn names_the_tenant(statement: &str) -> bool {
    let columns =
        statement.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(columns, _)| columns);
    let is_written = statement.trim_start().starts_with("insert into")
        && columns.split(',').any(|column| column.trim() == "tenant_id");
    is_written || statement.contains("tenant_id = $")
}

#[test]
fn the_sql_rules_bite() {
    for (reason, text, sql, names) in [
        ("a tenant compared with", "select 1 from control.clients where tenant_id = $1", true, true),
        ("a tenant written", "insert into auth.marks (mark_key, tenant_id) values ($1, $2)", true, true),
        ("a tenant only read", "select tenant_id from control.clients where client_id = $1", true, false),
        ("a tenant only joined", "select 1 from a join b on a.tenant_id = b.tenant_id", true, false),
        ("no tenant written", "insert into async.events (event_id) values ($1)", true, false),
        ("a definition", "create table a (b int)", true, false),
        ("a sentence that begins alike", "update the clock before a run", false, false),
        ("a sentence", "selected by hand", false, false),
    ] {
        assert_eq!((is_sql(text), names_the_tenant(text)), (sql, names), "{reason}");
    }
}

/// The tables with a tenant, as the migrations make them.
fn tenant_tables() -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    for file in migrations() {
        for block in file.text.split("create table ").skip(1) {
            let (name, body) = block.split_once(" (").unwrap_or_default();
            let body = body.split("\n)").next().unwrap_or_default();
            if body.lines().any(|line| line.trim_start().starts_with("tenant_id ")) {
                tables.insert(name.to_owned());
            }
        }
    }
    tables
}

fn migrations() -> Vec<File> {
    let is_migration = |file: &File| file.path.starts_with("migrations/") && file.path != "migrations/schema.sql";
    files(&[".sql"]).into_iter().filter(is_migration).collect()
}

/// The SHA-256 of each migration. Databases out there were made with this text; a change to one would be refused
/// by `sigid migrate` at every one of them. What must change is a new migration. (One that was never released may
/// still be edited, with its line here.)
const RELEASED: &[(&str, &str)] = &[
    ("migrations/202611240900_edge_foundation.sql", "6b8edc2bc79898de1e8447fed81d95edffc784e69eb0282f549f409f2c899e2c"),
    ("migrations/202611241720_identity_people.sql", "65d6f51741e1c4e1b161435149b5f096c78ad856b592cb28832a7880eb212276"),
    ("migrations/202611241730_auth_limits.sql", "87c251ffc9b3e5051876cd19162eb2376c7d62dae82372698fceb37ad39d3f56"),
    ("migrations/202611242010_tenant_sign_in.sql", "b8e8ee79131c8a295d064934acbbf5fa7acd9ed3b0ab1095862be6568c14ff94"),
    ("migrations/202611242020_tenant_brand.sql", "7c72e7dd5c7d7654cd9c679035c42bc12037de730d1232269a8285d9ccf301fe"),
    (
        "migrations/202611242030_auth_registrations_by_address.sql",
        "6c5b4a21319a95f2ddd19f0d10d04a548e040a108b1ce93d64bf9263b113dfc1",
    ),
    (
        "migrations/202611242040_async_mail_by_mailbox.sql",
        "cdb17f01ec06086952cc894c8de4867f11635280668b3729e47316d06d2be2f2",
    ),
];

#[test]
fn released_migrations_do_not_change() {
    let hash = |file: &File| {
        let digest = ring::digest::digest(&ring::digest::SHA256, file.text.as_bytes());
        digest.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    };
    let present: Vec<(String, String)> = migrations().iter().map(|file| (file.path.clone(), hash(file))).collect();
    let released: Vec<(String, String)> =
        RELEASED.iter().map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned())).collect();
    assert_eq!(present, released, "left: what is there; right: RELEASED");
}

// --- features and papers ---------------------------------------------------------------------------------------

#[test]
fn every_feature_is_listed_and_has_its_page() {
    let declared = |file: &File| file.text.matches("pub const FEATURE: Feature").count();
    let count: usize = program().iter().map(declared).sum();
    assert_eq!(count, features::ALL.len(), "src/features.rs lists every FEATURE");
    let list = read("src/features.rs");
    let paths: Vec<&str> = list.lines().map(str::trim).filter(|line| line.starts_with('&')).collect();
    assert!(paths.is_sorted(), "src/features.rs is sorted");
    let pages = files(&[".md"]);
    let pages: Vec<&str> =
        pages.iter().filter_map(|file| file.path.strip_prefix("docs/features/")?.strip_suffix(".md")).collect();
    let example = read("sigid.example.toml");
    for feature in features::ALL {
        let page = pages.iter().find(|page| page.split("-and-").any(|name| name == feature.name));
        let page = page.unwrap_or_else(|| panic!("{}: no page in docs/features", feature.name));
        let text = read(&format!("docs/features/{page}.md"));
        for route in feature.routes {
            assert!(text.contains(route.path), "docs/features/{page}.md does not name {}", route.path);
        }
        let section = feature.section.is_none_or(|section| example.contains(&format!("\n[{section}]\n")));
        assert!(section, "{}: its section is not in sigid.example.toml", feature.name);
    }
    for name in pages.iter().flat_map(|page| page.split("-and-")) {
        assert!(features::ALL.iter().any(|feature| feature.name == name), "docs/features: no feature is called {name}");
    }
}

/// What gives costly work on request is named for it, stands under its own prefix, and is mounted by its flag alone.
#[test]
fn bench_routes_are_mounted_by_their_flag_alone() {
    let paths = |is_bench| {
        let routes = features::mounted(is_bench).into_iter().flat_map(|feature| feature.routes);
        routes.map(|route| route.path).collect::<BTreeSet<&str>>()
    };
    let (ordinary, all) = (paths(false), paths(true));
    assert!(ordinary.iter().all(|path| !path.starts_with("/bench/")), "{ordinary:?}");
    let more: Vec<&str> = all.difference(&ordinary).copied().collect();
    assert_eq!(more, ["/bench/clients", "/bench/hash", "/bench/mint"]);
}

#[test]
fn operations_names_every_metric_and_no_other() {
    let written = read("docs/OPERATIONS.md");
    let spans: BTreeSet<&str> =
        paper::code_spans(&written).into_iter().filter_map(|span| span.split('{').next()).collect();
    let metrics = metric_names();
    assert!(metrics.len() > 20, "the metrics are found: {metrics:?}");
    for name in &metrics {
        assert!(spans.contains(name.as_str()), "docs/OPERATIONS.md does not name the metric {name}");
    }
    let is_metric = |row: &Vec<&str>| row[0].starts_with("`sigid_");
    for row in paper::rows(&written, 3).iter().filter(|row| is_metric(row)) {
        let name = row[0].trim_matches('`').split('{').next().unwrap_or_default();
        assert!(metrics.contains(name), "docs/OPERATIONS.md: there is no metric {name}");
    }
}

/// The first argument of every registration.
fn metric_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in program() {
        for literal in literals(&file.text) {
            let before = file.text[..literal.at].trim_end();
            let is_registered = ["counter(", "gauge(", "histogram("].iter().any(|call| before.ends_with(call));
            if is_registered && literal.value.starts_with("sigid_") {
                names.insert(literal.value);
            }
        }
    }
    names
}

/// A limit that a neighbour may meet has a public name, and stands in the operator's list.
#[test]
fn operations_names_every_limit() {
    let written = read("docs/OPERATIONS.md");
    let spans: BTreeSet<&str> = paper::code_spans(&written).into_iter().collect();
    for file in program() {
        let names = file.text.split("pub const ").skip(1).filter_map(|rest| rest.split(':').next());
        for name in names.filter(|name| name.ends_with("_MAX") || name.contains("_MAX_")) {
            assert!(spans.contains(name), "docs/OPERATIONS.md does not name the limit {name} of {}", file.path);
        }
    }
}

#[test]
fn operations_names_every_event_job_and_section() {
    let written = read("docs/OPERATIONS.md");
    let spans: BTreeSet<&str> = paper::code_spans(&written).into_iter().collect();
    let events: BTreeSet<&str> = features::ALL.iter().flat_map(|feature| feature.events).copied().collect();
    let jobs = features::ALL.iter().flat_map(|feature| feature.jobs).map(|job| job.name);
    for name in events.iter().copied().chain(jobs) {
        assert!(spans.contains(name), "docs/OPERATIONS.md does not name {name}");
    }
    for section in read("sigid.example.toml").lines().filter(|line| line.starts_with('[')) {
        assert!(spans.contains(section), "docs/OPERATIONS.md does not name the section {section}");
    }
    let nouns: BTreeSet<&str> = events.iter().filter_map(|event| event.split('.').next()).collect();
    for file in program().iter().filter(|file| file.path.starts_with("handlers/")) {
        for Literal { value, .. } in literals(&file.text) {
            let is_event = value.split_once('.').is_some_and(|(noun, verb)| {
                nouns.contains(noun)
                    && !verb.is_empty()
                    && verb.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
            assert!(!is_event || events.contains(value.as_str()), "{}: the event {value} is in no FEATURE", file.path);
        }
    }
}

/// A row of THREATS: attack, what stops it, the test that shows it. What has no feature yet says so.
#[test]
fn threats_name_tests_that_exist() {
    let rows = check_tests("docs/THREATS.md", 3);
    assert!(rows > 40, "docs/THREATS.md has its rows: {rows}");
}

/// A row of SPECS: section, where it is done, the test that shows it.
#[test]
fn specs_name_functions_and_tests_that_exist() {
    let rows = check_tests("docs/SPECS.md", 3);
    assert!(rows > 20, "docs/SPECS.md has its rows: {rows}");
    let written = read("docs/SPECS.md");
    for row in paper::rows(&written, 3) {
        let mut place = (String::new(), String::new());
        for span in paper::code_spans(row[1]) {
            if is_path(span) {
                place = (span.to_owned(), read(span));
                continue;
            }
            let is_there = ["fn ", "const ", "struct "].iter().any(|word| has_word(&place.1, &format!("{word}{span}")));
            assert!(is_there, "docs/SPECS.md: {} has no {span}", place.0);
        }
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| text[at + word.len()..].starts_with(|c: char| !c.is_alphanumeric() && c != '_'))
}

/// The last cell of each row names tests, or says why there is none. Gives the number of rows.
fn check_tests(paper: &str, columns: usize) -> usize {
    let written = read(paper);
    let tests: BTreeSet<String> = source::test_names().into_iter().collect();
    let rows = paper::rows(&written, columns);
    for row in &rows {
        let shown = row[columns - 1];
        let named = paper::code_spans(shown);
        assert!(
            !named.is_empty() || shown.contains("no feature yet") || shown.contains("no test yet"),
            "{paper}: {}: names no test",
            row[0]
        );
        for name in named {
            assert!(tests.contains(name), "{paper}: {}: there is no test {name}", row[0]);
        }
    }
    rows.len()
}

/// Papers that point at what is not there are worse than none.
#[test]
fn papers_point_at_what_is_there() {
    for file in files(&[".md"]) {
        let directory = root().join(&file.path).parent().unwrap().to_path_buf();
        for link in paper::links(&file.text).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#'))
        {
            let target = link.split('#').next().unwrap_or_default();
            assert!(directory.join(target).exists(), "{}: the link {link} leads nowhere", file.path);
        }
        for span in paper::code_spans(&file.text).into_iter().filter(|span| is_path(span)) {
            assert!(root().join(span).exists(), "{}: there is no {span}", file.path);
        }
    }
}

fn is_path(span: &str) -> bool {
    let begins = ["src/", "io/", "handlers/", "migrations/", "tests/", "benches/", "loadtest/", "docs/"]
        .iter()
        .any(|top| span.starts_with(top));
    let plain = span.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    begins && plain
}

// --- the tree --------------------------------------------------------------------------------------------------

const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "dev",
    "docs",
    "handlers",
    "io",
    "loadtest",
    "migrations",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "sigid.example.toml",
    "src",
    "tests",
];

#[test]
fn the_top_level_holds_what_was_promised() {
    for name in versioned().iter().filter(|name| !name.starts_with('.')) {
        assert!(TOP.contains(&name.as_str()), "{name}: not a name of the top level");
    }
    for name in TOP {
        assert!(root().join(name).exists(), "{name}: missing at the top level");
    }
    let readme = read("README.md");
    assert!(readme.contains("./dev run") && readme.contains("./dev test"), "README.md shows the two commands");
}

/// The first part of every versioned path; where there is no git, every name but what is built.
fn versioned() -> BTreeSet<String> {
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.ok().filter(|output| output.status.success() && !output.stdout.is_empty());
    if let Some(output) = listed {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let first = text.split('\0').filter_map(|path| path.split('/').next());
        return first.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    }
    let names =
        std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "target").collect()
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ig", "nore"),
        concat!("not yet ", "implemented"),
        concat!("not ", "implemented"),
        concat!("for ", "now"),
    ];
    let mut all = files(&[".rs", ".sql", ".toml", ".html", ".sh"]);
    all.push(File { path: "dev".into(), text: read("dev") });
    for file in &all {
        for (number, line) in file.text.lines().enumerate() {
            let word = words.iter().find(|word| has_left(line, word));
            assert!(word.is_none(), "{}:{}: {}", file.path, number + 1, line.trim());
        }
    }
}

fn has_left(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(is_inside) && !line[at + word.len()..].starts_with(is_inside)
    })
}

#[test]
fn sizes_are_printed() {
    let mut sizes: Vec<(usize, String)> =
        files(&[".rs"]).into_iter().map(|file| (file.text.lines().count(), file.path)).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    println!("{} lines in {} files; the largest:", sizes.iter().map(|(lines, _)| lines).sum::<usize>(), sizes.len());
    for (lines, path) in sizes.iter().take(25) {
        println!("{lines:>6}  {path}");
    }
}
