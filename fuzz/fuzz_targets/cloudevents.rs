//! A CloudEvent in structured mode, against what another reader of JSON finds in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;
use tidemill_events::Envelope;

fuzz_target!(|body: &[u8]| {
    let headers = [("content-type", b"application/cloudevents+json".as_slice())];
    let envelope = match Envelope::from_request(headers, body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let error = error.to_string();
            assert!(error.len() < 1000, "an error repeats more of the event than it should: {error}");
            return;
        }
    };
    serde_json::from_slice::<IgnoredAny>(body).expect("what was read is JSON");
    // Too deep, or a number beyond any float: JSON all the same, which this reader doesn't take.
    let Ok(event) = serde_json::from_slice::<Value>(body) else { return };
    assert_eq!(envelope.delivery.source.as_deref(), event["source"].as_str());
    if event["type"] == "google.cloud.pubsub.topic.v1.messagePublished" {
        return;
    }
    let Envelope { message, delivery } = envelope;
    assert_eq!(Some(delivery.message_id.as_str()), event["id"].as_str());
    assert_eq!(message.attributes.get("ce-type").map(String::as_str), event["type"].as_str());
    match event.get("data") {
        None => assert!(event.get("data_base64").is_some_and(Value::is_string) || message.data.is_empty()),
        Some(Value::String(text)) if message.data == text.as_bytes() => {}
        Some(data) => assert_eq!(&serde_json::from_slice::<Value>(&message.data).expect("the data are JSON"), data),
    }
});
