//! Configuration files, the environment, and the state of the database that a process meets.

mod database;
mod environment;
mod files;
mod process;
