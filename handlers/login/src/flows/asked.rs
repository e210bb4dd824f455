//! For which application somebody signs in.
//!
//! The way on says so, and nothing else does: `next` is `/session/start?client_id=..&return_to=..` when an application
//! sent the person, and travels in the page's query and its form. It is believed as far as the tables bear it out: an
//! active client of an active tenant, and an address of an origin registered for it that its cookie reaches. Anything
//! else is a sign-in for nobody's application, under the operator's policy and brand, and looks like one; that a client
//! is unknown is told to nobody here.
//!
//! Attacks considered: a form whose `next` was cut off, to be asked by the operator's policy instead of the tenant's (the
//! tenant's is asked again before its application gets a cookie: [`super::application`]); a page that names an
//! application which did not ask (its name stands beside the host that the person is sent to, which is its own).

use super::application;
use super::ask;
use super::fault::Fault;
use super::methods;
use super::model::Policy;
use crate::config::Auth;
use http::Method;
use sigid_core::form::Form;
use sigid_edge::backend::Call;
use sigid_edge::guard;
use sigid_edge::session_check::EdgeCookies;
use sigid_edge::tables::{ClientEntry, Tables, TenantEntry};
use sigid_pages::{Asking, Look};
use std::sync::Arc;

/// An application that asks, with its tenant.
#[derive(Clone)]
pub struct Asked {
    pub client: Arc<ClientEntry>,
    pub tenant: Arc<TenantEntry>,
    /// Where the person comes from and is sent back to.
    origin: String,
}

impl Asked {
    /// The application of a client id and an address to come back to.
    pub(super) fn look_up(tables: &Tables, cookies: &EdgeCookies, client_id: &str, return_to: &str) -> Option<Self> {
        let client = tables.find_client(client_id)?;
        guard::check_active(tables, client).ok()?;
        let tenant = tables.find_tenant(client.tenant_id)?;
        let origin = cookies.return_origin(client, return_to)?;
        Some(Self { client: client.clone(), tenant: tenant.clone(), origin })
    }

    pub fn policy(&self) -> Policy {
        methods::policy(Some(&self.tenant))
    }

    fn asking(&self) -> Asking {
        let host = self.origin.split_once("://").map_or("", |(_, host)| host);
        let client = &self.client;
        let name = if client.client_name.is_empty() { host } else { &client.client_name };
        Asking { name: name.to_owned(), host: host.to_owned() }
    }
}

/// The application that a way on leads to; nothing when it leads elsewhere.
pub fn find(call: &Call, next: &str) -> Option<Asked> {
    let (client_id, return_to) = named(next)?;
    let shared = &call.backend.shared;
    Asked::look_up(&call.backend.feed.tables(), &shared.edge_cookies, &client_id, &return_to)
}

/// The application that a request is about: its way on, or itself where it is the way to one.
pub fn of(call: &Call) -> Option<Asked> {
    let request = &call.request;
    let query = request.query.as_deref().unwrap_or_default();
    if request.path == application::PATH {
        return find(call, &format!("{}?{query}", request.path));
    }
    let said = if request.method == Method::POST { &request.body[..] } else { query.as_bytes() };
    let said = Form::parse(said, &[]).ok()?;
    find(call, said.find("next")?)
}

fn named(next: &str) -> Option<(String, String)> {
    let query = next.strip_prefix(application::PATH)?.strip_prefix('?')?;
    let query = Form::parse(query.as_bytes(), &[]).ok()?;
    let (client_id, return_to) = query.find("client_id").zip(query.find("return_to"))?;
    Some((client_id.to_owned(), return_to.to_owned()))
}

/// What a sign-in must reach.
pub fn policy(asked: Option<&Asked>) -> Policy {
    asked.map_or_else(|| methods::policy(None), Asked::policy)
}

/// The look of a page on the way to an application: its name, its tenant's brand; and a form that ends there.
pub fn look(call: &Call, asked: Option<&Asked>) -> Look {
    let look = Look::of(call);
    match asked {
        Some(asked) => {
            look.of_tenant(call, asked.tenant.tenant_id).asked_by(asked.asking()).leading_to(Some(asked.origin.clone()))
        }
        None => look,
    }
}

