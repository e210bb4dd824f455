//! `user import` and `user export`: formats, refused rows, another tenant's customers, and going on after a fault.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::user::admin_reads;
use crate::support::cluster::OWNER;
use crate::support::place;
use crate::support::site::Site;
use crate::support::wait::until_true;

pub fn file(name: &str, content: &str) -> PathBuf {
    let path = place::directory("import").join(name);
    std::fs::write(&path, content).unwrap();
    path
}

pub fn import(site: &Site, tenant: &str, file: &std::path::Path, more: &[&str]) -> crate::support::cli::Ended {
    let arguments = [&["user", "import", "--tenant", tenant, "--file", file.to_str().unwrap()], more].concat();
    site.admin(&arguments)
}

async fn ask(database: &Client, sql: &str) -> String {
    database.query_one(sql, &[]).await.unwrap().get::<_, Option<String>>(0).unwrap_or_default()
}

/// What is reported of refused rows: the lines.
fn rejected(path: &std::path::Path) -> Vec<(i64, String)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".rejects");
    let text = std::fs::read_to_string(beside).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["line"].as_i64().unwrap(), row["reason"].as_str().unwrap().to_owned())
    };
    text.lines().map(row).collect()
}

#[tokio::test]
async fn lines_of_json_are_brought_in_and_refused_rows_reported() {
    let site = Site::new().await;
    let lines = [
        json!({ "email": "Ann@people.example", "email_verified": true, "password_hash": BCRYPT, "name": "Ann" })
            .to_string(),
        String::new(),
        json!({ "email": "bob@people.example" }).to_string(),
        json!({ "email": "not an address" }).to_string(),
        json!({ "email": "carl@people.example", "password": "hush hush" }).to_string(),
        json!({ "email": "dora@people.example", "password_hash": "hush hush" }).to_string(),
        json!({ "email": "emil@people.example", "password_hash": BCRYPT.replace("$10$", "$16$") }).to_string(),
        json!({ "email": "fay@people.example", "password_hash": LARGE }).to_string(),
        json!({ "email": "gus@people.example", "website": "http://hush.example" }).to_string(),
        json!({ "email": "ＢＯＢ@people.example." }).to_string(),
        "{".to_owned(),
    ];
    let path = file("people.jsonl", &lines.join("\n"));
    let done = import(&site, "one", &path, &[]).json();
    assert_eq!(
        (&done["created"], &done["invited"], &done["present"], &done["rejected"]),
        (&json!(2), &json!(0), &json!(1), &json!(7))
    );
    let refused = rejected(&path);
    assert_eq!(refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9, 11]);
    assert_eq!(refused[3].1, "password_hash costs more than a sign-in may: bcrypt may have a cost of 15");
    assert!(refused[4].1.ends_with("of a hash thread: raise auth.hash_memory_max_mib"), "{}", refused[4].1);
    assert_eq!(refused[5].1, "website is not a URL that begins with https:// and has a host");
    assert!(!format!("{refused:?}").contains("hush"), "no value is repeated");
    let database = site.database.connect(OWNER).await;
    let people = "select string_agg(concat_ws(' ', email_key, (email_verified_at is not null)::text, left(password_hash, 7)), ', '
                                    order by email_key) from identity.users";
    assert_eq!(
        ask(&database, people).await,
        "ann@people.example false $2b$10$, bob@people.example false",
        "unverified"
    );
    let members = "select string_agg(state || length(sub), ' ') from identity.memberships";
    assert_eq!(ask(&database, members).await, "active22 active22");
    let again = import(&site, "one", &path, &[]).json();
    assert_eq!(
        (&again["created"], &again["invited"], &again["present"]),
        (&json!(0), &json!(0), &json!(3)),
        "again is once"
    );
}

