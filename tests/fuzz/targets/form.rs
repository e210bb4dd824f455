//! Form bodies: both readers say the same, and what was read can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::form::{FORM_FIELDS_MAX, Form, FormFault, escape_into, introspection_in_place};

fuzz_target!(|body: &[u8]| {
    let form = Form::parse(body, &[]);
    if let Some(read) = introspection_in_place(body) {
        agree(&form, read.token, read.client_id, read.client_secret);
    }
    let repeating = Form::parse(body, &["resource"]);
    match (&form, &repeating) {
        (Ok(_), repeating) => assert!(repeating.is_ok(), "what repeats nothing may repeat"),
        (Err(FormFault::Doubled), Ok(form)) => assert!(form.all("resource").count() <= FORM_FIELDS_MAX),
        (Err(_), Ok(_)) => panic!("only a doubled parameter is forgiven"),
        (Err(_), Err(_)) => {}
    }
    if let Ok(form) = &repeating {
        survive(form);
    }
});

/// The quick reader may step aside, but never read something else.
fn agree(form: &Result<Form<'_>, FormFault>, token: &[u8], id: Option<&[u8]>, secret: Option<&[u8]>) {
    // It reads raw bytes; text that is no UTF-8 matches no table.
    let Ok(form) = form else { return assert_eq!(form.as_ref().err(), Some(&FormFault::Malformed)) };
    assert_eq!(form.find("token").map(str::as_bytes), Some(token));
    assert_eq!(form.find("client_id").map(str::as_bytes), id);
    assert_eq!(form.find("client_secret").map(str::as_bytes), secret);
}

fn survive(form: &Form<'_>) {
    let values: Vec<&str> = form.all("resource").collect();
    let mut written = String::new();
    for value in &values {
        written.push_str("resource=");
        escape_into(value, &mut written);
        written.push('&');
    }
    let again = Form::parse(written.as_bytes(), &["resource"]).expect("what we write we read");
    assert_eq!(again.all("resource").collect::<Vec<_>>(), values);
}
