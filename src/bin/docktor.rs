//! The controller: see `docktor::daemon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    docktor::daemon::command::execute(std::env::args_os()).into()
}
