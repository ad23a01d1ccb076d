//! Components of the worlds of `postern:actions`: the same commands and checks as scripts, by typed imports.
//!
//! A component runs on a stack of its own, so that it can wait in the middle of a call: until its answer is there it is
//! only memory, and no thread waits.

mod commands;
mod outside;
mod redirect;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use action_api::{Command, GuestException, Handler, RunError};
use serde_json::Value;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store, Trap};

use crate::host::{Answer, Host};
use crate::outcome::{self, LimitReached};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "post-login",
        imports: {
            "postern:actions/http": async | trappable,
            "postern:actions/groups": async | trappable,
            "postern:actions/roles": async | trappable,
            default: trappable,
        },
    });
}

/// Bytes that a component may have copied to the host in one call.
const HOST_COPY_BYTES: usize = 1 << 20;
/// No interface has resources.
const HANDLES: usize = 16;

/// What a component can import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    bindings::PostLogin::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)?;
    Ok(linker)
}

/// A component that is ready to be instantiated.
#[derive(Clone)]
pub(crate) struct Action {
    instances: InstancePre<Host>,
}

/// A run of a component, from its beginning to its end, with its store.
pub(crate) type Execution = Pin<Box<dyn Future<Output = (Store<Host>, Result<(), RunError>)> + Send>>;

impl Action {
    /// Checks that its imports and exports have the types of the world.
    pub(crate) fn new(linker: &Linker<Host>, component: &Component) -> wasmtime::Result<Self> {
        let kind = component.component_type();
        for handler in [Handler::Execute, Handler::Continue] {
            let name = handler.component_export();
            let wrong = |what| Err(wasmtime::Error::msg(format!("its export `{name}` {what}")));
            match kind.get_export(component.engine(), name).map(|export| export.ty) {
                Some(ComponentItem::ComponentFunc(function)) if is_handler(&function) => {}
                None if handler == Handler::Continue => {}
                None => return wrong("is missing"),
                Some(_) => return wrong("is no `func(event: string) -> result<_, string>`"),
            }
        }
        Ok(Self { instances: linker.instantiate_pre(component)? })
    }

    /// A run in this store, whose host has the handler and the event.
    pub(crate) fn execute(self, store: Store<Host>) -> Execution {
        Box::pin(async move {
            let mut store = store;
            let result = self.run(&mut store).await;
            let diverged = store.data().operations.lock().diverged.take();
            let result = match diverged {
                Some(message) => Err(RunError::Diverged { message }),
                None => result,
            };
            (store, result)
        })
    }

    async fn run(&self, store: &mut Store<Host>) -> Result<(), RunError> {
        store.set_hostcall_fuel(HOST_COPY_BYTES);
        store.set_max_component_handles(HANDLES);
        let (handler, event) = (store.data().handler, Arc::clone(&store.data().event));
        let instance = match self.instances.instantiate_async(&mut *store).await {
            Ok(instance) => instance,
            Err(error) => return Err(outcome::of_trap(&error, store.data())),
        };
        let Some(function) = instance.get_func(&mut *store, handler.component_export()) else {
            return Err(RunError::NoHandler { handler });
        };
        let called = match function.typed::<(&str,), (Result<(), String>,)>(&*store) {
            Ok(function) => function.call_async(&mut *store, (&event,)).await,
            Err(error) => Err(error),
        };
        match called {
            Ok((Ok(()),)) => Ok(()),
            Ok((Err(message),)) => {
                let exception = GuestException { name: "Error".into(), message, ..GuestException::default() };
                Err(RunError::Exception { exception })
            }
            Err(error) if store.data().over.is_some() || error.is::<Trap>() => {
                Err(outcome::of_trap(&error, store.data()))
            }
            // Our functions fail by a limit alone. The rest is what the guest passed: a pointer beyond its memory, text
            // that is not UTF-8, a value that its type does not have.
            Err(error) => Err(RunError::Trap { message: error.root_cause().to_string() }),
        }
    }
}

fn is_handler(function: &ComponentFunc) -> bool {
    let mut results = function.results();
    let is_result = match (results.next(), results.next()) {
        (Some(Type::Result(result)), None) => result.ok().is_none() && result.err() == Some(Type::String),
        _ => false,
    };
    let mut parameters = function.params().map(|(_, kind)| kind);
    is_result && parameters.next() == Some(Type::String) && parameters.next().is_none()
}

/// What a function that can refuse answers. The outer error ends the run.
type Answered<T> = wasmtime::Result<Result<T, String>>;

impl Host {
    /// A command; `bytes` is the size of its arguments.
    fn take(&mut self, command: Command, bytes: usize) -> Answered<()> {
        match self.command(command, bytes) {
            Answer::Accepted => Ok(Ok(())),
            Answer::Refused(message) => Ok(Err(message)),
            Answer::OverLimit => Err(LimitReached.into()),
        }
    }

    /// A command with JSON documents, which are read only after their size is known to be within bounds.
    fn take_json<const N: usize>(
        &mut self,
        bytes: usize,
        documents: [&str; N],
        make: impl FnOnce([Value; N]) -> Result<Command, String>,
    ) -> Answered<()> {
        let bytes = bytes + documents.iter().map(|json| json.len()).sum::<usize>();
        if bytes as u64 > self.limits.command_bytes {
            self.over.get_or_insert("command_bytes");
            return Err(LimitReached.into());
        }
        let mut values = [const { Value::Null }; N];
        for (value, json) in values.iter_mut().zip(documents) {
            match serde_json::from_str(json) {
                Ok(read) => *value = read,
                Err(error) => return self.refuse(format!("the value is not JSON: {error}")),
            }
        }
        match make(values) {
            Ok(command) => self.take(command, bytes),
            Err(message) => self.refuse(message),
        }
    }

    fn counted(&mut self) -> wasmtime::Result<()> {
        if self.count_call() { Ok(()) } else { Err(LimitReached.into()) }
    }

    fn refuse<T>(&mut self, message: String) -> Answered<T> {
        self.counted()?;
        Ok(Err(message))
    }
}
