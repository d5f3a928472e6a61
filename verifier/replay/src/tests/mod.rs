//! Negative controls with exact values, and mutants that the seeds must catch.

mod controls;
mod copy;
mod mutants;
mod world;
