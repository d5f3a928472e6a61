//! Wire events (spec/4, *Event payloads*): names in `snake_case`, as the specification fixes them.

use serde::Serialize;

/// `trace.capture`, written by `trace-resolve --events` after signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureEvent {
    /// Always `trace.capture`.
    pub event: &'static str,
    /// Trace id.
    pub trace_id: String,
    /// Platform.
    pub platform: String,
    /// Identity of the main binary, empty when it has none.
    pub build_id: String,
    /// Every frame of the witness, in order.
    pub frames: Vec<CaptureEventFrame>,
    /// First bundle used: `sha256:<hex>`; `None` when none.
    pub symbol_bundle_ref: Option<String>,
    /// `dsse:sha256:<hex of the PAE's digest>`; `None` for an unsigned statement.
    pub dsse_ref: Option<String>,
}

/// One frame of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureEventFrame {
    /// Module-relative address, `0x…`.
    pub ip: String,
    /// Path of the module, empty outside any.
    pub module: String,
    /// Its identity, empty when it has none.
    pub module_build_id: String,
}
