#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use super::*;
use proptest::prelude::*;
use sigid_io::hash_pool::PoolSettings;
use std::time::Duration;

const CHEAP: Cost = Cost { memory_kib: 256, iterations: 1, parallelism: 1 };
const SETTINGS: PoolSettings = PoolSettings {
    threads: 2,
    queue_max: 64,
    deadline: Duration::from_mins(1),
    memory_kib: 256,
    memory_kib_max: 32 * 1024,
};

fn passwords() -> Passwords {
    Passwords::new(Arc::new(HashPool::start(SETTINGS).unwrap()), CHEAP, LENGTH_FLOOR)
}

fn typed(text: &str) -> Password {
    Password::from(text.to_owned())
}

/// Hashes of "password", each made by the system that it is named for: argon2-cffi 25, bcrypt 5, passlib 1.7, Django 5.2;
/// those in JSON by Python's hashlib in the form that the system documents, and Firebase's own sample.
const FOREIGN: &[(&str, &str)] = &[
    ("Argon2id", "$argon2id$v=19$m=256,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfpfvYFOgcniqOKRYS+6jdTA"),
    ("Argon2i", "$argon2i$v=19$m=256,t=1,p=1$cxYMZ8BNjCcF9Ubxz0ykCA$YHE5iBymFZi5qs1T7B3PwKaOioEqxljp2G6q3kiw/8U"),
    ("Argon2d", "$argon2d$v=19$m=256,t=1,p=1$LQ7BTFPIEGHu7cFWVus1vQ$+FufNYP6M6/sqOHExd8CUcUxWCrJELc8ArlY6H5d/YM"),
    ("bcrypt", "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"),
    ("bcrypt of PHP", "$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"),
    ("bcrypt of old", "$2a$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"),
    ("SHA-256-crypt", "$5$rounds=1000$saltstring$S2dlplsLzofRuJ/frAjtaYev58CdqEN6fUby2laILG1"),
    (
        "SHA-512-crypt",
        "$6$rounds=1000$saltstring$EzTqOEb9gQc3Va/4p4pnqWqp/wIh1Otyhg9H9E8sV0eDyHGbNBkoMxYIM0ODHPBfmDNWb6wRiAvTriYxeDgb9.",
    ),
    (
        "SHA-512-crypt without rounds",
        "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1",
    ),
    ("PBKDF2 of passlib", "$pbkdf2-sha256$1000$//5zYWx0c2FsdA$OAvmojx55/im9qdcRniU2hq7MMwuvM.r2pn23iC1u0U"),
    ("PBKDF2 of passlib, SHA-1", "$pbkdf2$1000$//5zYWx0c2FsdA$UdZIBqDfNpPxUUIPcjMtNKhYBLc"),
    (
        "PBKDF2 of passlib, SHA-512",
        "$pbkdf2-sha512$1000$//5zYWx0c2FsdA$ei8PWpInyxv7WtD5H.IlAz5XSLlD.BRfs8B8mDOdaIJg4LEJOBYr0x7P.fCbbOz5Jtejlvl0gbsfoNjDha0GBw",
    ),
    (
        "PBKDF2, PHC",
        "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA",
    ),
    ("scrypt", "$scrypt$ln=10,r=8,p=1$c29tZXNhbHQ$wdXoWEig5T693O7BJbufEPRk+qarG40BYOh1xe9tMAc"),
    ("Django, PBKDF2", "pbkdf2_sha256$1000$seasalt$YIWkt6M1JFXrHg5s0jZjBSc7C2Cz6QvchSJ0h8Y+i7c="),
    ("Django, PBKDF2 with SHA-1", "pbkdf2_sha1$1000$seasalt$C8KvRfPW529R7JpDHEDOP35Xr0g="),
    (
        "Django, Argon2",
        "argon2$argon2id$v=19$m=256,t=2,p=1$b3p1RVhiSFpyQ2s2WjFmaG5hY2RhMw$5CO1q6NgQvS2ye5xXVaxvb8UVeLz/dbvNoC3iePxe6o",
    ),
    ("Django, bcrypt of SHA-256", "bcrypt_sha256$$2b$04$Z92h769KgbdukW1VoOx2D.EujLBTCHmzbwXzdv9vWnJsWIN04NUnO"),
    ("Django, bcrypt", "bcrypt$$2b$04$EsXX7FYNSBkIQHEw1sumKOZpPlVfgN8FHLBS2BXitXO74UASOV2xO"),
    (
        "Django, scrypt",
        "scrypt$1024$seasalt$8$1$31PFhAHfMCdqX/BGQIxXuAjBaIcgP0CgVuIps6DSp+8K7h82mbxhGi3Z9fAVqY17jT4eecjow+NbgfAYw3me9g==",
    ),
    (
        "Keycloak, PBKDF2 with SHA-256",
        r#"{"type":"password","secretData":"{\"value\":\"hRRjgXWkW8ResfIvBP99J/T4vkgEmMRV/0tJTOjR59L1MlKxm2XwUi2/KU1ROdrq5HRVipHb+APuVX/nDe7r8w==\",\"salt\":\"MDEyMzQ1Njc4OWFiY2RlZg==\",\"additionalParameters\":{}}","credentialData":"{\"hashIterations\":1000,\"algorithm\":\"pbkdf2-sha256\",\"additionalParameters\":{}}"}"#,
    ),
    (
        "Keycloak, PBKDF2 with SHA-512, as objects",
        r#"{"secretData":{"value":"38DzhdBT7fPaUGBlsh42VTuuKSFAIYGZJ7l6feCDLIl+K3hdPFgxxu7xuUi4gIuH6cEIoODn18xH9Ig2ryNgUw==","salt":"MDEyMzQ1Njc4OWFiY2RlZg=="},"credentialData":{"hashIterations":1000,"algorithm":"pbkdf2-sha512"}}"#,
    ),
    (
        "Keycloak, PBKDF2",
        r#"{"secretData":{"value":"DYW+LTZG5wxyiF/qvsh40/+/hXltzAbMKUtORrf6q3M5hNgg3bUCVPbvuLO7vwE9k12aQTF+uVYjLh0cEVYmeA==","salt":"MDEyMzQ1Njc4OWFiY2RlZg=="},"credentialData":{"hashIterations":1000,"algorithm":"pbkdf2"}}"#,
    ),
    (
        "Keycloak, Argon2",
        r#"{"secretData":"{\"value\":\"r2gwPzMGGO/jjIaR3kBmr/WfjgdcSGCcDfXyV0GeCAk=\",\"salt\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}","credentialData":"{\"hashIterations\":2,\"algorithm\":\"argon2\",\"additionalParameters\":{\"hashLength\":[\"32\"],\"memory\":[\"256\"],\"type\":[\"id\"],\"version\":[\"1.3\"],\"parallelism\":[\"1\"]}}"}"#,
    ),
    (
        "Auth0, an export",
        r#"{"_id":{"$oid":"5"},"passwordHash":"$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"}"#,
    ),
    (
        "Auth0, bcrypt",
        r#"{"custom_password_hash":{"algorithm":"bcrypt","hash":{"value":"$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm"}}}"#,
    ),
    (
        "Auth0, Argon2",
        r#"{"algorithm":"argon2","hash":{"value":"$argon2id$v=19$m=256,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfpfvYFOgcniqOKRYS+6jdTA"}}"#,
    ),
    (
        "Auth0, PBKDF2",
        r#"{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQ$Q6v4xwJ8a9nWPp2BeEoAYYhHSo2xRmPWART17vTpSxt2q6iNp7BOozW557qqa95eNjUO4gKs0CyvJbYGGku1tA","encoding":"utf8"}}"#,
    ),
    (
        "Auth0, scrypt",
        r#"{"algorithm":"scrypt","keylen":64,"cost":1024,"blockSize":8,"parallelization":1,"salt":{"value":"seasalt"},"hash":{"value":"df53c58401df30276a5ff046408c57b808c16887203f40a056e229b3a0d2a7ef0aee1f3699bc611a2dd9f5f015a98d7b8d3e1e79c8e8c3e35b81f018c3799ef6","encoding":"hex"}}"#,
    ),
];

