//! What follows from an attempt, without asking anybody.

use super::LETTER_LIFE_S;
use sigid_io::mail::SendFault;

/// What becomes of a claimed letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    Retry { next_s: i64, word: &'static str },
    Dropped(&'static str),
    Dead(&'static str),
}

/// Why a letter is not even prepared: too old.
pub(super) fn refuse(created_s: i64, now_s: i64) -> Option<Outcome> {
    (now_s - created_s >= LETTER_LIFE_S).then_some(Outcome::Dead("too old"))
}

/// After `attempts` of them the last one failed. `jitter` is a random byte.
pub(super) fn after(fault: SendFault, attempts: i32, created_s: i64, now_s: i64, jitter: u8) -> Outcome {
    let word = fault.word();
    match fault {
        SendFault::Permanent(_) => Outcome::Dead(word),
        SendFault::Temporary(_) if now_s - created_s >= LETTER_LIFE_S => Outcome::Dead(word),
        SendFault::Temporary(_) => Outcome::Retry { next_s: now_s + backoff_s(attempts, jitter), word },
    }
}

/// Up to a quarter longer than the step, so that letters that failed together do not come back together.
fn backoff_s(attempts: i32, jitter: u8) -> i64 {
    let last = STEPS_S.len() - 1;
    let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(last);
    let step = STEPS_S.get(at).copied().unwrap_or(3600);
    step + step * i64::from(jitter) / 1024
}

const STEPS_S: [i64; 8] = [1, 5, 30, 120, 300, 900, 1800, 3600];

#[cfg(test)]
mod tests {
    use super::*;
    use SendFault::{Permanent, Temporary};

    #[test]
    fn a_letter_is_tried_again_until_it_is_too_old() {
        let retry = |next_s| Outcome::Retry { next_s, word: "timeout" };
        for (reason, fault, attempts, age_s, jitter, expected) in [
            ("the first failure", Temporary("timeout"), 1, 0, 0, retry(1)),
            ("the second", Temporary("timeout"), 2, 1, 0, retry(6)),
            ("the third, with all of the jitter", Temporary("timeout"), 3, 6, 255, retry(6 + 30 + 7)),
            ("the ninth stays at the cap", Temporary("timeout"), 9, 7000, 0, retry(7000 + 3600)),
            ("the last before its end", Temporary("timeout"), 30, LETTER_LIFE_S - 1, 0, retry(LETTER_LIFE_S + 3599)),
            ("at its end", Temporary("timeout"), 30, LETTER_LIFE_S, 0, Outcome::Dead("timeout")),
            ("refused for good", Permanent("recipient"), 1, 0, 0, Outcome::Dead("recipient")),
            ("a count that makes no sense", Temporary("timeout"), -1, 0, 0, retry(1)),
        ] {
            assert_eq!(after(fault, attempts, 0, age_s, jitter), expected, "{reason}");
        }
    }

    #[test]
    fn what_is_too_old_is_not_prepared() {
        for (reason, age_s, expected) in [
            ("fresh", 0, None),
            ("nearly too old", LETTER_LIFE_S - 1, None),
            ("too old", LETTER_LIFE_S, Some(Outcome::Dead("too old"))),
        ] {
            assert_eq!(refuse(0, age_s), expected, "{reason}");
        }
    }
}
