//! The letter that tells a person of a sign-in from a device that the account does not know.
//!
//! A device is known by its cookie ([`crate::limits::device`]), as long as the account's password is the one under which
//! the cookie was given: after a new password every browser but the one that set it is told of once, for whoever knew the
//! old password may have signed in before. The first sign-in of all is told of to nobody: who has just registered, or comes
//! after an import or a set-up link, knows. An account that is older than what is remembered of its sessions is told of
//! its first.
//!
//! Limits: [`crate::limits::NOTICES_PER_HOUR_MAX`] letters to a mailbox, beside the mail's own. Attacks considered: a sign-in
//! with a stolen password (this letter), many sign-ins that bury it (the first ones are told of, the rest is not sent), a
//! cookie that a thief kept (above), a letter that a stranger makes the server send (only a good sign-in does).

use super::{SESSION_LIFETIME_S_MAX, sql};
use crate::accounts::User;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::limits::device::{DEVICE_COOKIE, Devices};
use serde_json::json;
use sigid_edge::backend::Call;
use sigid_edge::session::{Session, find_cookie};
use sigid_io::pg::PgFault;
use sigid_pages::{I18n, Look};
use sigid_platform::mail::{self, Letter};
use sigid_platform::outbox::Change;
use std::sync::Arc;

const TEMPLATE: &str = "new_sign_in";

/// Queues the letter with the session it tells of, if one is due; true when it was.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn tell(change: &mut Change<'_>, call: &Call, user: &User, session: &Session) -> Result<bool, PgFault> {
    let (_, keys) = super::parts(&call.backend)?;
    if is_known(call, keys, user) || is_first(change, user, session).await? {
        return Ok(false);
    }
    let limits = call.backend.settings.find::<Arc<Limits>>();
    if limits.is_none_or(|limits| limits.begin_notice(&user.email_key, call.now_s).is_err()) {
        return Ok(false);
    }
    let i18n = I18n::of(&call.backend.settings);
    let words = i18n.words_for(user.locale.as_deref().unwrap_or(Look::of(call).locale.tag()));
    let user_agent = super::user_agent(&call.request.headers);
    let device = format!("{}, {}", sigid_pages::device(words, &user_agent), call.address.to_canonical());
    let letter = Letter {
        template: TEMPLATE,
        locale: words.locale().tag(),
        recipient: &user.email,
        tenant: None,
        data: json!({ "user_id": user.user_id.to_string(), "device": device, "when_s": call.now_s }),
    };
    mail::enqueue(change.tx(), &letter, call.now_s).await?;
    Ok(true)
}

fn is_known(call: &Call, keys: &Keys, user: &User) -> bool {
    let cookie = find_cookie(&call.request.headers, DEVICE_COOKIE);
    let device = Devices::new(&keys.device).find(cookie, &user.email_key, call.now_s);
    device.is_some_and(|device| device.is_current(user.password_changed_s))
}

async fn is_first(change: &mut Change<'_>, user: &User, session: &Session) -> Result<bool, PgFault> {
    let is_new = session.created_s.saturating_sub(user.created_s) < SESSION_LIFETIME_S_MAX;
    Ok(is_new && !sql::has_earlier(change.tx(), user.user_id, session.session_id).await?)
}
