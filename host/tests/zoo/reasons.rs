//! What a guest hands over at its end is looked at beyond its deadline: so little of it is.

use std::sync::Arc;
use std::time::Duration;

use tidemill_events::Received;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{Captured, ConfigValue, Ending, Grant, Limits, Runtime, RuntimeConfig};

use crate::{common, component};

/// Bytes of a reason that are kept.
const KEPT: usize = 4 << 10;

/// Half a secret over and over is what costs most to look for.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_reason_as_long_as_a_memory_no_more_is_kept_than_is_told() {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let runtime = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 64 << 20, outgoing }).unwrap();
    let limits = Limits { memory: 64 << 20, data: 64 << 20, ..Limits::default() };
    let secret = ConfigValue::new(format!("{}b", "a".repeat(99)).into(), true);
    let masked = Grant { limits, config: [("key".to_owned(), secret)].into_iter().collect(), ..Grant::default() };
    for grant in [Grant { limits, ..Grant::default() }, masked] {
        let wasm = component::long_reason(&"a".repeat(100), 32 << 20);
        let component = tokio::task::block_in_place(|| runtime.load(&wasm, &grant)).unwrap();
        let received = Received::unverified(common::event("zoo", b"{}"), common::delivery());
        let surroundings = common::surroundings(Arc::new(Captured::default()));
        let ran = component.invoke(&received, None, &grant, Duration::from_secs(60), &surroundings).await;
        let Ending::Reject { reason } = ran.ending else { panic!("{:?}", ran.ending) };
        assert_eq!(reason, format!("{}…", "a".repeat(KEPT)));
    }
}