/// Its password is "user1password".
const FIREBASE: &str = r#"{"localId":"1","passwordHash":"lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==","salt":"42xEC+ixf3L2lw==","hashConfig":{"algorithm":"SCRYPT","base64_signer_key":"jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==","base64_salt_separator":"Bw==","rounds":8,"mem_cost":14}}"#;

#[tokio::test]
async fn hashes_of_other_systems_verify_in_every_form() {
    let passwords = passwords();
    let firebase = ("Firebase", FIREBASE);
    for (reason, stored) in FOREIGN.iter().copied().chain([firebase]) {
        let right = if reason == "Firebase" { "user1password" } else { "password" };
        let canonical = StoredHash::parse(stored).unwrap_or_else(|fault| panic!("{reason}: {fault}")).to_phc();
        assert!(canonical.len() <= 1024, "{reason}: fits its column");
        for stored in [stored, canonical.as_str()] {
            let verdict = passwords.verify(Some(stored), &typed(right)).await.unwrap();
            let is_ours = matches!(reason, "Argon2id" | "Auth0, Argon2");
            assert_eq!(verdict, Verdict::Match { upgrade: !is_ours }, "{reason}: {stored}");
            let verdict = passwords.verify(Some(stored), &typed("passwore")).await.unwrap();
            assert_eq!(verdict, Verdict::Mismatch, "{reason}: {stored}");
        }
    }
}

