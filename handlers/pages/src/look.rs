//! What a request decides about a page before it is known which: language, brand, and where the reader is.

use crate::brand::Brand;
use crate::catalog::Words;
use crate::device;
use crate::i18n::I18n;
use crate::locale::Locale;
use http::{HeaderMap, Method, header};
use sigid_core::form::{self, Form};
use sigid_core::ids::TenantId;
use sigid_edge::backend::Call;
use std::sync::Arc;

/// Language, brand and place of a page.
#[derive(Clone)]
pub struct Look {
    i18n: Arc<I18n>,
    pub locale: Locale,
    pub brand: Brand,
    /// The application that sent the person here.
    pub asking: Option<Asking>,
    /// Path and query of this page, where the switch of language comes back to.
    here: String,
    /// The query is not known: the page answers a POST.
    is_answer: bool,
    /// The origin of an application that the page's form leads to by redirects.
    leads_to: Option<String>,
    is_elsewhere: bool,
}

/// An application as the person knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    pub name: String,
    pub host: String,
}

impl Look {
    /// A look of no call: the switch of language leads to sign-in.
    pub fn new(locale: Locale, brand: Brand) -> Self {
        let i18n = I18n::builtin();
        Self {
            i18n,
            locale,
            brand,
            asking: None,
            here: String::new(),
            is_answer: false,
            leads_to: None,
            is_elsewhere: false,
        }
    }

    /// The look for a call: the operator's brand, the caller's language.
    pub fn of(call: &Call) -> Self {
        let i18n = I18n::of(&call.backend.settings);
        let brand = Brand::of(&call.backend.feed.tables(), None);
        let request = &call.request;
        Self::read(i18n, brand, &request.method, &request.path, request.query.as_deref(), &request.headers)
    }

    /// The same in a tenant's brand, if it has one: for what an application of it asked for.
    #[must_use]
    pub fn of_tenant(mut self, call: &Call, tenant_id: TenantId) -> Self {
        self.brand = Brand::of(&call.backend.feed.tables(), Some(tenant_id));
        self
    }

    /// The words of the page.
    pub fn words(&self) -> Words<'_> {
        self.i18n.words(self.locale)
    }

    /// A browser in words, from its `User-Agent`: "Firefox on Linux".
    pub fn device(&self, user_agent: &str) -> String {
        device::device(self.words(), user_agent)
    }

    pub(crate) fn read(
        i18n: Arc<I18n>,
        brand: Brand,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Self {
        let form = query.and_then(|query| Form::parse(query.as_bytes(), &[]).ok());
        let ui_locales = form.as_ref().and_then(|form| form.find("ui_locales"));
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let locale = i18n.negotiate(find_cookie(headers, COOKIE), ui_locales, accept);
        let is_answer = *method == Method::POST;
        let here = match query {
            Some(query) if !is_answer => format!("{path}?{query}"),
            _ => path.to_owned(),
        };
        Self { i18n, locale, brand, asking: None, here, is_answer, leads_to: None, is_elsewhere: false }
    }

    /// Lets the page's form end at that origin. Only for one that was looked up: it stands in the policy.
    #[must_use]
    pub fn leading_to(mut self, origin: Option<String>) -> Self {
        self.leads_to = origin;
        self
    }

    /// What `form-action` names beside this origin.
    pub(crate) fn form_targets(&self) -> String {
        self.leads_to.as_ref().map(|origin| format!(" {origin}")).unwrap_or_default()
    }

    #[must_use]
    pub fn asked_by(mut self, asking: Asking) -> Self {
        self.asking = Some(asking);
        self
    }

    /// The languages that the reader could change to.
    pub(crate) fn others(&self) -> impl Iterator<Item = Locale> + '_ {
        self.i18n.others(self.locale)
    }

    /// For a host that is not ours: the page stands alone there.
    pub(crate) fn elsewhere(mut self) -> Self {
        self.brand.logo = None;
        self.is_elsewhere = true;
        self
    }

    pub(crate) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    pub(crate) fn is_answer(&self) -> bool {
        self.is_answer
    }

    /// The address that shows this page in another language.
    pub(crate) fn switch_to(&self, locale: Locale) -> String {
        let mut address = format!("{}?to={}&next=", crate::paths::LANGUAGE, locale.tag());
        form::escape_into(&self.here, &mut address);
        address
    }
}

impl Default for Look {
    fn default() -> Self {
        Self::new(Locale::default(), Brand::default())
    }
}

/// The value of a cookie.
fn find_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

/// The language that the person chose.
pub(crate) const COOKIE: &str = "__Host-sigid-lang";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_language_and_its_place() {
        let get = Method::GET;
        for (reason, method, query, cookie, locale, switch) in [
            ("a bare path", &get, None, None, Locale::En, "/language?to=fr&next=%2Flogin"),
            (
                "the query is kept",
                &get,
                Some("next=%2Faccount"),
                None,
                Locale::En,
                "/language?to=fr&next=%2Flogin%3Fnext%3D%252Faccount",
            ),
            (
                "a chosen language",
                &get,
                None,
                Some("a=b; __Host-sigid-lang=de"),
                Locale::De,
                "/language?to=fr&next=%2Flogin",
            ),
            (
                "another cookie that only ends alike",
                &get,
                None,
                Some("x__Host-sigid-lang=de"),
                Locale::En,
                "/language?to=fr&next=%2Flogin",
            ),
            (
                "an application's wish",
                &get,
                Some("ui_locales=fr+de"),
                None,
                Locale::Fr,
                "/language?to=fr&next=%2Flogin%3Fui_locales%3Dfr%2Bde",
            ),
            (
                "a doubled wish is none",
                &get,
                Some("ui_locales=fr&ui_locales=de"),
                None,
                Locale::En,
                "/language?to=fr&next=%2Flogin%3Fui_locales%3Dfr%26ui_locales%3Dde",
            ),
            (
                "an answer comes back to the path",
                &Method::POST,
                Some("x=1"),
                None,
                Locale::En,
                "/language?to=fr&next=%2Flogin",
            ),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(cookie) = cookie {
                headers.insert(header::COOKIE, cookie.parse().unwrap());
            }
            let look = Look::read(I18n::builtin(), Brand::default(), method, "/login", query, &headers);
            assert_eq!(look.locale, locale, "{reason}");
            assert_eq!(look.switch_to(Locale::Fr), switch, "{reason}");
        }
    }
}
