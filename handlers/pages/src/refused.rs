//! The page of a guard's refusal.

use crate::{ErrorPage, Look, render};
use sigid_edge::backend::Call;
use sigid_edge::session::PageFault;
use sigid_io::http::Reply;

/// What a person sees when the guard of a page says no.
pub fn refused(call: &Call, fault: PageFault) -> Reply {
    let page = match fault {
        PageFault::ForeignOrigin => ErrorPage { developer: Some(FOREIGN), ..ErrorPage::form_refused(&call.request_id) },
        PageFault::BadForm => ErrorPage::bad_request(&call.request_id),
        PageFault::Expired => ErrorPage::form_expired(&call.request_id),
        PageFault::Unavailable => ErrorPage::unavailable(&call.request_id),
    };
    render(&Look::of(call), fault.status(), &page)
}

const FOREIGN: &str = "Origin or Sec-Fetch-Site names another site: forms are taken from pages of this one.";
