use super::device::Devices;
use super::*;
use sigid_io::backend as runtime;
use std::net::Ipv4Addr;

const NOW_S: i64 = 1_700_000_000;
const SETTINGS: LimitSettings = LimitSettings {
    brute_force_max_attempts: 5,
    brute_force_lockout_s: 900,
    ip_budget_per_minute: 600,
    ip_failure_cost: 10,
    registrations_per_minute: 30,
    is_off: false,
};
const ADA: &str = "ada@example.com";

fn key() -> Secret<[u8; 32]> {
    Secret::new([9; 32])
}

fn limits(settings: LimitSettings) -> Arc<Limits> {
    Limits::new(settings, &key(), true)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    runtime::runtime(1).unwrap().block_on(future)
}

/// An IPv4 address for each number.
fn at(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

fn device(account: &str, id: u8) -> Device {
    let devices = Devices::new(&key());
    let cookie = devices.issue(None, account, [id; 16], NOW_S);
    let value = cookie.to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    devices.find(Some(&value), account, NOW_S).unwrap()
}

async fn fail(limits: &Arc<Limits>, account: &str, address: IpAddr, device: Option<&Device>) -> Result<(), Refused> {
    limits.begin(account, address, device, NOW_S).await.map(Attempt::fail)
}

fn limit(outcome: &Result<(), Refused>) -> &'static str {
    outcome.as_ref().err().map_or("none", |refused| refused.limit)
}

#[test]
fn failures_from_anywhere_lock_the_account_for_strangers() {
    wait(async {
        let limits = limits(SETTINGS);
        for n in 0..5 {
            assert_eq!(fail(&limits, ADA, at(n), None).await, Ok(()));
        }
        let refused = fail(&limits, ADA, at(99), None).await.unwrap_err();
        assert_eq!((refused.limit, refused.retry_after_s, refused.is_news), ("account", 900, true));
        assert!(!refused.shown.contains("ada") && refused.shown == limits.shown(ADA));
        assert!(!fail(&limits, ADA, at(98), None).await.unwrap_err().is_news, "once a minute");
        assert_eq!(fail(&limits, "bob@example.com", at(99), None).await, Ok(()), "nobody else");
        let later = limits.begin(ADA, at(0), None, NOW_S + 900).await;
        assert!(later.is_ok(), "time is a way back");
    });
}

#[test]
fn a_device_that_was_used_before_is_not_locked_out_by_strangers() {
    wait(async {
        let limits = limits(SETTINGS);
        let own = device(ADA, 1);
        for n in 0..5 {
            fail(&limits, ADA, at(n), None).await.unwrap();
        }
        assert_eq!(limit(&fail(&limits, ADA, at(0), None).await), "account");
        for _ in 0..60 {
            let _ = fail(&limits, "nobody@example.com", at(7), None).await;
            let _ = fail(&limits, &format!("{}@example.com", rand_name()), at(7), None).await;
        }
        assert_eq!(limit(&fail(&limits, "else@example.com", at(7), None).await), "address");
        limits.begin(ADA, at(7), Some(&own), NOW_S).await.unwrap().succeed();
        assert_eq!(limit(&fail(&limits, ADA, at(0), None).await), "account", "its success forgives strangers nothing");
    });
}

fn rand_name() -> String {
    u128::from_be_bytes(sigid_io::rng::random()).to_string()
}

#[test]
fn a_device_has_a_limit_of_its_own_and_its_failures_count() {
    wait(async {
        let limits = limits(SETTINGS);
        let (one, two) = (device(ADA, 1), device(ADA, 2));
        for _ in 0..5 {
            fail(&limits, ADA, at(0), Some(&one)).await.unwrap();
        }
        assert_eq!(limit(&fail(&limits, ADA, at(1), None).await), "account", "they count for the account");
        assert_eq!(limit(&fail(&limits, ADA, at(0), Some(&one)).await), "account", "a stranger again");
        assert_eq!(fail(&limits, ADA, at(0), Some(&two)).await, Ok(()), "another device is not");
        limits.clear(ADA, NOW_S);
        limits.begin(ADA, at(0), Some(&one), NOW_S).await.unwrap().succeed();
    });
}

