//! What an operator and its people can do when a store is lost, moved, damaged or alive twice, with
//! real processes on devnet nodes; and what `federation status` tells.

mod guard;
mod halt;
mod repair;
mod standing;
mod status;
mod world;
