//! What Google's client says went wrong, in the terms of [`PublishError`].

use std::error::Error;
use std::time::Duration;

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::error::{CredentialsError, Error as RpcError};
use google_cloud_pubsub::error::PublishError as ClientError;

use super::TopicName;
use crate::PublishError;

pub(super) fn timeout(topic: &TopicName, limit: Duration) -> PublishError {
    PublishError::Timeout { destination: topic.to_string(), limit }
}

pub(super) fn unreachable(topic: &TopicName, source: impl Into<Box<dyn Error + Send + Sync>>) -> PublishError {
    PublishError::Unreachable { destination: topic.to_string(), source: source.into() }
}

pub(super) fn from_client(topic: &TopicName, ordering_key: String, error: &ClientError) -> PublishError {
    match error {
        ClientError::Rpc(error) => from_rpc(topic, error),
        ClientError::OrderingKeyPaused => PublishError::HeldBack { topic: topic.to_string(), ordering_key },
        other => unreachable(topic, describe(other)),
    }
}

fn from_rpc(topic: &TopicName, error: &RpcError) -> PublishError {
    let error = last_attempt(error);
    if let Some(status) = error.status() {
        return PublishError::Topic {
            topic: topic.to_string(),
            code: status.code.name(),
            reason: status.message.clone(),
            retryable: may_pass(status.code),
        };
    }
    if error.is_authentication() {
        let retryable = sources(error)
            .find_map(|error| error.downcast_ref::<CredentialsError>())
            .is_some_and(CredentialsError::is_transient);
        // The client wraps the cause in several pages of general advice.
        let cause = sources(error).find(|error| !error.is::<RpcError>() && !error.is::<CredentialsError>());
        return PublishError::Credentials {
            topic: topic.to_string(),
            reason: describe(cause.unwrap_or(error)),
            retryable,
        };
    }
    unreachable(topic, describe(error))
}

/// The error of the last attempt, out of the one that says that there were no more attempts.
fn last_attempt(error: &RpcError) -> &RpcError {
    let inner = error.is_exhausted().then(|| error.source()?.downcast_ref::<RpcError>()).flatten();
    inner.map_or(error, last_attempt)
}

/// Whether a status may pass without anybody changing anything: those that Pub/Sub's documentation tells to retry.
fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Aborted
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::ResourceExhausted
            | Code::Unavailable
            | Code::Unknown
    )
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| Error::source(*error))
}

/// An error and what caused it, in one line, without what a cause merely repeats.
fn describe(error: &(dyn Error + 'static)) -> String {
    sources(error).map(ToString::to_string).fold(String::new(), |line, next| {
        if line.is_empty() {
            next
        } else if line.contains(&next) {
            line
        } else {
            format!("{line}: {next}")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use google_cloud_gax::error::rpc::Status;

    use super::*;

    fn translate(error: RpcError) -> PublishError {
        from_client(&"projects/shop/topics/events".parse().unwrap(), String::new(), &ClientError::Rpc(Arc::new(error)))
    }

    fn status(code: Code) -> RpcError {
        RpcError::service(Status::default().set_code(code).set_message("as the broker put it"))
    }

    #[test]
    fn a_status_keeps_its_code_and_what_the_broker_said() {
        let error = translate(status(Code::NotFound));
        assert_eq!(
            error.to_string(),
            "projects/shop/topics/events refused the event with NOT_FOUND: as the broker put it (create the topic, or correct its name)"
        );
        assert!(!error.is_retryable());
        assert!(translate(status(Code::Unavailable)).is_retryable());
        assert!(!translate(status(Code::PermissionDenied)).is_retryable());
    }

    #[test]
    fn the_last_attempt_speaks_for_all() {
        let error = translate(RpcError::exhausted(RpcError::exhausted(status(Code::Unavailable))));
        assert!(matches!(error, PublishError::Topic { code: "UNAVAILABLE", .. }), "{error:?}");
    }

    #[test]
    fn missing_credentials_are_named_as_such() {
        let error = translate(RpcError::authentication(CredentialsError::from_msg(false, "no metadata server")));
        assert!(matches!(error, PublishError::Credentials { retryable: false, .. }), "{error:?}");
        assert!(error.to_string().contains("no metadata server"), "{error}");
        let error = translate(RpcError::authentication(CredentialsError::from_msg(true, "busy")));
        assert!(error.is_retryable());
    }

    #[test]
    fn a_held_back_event_names_its_key() {
        let topic = "projects/shop/topics/events".parse().unwrap();
        let error = from_client(&topic, "user-7".into(), &ClientError::OrderingKeyPaused);
        assert!(error.is_retryable() && error.to_string().contains("\"user-7\""), "{error}");
    }
}
