//! The `mini-ctl` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    mini_ctl::main(std::env::args_os())
}
