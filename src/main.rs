//! The binary: reads the command line, then the settings, and runs the command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ai_chat_orchestrator::cli::run()
}
