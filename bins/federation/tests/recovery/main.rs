//! Recovery from a store that is lost, moved, damaged or in use twice, with real processes on devnet
//! nodes; and the output of `federation status`.

mod guard;
mod halt;
mod repair;
mod standing;
mod status;
mod world;