#[tokio::test]
async fn a_table_is_brought_in_by_its_first_line() {
    let site = Site::new().await;
    let table = format!(
        "email,name,email_verified,password_hash,address\r\n\
         ann@people.example,\"Ann, the\n first\",true,{BCRYPT},\"Street 1, Vienna\"\r\n\
         bob@people.example,Bob,,,\r\n\
         carl@people.example,Carl\r\n\
         dora@people.example,\"Do\"ra,,,\r\n\
         emil@people.example,Emil,perhaps,,\r\n"
    );
    let path = file("people.csv", &table);
    let done = import(&site, "one", &path, &["--trust-verified"]).json();
    assert_eq!(
        (&done["created"], &done["rejected"]),
        (&json!(1), &json!(4)),
        "a name over two lines holds a line break"
    );
    assert_eq!(rejected(&path)[0].0, 2, "a record is where it begins");
    let plain = table.replace("\n first", " first");
    let path = file("people.csv", &plain);
    let done = import(&site, "one", &path, &["--trust-verified"]).json();
    assert_eq!((&done["created"], &done["present"], &done["rejected"]), (&json!(1), &json!(1), &json!(3)));
    let shown = site.admin(&["user", "show", "ann@people.example"]).json();
    assert_eq!(
        (&shown["email_verified"], &shown["claims"]["name"]),
        (&json!(true), &json!("Ann, the first")),
        "vouched for"
    );
    assert_eq!(shown["claims"]["address"], json!({ "formatted": "Street 1, Vienna" }));
}

#[tokio::test]
async fn files_that_are_refused_whole() {
    let site = Site::new().await;
    let rows = [
        ("a column of passwords", "people.csv", "email,password\na@people.example,hush\n", &[][..], 1),
        ("no addresses", "people.csv", "name\nAnn\n", &[], 1),
        ("a column that nobody knows", "people.csv", "email,shoe_size\na@people.example,42\n", &[], 1),
        ("nothing", "people.csv", "", &[], 1),
        ("a form that is not said", "people.txt", "{}", &[], 64),
        ("nothing to go on with", "people.jsonl", "{}", &["--resume"], 1),
    ];
    for (reason, name, content, more, code) in rows {
        let ended = import(&site, "one", &file(name, content), more);
        assert_eq!(ended.code, code, "{reason}: {} {}", ended.out, ended.err);
        assert!(!ended.err.contains("hush"), "{reason}");
    }
    assert_eq!(import(&site, "one", std::path::Path::new("/nowhere/people.jsonl"), &[]).code, 1, "no file");
    assert_eq!(import(&site, "three", &file("people.jsonl", "{}"), &[]).code, 1, "no tenant");
    let database = site.database.connect(OWNER).await;
    assert_eq!(ask(&database, "select count(*)::text from identity.users").await, "0");
}

#[tokio::test]
async fn importing_another_tenants_customer_sets_nothing_of_theirs() {
    let site = Site::new().await;
    let arguments =
        ["user", "create", "--email", "ann@one.example", "--tenant", "one", "--password-stdin", "--name", "Ann"];
    let made = admin_reads(&site, &arguments, "correct horse battery\n").json();
    let database = site.database.connect(OWNER).await;
    let account = "select row_to_json(u)::text from identity.users u";
    let before = ask(&database, account).await;
    let line =
        json!({ "email": "ＡＮＮ@one.example", "email_verified": true, "password_hash": BCRYPT, "name": "Mallory" });
    let path = file("people.jsonl", &line.to_string());
    let done = import(&site, "two", &path, &["--trust-verified"]).json();
    assert_eq!((&done["created"], &done["invited"]), (&json!(0), &json!(1)));
    assert_eq!(ask(&database, account).await, before, "neither hash nor claim nor verification");
    let shown = site.admin(&["user", "show", "ann@one.example"]).json();
    let members = shown["memberships"].as_array().unwrap();
    assert_eq!((&members[0]["state"], &members[1]["state"]), (&json!("active"), &json!("invited")));
    assert_ne!(members[0]["sub"], members[1]["sub"], "nobody can tell that it is the same person");
    assert_eq!(members[0], made["memberships"][0], "the first tenant does not notice");
    for verb in ["activate", "suspend"] {
        let ended = site.admin(&["user", verb, "ann@one.example", "--tenant", "two"]);
        assert_eq!(ended.code, 1, "{verb}: an invitation is the person's to accept");
    }
    let exported = site.admin(&["user", "export", "--tenant", "two"]).expect(0);
    let member: Value = serde_json::from_str(&exported).unwrap();
    let names: Vec<&String> = member.as_object().unwrap().keys().collect();
    assert_eq!(names, ["email", "membership", "sub"], "and nothing of the account is told");
}