/// Whether people may make accounts here, on the way to this application if one asked.
///
/// # Errors
/// This process serves no sign-in.
pub fn takes_new(call: &Call, asked: Option<&Asked>) -> Result<bool, Fault> {
    let auth: &Auth = ask::part(&call.backend)?;
    Ok(auth.registration_enabled && asked.is_none_or(|asked| asked.tenant.sign_in.takes_new))
}

/// [`takes_new`], or the end of the way.
///
/// # Errors
/// [`Fault::RegistrationClosed`].
pub fn check_takes_new(call: &Call, asked: Option<&Asked>) -> Result<(), Fault> {
    if takes_new(call, asked)? { Ok(()) } else { Err(Fault::RegistrationClosed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigid_core::ids::{ClientId, TenantId};
    use sigid_edge::tables::{AuthMethod, Change};

    const ISSUER: &str = "https://auth.example.com";

    fn tables(client_name: &str, is_client_active: bool, is_tenant_active: bool) -> Tables {
        let tenant_id: TenantId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap();
        let client = ClientEntry {
            client_name: client_name.to_owned(),
            is_active: is_client_active,
            redirect_origins: vec!["https://shop.example.com".to_owned(), "https://elsewhere.example".to_owned()],
            ..ClientEntry::new(ClientId::parse("shop").unwrap(), tenant_id, AuthMethod::None)
        };
        let mut tables = Tables::new(ISSUER);
        tables.apply([
            Change::Tenant(tenant_id, Some(TenantEntry::new(tenant_id, is_tenant_active))),
            Change::Client(client.client_id.clone(), Some(Box::new(client))),
        ]);
        tables
    }

    #[test]
    fn the_way_on_names_an_application_that_is_there() {
        let cookies = EdgeCookies::new(&[1; 32], "example.com", ISSUER);
        let whole = tables("Shop", true, true);
        let (no_client, no_tenant) = (tables("Shop", false, true), tables("Shop", true, false));
        let to = |client: &str, back: &str| format!("/session/start?client_id={client}&return_to={back}");
        let shop = "https%3A%2F%2Fshop.example.com%2Forders";
        for (reason, tables, next, is_found) in [
            ("its page", &whole, to("shop", shop), true),
            ("more in the query", &whole, format!("{}&x=1", to("shop", shop)), true),
            ("an unknown application", &whole, to("nobody", shop), false),
            ("an application that is off", &no_client, to("shop", shop), false),
            ("a tenant that is off", &no_tenant, to("shop", shop), false),
            ("an address of somebody else", &whole, to("shop", "https%3A%2F%2Fevil.example%2F"), false),
            ("an address that the cookie does not reach", &whole, to("shop", "https%3A%2F%2Felsewhere.example"), false),
            ("two applications", &whole, format!("{}&client_id=shop", to("shop", shop)), false),
            ("no address", &whole, "/session/start?client_id=shop".to_owned(), false),
            ("another page", &whole, format!("/account?client_id=shop&return_to={shop}"), false),
            ("a path that only begins so", &whole, to("shop", shop).replace("start", "starter"), false),
            ("another host", &whole, format!("https://evil.example{}", to("shop", shop)), false),
            ("nothing", &whole, String::new(), false),
        ] {
            let found = named(&next).and_then(|(id, back)| Asked::look_up(tables, &cookies, &id, &back));
            assert_eq!(found.is_some(), is_found, "{reason}");
        }
    }

    #[test]
    fn an_application_is_called_by_its_name_or_its_host() {
        let cookies = EdgeCookies::new(&[1; 32], "example.com", ISSUER);
        for (reason, client_name, expected) in [("a name", "The shop", "The shop"), ("none", "", "shop.example.com")] {
            let tables = tables(client_name, true, true);
            let asked = Asked::look_up(&tables, &cookies, "shop", "https://shop.example.com/a?b=c").unwrap();
            let asking = asked.asking();
            assert_eq!((asking.name.as_str(), asking.host.as_str()), (expected, "shop.example.com"), "{reason}");
        }
    }
}