#[test]
fn what_is_written_is_read_as_the_same() {
    for (reason, stored) in FOREIGN.iter().copied().chain([("Firebase", FIREBASE)]) {
        let hash = StoredHash::parse(stored).unwrap();
        assert!(StoredHash::parse(&hash.to_phc()).unwrap() == hash, "{reason}");
        assert_eq!(StoredHash::parse(&hash.to_phc()).unwrap().to_phc(), hash.to_phc(), "{reason}");
    }
}

#[test]
fn the_most_that_a_hash_may_cost_is_said_as_it_is() {
    use sigid_io::hash_pool::recipe::{
        ARGON2_WORK_KIB_MAX, BCRYPT_COST_MAX, ITERATIONS_MAX, PARALLELISM_MAX, PBKDF2_ITERATIONS_MAX,
        PBKDF2_ROUNDS_MAX, SCRYPT_WORK_KIB_MAX, SHA_CRYPT_ROUNDS_MAX,
    };
    let gib = |kib: u64| format!("{} GiB", kib / (1024 * 1024));
    for (algorithm, numbers) in [
        ("Argon2", vec![format!("{ITERATIONS_MAX} passes, {PARALLELISM_MAX} lanes"), gib(ARGON2_WORK_KIB_MAX)]),
        ("bcrypt", vec![format!("a cost of {BCRYPT_COST_MAX}")]),
        ("scrypt", vec![gib(SCRYPT_WORK_KIB_MAX)]),
        ("PBKDF2", vec![format!("{PBKDF2_ITERATIONS_MAX} iterations"), format!("and {PBKDF2_ROUNDS_MAX} over")]),
        ("SHA-crypt", vec![format!("{SHA_CRYPT_ROUNDS_MAX} rounds")]),
    ] {
        let hashes = FOREIGN.iter().chain([&("Firebase", FIREBASE)]).map(|(_, text)| StoredHash::parse(text).unwrap());
        let told: Vec<&str> = hashes.map(|hash| hash.most()).filter(|most| most.starts_with(algorithm)).collect();
        assert!(!told.is_empty(), "{algorithm}");
        for most in told {
            assert!(numbers.iter().all(|number| most.contains(number)), "{algorithm}: {most}");
        }
    }
}

