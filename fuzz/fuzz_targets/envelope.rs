//! A whole request, in whichever form its headers claim.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_events::{Envelope, Form};
use tidemill_fuzz::Request;

fuzz_target!(|input: &[u8]| {
    let Request { headers, body } = Request::new(input);
    let envelope = match Envelope::from_request(headers.iter().copied(), body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let error = error.to_string();
            assert!(error.len() < 1000, "an error repeats more of the request than it should: {error}");
            return;
        }
    };
    let Envelope { message, delivery } = &envelope;
    assert_eq!(delivery.source.is_some(), delivery.form == Form::CloudEvent);
    assert!(delivery.form != Form::Unwrapped || !message.attributes.contains_key("authorization"));
    // A message survives another way: what is read in any form is the same once it is wrapped.
    if from_wrapped(&envelope) {
        assert_eq!(&Envelope::decode(&envelope.encode()).expect("what was encoded here").message, message);
    }
});

/// Whether it can be wrapped: an event of another source may have longer attributes.
fn from_wrapped(envelope: &Envelope) -> bool {
    !envelope.message.attributes.contains_key("ce-specversion")
}
