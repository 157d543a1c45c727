//! The client: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    docktor::cli::run(std::env::args_os()).into()
}