#[test]
fn what_is_no_password_hash_is_refused() {
    use StoredFault::{Malformed, NoPassword, Short, Unknown};
    let long = "x".repeat(STORED_TEXT_BYTES_MAX + 1);
    for (reason, text, fault) in [
        ("nothing", "", NoPassword),
        ("locked", "!", NoPassword),
        ("locked, with a hash", "!$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm", NoPassword),
        ("Django without a password", "!ZWwF5bxzoOeKzVxmiGMBlocagabQiqhyJYaGO5BG", NoPassword),
        ("shadow without a password", "*", NoPassword),
        ("a password in the clear", "hunter2", Unknown),
        ("MD5", "1e9bf2bf5606aa5c39852cc30f0f6f22", Unknown),
        ("Django, MD5", "md5$seasalt$1e9bf2bf5606aa5c39852cc30f0f6f22", Unknown),
        ("MD5-crypt", "$1$salt$qJH7.N4xYta3aEG/dfqo/0", Unknown),
        ("bcrypt with the bug", "$2x$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm", Unknown),
        (
            "passlib's bcrypt of HMAC",
            "$bcrypt-sha256$v=2,t=2b,r=12$abcdefghijklmnopqrstuu$ghE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
            Unknown,
        ),
        ("LDAP", "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Unknown),
        ("Auth0, MD5", r#"{"algorithm":"md5","hash":{"value":"x"}}"#, Unknown),
        (
            "Keycloak, another algorithm",
            r#"{"credentialData":{"hashIterations":1,"algorithm":"x"},"secretData":{"salt":"","value":""}}"#,
            Unknown,
        ),
        ("Firebase without its project", r#"{"passwordHash":"lSrf","salt":"42xE"}"#, Unknown),
        ("an object", "{}", Unknown),
        ("too long", &long, Malformed),
        ("bcrypt, too short", "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzd", Malformed),
        ("bcrypt, no cost", "$2b$$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm", Malformed),
        ("bcrypt, a foreign symbol", "$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzd-", Malformed),
        (
            "Argon2 without a parameter",
            "$argon2id$v=19$m=256,t=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfg",
            Malformed,
        ),
        (
            "Argon2 with a key",
            "$argon2id$v=19$m=256,t=1,p=1,keyid=AA$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfg",
            Malformed,
        ),
        (
            "Argon2 with a sign",
            "$argon2id$v=19$m=256,t=+1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfg",
            Malformed,
        ),
        (
            "Argon2, a future version",
            "$argon2id$v=20$m=256,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfg",
            Unknown,
        ),
        ("Argon2, cut off", "$argon2id$v=19$m=256,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g", Malformed),
        ("no hash at all", "$pbkdf2-sha256$1000$//5zYWx0c2FsdA$", Short),
        ("a hash to guess", "$pbkdf2-sha256$1000$//5zYWx0c2FsdA$OAvmojx55/im9qdcRniU", Short),
        (
            "a hash of another length than it says",
            "$pbkdf2-sha256$i=1000,l=33$//5zYWx0c2FsdA$OAvmojx55/im9qdcRniU2hq7MMwuvM.r2pn23iC1u0U",
            Malformed,
        ),
        ("SHA-512-crypt, cut off", "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60Sus", Malformed),
        (
            "SHA-512-crypt with a long salt",
            "$6$saltstringsaltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1",
            Malformed,
        ),
        (
            "Django, scrypt with an odd N",
            "scrypt$1000$seasalt$8$1$31PFhAHfMCdqX/BGQIxXuAjBaIcgP0CgVuIps6DSp+8K7h82mbxhGi3Z9fAVqY17jT4eecjow+NbgfAYw3me9g==",
            Malformed,
        ),
        ("Django, named for another", "argon2$2b$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm", Malformed),
    ] {
        assert_eq!(StoredHash::parse(text).err(), Some(fault), "{reason}");
    }
}

#[test]
fn hashes_and_passwords_are_not_printed() {
    let hash = StoredHash::parse(FIREBASE).unwrap();
    assert_eq!(format!("{hash:?} {:?} {:?}", typed("hunter2"), hash.recipe).matches("hunter2").count(), 0);
    assert_eq!(format!("{hash:?}"), "[password hash]");
}

#[tokio::test]
async fn what_is_hashed_verifies_and_is_current() {
    let passwords = passwords();
    let (one, two) = (
        passwords.hash(&typed("correct horse")).await.unwrap(),
        passwords.hash(&typed("correct horse")).await.unwrap(),
    );
    assert_ne!(one, two, "each has its own salt");
    assert!(one.starts_with("$argon2id$v=19$m=256,t=1,p=1$"), "{one}");
    for (reason, stored, text, expected) in [
        ("the same", Some(&one), "correct horse", Verdict::Match { upgrade: false }),
        ("another", Some(&one), "correct horsf", Verdict::Mismatch),
        ("with something behind it", Some(&one), "correct horse ", Verdict::Mismatch),
        ("none", Some(&one), "", Verdict::Mismatch),
        ("nobody", None, "correct horse", Verdict::Mismatch),
        ("nobody and nothing", None, "", Verdict::Mismatch),
    ] {
        assert_eq!(passwords.verify(stored.map(String::as_str), &typed(text)).await, Ok(expected), "{reason}");
    }
}

#[tokio::test]
async fn other_parameters_are_upgraded() {
    let old = passwords().hash(&typed("correct horse")).await.unwrap();
    let pool = Arc::new(HashPool::start(SETTINGS).unwrap());
    for (reason, cost, upgrade) in [
        ("the same", CHEAP, false),
        ("more memory", Cost { memory_kib: 264, ..CHEAP }, true),
        ("less memory", Cost { memory_kib: 128, ..CHEAP }, true),
        ("more passes", Cost { iterations: 2, ..CHEAP }, true),
        ("more lanes", Cost { parallelism: 2, ..CHEAP }, true),
    ] {
        let passwords = Passwords::new(pool.clone(), cost, LENGTH_FLOOR);
        let verdict = passwords.verify(Some(&old), &typed("correct horse")).await;
        assert_eq!(verdict, Ok(Verdict::Match { upgrade }), "{reason}");
    }
}

#[tokio::test]
async fn both_ways_to_type_it_are_one_password() {
    let passwords = passwords();
    let ours = passwords.hash(&typed("cafe\u{301} \u{a0}ole")).await.unwrap();
    // What another system made of a decomposed password.
    let pool = HashPool::start(SETTINGS).unwrap();
    let output = pool.hash(typed("cafe\u{301}"), &[7; 16], CHEAP).await.unwrap().output;
    let imported = StoredHash::of(CHEAP, &[7; 16], &output).to_phc();
    for (reason, stored, text, expected) in [
        ("ours, composed", &ours, "café  ole", Verdict::Match { upgrade: false }),
        ("ours, decomposed", &ours, "cafe\u{301}  ole", Verdict::Match { upgrade: false }),
        ("ours, without the accent", &ours, "cafe  ole", Verdict::Mismatch),
        ("theirs, as they hashed it", &imported, "cafe\u{301}", Verdict::Match { upgrade: true }),
        ("theirs, otherwise", &imported, "café", Verdict::Mismatch),
    ] {
        assert_eq!(passwords.verify(Some(stored), &typed(text)).await, Ok(expected), "{reason}");
    }
}

/// A closed pool refuses the first job: so it is seen whether there was one.
#[tokio::test]
async fn nobody_and_what_cannot_be_verified_cost_a_hash() {
    let (closed, passwords) = (passwords(), passwords());
    closed.pool.close().await;
    let ours = passwords.hash(&typed("correct horse")).await.unwrap();
    let too_dear = "$argon2id$v=19$m=40000,t=1,p=1$ctxhLFNM7TxgR9wrCgXU/g$G4efCwqISedRTteHiShwfpfvYFOgcniqOKRYS+6jdTA";
    let crypt = "$5$rounds=1000$saltstring$S2dlplsLzofRuJ/frAjtaYev58CdqEN6fUby2laILG1";
    let (long, too_long) = ("x".repeat(300), "x".repeat(PASSWORD_BYTES_MAX + 1));
    for (reason, stored, text, is_hashed) in [
        ("a wrong password", Some(ours.as_str()), "passwore", true),
        ("nobody", None, "passwore", true),
        ("not a hash", Some("hunter2"), "hunter2", true),
        ("dearer than a thread may have", Some(too_dear), "password", true),
        ("longer than the recipe takes", Some(crypt), &long, true),
        ("longer than any password", Some(ours.as_str()), &too_long, false),
        ("longer than any password, nobody", None, &too_long, false),
    ] {
        assert_eq!(passwords.verify(stored, &typed(text)).await, Ok(Verdict::Mismatch), "{reason}");
        let expected = if is_hashed { Err(HashFault::Closed) } else { Ok(Verdict::Mismatch) };
        assert_eq!(closed.verify(stored, &typed(text)).await, expected, "{reason}");
    }
}

/// One of the good hashes with a piece of it replaced.
fn altered() -> impl Strategy<Value = String> {
    let pieces = prop_oneof!["\\PC{0,4}", "[$=,0-9]{0,6}", "[A-Za-z0-9+/.]{0,9}"];
    (0..FOREIGN.len(), any::<prop::sample::Index>(), 0..8_usize, pieces).prop_map(|(row, at, removed, piece)| {
        let mut text: Vec<char> = FOREIGN[row].1.chars().collect();
        let from = at.index(text.len());
        let to = (from + removed).min(text.len());
        text.splice(from..to, piece.chars());
        text.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_so_that_it_is_read_again(text in prop_oneof![any::<String>(), altered()]) {
        if let Ok(hash) = StoredHash::parse(&text) {
            prop_assert!(hash.output.len() >= STORED_OUTPUT_BYTES_MIN);
            let again = StoredHash::parse(&hash.to_phc());
            prop_assert!(again.is_ok_and(|again| again == hash), "{}", hash.to_phc());
        }
    }
}
