use super::*;
use proptest::prelude::*;

const NOW_US: i64 = 1_700_000_000 * US;
const LOCK: Rule = Rule::lock(5, 300, 900);
/// A unit each second.
const BUDGET: Rule = Rule::budget(60, 60);

fn counted(rule: Rule, cost: u32, times: u32) -> Counter {
    let mut counter = Counter::new(1);
    for _ in 0..times {
        counter.count(rule, cost, NOW_US);
    }
    counter
}

#[test]
fn a_lock_falls_with_the_last_that_is_allowed_and_ends_by_itself() {
    for (reason, failures, after_s, expected) in [
        ("nothing failed", 0, 0, Room::Reserved),
        ("one is left", 4, 0, Room::Reserved),
        ("the window is over", 4, 300, Room::Reserved),
        ("the last one locks", 5, 0, Room::Full(900 * US)),
        ("the lock outlives the window", 5, 300, Room::Full(600 * US)),
        ("a second is left", 5, 899, Room::Full(US)),
        ("the lock is over", 5, 900, Room::Reserved),
        ("what comes later makes it no longer", 9, 0, Room::Full(900 * US)),
    ] {
        let mut counter = counted(LOCK, 1, failures);
        assert_eq!(counter.reserve(LOCK, 1, NOW_US + after_s * US), expected, "{reason}");
    }
}

#[test]
fn a_window_begins_with_its_first_failure() {
    let mut counter = counted(LOCK, 1, 4);
    counter.count(LOCK, 1, NOW_US + 299 * US);
    assert!(matches!(counter.reserve(LOCK, 1, NOW_US + 299 * US), Room::Full(_)), "five within the window");
    let mut counter = counted(LOCK, 1, 4);
    counter.count(LOCK, 1, NOW_US + 300 * US);
    assert_eq!(counter.level(LOCK, NOW_US + 300 * US), 1, "the fifth begins the next window");
}

#[test]
fn a_budget_comes_back_evenly_and_debt_is_waited_for() {
    for (reason, cost, times, after_s, asked, expected) in [
        ("nothing spent", 1, 0, 0, 60, Room::Reserved),
        ("all spent", 1, 60, 0, 1, Room::Full(US)),
        ("a second gives one back", 1, 60, 1, 1, Room::Reserved),
        ("and not two", 1, 60, 1, 2, Room::Full(US)),
        ("ten at once wait ten seconds", 10, 6, 0, 10, Room::Full(10 * US)),
        ("debt is waited for", 10, 7, 0, 1, Room::Full(11 * US)),
        ("debt is at most two windows", 10, 100, 0, 60, Room::Full(120 * US)),
        ("what costs more than all fits when all is back", 1, 1, 1, 1000, Room::Reserved),
        ("and not before", 1, 1, 0, 1000, Room::Full(US)),
    ] {
        let mut counter = counted(BUDGET, cost, times);
        assert_eq!(counter.reserve(BUDGET, asked, NOW_US + after_s * US), expected, "{reason}");
    }
}

