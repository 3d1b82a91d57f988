//! `serve`, from the command line to the exit code: what the container's binary and `tidemill serve` share.

use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::config::{Config, Sources};
use crate::scrape;
use crate::server::Drained;
use crate::telemetry;

/// Exit code for a configuration that can't be used, apart from failures on the way.
const MISUSED: u8 = 2;

/// Reads the configuration, serves until SIGTERM or SIGINT, and gives the exit code: 0 when everything in flight was
/// finished, 1 when the host failed or had to cut something off, 2 when the configuration can't be used.
#[must_use]
pub fn main(flags: &ArgMatches, variables: impl IntoIterator<Item = (String, String)>) -> ExitCode {
    let config = match Config::read(Sources::gather(flags, variables, Path::new("."))) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("tidemill: {problems}");
            return ExitCode::from(MISUSED);
        }
    };
    let _last_lines = match telemetry::init(&config.log) {
        Ok(last_lines) => last_lines,
        Err(error) => {
            eprintln!("tidemill: the log could not be set up: {error}");
            return ExitCode::FAILURE;
        }
    };
    open_as_many_files_as_allowed();
    let served = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from);
    let served = served.and_then(|runtime| {
        let served = runtime.block_on(run(&config));
        // What still blocks a thread, such as the look-up of a name or the compiling of a handler, has nobody left who
        // waits for it; the end must not wait either.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(Drained::Fully) => ExitCode::SUCCESS,
        Ok(Drained::Cut(_)) => ExitCode::FAILURE,
        Err(error) => {
            if tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!("{error}");
            } else {
                eprintln!("tidemill: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Raises the soft limit of open files to the hard one: each connection takes one, and so does each handler whose memory
/// begins with data. The soft limit is often 1,024, for the sake of programs that can't count further.
fn open_as_many_files_as_allowed() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(
            "the limit of open files can't be raised, so many handlers and connections may not fit: {error}"
        );
    }
}

async fn run(config: &Config) -> anyhow::Result<Drained> {
    // Before anything slow, so that a SIGTERM during the start is not lost.
    let shutdown = shutdown_signal()?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        anyhow::anyhow!("can't listen on {}: {error}; choose another with --port or --address", config.listen)
    })?;
    let scraped =
        match config.metrics {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
                anyhow::anyhow!("can't listen on {address}: {error}; choose another with --metrics")
            })?),
            None => None,
        };
    let address = listener.local_addr()?;
    let mut shutdown = Box::pin(shutdown);
    let app = tokio::select! {
        app = App::build(config) => app?,
        // Nothing was taken yet, so there is nothing to finish.
        () = &mut shutdown => return Ok(Drained::Fully),
    };
    let handlers = app.registry().snapshot().handlers().count();
    // Up to the very end, as what is finished there counts too.
    let _scraping =
        scraped.map(|listener| AbortOnDropHandle::new(tokio::spawn(scrape::serve(listener, app.metrics()))));
    tracing::info!(%address, handlers, "serving POST /events on {address}");
    Ok(app.serve(listener, shutdown).await)
}

/// Ends with the first SIGTERM or SIGINT.
///
/// # Errors
/// Where the signals can't be listened to.
pub fn shutdown_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
