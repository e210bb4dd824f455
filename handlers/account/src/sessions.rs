//! Where a person is signed in, and how to end that: one session, or all but this one.
//!
//! A session is named by its id, which opens nothing. The statement that ends it names its person too, so another's id
//! does what an ended one does: nothing, and the same page. On the second presentation: the page, without a notice.
//!
//! ```text
//! POST end=<id>     -> over, with all that applications were given in it
//! POST end=<id>     (this browser's) -> over, to sign-in
//! POST end=others   -> all over but this one
//! ```

use crate::desk::{Desk, Refused};
use crate::{SESSION_ENDED, SESSIONS_ENDED};
use serde_json::{Value, json};
use sigid_core::ids::SessionId;
use sigid_edge::backend::Call;
use sigid_edge::guard::{Permit, Person};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_login::accounts;
use sigid_login::flows::ask;
use sigid_login::flows::fault::Fault;
use sigid_login::sessions::{self, Listed};
use sigid_pages::{Faults, Notice, SessionRow, Sessions, paths};
use sigid_platform::outbox::Event;
use std::sync::Arc;

/// What `end` says to end every session but this one.
const OTHERS: &str = "others";

pub(crate) fn serve(call: Call, permit: Permit<Person>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let desk = match Desk::open_deleting(call, &permit).await {
            Ok(desk) => desk,
            Err(reply) => return reply,
        };
        match answer(&desk).await {
            Ok(reply) => reply,
            Err(Refused::Fault(fault)) => fault.reply(&desk.call),
            Err(Refused::Form(_) | Refused::Stale) => Fault::BadRequest.reply(&desk.call),
        }
    })
}

async fn answer(desk: &Desk) -> Result<Reply, Refused> {
    if !desk.is_post() {
        return list(desk, None).await;
    }
    match desk.form()?.find("end") {
        None => Err(Fault::BadRequest.into()),
        Some(OTHERS) => end_others(desk).await,
        Some(id) => end_one(desk, id.parse().map_err(|_| Fault::BadRequest)?).await,
    }
}

async fn end_one(desk: &Desk, session: SessionId) -> Result<Reply, Refused> {
    let listed = load(desk).await?;
    let mut change = desk.change().await?;
    if !sessions::end(&mut change, desk.keys()?, desk.user.user_id, session).await? {
        drop(change);
        return list(desk, None).await;
    }
    let data = json!({ "user_id": desk.user.user_id.to_string(), "by": desk.session.session_id.to_string() });
    let subject = session.to_string();
    change.record(&Event { tenant: None, event_type: SESSION_ENDED, subject: &subject, data }).await?;
    desk.commit(change).await?;
    if session == desk.session.session_id {
        return Ok(ask::with_cookie(ask::to_login(Some(ask::SESSION_ENDED), ""), sessions::clear_cookie()));
    }
    let ended = listed.iter().find(|one| one.session_id == session);
    let words = ended.map(|one| desk.look.device(&one.user_agent)).unwrap_or_default();
    list(desk, Some(Notice::DeviceEnded(words))).await
}

async fn end_others(desk: &Desk) -> Result<Reply, Refused> {
    let mut change = desk.change().await?;
    let here = desk.session.session_id;
    let count = accounts::end_sessions(&mut change, desk.keys()?, desk.user.user_id, Some(here)).await?;
    if count == 0 {
        drop(change);
        return list(desk, None).await;
    }
    desk.record(&mut change, SESSIONS_ENDED, json!({ "count": count, "by": here.to_string() })).await?;
    desk.commit(change).await?;
    list(desk, Some(Notice::OthersEnded(count as u64))).await
}

async fn list(desk: &Desk, notice: Option<Notice>) -> Result<Reply, Refused> {
    let mut here = None;
    let mut others = Vec::new();
    for listed in load(desk).await? {
        if listed.session_id == desk.session.session_id {
            here = Some(row(&listed, String::new(), desk));
        } else {
            others.push(row(&listed, listed.session_id.to_string(), desk));
        }
    }
    others.sort_by_key(|other| std::cmp::Reverse(other.seen_s));
    let page = Sessions {
        csrf: desk.csrf.token(paths::ACCOUNT_SESSIONS),
        email: desk.user.email.clone(),
        now_s: desk.call.now_s,
        here: here.unwrap_or_else(|| unlisted(desk)),
        others,
        faults: Faults::none(),
        notice,
    };
    Ok(desk.show(&page))
}

async fn load(desk: &Desk) -> Result<Vec<Listed>, Refused> {
    let kept: &Arc<sessions::Sessions> = ask::part(&desk.call.backend)?;
    let mut tx = desk.look().await?;
    let listed = sessions::list(&mut tx, kept, desk.user.user_id, desk.call.now_s).await?;
    tx.rollback().await?;
    Ok(listed)
}

fn row(listed: &Listed, id: String, desk: &Desk) -> SessionRow {
    SessionRow {
        id,
        user_agent: listed.user_agent.clone(),
        methods: methods(&listed.authentications),
        since_s: listed.created_s(),
        seen_s: listed.seen_s,
        is_near: is_near(&listed.address, desk),
        address: sessions::network(&listed.address),
    }
}

/// Whether a session began in the network that its owner looks from.
fn is_near(address: &str, desk: &Desk) -> bool {
    sessions::network(address) == sessions::network(&desk.call.address.to_string())
}

/// This session, where it is so old that newer ones fill the list.
fn unlisted(desk: &Desk) -> SessionRow {
    SessionRow {
        id: String::new(),
        user_agent: String::new(),
        methods: methods(&desk.session.authentications),
        since_s: desk.session.created_s,
        seen_s: desk.call.now_s,
        is_near: true,
        address: sessions::network(&desk.call.address.to_string()),
    }
}

fn methods(authentications: &Value) -> Vec<String> {
    let all = authentications.as_array().into_iter().flatten();
    all.filter_map(|one| one.get("method")?.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_the_authentications() {
        for (reason, authentications, expected) in [
            ("one", json!([{ "method": "pwd", "authority": "account", "at": 1 }]), vec!["pwd"]),
            ("two", json!([{ "method": "pwd" }, { "method": "otp" }]), vec!["pwd", "otp"]),
            ("nonsense", json!({ "method": "pwd" }), vec![]),
            ("nameless", json!([{ "at": 1 }]), vec![]),
        ] {
            assert_eq!(methods(&authentications), expected, "{reason}");
        }
    }
}
