//! Components of the world `postern:actions/post-login`: the same commands and checks as scripts, by typed imports.

use action_api::{Command, ConsoleLevel, GuestException, RunError};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store, Trap};

use crate::host::{Answer, Host};
use crate::outcome::{self, LimitReached};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "post-login",
        imports: { default: trappable },
    });
}

use bindings::postern::actions::{
    access, access_token, clock, id_token, log, random, secrets, session, user,
};

/// Bytes that a component may have copied to the host over a run.
const HOST_COPY_BYTES: usize = 1 << 20;
/// No interface has resources.
const HANDLES: usize = 16;

/// What a component can import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    bindings::PostLogin::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)?;
    Ok(linker)
}

/// Whether its imports and exports have the types of the world.
pub(crate) fn check(linker: &Linker<Host>, component: &Component) -> wasmtime::Result<()> {
    bindings::PostLoginPre::new(linker.instantiate_pre(component)?).map(|_| ())
}

/// Calls the handler of a component.
pub(crate) fn run(
    store: &mut Store<Host>,
    linker: &Linker<Host>,
    component: &Component,
    event: &str,
) -> Result<(), RunError> {
    store.set_hostcall_fuel(HOST_COPY_BYTES);
    store.set_max_component_handles(HANDLES);
    let action = bindings::PostLogin::instantiate(&mut *store, component, linker)
        .map_err(|error| outcome::of_trap(&error, store.data()))?;
    match action.call_on_execute_post_login(&mut *store, event) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(message)) => {
            let exception = GuestException { name: "Error".into(), message, ..GuestException::default() };
            Err(RunError::Exception { exception })
        }
        Err(error) if store.data().over.is_some() || error.is::<Trap>() => {
            Err(outcome::of_trap(&error, store.data()))
        }
        // Our functions fail by a limit alone. The rest is what the guest passed: a pointer beyond its memory, text that
        // is not UTF-8, a value that its type does not have.
        Err(error) => Err(RunError::Trap { message: error.root_cause().to_string() }),
    }
}

type CommandResult = wasmtime::Result<Result<(), String>>;

impl Host {
    fn take(&mut self, command: Command, bytes: usize) -> CommandResult {
        match self.command(command, bytes) {
            Answer::Accepted => Ok(Ok(())),
            Answer::Refused(message) => Ok(Err(message)),
            Answer::OverLimit => Err(LimitReached.into()),
        }
    }

    /// A command with a JSON document, which is read only after its size is known to be within bounds.
    fn take_json(
        &mut self,
        key: String,
        json: &str,
        make: fn(String, serde_json::Value) -> Command,
    ) -> CommandResult {
        if json.len() as u64 > self.limits.command_bytes {
            self.over.get_or_insert("command_bytes");
            return Err(LimitReached.into());
        }
        let bytes = key.len() + json.len();
        match serde_json::from_str(json) {
            Ok(value) => self.take(make(key, value), bytes),
            Err(error) if self.count_call() => Ok(Err(format!("the value is not JSON: {error}"))),
            Err(_) => Err(LimitReached.into()),
        }
    }

    fn counted(&mut self) -> wasmtime::Result<()> {
        if self.count_call() { Ok(()) } else { Err(LimitReached.into()) }
    }
}

impl access::Host for Host {
    fn deny(&mut self, reason: String) -> CommandResult {
        let bytes = reason.len();
        self.take(Command::AccessDeny { reason }, bytes)
    }
}

impl session::Host for Host {
    fn set_expires_at(&mut self, absolute: f64) -> CommandResult {
        self.take(Command::SessionSetExpiresAt { absolute }, 8)
    }

    fn set_idle_expires_at(&mut self, inactivity: f64) -> CommandResult {
        self.take(Command::SessionSetIdleExpiresAt { inactivity }, 8)
    }

    fn revoke(&mut self, reason: String, preserve_refresh_tokens: bool) -> CommandResult {
        let bytes = reason.len();
        self.take(Command::SessionRevoke { reason, preserve_refresh_tokens }, bytes)
    }
}

impl id_token::Host for Host {
    fn set_custom_claim(&mut self, key: String, value: String) -> CommandResult {
        self.take_json(key, &value, |key, value| Command::IdTokenSetCustomClaim { key, value })
    }
}

impl access_token::Host for Host {
    fn set_custom_claim(&mut self, key: String, value: String) -> CommandResult {
        self.take_json(key, &value, |key, value| Command::AccessTokenSetCustomClaim { key, value })
    }
}

impl user::Host for Host {
    fn set_user_metadata(&mut self, key: String, value: String) -> CommandResult {
        self.take_json(key, &value, |key, value| Command::UserSetUserMetadata { key, value })
    }

    fn set_app_metadata(&mut self, key: String, value: String) -> CommandResult {
        self.take_json(key, &value, |key, value| Command::UserSetAppMetadata { key, value })
    }
}

impl secrets::Host for Host {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.counted()?;
        Ok(self.secrets.get(&name).cloned())
    }
}

impl log::Host for Host {
    fn print(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => ConsoleLevel::Trace,
            log::Level::Debug => ConsoleLevel::Debug,
            log::Level::Log => ConsoleLevel::Log,
            log::Level::Info => ConsoleLevel::Info,
            log::Level::Warn => ConsoleLevel::Warn,
            log::Level::Error => ConsoleLevel::Error,
        };
        match self.print(level, text.as_bytes()) {
            Answer::OverLimit => Err(LimitReached.into()),
            _ => Ok(()),
        }
    }
}

impl clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<i64> {
        self.counted()?;
        Ok(self.now_ms)
    }
}

impl random::Host for Host {
    fn get_u64(&mut self) -> wasmtime::Result<u64> {
        self.counted()?;
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
}