#[test]
fn a_recovery_forgives_and_so_does_the_right_password() {
    wait(async {
        let limits = limits(SETTINGS);
        for n in 0..5 {
            fail(&limits, ADA, at(n), None).await.unwrap();
        }
        limits.clear(ADA, NOW_S);
        for n in 0..4 {
            fail(&limits, ADA, at(n), None).await.unwrap();
        }
        limits.begin(ADA, at(0), None, NOW_S).await.unwrap().succeed();
        for n in 0..5 {
            assert_eq!(fail(&limits, ADA, at(n), None).await, Ok(()), "four were forgiven");
        }
        assert_eq!(limit(&fail(&limits, ADA, at(0), None).await), "account");
    });
}

#[test]
fn a_failure_costs_an_address_ten_and_a_success_one() {
    wait(async {
        let limits = limits(SETTINGS);
        let mut good = 0;
        while let Ok(attempt) = limits.begin(ADA, at(1), None, NOW_S).await {
            attempt.succeed();
            good += 1;
        }
        assert_eq!(good, 591, "about six hundred: room for a failure must be left");
        let mut bad = 0;
        while fail(&limits, &format!("{bad}@example.com"), at(2), None).await.is_ok() {
            bad += 1;
        }
        assert_eq!(bad, 60);
        let refused = fail(&limits, ADA, at(2), None).await.unwrap_err();
        assert_eq!((refused.limit, refused.retry_after_s), ("address", 1), "ten come back in a second");
        assert_eq!(fail(&limits, ADA, at(3), None).await, Ok(()), "another address is free");
    });
}

#[test]
fn prefixes_of_an_ipv6_holder_are_few() {
    wait(async {
        let limits = limits(LimitSettings { ip_budget_per_minute: 60, ..SETTINGS });
        let at = |net: u16, host: u16| -> IpAddr { format!("2001:db8:1:{net:x}::{host:x}").parse().unwrap() };
        for n in 0..6 {
            fail(&limits, &format!("{n}@example.com"), at(0, n), None).await.unwrap();
        }
        assert_eq!(limit(&fail(&limits, ADA, at(0, 77), None).await), "address", "a /64 is one address");
        let mut passed = 0;
        for n in 0..200 {
            passed += u32::from(fail(&limits, &format!("{n}@example.org"), at(n + 1, 1), None).await.is_ok());
        }
        assert_eq!(passed, 42, "a /48 has eight of them, 48 failures; six were made");
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let plain: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(prefixes(mapped), prefixes(plain), "an address has one spelling");
    });
}

#[test]
fn what_nobody_looked_at_locks_nobody() {
    wait(async {
        let limits = limits(SETTINGS);
        for _ in 0..50 {
            limits.begin(ADA, at(1), None, NOW_S).await.unwrap().withdraw();
        }
        for n in 0..5 {
            drop(limits.begin(ADA, at(2 + n), None, NOW_S).await.unwrap());
        }
        assert_eq!(limit(&fail(&limits, ADA, at(9), None).await), "account", "but what was dropped has failed");
    });
}

#[test]
fn registrations_and_letters_have_their_own_budgets() {
    let limits = limits(SETTINGS);
    let v6 = |n: u32| -> IpAddr { format!("2001:db8:1:{n:x}::1").parse().unwrap() };
    let passed = (0..100).filter(|_| limits.begin_registration(at(1), NOW_S).is_ok()).count();
    assert_eq!(passed, 30);
    assert_eq!(limits.begin_registration(at(1), NOW_S).unwrap_err().retry_after_s, 2);
    assert!(limits.begin_registration(at(1), NOW_S + 2).is_ok(), "one comes back each two seconds");
    let passed = (0..1000).filter(|n| limits.begin_registration(v6(*n), NOW_S).is_ok()).count();
    assert_eq!(passed, 240, "a /48");
}

#[test]
fn a_mailbox_is_told_of_few_sign_ins_also_where_budgets_are_off() {
    for is_off in [false, true] {
        let limits = limits(LimitSettings { is_off, ..SETTINGS });
        let told = (0..20).filter(|_| limits.begin_notice(ADA, NOW_S).is_ok()).count();
        assert_eq!(told, NOTICES_PER_HOUR_MAX as usize, "off: {is_off}");
        assert!(limits.begin_notice("bob@example.com", NOW_S).is_ok(), "another mailbox, off: {is_off}");
        assert!(limits.begin_notice(ADA, NOW_S + 3600).is_ok(), "an hour later, off: {is_off}");
    }
}

