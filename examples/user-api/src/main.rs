//! The example API as a program; see the `config` module for the variables that it reads.

mod config;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use config::{Config, Destination};
use tidemill_events::Signer;
use tidemill_publisher::{Direct, PubSub, Publisher};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Exits with 0 after a signal, 1 where it could not serve, 2 where the configuration is wrong.
#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let publisher = publisher(config.destination, Signer::new(config.key)).await?;
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for SIGINT")?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("can't listen on {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    user_api::serve(listener, &config.database, publisher, shutdown).await?;
    Ok(())
}

async fn publisher(destination: Destination, signer: Signer) -> anyhow::Result<Arc<dyn Publisher>> {
    Ok(match destination {
        Destination::Topic(topic, emulator) => {
            Arc::new(PubSub::builder(topic, signer).emulator(emulator).build().await?)
        }
        Destination::Host(url) => Arc::new(Direct::new(url, signer)),
    })
}
