//! `postern action new`

use crate::cli::action::ActionNewArgs;
use crate::exit_code::{ExitCode, Failure};
use crate::kit::template::{self, NewError};
use crate::render::Output;

/// Makes the folder, and says what to do with it.
pub fn run(args: &ActionNewArgs) -> Result<(), Failure> {
    template::create(&args.folder, &args.language).map_err(|error| {
        let code = if matches!(error, NewError::Name(_)) { ExitCode::Usage } else { ExitCode::Failed };
        Failure::new(code, error)
    })?;
    let folder = args.folder.display();
    let output = Output::stdout();
    output.line(format!("{folder} is there. Try it:"));
    output.line(format!("  postern action test {folder}"));
    output.line(format!("  postern action run {folder} --event native-to-web"));
    Ok(())
}
