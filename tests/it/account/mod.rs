//! People at their own accounts: each page with what it refuses, each link with its second presentation, and the end.

mod deletion;
mod email;
mod letters;
mod password;
pub mod people;
mod profile;
mod sessions;
