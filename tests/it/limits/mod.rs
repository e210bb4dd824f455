//! What guessing costs, and whom it does not lock out.

mod guesser;
mod guesses;
mod nodes;
mod requests;
