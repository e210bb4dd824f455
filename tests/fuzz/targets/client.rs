//! Registration documents (RFC 7591): what is accepted is canonical, and accepted again as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::json::json_object_strict;
use sigid_tenant::clients::Registration;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = json_object_strict(bytes) else { return };
    let Ok(registration) = Registration::check(&document) else { return };
    let canonical = registration.document();
    assert_eq!(Registration::check(&canonical).as_ref(), Ok(&registration), "a canonical document is accepted");
    assert_eq!(registration.changed(&serde_json::Map::new()).as_ref(), Ok(&registration), "no change changes nothing");
    for uri in registration.redirect_uris.iter().chain(&registration.post_logout_redirect_uris) {
        assert!(!uri.contains(['#', '*', '\\']) && uri.is_ascii(), "{uri}");
    }
});
