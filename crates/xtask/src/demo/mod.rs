//! `cargo xtask demo`: the whole flow over real HTTP, each step with what was sent and what came back.

mod show;
mod stage;
mod steps;

use anyhow::Result;

use crate::packages;
use crate::process::{build, say};
pub(crate) use stage::Stage;

/// Plays the flow. An error names the step that went another way.
pub(crate) async fn run(exit: bool) -> Result<()> {
    packages::wasm_toolchain()?;
    crate::process::note("$ cargo build --workspace --bin postern --bin web-app");
    let programs = build(&["postern", "web-app"])?;
    let stage = Stage::set(&programs).await?;
    let outcome = steps::play(&stage).await;
    if let Err(error) = outcome {
        stage.complain();
        stage.clear().await?;
        return Err(error);
    }
    if exit {
        return stage.clear().await;
    }
    say("");
    say("The server stays up. Ctrl-c ends it.");
    for (name, address) in stage.addresses() {
        say(&format!("  {name:<12}{address}"));
    }
    stage.wait().await
}
