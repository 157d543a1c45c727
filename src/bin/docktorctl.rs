//! The client: see `docktor::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    docktor::cli::run(std::env::args_os()).into()
}
