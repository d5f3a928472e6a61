//! One call of an external program: bounded in time and in what is read, and without a shell.
//!
//! The program gets a process group of its own, so that whatever it starts ends with it when its time is over. Not here: what
//! its answer means.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::ExecError;
use crate::PIN_VARIABLE;
use crate::reference::ExecWords;

/// The most bytes of standard error that are kept (ours); the rest is read and forgotten.
const MAX_SAID_BYTES: usize = 2 << 10;
/// Between two looks at whether the program has ended.
const PAUSE: Duration = Duration::from_millis(2);
/// How long standard error is waited for after the end: something it started may keep it open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) words: &'a ExecWords,
    pub(super) verb: &'static str,
    pub(super) argument: Option<&'a str>,
    pub(super) input: &'a [u8],
    /// The most bytes of an answer.
    pub(super) limit: usize,
    pub(super) timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    /// The begin of standard error.
    pub(super) said: Vec<u8>,
}

impl Call<'_> {
    /// The program, for messages.
    pub(super) fn program(&self) -> String {
        self.words.program.to_string_lossy().escape_default().to_string()
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.words.program);
        command.args(&self.words.arguments).arg(self.verb).args(self.argument).env_remove(PIN_VARIABLE).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

/// Runs a program to its end, or kills it.
pub(super) fn run(call: &Call<'_>) -> Result<Answer, ExecError> {
    let mut child = call.spawn().map_err(|source| ExecError::Start { program: call.program(), source })?;
    let result = talk(call, &mut child);
    if result.is_err() {
        kill(&mut child);
    }
    result
}

fn talk(call: &Call<'_>, child: &mut Child) -> Result<Answer, ExecError> {
    let deadline = Instant::now() + call.timeout;
    let timeout = || ExecError::Timeout { program: call.program(), verb: call.verb, seconds: call.timeout.as_secs() };
    feed(child, call.input);
    let output = child.stdout.take().map(|from| read_apart(from, call.limit, Beyond::Stop));
    let said = child.stderr.take().map(|from| read_apart(from, MAX_SAID_BYTES, Beyond::Forget));
    let output = received(output, remaining(deadline)).map_err(|_late| timeout())?;
    if output.len() > call.limit {
        return Err(ExecError::Flood { program: call.program(), verb: call.verb, limit: call.limit });
    }
    let status = loop {
        match child.try_wait().map_err(|source| ExecError::Talk { program: call.program(), source })? {
            Some(status) => break status,
            None if remaining(deadline).is_zero() => return Err(timeout()),
            None => std::thread::sleep(PAUSE),
        }
    };
    let said = received(said, LAST_WORDS).unwrap_or_default();
    Ok(Answer { status, output, said })
}

/// Writes the message; a program that signs the digest of its arguments need not read it.
fn feed(child: &mut Child, input: &[u8]) {
    let Some(mut to) = child.stdin.take() else { return };
    let input = input.to_vec();
    std::thread::spawn(move || drop(to.write_all(&input)));
}

/// What to do with more bytes than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// Stop reading: one byte more than the limit says so.
    Stop,
    /// Read on, so that the program can write on.
    Forget,
}

/// Reads in a thread, which ends when the other side closes.
fn read_apart(mut from: impl Read + Send + 'static, limit: usize, beyond: Beyond) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        // A broken pipe ends the answer, which is then too short to be one.
        drop(from.by_ref().take(most).read_to_end(&mut bytes));
        let full = bytes.len() > limit;
        // Nobody may be waiting any more.
        drop(send.send(bytes));
        if full && beyond == Beyond::Forget {
            drop(std::io::copy(&mut from, &mut std::io::sink()));
        }
    });
    receive
}

fn received(from: Option<Receiver<Vec<u8>>>, wait: Duration) -> Result<Vec<u8>, RecvTimeoutError> {
    from.map_or_else(|| Ok(Vec::new()), |from| from.recv_timeout(wait))
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Ends the program and what it started.
fn kill(child: &mut Child) {
    // It may be gone already.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    drop(child.kill());
    drop(child.wait());
}
