use std::ops::Deref;

use crate::{Delivery, Event};

/// A value whose signature was checked. Only this crate makes one, so to hold one is the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

/// An event together with the delivery that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What the publisher emitted.
    pub event: Event,
    /// What this delivery adds.
    pub delivery: Delivery,
}

impl<T> Verified<T> {
    pub(super) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. It is no longer marked as verified.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
