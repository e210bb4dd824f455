//! `sigid admin`: what each verb prints, how it ends, and what a running server makes of it.

mod clients;
mod effects;
mod exits;
mod keys;
mod tenants;
pub mod user;
mod user_effects;
mod user_import;
mod user_plans;
mod user_vouching;
