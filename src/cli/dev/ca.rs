//! The development CA, and the listener's certificate under it.
//!
//! A person adds `ca.pem` to a browser or a trust store once, so the CA lives long and is never replaced behind
//! their back; the listener's certificate is short-lived, as real ones are, and renewed at a start near its end.
//!
//! Attack considered: who steals `ca.key` from a developer's machine could impersonate any site to that developer.
//! So the CA is constrained by name (RFC 5280 section 4.2.1.10) to localhost and the loopback addresses, and may
//! sign no further CA. Alternatives rejected: a self-signed certificate (clients that pin it break at every
//! renewal), mkcert (a program to install, and a CA without constraints).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};

use super::directory::{Directory, Name};
use super::fault::Fault;
use super::state::State;

/// Makes what is missing and renews what is near its end. True when the certificate is a new one.
pub fn ensure(directory: &Directory, state: &mut State, now_s: i64) -> Result<bool, Fault> {
    let kept = find_ca(directory)?;
    let is_new_ca = kept.is_none();
    let ca_key = match kept {
        Some(key) => key,
        None => make_ca(directory, now_s)?,
    };
    if !is_new_ca && is_good_for(state.certificate_ends_s, now_s) && has_certificate(directory)? {
        return Ok(false);
    }
    let ends_s = make_certificate(directory, ca_key, now_s)?;
    state.certificate_ends_s = Some(ends_s);
    Ok(true)
}

/// The CA's key, when key and certificate are both there.
fn find_ca(directory: &Directory) -> Result<Option<KeyPair>, Fault> {
    let certificate = directory.find_text(Name::CaCertificate)?;
    let key = directory.find_text(Name::CaKey)?;
    Ok(certificate.and(key).and_then(|key| KeyPair::from_pem(&key).ok()))
}

fn make_ca(directory: &Directory, now_s: i64) -> Result<KeyPair, Fault> {
    let key = KeyPair::generate()?;
    let mut params = ca_params();
    set_life(&mut params, now_s, now_s + CA_LIFE_S);
    let certificate = params.self_signed(&key)?;
    directory.write(Name::CaKey, &key.serialize_pem())?;
    directory.write(Name::CaCertificate, &certificate.pem())?;
    Ok(key)
}

/// What an issuer is known by, its name and key usages; the same for every CA made here.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "SigID development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".into()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

/// When the new certificate ends.
fn make_certificate(directory: &Directory, ca_key: KeyPair, now_s: i64) -> Result<i64, Fault> {
    let key = KeyPair::generate()?;
    let ends_s = now_s + CERTIFICATE_LIFE_S;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_life(&mut params, now_s, ends_s);
    let certificate = params.signed_by(&key, &Issuer::new(ca_params(), ca_key))?;
    directory.write(Name::Key, &key.serialize_pem())?;
    directory.write(Name::Certificate, &certificate.pem())?;
    Ok(ends_s)
}

fn is_good_for(ends_s: Option<i64>, now_s: i64) -> bool {
    ends_s.is_some_and(|ends_s| ends_s - now_s > RENEW_BEFORE_S && ends_s - now_s <= CERTIFICATE_LIFE_S)
}

fn has_certificate(directory: &Directory) -> Result<bool, Fault> {
    Ok(directory.find_text(Name::Certificate)?.is_some() && directory.find_text(Name::Key)?.is_some())
}

/// Valid from a little before `now_s`: a client's clock may be behind.
fn set_life(params: &mut CertificateParams, now_s: i64, ends_s: i64) {
    let since_epoch = |unix_s| Duration::from_secs(u64::try_from(unix_s).unwrap_or(0));
    params.not_before = date_time_ymd(1970, 1, 1) + since_epoch(now_s - BACKDATE_S);
    params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(ends_s);
}

const DAY_S: i64 = 86_400;
const BACKDATE_S: i64 = DAY_S;
const CA_LIFE_S: i64 = 3650 * DAY_S;
/// Under the 398 days that clients accept.
const CERTIFICATE_LIFE_S: i64 = 365 * DAY_S;
const RENEW_BEFORE_S: i64 = 30 * DAY_S;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use std::sync::Arc;

    const NOW_S: i64 = 1_800_000_000;

    fn first_start(name: &str) -> (Directory, State) {
        let directory = Directory::take(&scratch(name)).unwrap();
        let mut state = State::new("x".into());
        assert!(ensure(&directory, &mut state, NOW_S).unwrap());
        (directory, state)
    }

    /// Whether a client that trusts `ca.pem` accepts this certificate for this name.
    fn is_accepted(directory: &Directory, certificate: &CertificateDer<'_>, name: &str, now_s: i64) -> bool {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(directory.file(Name::CaCertificate)).unwrap()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s as u64));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(certificate, &[], &name, &[], now).is_ok()
    }

    fn certificate(directory: &Directory) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(directory.file(Name::Certificate)).unwrap()
    }

    #[test]
    fn a_client_that_trusts_the_ca_accepts_every_loopback_name() {
        let (directory, _) = first_start("ca_names");
        for (name, accepted) in [("localhost", true), ("127.0.0.1", true), ("::1", true), ("example.com", false)] {
            assert_eq!(is_accepted(&directory, &certificate(&directory), name, NOW_S), accepted, "{name}");
        }
    }

    #[test]
    fn the_ca_can_vouch_for_no_other_site() {
        let (directory, _) = first_start("ca_constraints");
        let ca_key = find_ca(&directory).unwrap().unwrap();
        let key = KeyPair::generate().unwrap();
        for (name, accepted) in [("localhost", true), ("example.com", false), ("10.0.0.1", false)] {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            set_life(&mut params, NOW_S, NOW_S + DAY_S);
            let forged = params.signed_by(&key, &Issuer::from_params(&ca_params(), &ca_key)).unwrap();
            assert_eq!(is_accepted(&directory, forged.der(), name, NOW_S), accepted, "{name}");
        }
    }

    #[test]
    fn a_certificate_is_kept_until_near_its_end_and_the_ca_longer() {
        let (directory, mut state) = first_start("ca_renewal");
        let (ca, first) = (directory.find_text(Name::CaCertificate).unwrap(), certificate(&directory));
        let near_the_end_s = NOW_S + CERTIFICATE_LIFE_S - RENEW_BEFORE_S;
        assert!(!ensure(&directory, &mut state, near_the_end_s - DAY_S).unwrap());
        assert_eq!(certificate(&directory), first);
        assert!(ensure(&directory, &mut state, near_the_end_s).unwrap());
        assert_ne!(certificate(&directory), first);
        assert_eq!(directory.find_text(Name::CaCertificate).unwrap(), ca);
        assert!(is_accepted(&directory, &certificate(&directory), "localhost", NOW_S + CERTIFICATE_LIFE_S));
    }

    #[test]
    fn a_lost_file_is_made_again() {
        let (directory, mut state) = first_start("ca_lost");
        for name in [Name::Key, Name::Certificate, Name::CaKey, Name::CaCertificate] {
            directory.remove(name).unwrap();
            assert!(ensure(&directory, &mut state, NOW_S).unwrap(), "{name:?}");
            assert!(is_accepted(&directory, &certificate(&directory), "localhost", NOW_S), "{name:?}");
        }
    }
}
