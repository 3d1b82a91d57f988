use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// The ports of the demo: those that the documentation names, or any other where one is taken.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) host: u16,
    pub(super) broker: u16,
    pub(super) sink: u16,
    pub(super) api: u16,
}

impl Ports {
    /// Chooses. The ports are free when this returns; whoever takes one in between makes a start fail, in words.
    pub(super) fn choose() -> Result<Self> {
        // All at once, so that no port is given twice.
        let [host, broker, sink, api] = [8080, 8085, 8025, 8081].map(listen);
        let port = |listener: Result<TcpListener>| Ok::<_, anyhow::Error>(listener?.local_addr()?.port());
        Ok(Self { host: port(host)?, broker: port(broker)?, sink: port(sink)?, api: port(api)? })
    }
}

fn listen(preferred: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no port is free on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let taken = listen(0).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(listen(port).unwrap().local_addr().unwrap().port(), port);
    }
}
