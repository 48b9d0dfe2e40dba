//! What many streams at once cost the real server: `cargo bench --bench streams`; `-- --help` tells what can be asked for.
//!
//! A model server in this process writes a chunk each 100 ms to each of 2,000 answers; the release binary, in a process of
//! its own, passes them on to as many clients, which are in this process too. Each client reads to the end and checks what
//! it reads. Then one long answer that has ended is read again, from its start. With `--soak` fewer streams go on for
//! minutes or hours instead, and some of their readers leave, come back or cancel.
//!
//! - [`options`]: what can be asked for
//! - [`script`], [`model`]: the model server, and what it answers
//! - [`server`], [`process`]: the server that is measured, and what the kernel knows of it
//! - [`caller`], [`reader`]: a user, and how one reads
//! - [`events`], [`transcript`]: a stream as it is read, and whether it is as it was written
//! - [`load`], [`resume`], [`soak`]: what is measured
//! - [`tally`], [`latencies`]: what was found
//!
//! Linux only: memory and time come from `/proc`.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod caller;
mod events;
mod latencies;
mod load;
mod model;
mod options;
mod process;
mod reader;
mod resume;
mod script;
mod server;
mod soak;
mod tally;
mod transcript;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use model::ModelServer;
use options::Options;
use server::Server;

/// Whatever ends the benchmark early.
type Failure = Box<dyn Error + Send + Sync>;

/// Whether what was measured is what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing was lost, and no bound that the benchmark knows was passed.
    Passed,
    /// The table says what failed.
    Failed,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let options = Options::parse();
    process::require_files(options.files())?;
    let model = ModelServer::start().await?;
    let server = Server::start(&options, &model.url()).await?;
    let verdict = match options.soak() {
        Some(duration) => soak::run(&server, &options, duration).await?,
        None => measure(&server, &options).await?,
    };
    Ok(match verdict {
        Verdict::Passed => ExitCode::SUCCESS,
        Verdict::Failed => ExitCode::FAILURE,
    })
}

async fn measure(server: &Server, options: &Options) -> Result<Verdict, Failure> {
    load::warm_up(server).await?;
    // What warming up has begun comes to its end: connections close, checkpoints are written.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let load = load::run(server, options).await?;
    println!("{load}");
    println!("{}", resume::run(server).await?);
    Ok(load.verdict())
}
