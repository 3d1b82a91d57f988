//! The field: everybody who is measured beside the bare server, and those who are missing.

use anyhow::Result;

use crate::bench::Bench;
use crate::contender::Contender;
use crate::peers;

/// Who is measured.
pub(crate) struct Field {
    /// The bare server first.
    pub(crate) contenders: Vec<Contender>,
    /// Who would be, and why they aren't.
    pub(crate) skipped: Vec<(String, String)>,
}

impl Field {
    /// All who are asked for.
    ///
    /// # Errors
    /// Where the host's handlers can't be put in place.
    pub(crate) fn of(bench: &Bench) -> Result<Self> {
        let mut field = Self { contenders: vec![Contender::native(&bench.programs)], skipped: Vec::new() };
        for (name, settings) in [("host", &[][..]), ("host, log-level=warn", &["--log-level", "warn"])] {
            let host = Contender::host(name, &bench.programs, bench.in_folder(1)?, settings);
            field.contenders.push(host);
        }
        let settings = ["--log-level", "warn", "--grant", "* reuse=1000"];
        let reusing = Contender::host("host, reuse=1000", &bench.programs, bench.reusing(1000)?, &settings);
        field.contenders.push(reusing);
        for peer in peers::all(&bench.peers).into_iter().filter(|peer| bench.wants(peer.name)) {
            match peer.contender {
                Ok(contender) => field.contenders.push(contender),
                Err(error) => field.skip(peer.name, &error),
            }
        }
        field.contenders.retain(|contender| bench.wants(&contender.name));
        Ok(field)
    }

    fn skip(&mut self, name: &str, why: &anyhow::Error) {
        println!("SKIPPED {name}: {why:#}");
        self.skipped.push((name.to_owned(), format!("{why:#}")));
    }
}
