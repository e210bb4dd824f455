//! How the database reads what sign-in, account pages and administration ask: by an index, however many people there
//! are. The statements are those of the sources, planned as the server's role, under row-level security, for values
//! that nobody knows yet.

use std::path::Path;

use serde_json::Value;
use tokio_postgres::Client;

use crate::support::cluster::{APP, OWNER};
use crate::support::site::Site;

/// Every statement of the folders that are about people.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["handlers/login/src", "handlers/account/src"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found
}

fn collect(directory: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.ends_with("sql.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // Every second piece stands between quotes; no statement holds an escaped one.
            for literal in text.split('"').skip(1).step_by(2) {
                let begins = ["select ", "insert into ", "update ", "delete from ", "with "];
                if begins.iter().any(|begin| literal.trim_start().starts_with(begin)) {
                    found.push((path.display().to_string(), literal.to_owned()));
                }
            }
        }
    }
}

/// Relations that a plan reads from end to end.
fn scanned(plan: &Value, found: &mut Vec<String>) {
    let is_index = plan["Node Type"].as_str().is_some_and(|node| node.contains("Index") && node != "Bitmap Index Scan");
    if plan["Node Type"] == "Seq Scan" || is_index && plan["Index Cond"].is_null() {
        found.push(plan["Relation Name"].as_str().unwrap_or_default().to_owned());
    }
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        scanned(inner, found);
    }
}

async fn plan(client: &Client, statement: &str) -> Value {
    client.batch_execute(&format!("prepare asked as {statement}")).await.unwrap_or_else(|error| {
        panic!("{error:?}: {statement}");
    });
    let row = client
        .query_one("select cardinality(parameter_types) from pg_prepared_statements where name = 'asked'", &[])
        .await
        .unwrap();
    let values = vec!["null"; row.get::<_, i32>(0) as usize].join(", ");
    let values = if values.is_empty() { values } else { format!("({values})") };
    let explained = client.query_one(&format!("explain (format json) execute asked{values}"), &[]).await;
    let row = explained.unwrap_or_else(|error| panic!("{error:?}: {statement}"));
    client.batch_execute("deallocate asked").await.unwrap();
    row.get::<_, Value>(0)[0]["Plan"].clone()
}

#[tokio::test]
async fn no_statement_about_people_reads_them_all() {
    let site = Site::new().await;
    let owner = site.database.connect(OWNER).await;
    owner.batch_execute(CROWD).await.unwrap();
    let app = site.database.connect(APP).await;
    app.batch_execute("set plan_cache_mode = force_generic_plan; set search_path = pg_catalog").await.unwrap();
    for (reason, statement, is_found) in [
        ("nothing to go by", "select user_id from identity.users where locale = $1", true),
        ("every row, in order", "select user_id from identity.users order by email_key", true),
        ("one person", "select user_id from identity.users where email_key = $1", false),
    ] {
        let mut found = Vec::new();
        scanned(&plan(&app, statement).await, &mut found);
        assert_eq!(found.contains(&"users".to_owned()), is_found, "{reason}: the test bites");
    }
    let statements = statements();
    assert!(statements.len() > 30, "the statements are found: {}", statements.len());
    for (file, statement) in statements {
        let plan = plan(&app, &statement).await;
        let mut found = Vec::new();
        scanned(&plan, &mut found);
        found.retain(|relation| CROWDED.contains(&relation.as_str()));
        assert!(found.is_empty(), "{file}: reads all of {found:?}: {statement}\n{plan:#}");
    }
}

/// The tables that grow with the number of people.
const CROWDED: [&str; 7] = [
    "users",
    "memberships",
    "sessions_default",
    "session_clients_default",
    "registrations_default",
    "links_default",
    "mail_default",
];

/// Twenty thousand people, each with a membership, a session, what was handed out in it, and a link.
const CROWD: &str = "
    create temp table crowd as select n, gen_random_uuid() as id from generate_series(1, 20000) n;
    insert into identity.users (user_id, email, email_key, created_at, updated_at)
        select id, n || '@people.example', n || '@people.example', now(), now() from crowd;
    insert into identity.memberships (tenant_id, sub, user_id, state, created_at, updated_at)
        select t.tenant_id, encode(sha256(c.id::text::bytea), 'hex'), c.id, 'active', now(), now()
        from crowd c, control.tenants t where t.slug = 'one';
    insert into auth.sessions (session_id, created_at, digest, user_id, authentications, acr, seen_at, expires_at)
        select id, now() - interval '20 days', sha256(id::text::bytea), id, '[]', 'x', now(), now() from crowd;
    insert into auth.session_clients (session_id, created_at, client_id, tenant_id, sub)
        select c.id, now() - interval '20 days', 'spa', t.tenant_id, 'x' from crowd c, control.tenants t where t.slug = 'one';
    insert into auth.registrations (registration_id, created_at, expires_at, email, email_key, password_hash, display_name, browser)
        select id, now() - interval '20 days', now(), 'x@y', 'x@y', 'x', 'x', sha256('x') from crowd;
    insert into auth.links (digest, created_at, expires_at, purpose, user_id)
        select sha256(id::text::bytea), now() - interval '20 days', now(), 'recover', id from crowd;
    insert into async.mail (mail_id, created_at, template, locale, recipient, state, next_at)
        select id, now() - interval '20 days', 'x', 'en', 'x@y', 'sent', now() from crowd;
    analyze";
