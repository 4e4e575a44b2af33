//! Everything is in the library; see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::cli::main()
}
