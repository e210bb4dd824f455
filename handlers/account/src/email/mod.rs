//! Another address of mail: asked for by the account, proven by who reads the new one, told to both, and taken back by
//! who reads the old one.
//!
//! ```text
//! asked (password) -> letter to the new address -> proven by its link and the owner's session or password -> changed
//!   | a new password, another question, a day                     | letters to both
//!   v                                                             v
//! dead                                        taken back by the old one's link (7 days): address restored, password
//!                                             gone, all sessions over, every link dead, deletion off -> recovery
//! ```
//!
//! Whether the new address has an account of its own is not looked up here: the page, its time and its answer are the
//! same. The letter's job decides what the letter says. Somebody may prove the address meanwhile; the unique key then
//! refuses, and only the signed-in owner of the link is told why.
//!
//! Taking back is for an account that was stolen, so it trusts nothing that was set after: not the address, not the
//! password that made the change (it opens nothing any more, only recovery does), not a deletion, and no link that was
//! made since. Links that are older stay: who changes the address twice, and takes the second change back, does not get
//! rid of its owner.
//!
//! A letter proves the address and only that, so without the session of the account that asked, its password is asked
//! too: nobody's address comes to an account because its owner pressed a stranger's button. The link is bound to the
//! account's password and address as they were, so every way to a new one kills it.
//!
//! A link is looked at by GET (mail scanners follow links) and used by POST; of any number of uses at once exactly one
//! wins. On the second presentation, in another person's session, or with a link of another kind: the page of a dead link.
//!
//! Limits: [`EMAIL_ASKS_DAILY_MAX`], the life of links. Attacks considered: a session left open (the password is asked), a
//! proof made in one session and used in another, or in none (refused, password), a link that outlives a recovery (bound),
//! the thief's own way back (only the later change is taken back), letters as a weapon against strangers (the limit, and that of
//! letters to one mailbox).

mod by_link;

pub(crate) use by_link::{confirm, undo};

use crate::EMAIL_ASKED;
use crate::desk::{Desk, Refused};
use crate::sql;
use http::StatusCode;
use serde_json::{Value, json};
use sigid_core::email::Address;
use sigid_edge::backend::Call;
use sigid_edge::guard::{Permit, Person};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_login::flows::fault::Fault;
use sigid_login::flows::recovery::state_of;
use sigid_login::flows::{ask, links};
use sigid_pages::{EmailChange, ErrorPage, Faults, Field, FieldFault, MailSent, SentFor, paths, render};
use sigid_platform::mail::{self, Letter};

/// How often a person may ask for another address in a day.
pub const EMAIL_ASKS_DAILY_MAX: i64 = 10;
const DAY_S: i64 = 86_400;

pub(crate) fn serve(call: Call, permit: Permit<Person>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let desk = match Desk::open(call, &permit).await {
            Ok(desk) => desk,
            Err(reply) => return reply,
        };
        if !desk.settings().email_change_enabled {
            return render(&desk.look, StatusCode::NOT_FOUND, &ErrorPage::not_found(&desk.call.request_id));
        }
        let pending = match find_pending(&desk).await {
            Ok(pending) => pending,
            Err(fault) => return fault.reply(&desk.call),
        };
        if !desk.is_post() {
            return desk.show(&page(&desk, pending, String::new(), Faults::none()));
        }
        match ask_for(&desk).await {
            Ok(email) => desk.show(&MailSent { email, sent_for: SentFor::EmailChange }),
            Err(refused) => desk.refuse(refused, |faults| {
                let typed = desk.form().map(|form| ask::text(&form, Field::NewEmail.name())).unwrap_or_default();
                page(&desk, pending, typed, faults)
            }),
        }
    })
}

fn page(desk: &Desk, pending: Option<String>, new_email: String, faults: Faults) -> EmailChange {
    EmailChange {
        csrf: desk.csrf.token(paths::ACCOUNT_EMAIL),
        email: desk.user.email.clone(),
        is_verified: desk.user.email_verified_s.is_some(),
        pending,
        new_email,
        faults,
        notice: desk.notice(),
    }
}

/// The address that was asked for and is not proven.
async fn find_pending(desk: &Desk) -> Result<Option<String>, Fault> {
    let mut tx = desk.look().await?;
    let data = sql::find_link_data(&mut tx, desk.user.user_id, links::EMAIL.name, desk.call.now_s).await?;
    tx.rollback().await?;
    let data = data.filter(|data| data.get("old_key").and_then(Value::as_str) == Some(desk.user.email_key.as_str()));
    Ok(data.and_then(|data| data.get("new_email")?.as_str().map(str::to_owned)))
}

/// Gives the address that the letter goes to.
async fn ask_for(desk: &Desk) -> Result<String, Refused> {
    let form = desk.form()?;
    let new = ask::address(&ask::text(&form, Field::NewEmail.name()))
        .map_err(|fault| Refused::field(Field::NewEmail, fault))?;
    if new.key == desk.user.email_key {
        return Err(Refused::field(Field::NewEmail, FieldFault::Unchanged));
    }
    desk.prove(&ask::password(&form, Field::CurrentPassword.name())).await?;
    let (user, now_s) = (desk.user.user_id, desk.call.now_s);
    let mut change = desk.change().await?;
    let asked = sql::count_links(change.tx(), user, links::EMAIL.name, now_s - DAY_S).await?;
    if asked >= EMAIL_ASKS_DAILY_MAX {
        return Err(Fault::Limited { retry_after_s: RETRY_AFTER_S }.into());
    }
    sql::kill_links(change.tx(), user, &[links::EMAIL.name], now_s).await?;
    let data = data_of(desk, &new);
    let letter = Letter {
        template: "email_confirm",
        locale: desk.locale(),
        recipient: &new.shown,
        tenant: None,
        data: data.clone(),
    };
    let mail_id = mail::enqueue(change.tx(), &letter, now_s).await?;
    by_link::insert(change.tx(), desk.keys()?, &links::EMAIL, mail_id, user, &data, now_s).await?;
    desk.record(&mut change, EMAIL_ASKED, json!({})).await?;
    desk.commit(change).await?;
    Ok(new.shown)
}

/// What link and letter hold.
fn data_of(desk: &Desk, new: &Address) -> Value {
    json!({
        "user_id": desk.user.user_id.to_string(),
        "old_email": desk.user.email,
        "old_key": desk.user.email_key,
        "new_email": new.shown,
        "new_key": new.key,
        // What the account is: any other password or address, by whatever way, and the link is dead.
        "state": state_of(&desk.user),
    })
}

/// What a question too many waits for.
const RETRY_AFTER_S: u64 = 3600;
