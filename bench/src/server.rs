//! A server that was started for a measurement, and never outlives it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take until it accepts connections.
const START: Duration = Duration::from_secs(120);
/// How often one that starts is tried.
const LOOK: Duration = Duration::from_micros(200);

/// A running server. It is killed when this is dropped: nothing that it has is needed after.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts what `command` makes of a port, and waits until it accepts connections there. Its standard output is
    /// dropped; its standard error goes where ours goes.
    ///
    /// # Errors
    /// Where it can't be started, ends, or takes too long.
    pub(crate) fn start(command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let port = free_port()?;
        let mut command = command(port);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.with_context(|| format!("{command:?} can't be started"))?;
        let mut server = Self { child, port };
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} has ended: {status}");
            }
            if start.elapsed() > START {
                bail!("{command:?} accepts no connection after {} s", START.as_secs());
            }
            sleep(LOOK);
        }
        Ok(server)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A port of this machine on which nobody listens just now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
