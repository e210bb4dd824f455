//! Addresses: redirect URIs, pages, resources, origins, ranges. A browser must see in an accepted redirect URI exactly
//! what we saw: the same host, port and path, nobody's name and no fragment. Whatever it would rewrite is a way around
//! an exact comparison.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::resource::{Resource, same_resource};
use sigid_core::settings::Origin;
use sigid_io::settings::Network;
use sigid_tenant::clients::redirect::{check_https_uri, check_page_uri, check_redirect_uri};
use url::{Host, Url};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if check_redirect_uri(text, false).is_ok() {
        assert!(check_redirect_uri(text, true).is_ok(), "a native client may what the others may");
        check_as_browser(text, true);
    } else if check_redirect_uri(text, true).is_ok() {
        assert!(!text.contains(['#', '*', '\\', ' ']) && text.is_ascii(), "{text}");
    }
    if check_https_uri(text).is_ok() {
        assert!(text.starts_with("https://") && check_page_uri(text).is_ok());
        check_as_browser(text, false);
    }
    check_resource(text);
    check_origin(text);
    if let Some(network) = Network::parse(text) {
        let address = text.split('/').next().unwrap().parse().unwrap();
        assert!(network.contains(address), "{text}");
    }
});

fn check_as_browser(text: &str, is_path_exact: bool) {
    // What a browser cannot read it will not follow.
    let Ok(url) = Url::parse(text) else { return };
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{text}");
    let (_, rest) = text.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let is_default = url.port().is_none();
    let host = match url.host().unwrap() {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(_) => {
            assert!(authority.starts_with('['), "{text}");
            return;
        }
    };
    let seen = if is_default { host.clone() } else { format!("{host}:{}", url.port().unwrap()) };
    let ours = authority.strip_suffix(if url.scheme() == "https" { ":443" } else { ":80" }).unwrap_or(authority);
    assert!(seen.eq_ignore_ascii_case(ours), "{text}: a browser goes to {seen}");
    if is_path_exact {
        let path = path.split('?').next().unwrap();
        let path = if path.is_empty() { "/" } else { path };
        assert_eq!(url.path(), path, "{text}: a browser asks for another path");
    }
}

fn check_resource(text: &str) {
    let Ok(resource) = Resource::parse(text) else { return };
    assert!(same_resource(resource.as_str(), text));
    assert!(!text.contains(['#', '\\', ' ']) && text.is_ascii(), "{text}");
    if let Ok(url) = Url::parse(text) {
        assert!(url.username().is_empty() && url.password().is_none() || !text.starts_with("http"), "{text}");
    }
}

fn check_origin(text: &str) {
    let Ok(origin) = Origin::parse(text) else { return };
    // IPv6 is compared as an address elsewhere; a spelling that is not canonical matches no browser.
    if text.contains('[') {
        return;
    }
    let port = origin.port.map(|port| format!(":{port}")).unwrap_or_default();
    assert_eq!(format!("{}://{}{port}", origin.scheme, origin.host), text, "an origin is written one way");
}