#[test]
fn reservations_stand_in_the_way_until_they_are_settled() {
    let mut counter = Counter::new(1);
    for _ in 0..5 {
        assert_eq!(counter.reserve(LOCK, 1, NOW_US), Room::Reserved);
    }
    assert_eq!(counter.reserve(LOCK, 1, NOW_US), Room::Busy, "five may still fail");
    counter.release(LOCK, 1);
    assert_eq!(counter.reserve(LOCK, 1, NOW_US), Room::Reserved, "one did not");
    for _ in 0..5 {
        counter.release(LOCK, 1);
        counter.count(LOCK, 1, NOW_US);
    }
    assert!(matches!(counter.reserve(LOCK, 1, NOW_US), Room::Full(_)), "all did");
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_for_longer() {
    let mut counter = counted(LOCK, 1, 5);
    let Room::Full(wait_us) = counter.reserve(LOCK, 1, NOW_US - 100 * US) else { panic!("still locked") };
    assert_eq!(wait_us, 1000 * US);
    assert_eq!(counter.reserve(LOCK, 1, NOW_US - 86_400 * US), Room::Reserved, "a day is no lock of this rule");
}

#[test]
fn forgiving_is_told_when_there_was_something_or_when_it_is_ordered() {
    let mut counter = Counter::new(1);
    assert!(!counter.clear(false, NOW_US), "nothing to forgive, nothing to tell");
    assert!(counter.clear(true, NOW_US), "others may hold something");
    let mut counter = counted(LOCK, 1, 5);
    assert!(counter.clear(false, NOW_US));
    assert_eq!(counter.reserve(LOCK, 1, NOW_US), Room::Reserved);
    let first = counter.take_delta(NOW_US);
    counter.count(LOCK, 1, NOW_US);
    counter.clear(true, NOW_US);
    assert!(counter.take_delta(NOW_US).cleared_s > first.cleared_s, "twice in a second is twice");
}

#[test]
fn a_full_counter_is_noted_once_a_minute() {
    let mut counter = Counter::new(1);
    let minute_us = NOW_US - NOW_US % (60 * US);
    assert_eq!([0, 1, 59, 60, 61].map(|s| counter.note(minute_us + s * US)), [true, false, false, true, false]);
}

#[test]
fn a_budget_is_told_in_pieces_and_a_lock_at_once() {
    let mut counter = Counter::new(1);
    let told = [1, 1, 1].map(|cost| counter.count(BUDGET, cost, NOW_US));
    assert_eq!(told, [false, false, true], "60 / 16 is 3: two good sign-ins are nobody's business");
    assert!(Counter::new(1).count(BUDGET, 10, NOW_US), "a failure is");
    assert!(Counter::new(1).count(LOCK, 1, NOW_US));
    assert!(Counter::new(1).count(Rule::budget(3, 60), 1, NOW_US), "a small budget is told each time");
}

#[test]
fn what_others_know_is_added_to_what_is_untold() {
    let shared =
        |spent, until_s, cleared_s| Shared { key: 1, spent, until_us: NOW_US + until_s * US, cleared_s, rule: LOCK };
    for (reason, failures, is_told, shared, expected) in [
        ("nothing here", 0, false, shared(3, 100, 0), 3),
        ("told, so it is among the three", 2, true, shared(3, 100, 0), 3),
        ("not told, so it is not", 2, false, shared(3, 100, 0), 5),
        ("a server that forgot lowers nothing", 4, true, shared(1, 100, 0), 4),
        ("a window that is over says nothing", 2, true, shared(5, 0, 0), 2),
        ("forgiven elsewhere", 5, true, shared(0, -900, 1), 0),
        ("forgiven elsewhere, and one failed since", 5, true, shared(1, 300, 1), 1),
        ("forgiven, but what was counted since the last telling may be later", 2, false, shared(0, -900, 1), 2),
    ] {
        let mut counter = counted(LOCK, 1, failures);
        if is_told {
            counter.take_delta(NOW_US);
        }
        counter.merge(&shared, NOW_US);
        assert_eq!(counter.level(LOCK, NOW_US), expected, "{reason}");
    }
    let mut counter = counted(LOCK, 1, 5);
    counter.clear(true, NOW_US);
    counter.merge(&shared(5, 900, 0), NOW_US);
    assert_eq!(counter.level(LOCK, NOW_US), 0, "forgiven here, which the others do not know");
}

#[test]
fn a_budget_elsewhere_is_added_to_what_is_untold() {
    let shared = Shared { key: 1, spent: 0, until_us: NOW_US + 20 * US, cleared_s: 0, rule: BUDGET };
    let mut counter = counted(BUDGET, 10, 1);
    counter.merge(&shared, NOW_US);
    assert_eq!(counter.level(BUDGET, NOW_US), 30, "ten here, twenty there");
    counter.take_delta(NOW_US);
    counter.merge(&Shared { until_us: NOW_US + 30 * US, ..shared }, NOW_US);
    assert_eq!(counter.level(BUDGET, NOW_US), 30, "told, and heard again");
}

#[test]
fn a_counter_is_one_cache_line() {
    assert_eq!(size_of::<Counter>(), 64);
}

proptest! {
    /// Whatever is asked in whatever order, no more than `max` failures pass in a window and the lock after it.
    #[test]
    fn no_order_of_attempts_passes_more_failures_than_allowed(
        max in 1_u32..8,
        steps in prop::collection::vec((0_i64..30, prop::bool::ANY), 1..400),
    ) {
        let rule = Rule::lock(max, 60, 120);
        let mut counter = Counter::new(1);
        let (mut now_us, mut open, mut failures) = (NOW_US, 0_u32, Vec::new());
        for (wait_s, is_begin) in steps {
            now_us += wait_s * US;
            if is_begin {
                open += u32::from(counter.reserve(rule, 1, now_us) == Room::Reserved);
            } else if open > 0 {
                open -= 1;
                counter.release(rule, 1);
                counter.count(rule, 1, now_us);
                failures.push(now_us);
            }
        }
        for (n, begin) in failures.iter().enumerate() {
            let within = failures.iter().skip(n).filter(|at| *at - begin < 60 * US).count();
            prop_assert!(within <= 2 * max as usize, "{within} in a window, {max} allowed");
        }
    }

    /// A budget never gives more than all of it and what came back since.
    #[test]
    fn a_budget_never_gives_more_than_it_has(
        max in 1_u32..100,
        steps in prop::collection::vec((0_i64..20, 1_u32..12), 1..200),
    ) {
        let rule = Rule::budget(max, 60);
        let mut counter = Counter::new(1);
        let (mut now_us, mut given) = (NOW_US, 0_i64);
        for (wait_s, cost) in steps {
            now_us += wait_s * US;
            let cost = cost.min(max);
            if counter.reserve(rule, cost, now_us) == Room::Reserved {
                counter.release(rule, cost);
                counter.count(rule, cost, now_us);
                given += i64::from(cost);
            }
            let back = (now_us - NOW_US) / rule.unit_us();
            prop_assert!(given <= i64::from(max) + back + 1, "{given} given, {max} and {back} there");
        }
    }

    /// Two nodes that tell each other everything agree on all that either counted.
    #[test]
    fn nodes_that_tell_each_other_count_together(first in 0_u32..20, second in 0_u32..20) {
        let rule = Rule::lock(1000, 300, 300);
        let (mut a, mut b) = (counted(rule, 1, first), counted(rule, 1, second));
        let spent = a.take_delta(NOW_US).spent + b.take_delta(NOW_US).spent;
        let shared = Shared { key: 1, spent, until_us: NOW_US + 300 * US, cleared_s: 0, rule };
        for counter in [&mut a, &mut b] {
            counter.merge(&shared, NOW_US);
            counter.merge(&shared, NOW_US);
            prop_assert_eq!(counter.level(rule, NOW_US), first + second);
        }
    }
}
