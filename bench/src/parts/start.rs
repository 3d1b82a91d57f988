//! Cold starts, and the sizes of what is started.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::bench::Bench;
use crate::contender::Contender;
use crate::event::EVENT_TYPE;
use crate::first::acknowledged;
use crate::peers;
use crate::report::{Bar, Section, Table, bars, milliseconds, number};
use crate::round::Spread;

/// Handlers that a host is started with, and by what the number of its starts is divided where it has to compile them.
const HANDLERS: [(usize, usize); 3] = [(1, 1), (10, 2), (100, 4)];

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let starts = bench.scale.starts;
    let mut all = vec![(Contender::native(&bench.programs), starts)];
    for (count, _) in HANDLERS.into_iter().filter(|(count, _)| *count <= bench.scale.most) {
        all.push((bench.host(&format!("host, {}, compiled ahead of time", of(count)), count, &[])?, starts));
    }
    for (count, fewer) in HANDLERS.into_iter().filter(|(count, _)| *count <= bench.scale.most) {
        let name = format!("host, {}, compiled at the start", of(count));
        let host = Contender::host(&name, &bench.programs, bench.in_folder(count)?, &[]);
        all.push((host, starts.div_ceil(fewer)));
    }
    all.extend(peers::all(&bench.peers).into_iter().filter_map(|peer| Some((peer.contender.ok()?, starts))));
    all.retain(|(contender, _)| bench.wants(&contender.name));
    let mut times = vec![Vec::new(); all.len()];
    for round in 0..starts {
        for ((contender, starts), times) in all.iter().zip(&mut times).filter(|((_, starts), _)| round < *starts) {
            let event = bench.factory.event(EVENT_TYPE, 100);
            let time = acknowledged(contender, &event)?.as_secs_f64();
            println!("{}: start {} of {starts}: {} ms", contender.name, round + 1, number(time * 1e3));
            times.push(time);
        }
    }
    let mut table = Table::new(["from the start of the process to the first event acknowledged", "ms", "starts"]);
    let (mut plot, mut figures) = (Vec::new(), Vec::new());
    for ((contender, starts), times) in all.iter().zip(&times) {
        let spread = Spread::of(times.iter().copied()).context("no starts")?;
        table.row([contender.name.clone(), milliseconds(spread), starts.to_string()]);
        plot.push(Bar { name: contender.name.clone(), figure: spread.median * 1e3 });
        figures.push(json!({ "name": contender.name, "seconds": times }));
    }
    let sizes = sizes(&bench.programs);
    let svg = bars("From the start of the process to the first event acknowledged", "ms", &plot)?;
    let text = format!("{table}\n{sizes}\n");
    Ok(Section {
        name: "start",
        text,
        figures: json!({ "starts": figures, "sizes": sizes }),
        plots: vec![("start", svg)],
    })
}

fn of(count: usize) -> String {
    if count == 1 { "1 handler".to_owned() } else { format!("{count} handlers") }
}

/// A sentence about the sizes of the host's program and of its image.
fn sizes(programs: &Path) -> String {
    let program = match std::fs::metadata(programs.join("tidemill-host")) {
        Ok(file) => format!("The host's program has {} MB.", number(file.len() as f64 / 1e6)),
        Err(error) => format!("The host's program can't be read: {error}."),
    };
    let image = match image_size() {
        Some(size) => format!("Its image has {size}."),
        None => "Its image was not built here.".to_owned(),
    };
    format!("{program} {image}")
}

/// The size of the image that `cargo xtask image` has left, as buildah writes it.
fn image_size() -> Option<String> {
    let folder = std::path::absolute("target/image").ok().filter(|folder| folder.join("storage").is_dir())?;
    let mut command = Command::new("buildah");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("state"));
    command.args(["--storage-driver", "vfs", "images", "--format", "{{.Size}}", "localhost/tidemill-host"]);
    let listed = command.output().ok().filter(|listed| listed.status.success())?;
    Some(String::from_utf8(listed.stdout).ok()?.trim().to_owned())
}
