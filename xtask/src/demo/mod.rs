//! `demo`: the whole loop on this machine, played once from a user's request to the mail.
//!
//! All that it writes is under `target/demo`. The handlers that it builds, and changes, are a copy.

mod api;
mod build;
mod dev;
mod ports;
mod scenario;
mod story;
mod workshop;

use std::fs::{self, File};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::setup;
use crate::tools::root;
use api::Api;
use dev::Dev;
use ports::Ports;
use story::Story;
use workshop::Workshop;

/// Plays the demo; then stays until Ctrl-C, unless it is to run only `once`.
pub(crate) fn main(once: bool) -> Result<()> {
    let story = Story::begin();
    let interrupt = Interrupt::listen()?;
    let folder = root().join("target/demo");
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let _alone = lock(&folder)?;

    story.chapter("Set up");
    setup::guest_target()?;
    setup::c_compiler()?;
    let workshop = Workshop::open(&folder)?;
    story.tell("the toolchain, the WebAssembly target and a C compiler are there");

    story.chapter("Build");
    story.tell("tidemill and user-api here, the handlers beside; a first build takes minutes");
    let programs = build::all(&interrupt, &workshop, &folder)?;

    story.chapter("Start");
    let ports = Ports::choose()?;
    let mut dev = Dev::start(&interrupt, &programs.tidemill, &workshop, &ports, &folder)?;
    story.tell(&format!("tidemill dev, process {}: host, stand-in for Pub/Sub, mail and push sink", dev.pid()));
    let mut api = Api::start(&interrupt, &programs.user_api, &dev, ports.api, &folder)?;
    story.tell(&format!("user-api, process {}: http://127.0.0.1:{}", api.pid(), ports.api));

    scenario::play(&story, &interrupt, &mut dev, &mut api, &workshop)
        .with_context(|| format!("the demo did not get through; its logs are in {}", folder.display()))?;

    if !once {
        where_to_look(&story, &ports, &workshop, &folder);
        stay(&story, &interrupt, &mut dev, &mut api)?;
    }
    story.chapter("Stop");
    for (name, status) in [("user-api", api.stop()?), ("tidemill dev", dev.stop()?)] {
        story.tell(&format!("{name}: {status}"));
        if !status.success() {
            bail!("{name} did not end as it should after SIGTERM: {status}");
        }
    }
    Ok(())
}

/// One demo at a time: two would write the same files.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("{} can't be written", path.display()))?;
    file.try_lock().with_context(|| format!("another demo seems to be running: {} is locked", path.display()))?;
    Ok(file)
}

fn where_to_look(story: &Story, ports: &Ports, workshop: &Workshop, folder: &Path) {
    let (api, sink) = (ports.api, ports.sink);
    let (handlers, folder) = (workshop.handlers(), folder.display());
    story.chapter("Where to look");
    story.tell(&format!("mail and push     http://127.0.0.1:{sink}/"));
    story.tell(&format!("handlers to edit  {} (a copy; what you save is live after a moment)", handlers.display()));
    story.tell(&format!("events, dead      {folder}/data"));
    story.tell(&format!("logs              {folder}/tidemill.log, {folder}/user-api.log"));
    story.tell("one more user     curl --json '{\"email\":\"me@example.com\",\"name\":\"Me\"}' \\");
    story.tell(&format!("                    http://127.0.0.1:{api}/register"));
    story.tell("");
    story.tell("All of it runs until Ctrl-C. What tidemill logs meanwhile:");
}

/// Shows what happens until Ctrl-C. Fails where a program ends before.
fn stay(story: &Story, interrupt: &Interrupt, dev: &mut Dev, api: &mut Api) -> Result<()> {
    // The scenario's were told already.
    drop(dev.new_lines());
    while !interrupt.raised() {
        for line in dev.new_lines() {
            story.tell(&line);
        }
        if let Err(error) = dev.check().and_then(|()| api.check()) {
            bail!("the loop broke: {error:#}");
        }
        sleep(Duration::from_millis(100));
    }
    println!();
    Ok(())
}
