//! What was acknowledged, to whom.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The people, by their number.
#[derive(Default)]
pub struct Record(Mutex<Vec<Person>>);

/// One newcomer, as far as answers have come.
#[derive(Clone, Debug, Default)]
pub struct Person {
    pub email: String,
    pub name: String,
    pub is_registered: bool,
    /// The account is there: somebody said so, or nothing else explains what was seen.
    pub is_confirmed: bool,
    /// What opens the account; two where the answer to a change never came.
    pub passwords: Vec<String>,
    /// Cookies that open the account's pages, unless a change is under way that ends them.
    pub sessions: Vec<String>,
    /// Cookies whose end was acknowledged.
    pub ended: Vec<String>,
    /// Asked to end, and nobody said whether they did.
    pub unsure: Vec<String>,
    /// In the tenant of the application.
    pub subject: Option<String>,
    /// Links that were used, with the path they lead to.
    pub used: Vec<(&'static str, String)>,
    pub recovered: usize,
    pub signed_out: usize,
    pub sessions_given: usize,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub registered: usize,
    pub confirmed: usize,
    pub sessions: usize,
    pub entered: usize,
    pub signed_out: usize,
    pub recovered: usize,
}

impl Record {
    fn people(&self) -> MutexGuard<'_, Vec<Person>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A newcomer's place in the record.
    pub fn begin(&self, person: Person) -> usize {
        let mut people = self.people();
        people.push(person);
        people.len() - 1
    }

    pub fn note<T>(&self, at: usize, change: impl FnOnce(&mut Person) -> T) -> T {
        change(&mut self.people()[at])
    }

    pub fn all(&self) -> Vec<Person> {
        self.people().clone()
    }

    pub fn counts(&self) -> Counts {
        let people = self.people();
        let count = |is_it: fn(&Person) -> bool| people.iter().filter(|person| is_it(person)).count();
        let sum = |of: fn(&Person) -> usize| people.iter().map(of).sum();
        Counts {
            registered: count(|person| person.is_registered),
            confirmed: count(|person| person.is_confirmed),
            sessions: sum(|person| person.sessions_given),
            entered: count(|person| person.subject.is_some()),
            signed_out: sum(|person| person.signed_out),
            recovered: sum(|person| person.recovered),
        }
    }
}
