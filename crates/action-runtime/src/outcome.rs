//! What a finished call means: the one place that tells limits, exceptions, traps and faults of our own apart.

use action_api::{GuestException, RunError};
use wasmtime::Trap;

use crate::host::Host;

/// What the shim's exports answer (`enum outcome` in shim.c).
pub(crate) const DONE: i32 = 0;
pub(crate) const THREW: i32 = 1;
const NO_HANDLER: i32 = 2;
const NOT_ASYNC: i32 = 3;
const WAITING: i32 = 4;

/// Ends the guest from inside a host call; `Host::over` names the limit.
#[derive(Debug, thiserror::Error)]
#[error("a limit was reached")]
pub(crate) struct LimitReached;

/// How a run stands after a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The handler's promise is pending.
    Waiting,
    /// It is settled.
    Done,
}

/// The answer of an export of the JS engine.
pub(crate) fn of_script(result: wasmtime::Result<i32>, host: &mut Host) -> Result<State, RunError> {
    if let Some(message) = host.operations.lock().diverged.take() {
        return Err(RunError::Diverged { message });
    }
    match result {
        Ok(DONE) => Ok(State::Done),
        Ok(WAITING) if host.operations.lock().under_way.is_empty() => Err(RunError::NeverSettled),
        Ok(WAITING) => Ok(State::Waiting),
        Ok(THREW) => Err(of_exception(host)),
        Ok(NO_HANDLER) => Err(RunError::NoHandler { handler: host.handler }),
        Ok(NOT_ASYNC) => Err(RunError::HandlerNotAsync { handler: host.handler }),
        Ok(other) => Err(RunError::Host { message: format!("the JS engine answered {other}") }),
        Err(error) => Err(of_trap(&error, host)),
    }
}

fn of_exception(host: &mut Host) -> RunError {
    let exception = host.exception.take().unwrap_or_default();
    let limit = match (host.over, exception.name.as_str(), exception.message.as_str()) {
        (Some(limit), ..) => limit,
        (None, "InternalError", "out of memory") if host.memory_refused => "memory_bytes",
        (None, "RangeError", "Maximum call stack size exceeded") => "stack_bytes",
        _ => return RunError::Exception { exception },
    };
    RunError::Limit { limit: limit.into(), exception: Some(exception) }
}

/// Why wasmtime stopped the guest.
pub(crate) fn of_trap(error: &wasmtime::Error, host: &Host) -> RunError {
    let limit = |limit: &str| RunError::Limit { limit: limit.into(), exception: None };
    if let Some(over) = host.over {
        return limit(over);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => limit("fuel"),
        Some(Trap::Interrupt) => limit("wall_clock_ms"),
        Some(Trap::StackOverflow) => limit("stack_bytes"),
        Some(_) if host.memory_refused => limit("memory_bytes"),
        Some(trap) => RunError::Trap { message: trap.to_string() },
        // An image that is larger than the limit does not even start.
        None if host.memory_refused => limit("memory_bytes"),
        None => RunError::Host { message: format!("{error:#}") },
    }
}

/// An exception as the shim reported it, with the position of its first frame in a file of the author's.
pub(crate) fn exception(name: &str, message: &str, stack: &str) -> GuestException {
    let position = stack.lines().find_map(frame_position);
    let (file, line, column) = match position {
        Some((file, line, column)) => (Some(file.to_owned()), Some(line), Some(column)),
        None => (None, None, None),
    };
    let name = if name.is_empty() { "Error" } else { name };
    GuestException {
        name: name.into(),
        message: message.into(),
        file,
        line,
        column,
        stack: stack.lines().filter(|frame| !frame.contains("postern:")).collect::<Vec<_>>().join("\n"),
    }
}

/// Reads `    at name (file:line:column)` or `    at file:line:column`.
fn frame_position(frame: &str) -> Option<(&str, u32, u32)> {
    let place = frame.trim().strip_prefix("at ")?;
    let place = match place.rsplit_once('(') {
        Some((_, inside)) => inside.strip_suffix(')')?,
        None => place,
    };
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let (line, column) = (line.parse().ok()?, column.parse().ok()?);
    (line > 0 && !file.starts_with("postern:") && !file.starts_with('<')).then_some((file, line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_the_first_frame_of_the_authors() {
        let stack = "    at push (native)\n    at send (postern:prelude:1:2)\n    at f (lib/a b.js:3:14)\n    at g (x.js:1:1)\n";
        let exception = exception("TypeError", "no", stack);
        assert_eq!(
            (exception.file.as_deref(), exception.line, exception.column),
            (Some("lib/a b.js"), Some(3), Some(14))
        );
        assert_eq!(frame_position("    at action.js:2:5"), Some(("action.js", 2, 5)));
        assert_eq!(frame_position("    at <anonymous> (native)"), None);
        assert_eq!(frame_position("garbage"), None);
    }
}
