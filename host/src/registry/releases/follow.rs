use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::{Notify, oneshot};

use super::super::{Digest, Registry, Trial};
use super::loaded::Loaded;
use super::loading::Unserved;
use super::report::EVERY;
use super::{Releases, cache};
use crate::store::{Live, Look, Release, Store};

/// The longest pause before a release that can't be served yet is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How far the state of a host has come, behind a store.
pub(super) struct Following {
    pub(super) releases: Releases,
    pub(super) registry: Arc<Registry>,
    loaded: Loaded,
    /// What the last look found live.
    pub(super) seen: Option<Live>,
    /// What serves.
    pub(super) serving: Option<Release>,
    /// The artifacts that are known to be in the cache.
    kept: BTreeSet<Digest>,
    /// Whether what was seen is settled: it serves, or can't be served here.
    settled: bool,
    /// How often what was seen was tried in vain, and when it is tried again.
    tries: u32,
    again: Option<Instant>,
    /// Why what was seen isn't served.
    refused: Option<String>,
    /// Why something else serves than what should, as last logged and reported.
    pub(super) trouble: Option<String>,
    reported: Option<Instant>,
    values_read: Instant,
}

impl Following {
    pub(super) fn new(releases: Releases, registry: Arc<Registry>) -> Self {
        Self {
            releases,
            registry,
            loaded: Loaded::default(),
            seen: None,
            serving: None,
            kept: BTreeSet::new(),
            settled: false,
            tries: 0,
            again: None,
            refused: None,
            trouble: None,
            reported: None,
            values_read: Instant::now(),
        }
    }

