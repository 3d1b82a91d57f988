//! `tidemill dev`: the whole loop on one machine, with nothing else installed.
//!
//! One process holds what is a cloud otherwise: the host, a stand-in for Pub/Sub that pushes to it, a sink in place of
//! the mail and push providers, and a workshop that builds the handlers and swaps them when their source is saved.

mod banner;
mod workshop;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use tidemill_dev::broker::{Broker, BrokerConfig};
use tidemill_dev::sink::Sink;
use tidemill_host::app::App;
use tidemill_host::config::{Config, HandlerSource, Sources, with_flags};
use tidemill_host::serve::shutdown_signal;
use tidemill_host::server::Drained;
use tidemill_host::telemetry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::build::Project;
use crate::failure::Failure;
use crate::invoke::LOOPBACK;
use banner::Banner;
use workshop::Workshop;

/// The subscription that the stand-in pushes for. Local names need no project of the cloud.
const SUBSCRIPTION: &str = "projects/dev/subscriptions/dev";
/// The topic that the banner tells publishers to use. Any other works as well.
const TOPIC: &str = "projects/dev/topics/events";
/// Where built handlers are, in the folder for data.
const BUILT: &str = "built";
/// The key that events are signed with when no other is given: on one machine there is nobody to keep it from.
const KEY: &str = "dev=dev";
/// How many messages the sink keeps.
const KEPT_MESSAGES: usize = 10_000;

/// The subcommand and its flags: those of `serve`, with other defaults, and a few of its own.
pub(crate) fn command() -> Command {
    let port = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("PORT").value_parser(value_parser!(u16)).default_value(default).help(help)
    };
    let command = Command::new("dev")
        .about("The whole loop on one machine: builds handlers, serves, swaps on save, stands in for Pub/Sub and the providers")
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .default_value(".")
                .help("A handler's folder, or one that holds several; with --handlers nothing is built and this is only where tidemill.toml is"),
        )
        .arg(port("broker-port", "8085", "Port of the stand-in for Pub/Sub, gRPC and REST"))
        .arg(port("sink-port", "8025", "Port of the sink that takes mail and push notifications, and shows them; {sink} in the handlers' configuration is its URL"))
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .default_value(".tidemill")
                .help("Where events, dead letters and built handlers are kept"),
        )
        .arg(
            Arg::new("ack-deadline")
                .long("ack-deadline")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=600))
                .default_value("10")
                .help("Seconds after which a delivery without an answer is delivered again"),
        )
        .arg(crate::output_flag());
    with_flags(command).after_help(
        "Example: tidemill dev guest-handlers\n\n\
         Defaults other than those of `serve`: --address 127.0.0.1, --auth none, --accept v2,v1, --signing-key dev=dev, \
         --handlers DATA/built, --dead-letter DATA/dead-letter, --key-value disk:DATA/key-value.redb, --publish-to projects/dev/topics/events, --max-attempts 5, --allow-private 127.0.0.1,localhost,[::1], --grant '* all'.\n\n\
         In a value of [handler-config], --handler-config or a handler's variable, {sink} is the URL of the sink: mail-url = \"{sink}/mail\".",
    )
}

