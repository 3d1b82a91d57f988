use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker};

use super::bindings::publisher;
use crate::publishing::{NewEvent, Outbox, Refused};
use crate::runtime::interface::Interface;
use crate::runtime::output::{Capability, Remarks};
use crate::runtime::state::GuestState;

/// Bytes of a text that a refusal quotes: enough for the 64 characters that it shows.
const SHOWN: usize = 256;

/// What is published for one event.
pub(in crate::runtime) struct Publisher {
    outbox: Outbox,
    remarks: Remarks,
    told: bool,
}

struct HasPublisher;

impl HasData for HasPublisher {
    type Data<'a> = &'a mut Publisher;
}

/// Lets guests import `tidemill:handler/publisher`, in each version that is served. They differ in their names alone.
pub(in crate::runtime) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    publisher::add_to_linker::<_, HasPublisher>(linker, GuestState::publisher)?;
    let publish = |mut store: StoreContextMut<'_, GuestState>, (event,): (publisher::NewEvent,)| {
        Ok((publisher::Host::publish(store.data_mut().publisher(), event),))
    };
    linker.instance(&Interface::Last.name_of("publisher"))?.func_wrap("publish", publish)
}

impl Publisher {
    pub(in crate::runtime) fn new(outbox: Outbox, remarks: Remarks) -> Self {
        Self { outbox, remarks, told: false }
    }

    /// What it holds so far. From then on it takes nothing more.
    pub(in crate::runtime) fn take_outbox(&mut self) -> Outbox {
        std::mem::replace(&mut self.outbox, Outbox::new(Vec::new(), None))
    }
}

impl publisher::Host for Publisher {
    fn publish(&mut self, event: publisher::NewEvent) -> Result<String, publisher::Refusal> {
        let publisher::NewEvent { event_type, data, content_type, ordering_key, attributes } = event;
        let attributes = attributes.into_iter().map(|attribute| (attribute.name, attribute.value)).collect();
        let put = self.outbox.put(NewEvent { event_type, data, content_type, ordering_key, attributes });
        put.map_err(|refused| {
            self.remarks.count(Capability::Publish);
            // Also for the guest, which would print half of a secret where a quote ends within it.
            let refused = refused.showing(|text| self.remarks.show(text, SHOWN));
            // What follows is as a rule the same again.
            if !std::mem::replace(&mut self.told, true) && self.remarks.may_say() {
                tracing::warn!("refused to publish an event: {refused}; what else this event is refused is not logged");
            }
            refused.into()
        })
    }
}

impl From<Refused> for publisher::Refusal {
    fn from(refused: Refused) -> Self {
        let reason = refused.to_string();
        match refused {
            Refused::NotGranted(_) => Self::NotGranted(reason),
            Refused::TooManyEvents | Refused::TooManyDescendants | Refused::TooManyBytes(_) => Self::TooMany(reason),
            Refused::Unpublishable(_)
            | Refused::Reserved(_)
            | Refused::Repeated(_)
            | Refused::TooManyAttributes(_)
            | Refused::Loading => Self::Unpublishable(reason),
        }
    }
}
