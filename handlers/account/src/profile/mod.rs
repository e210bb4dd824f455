//! The profile: every standard claim of OpenID Connect Core 1.0 section 5.1 that is its person's to set.
//!
//! `sub` and `updated_at` are the account's, `email` has a page of its own, `phone_number` is kept unverified. What a
//! claim may hold is in [`sigid_login::claims`]. The language of letters follows the claim `locale` where it is one of
//! ours.

mod model;

use crate::PROFILE_CHANGED;
use crate::desk::{Desk, Refused, SAVED, done};
use serde_json::{Map, Value, json};
use sigid_edge::backend::Call;
use sigid_edge::guard::{Permit, Person};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_login::accounts;
use sigid_pages::{Faults, Notice, Profile, ProfileValues, paths};

pub(crate) fn serve(call: Call, permit: Permit<Person>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let desk = match Desk::open(call, &permit).await {
            Ok(desk) => desk,
            Err(reply) => return reply,
        };
        if !desk.is_post() {
            return desk.show(&page(&desk, model::shown(&desk.user.claims), Faults::none(), desk.notice()));
        }
        match change(&desk).await {
            Ok(()) => done(paths::ACCOUNT, SAVED),
            Err(refused) => desk.refuse(refused, |faults| {
                let typed = desk.form().map(|form| model::typed(&form)).unwrap_or_default();
                page(&desk, typed, faults, None)
            }),
        }
    })
}

fn page(desk: &Desk, values: ProfileValues, faults: Faults, notice: Option<Notice>) -> Profile {
    Profile { csrf: desk.csrf.token(paths::ACCOUNT), email: desk.user.email.clone(), values, faults, notice }
}

async fn change(desk: &Desk) -> Result<(), Refused> {
    let form = desk.form()?;
    let claims =
        model::read(&form, &desk.user.claims).map_err(|fields| Refused::Form(Faults { fields, ..Faults::none() }))?;
    if claims == desk.user.claims {
        return Ok(());
    }
    let changed = changed(&desk.user.claims, &claims);
    let (user, now_s) = (desk.user.user_id, desk.call.now_s);
    let mut change = desk.change().await?;
    accounts::set_claims(change.tx(), user, &claims, now_s).await?;
    if let Some(locale) = sigid_login::claims::language(&claims) {
        accounts::set_locale(change.tx(), user, locale, now_s).await?;
    }
    desk.record(&mut change, PROFILE_CHANGED, json!({ "claims": changed })).await?;
    desk.commit(change).await?;
    Ok(())
}

/// The names of the claims that differ: a name says nothing of the person.
fn changed<'c>(old: &'c Map<String, Value>, new: &'c Map<String, Value>) -> Vec<&'c str> {
    let mut names: Vec<&str> =
        old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_what_changed_and_says_nothing_of_it() {
        let old = json!({ "name": "Ann", "gender": "f", "website": "https://a.example" });
        let new = json!({ "name": "Anna", "website": "https://a.example", "locale": "de" });
        assert_eq!(changed(old.as_object().unwrap(), new.as_object().unwrap()), ["gender", "locale", "name"]);
        assert!(changed(old.as_object().unwrap(), old.as_object().unwrap()).is_empty());
    }
}