    /// Follows until it is stopped. `begun` is told when the first try is over.
    pub(super) async fn run(mut self, begun: oneshot::Sender<()>, stopped: &Notify) {
        // What sleeps with its processor drifts: who brings an event looks whether this looked in time.
        self.registry.stale_after(self.releases.poll * 2);
        self.look().await;
        if self.serving.is_none() && self.trouble.is_some() {
            self.start_from_cache().await;
        }
        self.tell(true).await;
        _ = begun.send(());
        loop {
            // Jittered, so that hosts which began together don't ask together for ever.
            let pause = self.releases.poll.mul_f64(rand::rng().random_range(0.8..1.2));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.registry.stirred() => {}
                () = stopped.notified() => break,
            }
            self.have_canaries_dropped().await;
            let changed = self.look().await;
            self.reload_values();
            self.tell(changed).await;
        }
        // Nobody waits long for a host that ends.
        let removed =
            tokio::time::timeout(Duration::from_secs(2), self.releases.store.remove_report(&self.releases.host));
        _ = removed.await;
    }

    /// Looks at what is live, and serves it where that is something else. Says whether anything is different since.
    async fn look(&mut self) -> bool {
        let (serving, trouble) = (self.serving.as_ref().map(|release| release.number), self.trouble.clone());
        // What can't be served yet is tried again when its time has come, and until then is no news.
        let waits = self.settled || self.again.is_some_and(|at| at > Instant::now());
        let known = if waits { self.seen.as_ref() } else { None };
        match self.releases.store.look(known).await {
            Ok(Look::Same) => self.clear(),
            Ok(Look::Empty) => self.say("nothing was ever made live in the store".to_owned()),
            Ok(Look::Live(live)) => {
                if self.seen.as_ref().is_none_or(|seen| seen.release != live.release) {
                    (self.tries, self.refused) = (0, None);
                }
                self.seen = Some(live);
                self.serve_what_was_seen().await;
            }
            Err(error) => self.say(error.to_string()),
        }
        self.registry.looked();
        serving != self.serving.as_ref().map(|release| release.number) || trouble != self.trouble
    }

    async fn serve_what_was_seen(&mut self) {
        let Some(live) = &self.seen else { return };
        let number = live.release;
        if self.serving.as_ref().is_some_and(|serving| serving.number == number) {
            self.settled = true;
            return self.clear();
        }
        let release = match self.releases.store.release(number).await {
            Ok(release) => release,
            Err(error) => {
                self.put_off();
                return self.refuse(error.to_string());
            }
        };
        match self.serve(release, &self.releases.store.clone()).await {
            Ok(()) => {
                (self.settled, self.refused) = (true, None);
                self.clear();
                self.keep_in_cache().await;
            }
            Err(unserved) => {
                self.settled = !unserved.may_pass();
                self.put_off();
                self.refuse(format!("release {number} is not served here: {unserved}"));
            }
        }
    }

    /// Has the release that was seen be tried again after a pause that doubles each time: trying takes downloads.
    fn put_off(&mut self) {
        let pause = self.releases.poll.saturating_mul(1 << self.tries.min(16)).min(LONGEST_PAUSE);
        self.tries = self.tries.saturating_add(1);
        self.again = Some(Instant::now() + pause);
    }

    /// Says why the release that was seen isn't served.
    fn refuse(&mut self, why: String) {
        self.refused = Some(why.clone());
        self.say(why);
    }

    /// Loads what a release needs and puts it in the place of what serves, all at once.
    async fn serve(&mut self, release: Release, store: &Store) -> Result<(), Unserved> {
        let start = Instant::now();
        let snapshot = self.loaded.snapshot(&release, store, &self.releases.loader, &self.trials()).await;
        // Of releases that can't be served, what could be loaded doesn't pile up.
        let snapshot = snapshot.inspect_err(|_| self.loaded.keep([self.serving.as_ref(), Some(&release)]))?;
        self.registry.replace(snapshot);
        tracing::info!(
            release = release.number.0,
            handlers = release.handlers.len(),
            load_ms = start.elapsed().as_millis() as u64,
            "release {} is live here: by {}{}",
            release.number,
            release.by,
            if release.why.is_empty() { String::new() } else { format!(", {}", release.why) }
        );
        let before = self.serving.replace(release);
        self.loaded.keep([self.serving.as_ref(), before.as_ref()]);
        Ok(())
    }

    fn trials(&self) -> Vec<Arc<Trial>> {
        self.registry.snapshot().trials().map(Arc::clone).collect()
    }

    async fn keep_in_cache(&mut self) {
        let (Some(folder), Some(release)) = (&self.releases.cache, &self.serving) else { return };
        let Releases { store, loader, .. } = &self.releases;
        if let Err(error) = cache::keep(folder, release, store, loader, &mut self.kept).await {
            tracing::warn!("the release can't be kept for a start without the store (setting `store-cache`): {error}");
        }
    }

    async fn start_from_cache(&mut self) {
        let Some(folder) = self.releases.cache.clone() else { return };
        match cache::kept(&folder).await {
            Ok(Some((release, cache))) => {
                let number = release.number;
                match self.serve(release, &cache).await {
                    Ok(()) => tracing::warn!(
                        "release {number} serves, as it was kept in {}; what is live now is not known",
                        folder.display()
                    ),
                    Err(unserved) => tracing::error!(
                        "release {number}, as it was kept in {}, can't be served: {unserved}",
                        folder.display()
                    ),
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!("what was kept for a start without the store can't be read: {error}"),
        }
    }

    fn reload_values(&mut self) {
        let due = self.releases.loader.terms.values.reload().is_some_and(|reload| self.values_read.elapsed() >= reload);
        if !due {
            return;
        }
        self.values_read = Instant::now();
        if let (true, Some(release)) = (self.loaded.reload_values(&self.releases.loader), &self.serving)
            && let Ok(snapshot) = self.loaded.assemble(release, &self.trials())
        {
            self.registry.replace(snapshot);
        }
    }

    /// Says once why what should serve doesn't.
    fn say(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            let meanwhile = match &self.serving {
                Some(release) => format!("release {} goes on serving", release.number),
                None => "nothing serves".to_owned(),
            };
            tracing::error!("{trouble}; {meanwhile}");
            self.trouble = Some(trouble);
        }
    }

    /// The store answers: what is wrong now, if anything, is the release's own.
    fn clear(&mut self) {
        if let Some(why) = self.refused.clone() {
            return self.say(why);
        }
        if self.settled
            && self.seen.as_ref().map(|live| live.release) == self.serving.as_ref().map(|release| release.number)
            && self.trouble.take().is_some()
        {
            tracing::info!("what is live in the store serves again");
        }
    }

    /// Tells the store what serves here, where that has changed, or now and then.
    async fn tell(&mut self, changed: bool) {
        let due = self.reported.is_none_or(|at| at.elapsed() >= Duration::from_secs(EVERY));
        if !changed && !due {
            return;
        }
        match self.releases.store.put_report(&self.report()).await {
            Ok(()) => self.reported = Some(Instant::now()),
            // It is no trouble of what serves, and the store's being away is said already.
            Err(error) => tracing::debug!("what serves here can't be told: {error}"),
        }
    }
}
