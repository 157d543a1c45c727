//! The controller's program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    docktor::daemon::program::main().into()
}
