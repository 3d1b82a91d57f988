//! What the targets share: how they take their input, and how it is changed where changing bytes would lead nowhere.

mod compact;
mod request;

pub use compact::mutate_token;
pub use request::Request;
