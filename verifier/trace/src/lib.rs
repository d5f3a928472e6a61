//! Captures, frame records and trace witnesses.
#![forbid(unsafe_code)]
