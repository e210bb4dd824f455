//! A person changes the own password.
//!
//! ```text
//! new one is good? -> current one is right (limits, hash pool)? -> hash -> one transaction:
//!   password, a new session in this browser, the other sessions over, what applications were given dead, links dead,
//!   event, letter
//! ```
//!
//! The session of this browser gets a new cookie too: a copy of the old one is worth nothing afterwards. So does its mark
//! of a known device, for those of the old password are strangers ([`sigid_login::limits::device`]). Half-done changes of
//! the address and recoveries die with the old password; the link that takes an address back does not, since it is there
//! for whom the password was stolen from. On the second presentation of a form: the current password is no longer the
//! current one.
//!
//! Attacks considered: guessing the current password in a session left open (the same limits as sign-in, counted for
//! the account), a change between the proof and the write (the row is held and compared), a thief who stays (above).

use crate::desk::{Desk, NEW_PASSWORD, Refused, done};
use crate::{PASSWORD_CHANGED, sql};
use serde_json::{Value, json};
use sigid_core::email::Address;
use sigid_edge::backend::Call;
use sigid_edge::guard::{Permit, Person};
use sigid_edge::session::find_cookie;
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_login::accounts::{self, User};
use sigid_login::flows::fault::Fault;
use sigid_login::flows::methods::password::{METHOD, beside};
use sigid_login::flows::model::{self, Authority, Proof};
use sigid_login::flows::{ask, links};
use sigid_login::limits::Attempt;
use sigid_login::limits::device::{DEVICE_COOKIE, Devices};
use sigid_login::password::{Password, Verdict};
use sigid_login::sessions;
use sigid_pages::{Faults, Field, FieldFault, PasswordChange, paths};
use sigid_platform::outbox::Change;

pub(crate) fn serve(call: Call, permit: Permit<Person>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let desk = match Desk::open(call, &permit).await {
            Ok(desk) => desk,
            Err(reply) => return reply,
        };
        let page = |faults| PasswordChange {
            csrf: desk.csrf.token(paths::ACCOUNT_PASSWORD),
            email: desk.user.email.clone(),
            has_password: desk.has_password(),
            faults,
            notice: desk.notice(),
        };
        if !desk.is_post() {
            return desk.show(&page(Faults::none()));
        }
        match change(&desk).await {
            Ok(reply) => reply,
            Err(refused) => desk.refuse(refused, page),
        }
    })
}

async fn change(desk: &Desk) -> Result<Reply, Refused> {
    let form = desk.form()?;
    let current = ask::password(&form, Field::CurrentPassword.name());
    let new = ask::password(&form, Field::NewPassword.name());
    check_new(desk, &current, &new)?;
    desk.prove(&current).await?;
    let hash = ask::passwords(&desk.call)?.hash(&new).await.map_err(Fault::from)?;
    write(desk, &hash).await
}

/// What costs nothing comes first, and says nothing of the current password.
fn check_new(desk: &Desk, current: &Password, new: &Password) -> Result<(), Refused> {
    let refuse = |fault| Err(Refused::field(Field::NewPassword, fault));
    if desk.has_password() && !new.expose().is_empty() && new.expose() == current.expose() {
        return refuse(FieldFault::Unchanged);
    }
    let address = Address::parse(&desk.user.email).map_err(|_| Fault::Failed)?;
    let checked = ask::passwords(&desk.call)?.check(new, &address);
    checked.or_else(|fault| refuse(beside(new, fault)))
}

async fn write(desk: &Desk, hash: &str) -> Result<Reply, Refused> {
    let user = desk.user.user_id;
    let mut change = desk.change().await?;
    let now_s = change.now_s();
    if !accounts::set_password(change.tx(), user, hash, now_s).await? {
        return Err(Fault::BadRequest.into());
    }
    let ended = [links::EMAIL.name, links::RECOVER.name, links::SETUP.name];
    sql::kill_links(change.tx(), user, &ended, now_s).await?;
    let started = renew(desk, &mut change).await?;
    desk.record(&mut change, PASSWORD_CHANGED, json!({})).await?;
    desk.write(&mut change, "password_changed", json!({})).await?;
    desk.commit(change).await?;
    let reply = ask::with_cookie(done(paths::ACCOUNT_PASSWORD, NEW_PASSWORD), started.cookie);
    Ok(ask::with_device(&desk.call, reply, &desk.user.email_key)?)
}

/// A new session in place of this one; the others end where the operator says so.
async fn renew(desk: &Desk, change: &mut Change<'_>) -> Result<sessions::Started, Refused> {
    let (user, keys) = (desk.user.user_id, desk.keys()?);
    let authentications = authenticated(&desk.session.authentications, desk.call.now_s);
    let started = sessions::start(change, &desk.call, user, authentications, &desk.session.acr).await?;
    if desk.settings().password_change_ends_sessions {
        accounts::end_sessions(change, keys, user, Some(started.session.session_id)).await?;
        accounts::mark_memberships(change, user).await?;
    } else {
        sessions::end(change, keys, user, desk.session.session_id).await?;
    }
    Ok(started)
}

/// What was proven before, with the password proven now.
fn authenticated(before: &Value, now_s: i64) -> Value {
    let is_other = |one: &&Value| one.get("method").and_then(Value::as_str) != Some(METHOD.amr);
    let others = before.as_array().into_iter().flatten().filter(is_other).cloned();
    let now = model::told(&Proof { method: &METHOD, authority: Authority::Account, at_s: now_s });
    std::iter::once(now).chain(others).collect()
}

/// Whether this is the password of the account: the limits of sign-in, and a thread of the hash pool.
pub(crate) async fn is_current(call: &Call, user: &User, stored: &str, typed: &Password) -> Result<bool, Fault> {
    let attempt = begin(call, user).await?;
    match ask::passwords(call)?.verify(Some(stored), typed).await {
        Ok(Verdict::Match { .. }) => {
            attempt.succeed();
            Ok(true)
        }
        Ok(Verdict::Mismatch) => {
            attempt.fail();
            Ok(false)
        }
        Err(fault) => {
            attempt.withdraw();
            Err(fault.into())
        }
    }
}

async fn begin(call: &Call, user: &User) -> Result<Attempt, Fault> {
    let cookie = find_cookie(&call.request.headers, DEVICE_COOKIE);
    let device = Devices::new(&ask::keys(call)?.device).find(cookie, &user.email_key, call.now_s);
    let device = device.filter(|device| device.is_current(user.password_changed_s));
    match ask::limits(call)?.begin(&user.email_key, call.address, device.as_ref(), call.now_s).await {
        Ok(attempt) => Ok(attempt),
        Err(refused) => Err(ask::limited(call, &refused).await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_proven_anew_and_the_rest_stays() {
        let told = |at_s| model::told(&Proof { method: &METHOD, authority: Authority::Account, at_s });
        let second = json!({ "method": "otp", "authority": "account", "at": 6 });
        for (reason, before, expected) in [
            ("a password alone", json!([told(5)]), json!([told(9)])),
            ("a second factor stays", json!([told(5), second]), json!([told(9), second])),
            ("nothing that can be read", json!({}), json!([told(9)])),
        ] {
            assert_eq!(authenticated(&before, 9), expected, "{reason}");
        }
    }
}
