//! Tests of the engine on an emulated stack, and of the unwind data on hand-made sections.

mod copy;
mod data;
mod invariance;
mod reasons;
mod rules;
mod world;