#[test]
fn guesses_of_other_features_are_counted_apart() {
    wait(async {
        let limits = limits(SETTINGS);
        let kind = |purpose| Guesses { purpose, failures_max: 3, window_s: 600, lockout_s: 600 };
        for _ in 0..3 {
            limits.begin_guess(&kind("email-otp"), ADA, NOW_S).await.unwrap().fail();
        }
        assert!(limits.begin_guess(&kind("email-otp"), ADA, NOW_S).await.is_err());
        assert!(limits.begin_guess(&kind("totp"), ADA, NOW_S).await.is_ok());
        assert!(limits.begin_guess(&kind("email-otp"), "bob@example.com", NOW_S).await.is_ok());
    });
}

#[test]
fn nothing_is_limited_when_budgets_are_off() {
    wait(async {
        let limits = limits(LimitSettings { is_off: true, ..SETTINGS });
        for _ in 0..2000 {
            fail(&limits, ADA, at(1), None).await.unwrap();
            limits.begin_registration(at(1), NOW_S).unwrap();
        }
    });
}

#[test]
fn events_about_refusals_are_rationed() {
    wait(async {
        let limits = limits(LimitSettings { brute_force_max_attempts: 1, ..SETTINGS });
        let mut news = 0;
        for n in 0..200 {
            let account = format!("{n}@example.com");
            fail(&limits, &account, at(n), None).await.unwrap();
            news += u32::from(fail(&limits, &account, at(n), None).await.unwrap_err().is_news);
        }
        assert_eq!(news, LIMIT_EVENTS_PER_MINUTE_MAX);
    });
}

/// Two hundred at once, from as many addresses, on real threads: exactly five look at the password.
#[test]
fn of_many_guesses_at_once_no_more_than_allowed_pass() {
    let runtime = runtime::runtime(4).unwrap();
    for round in 0..20 {
        let limits = limits(SETTINGS);
        let account = format!("{round}@example.com");
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let (limits, account) = (limits.clone(), account.clone());
                runtime.spawn(async move {
                    let attempt = limits.begin(&account, at(n), None, NOW_S).await?;
                    tokio::task::yield_now().await;
                    attempt.fail();
                    Ok::<(), Refused>(())
                })
            })
            .collect();
        let passed = runtime.block_on(async {
            let mut passed = 0;
            for task in tasks {
                passed += u32::from(task.await.unwrap().is_ok());
            }
            passed
        });
        assert_eq!(passed, 5, "round {round}");
    }
}

/// Honest attempts at once wait for each other; none is refused.
#[test]
fn of_many_good_sign_ins_at_once_none_is_refused() {
    let runtime = runtime::runtime(4).unwrap();
    let limits = limits(SETTINGS);
    let tasks: Vec<_> = (0..120)
        .map(|_| {
            let limits = limits.clone();
            runtime.spawn(async move {
                let attempt = limits.begin(ADA, at(1), None, NOW_S).await?;
                tokio::task::yield_now().await;
                attempt.succeed();
                Ok::<(), Refused>(())
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
}

/// The node that a failure was told to holds the lock as well; one that was forgiven forgives.
#[test]
fn counters_of_two_nodes_add_up() {
    wait(async {
        let (a, b) = (limits(SETTINGS), limits(SETTINGS));
        for n in 0..3 {
            fail(&a, ADA, at(n), None).await.unwrap();
        }
        let delta = *a.tables.of(Limit::Account).take_deltas(10, NOW_S * US).first().unwrap();
        assert_eq!(shown(delta.key), b.shown(ADA), "nodes name a counter alike");
        let shared = model::Shared {
            key: delta.key,
            spent: delta.spent,
            until_us: delta.until_us,
            cleared_s: delta.cleared_s,
            rule: delta.rule,
        };
        b.tables.of(Limit::Account).merge(&shared, NOW_S * US);
        for n in 0..2 {
            fail(&b, ADA, at(n), None).await.unwrap();
        }
        assert_eq!(limit(&fail(&b, ADA, at(9), None).await), "account", "three there, two here");
    });
}