#[tokio::test]
async fn an_import_that_was_cut_short_goes_on_where_it_was() {
    let site = Site::new().await;
    let database = site.database.connect(OWNER).await;
    let line = |number: u32| json!({ "email": format!("p{number}@people.example") }).to_string();
    let mut lines: Vec<String> = (0..2500).map(line).collect();
    lines[10] = "{".to_owned();
    lines[1700] = json!({ "email": "boom@people.example" }).to_string();
    lines[2400] = "{".to_owned();
    let path = file("people.jsonl", &lines.join("\n"));
    database.batch_execute(TRAP).await.unwrap();
    let ended = import(&site, "one", &path, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{}", ended.err);
    let people = "select count(*)::text from identity.users";
    assert_eq!(ask(&database, people).await, "999", "the batch before is whole, the one that failed is not there");
    database.batch_execute("drop trigger trap on identity.users").await.unwrap();
    assert_eq!(import(&site, "two", &path, &["--resume"]).code, 1, "not for another tenant");
    let done = import(&site, "one", &path, &["--resume"]).json();
    assert_eq!(
        (&done["created"], &done["present"], &done["rejected"]),
        (&json!(2498), &json!(0), &json!(2)),
        "of the whole"
    );
    assert_eq!(rejected(&path).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [11, 2401]);
    assert_eq!(ask(&database, people).await, "2498");
    assert_eq!(import(&site, "one", &path, &["--resume"]).code, 1, "there is nothing left to go on with");
}

/// A batch waits in the database for a lock of ours when its program is killed.
#[tokio::test]
async fn an_import_that_was_killed_goes_on_and_brings_nobody_in_twice() {
    let site = Site::new().await;
    let database = site.database.connect(OWNER).await;
    let lines: Vec<String> =
        (0..3500).map(|number| json!({ "email": format!("p{number}@people.example") }).to_string()).collect();
    let path = file("people.jsonl", &lines.join("\n"));
    database.batch_execute(GATE).await.unwrap();
    let gate = site.database.connect(OWNER).await;
    gate.batch_execute("select pg_advisory_lock(7)").await.unwrap();
    let (directory, _) = site.furnish(site.settings());
    let mut child = std::process::Command::new(crate::support::cli::PROGRAM)
        .args(["admin", "-c", directory.join("sigid.toml").to_str().unwrap(), "--json", "user", "import"])
        .args(["--tenant", "one", "--file", path.to_str().unwrap()])
        .env_clear()
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let waiting = "select count(*)::text from pg_locks where locktype = 'advisory' and not granted
                   and database = (select oid from pg_database where datname = current_database())";
    until_true("the third batch at the gate", async || ask(&database, waiting).await == "1").await;
    child.kill().unwrap();
    child.wait().unwrap();
    gate.batch_execute("select pg_advisory_unlock(7)").await.unwrap();
    let done = import(&site, "one", &path, &["--resume"]).json();
    assert_eq!((&done["created"], &done["rejected"]), (&json!(3500), &json!(0)), "of the whole");
    let people = "select count(*) || ' ' || count(distinct email_key) from identity.users";
    assert_eq!(ask(&database, people).await, "3500 3500");
    assert_eq!(ask(&database, "select count(*)::text from identity.memberships where state = 'active'").await, "3500");
    let imported = "select sum((data->>'created')::int)::text from async.events where event_type = 'user.imported'";
    assert_eq!(ask(&database, imported).await, "3500", "each is told of once");
}

#[tokio::test]
async fn hashes_of_every_system_are_kept_in_one_form() {
    let site = Site::new().await;
    let keycloak = json!({
        "credentialData": { "hashIterations": 1000, "algorithm": "pbkdf2-sha512" },
        "secretData": {
            "value": "38DzhdBT7fPaUGBlsh42VTuuKSFAIYGZJ7l6feCDLIl+K3hdPFgxxu7xuUi4gIuH6cEIoODn18xH9Ig2ryNgUw==",
            "salt": "MDEyMzQ1Njc4OWFiY2RlZg==",
        },
    });
    let lines = [
        json!({ "email": "django@people.example", "password_hash": "pbkdf2_sha256$1000$seasalt$YIWkt6M1JFXrHg5s0jZjBSc7C2Cz6QvchSJ0h8Y+i7c=" }),
        json!({ "email": "keycloak@people.example", "password_hash": keycloak }),
        json!({ "email": "keycloak-text@people.example", "password_hash": keycloak.to_string() }),
        json!({ "email": "locked@people.example", "password_hash": "!nothing" }),
    ];
    let path = file("people.jsonl", &lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    let done = import(&site, "one", &path, &[]).json();
    assert_eq!((&done["created"], &done["rejected"]), (&json!(4), &json!(0)), "{:?}", rejected(&path));
    let database = site.database.connect(OWNER).await;
    let kept = "select string_agg(coalesce(substring(password_hash from '^[$][a-z0-9-]+[$]i=[0-9]+[$]'), 'none'), ' '
                                  order by email_key) from identity.users";
    let phc = "$pbkdf2-sha512$i=1000$";
    assert_eq!(ask(&database, kept).await, format!("$pbkdf2-sha256$i=1000$ {phc} {phc} none"));
    let passwords = "select count(password_changed_at)::text from identity.users";
    assert_eq!(ask(&database, passwords).await, "3", "who has none has none");
}

#[tokio::test]
async fn what_was_exported_is_read_again() {
    let site = Site::new().await;
    let lines: Vec<String> = (0..1100)
        .map(|number| {
            json!({ "email": format!("p{number}@people.example"), "name": format!("P, \"{number}\"") }).to_string()
        })
        .collect();
    import(&site, "one", &file("people.jsonl", &lines.join("\n")), &[]).expect(0);
    let exported = site.admin(&["user", "export", "--tenant", "one"]).expect(0);
    assert_eq!(exported.lines().count(), 1100, "over the end of a page");
    let table = site.admin(&["user", "export", "--tenant", "one", "--format", "csv"]).expect(0);
    assert_eq!(table.lines().count(), 1101);
    // A subject is random and may spell anything.
    assert!(
        !exported.contains("_hash") && !table.lines().next().unwrap().contains("hash"),
        "no hash, nor a place for one"
    );
    for (name, content) in [("export.jsonl", exported), ("export.csv", table)] {
        let done = import(&site, "one", &file(name, &content), &[]).json();
        assert_eq!((&done["present"], &done["rejected"]), (&json!(1100), &json!(0)), "{name}");
    }
}

/// Of the password "abc", by another program.
const BCRYPT: &str = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
/// Wants more memory than any hash thread has.
const LARGE: &str =
    "$argon2id$v=19$m=2097152,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfpfvYFOgcniqOKRYS+6jdTA";
/// One address of the third batch waits for a lock.
const GATE: &str = "create function public.gate() returns trigger language plpgsql as
    $$ begin if new.email_key = 'p2500@people.example' then perform pg_advisory_xact_lock(7); end if; return new; end $$;
    create trigger gate before insert on identity.users for each row execute function public.gate()";
/// The database refuses one address.
const TRAP: &str = "create function public.trap() returns trigger language plpgsql as
    $$ begin if new.email_key like 'boom@%' then raise exception 'boom'; end if; return new; end $$;
    create trigger trap before insert on identity.users for each row execute function public.trap()";
