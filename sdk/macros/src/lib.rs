//! The attribute of `tidemill-sdk` that makes a function a handler. Use it through that crate.

mod expand;

use proc_macro::TokenStream;

/// Makes a function the handler of this component.
///
/// The function takes one `Event<T>` and gives `Result<(), Failure>`. It may be async. There is one handler in a crate,
/// whose type is `cdylib`.
///
/// ```ignore
/// #[tidemill_sdk::handler]
/// async fn welcome(event: Event<Registered>) -> Result<(), Failure> { … }
/// ```
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