/// Runs the command until SIGTERM or SIGINT.
pub(crate) fn main(flags: &ArgMatches, variables: Vec<(String, String)>) -> Result<ExitCode, Failure> {
    let path = |name: &str| PathBuf::from(flags.get_one::<String>(name).map(String::as_str).unwrap_or_default());
    let (dir, data) = (path("dir"), path("data"));
    let built = data.join(BUILT);
    let mut sources = Sources::gather(flags, variables, &dir);
    sources.default_to("address", "127.0.0.1");
    sources.default_to("auth", "none");
    // Publishers of the plain scheme should work here as they are.
    sources.default_to("accept", "v2,v1");
    sources.default_to("dead-letter", data.join("dead-letter").display().to_string());
    sources.default_to("key-value", format!("disk:{}", data.join("key-value.redb").display()));
    sources.default_to("code-cache", data.join("code").display().to_string());
    sources.default_to("publish-to", TOPIC);
    sources.default_to("max-attempts", "5");
    sources.default_to("allow-private", LOOPBACK);
    // They are built here, so they are the author's own.
    sources.default_to("grants", "* all");
    sources.default_to("signing-keys", KEY);
    sources.default_to("grace", "3s");
    sources.default_to("handlers", built.display().to_string());
    let config = Config::read(sources).map_err(Failure::misused)?;
    let _last_lines = telemetry::init(&config.log).map_err(anyhow::Error::from)?;
    // A store's releases are not built here.
    let builds = config.handlers == HandlerSource::Folder(built.clone());
    if builds {
        Project::find(&dir).map_err(Failure::misused)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let drained = runtime.block_on(run(flags, config, &data, builds.then_some(&dir)));
    // What still blocks a thread has nobody left who waits for it.
    runtime.shutdown_background();
    let drained = drained?;
    Ok(if drained == Drained::Fully { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs everything. `sources` is the folder of the projects to build, where some are to be.
async fn run(
    flags: &ArgMatches,
    mut config: Config,
    data: &Path,
    sources: Option<&PathBuf>,
) -> anyhow::Result<Drained> {
    let mut shutdown = Box::pin(shutdown_signal()?);
    let port = |name: &str| flags.get_one::<u16>(name).copied().unwrap_or_default();
    let address = config.listen.ip();
    let host = bind(config.listen, "--port").await?;
    let publishers = bind(SocketAddr::new(address, port("broker-port")), "--broker-port").await?;
    let sends = bind(SocketAddr::new(address, port("sink-port")), "--sink-port").await?;
    let (host_address, broker_address, sink_address) =
        (host.local_addr()?, publishers.local_addr()?, sends.local_addr()?);

    let mut broker_config =
        BrokerConfig::new(data.to_owned(), format!("http://{host_address}/events"), SUBSCRIPTION.into());
    // What the host can't give up by itself (an event that nobody signed, say), the broker gives up, as a subscription's
    // own policy would.
    broker_config.max_attempts = config.dead_letter.max_attempts.unwrap_or(u32::MAX);
    broker_config.ack_deadline = Duration::from_secs(flags.get_one::<u64>("ack-deadline").copied().unwrap_or(10));
    let dead_letter = broker_config.dead_letter.clone();
    // It has one process at a time: from here on, DATA is this one's.
    let broker = Broker::open(broker_config)?;
    let workshop = sources.map(|dir| Workshop::open(dir, data.join(BUILT))).transpose()?;
    // It listens on every address where it is told to, and is reached at one.
    let sink_address = reachable(sink_address);
    // No event of this machine's goes to a topic of a cloud by accident.
    config.publishing.emulator = Some(reachable(broker_address).to_string().parse()?);
    config.outgoing.allow_private.push(sink_address.to_string().parse()?);
    config.handler_values.map_values(|value| value.replace("{sink}", &format!("http://{sink_address}")));
    let sink = Sink::new(NonZeroUsize::new(KEPT_MESSAGES).unwrap_or(NonZeroUsize::MIN));

    // Each ends when its sender is dropped.
    let (stop, stopped) = watch::channel(());
    let until_stopped = || {
        let mut stopped = stopped.clone();
        async move { _ = stopped.changed().await }
    };
    let (close, mut closed) = watch::channel(());
    let taking = tokio::spawn({
        let broker = broker.clone();
        async move { broker.serve_publishers(publishers, async { _ = closed.changed().await }).await }
    });
    let sinking = tokio::spawn({
        let stop = until_stopped();
        async move { sink.serve(sends, stop).await }
    });
    // Events are taken from the first moment on and pushed only once there are handlers: a push before would be nacked.
    let built = async {
        if let Some(workshop) = &workshop {
            workshop.build_all().await;
        }
        App::build(&config).await
    };
    let app = tokio::select! {
        app = built => app?,
        // What is being built is given up, cargo with it.
        () = &mut shutdown => {
            drop((stop, close));
            end([taking, sinking]).await?;
            return Ok(Drained::Fully);
        }
    };
    let watching = workshop.map(|workshop| tokio::spawn(workshop.watch()));
    let pushing = tokio::spawn({
        let (broker, stop) = (broker.clone(), until_stopped());
        async move { broker.deliver(stop).await }
    });
    Banner {
        host: host_address,
        broker: broker_address,
        sink: sink_address,
        dead_letter: &dead_letter,
        handlers: app.registry().snapshot().handlers().count(),
    }
    .show(crate::wants_json(flags));

    // The broker stops with the host's first step towards its end: a push that the host refuses would be a nack.
    let shutdown = async move {
        shutdown.await;
        drop(stop);
    };
    let drained = app.serve(host, shutdown).await;
    // Events are taken until the last handler is done: it may have published some.
    drop(close);
    if let Some(watching) = watching {
        watching.abort();
    }
    end([taking, sinking, pushing]).await?;
    Ok(drained)
}

/// The address at which this machine reaches a server of its own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Waits for tasks that were told to stop.
async fn end(tasks: impl IntoIterator<Item = JoinHandle<()>>) -> anyhow::Result<()> {
    for task in tasks {
        task.await?;
    }
    Ok(())
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("can't listen on {address}; choose another port with {flag}"))
}
