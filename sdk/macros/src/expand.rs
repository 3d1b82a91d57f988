use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Signature};

/// The function as it was, and the export that calls it.
///
/// # Errors
/// Where the item is no function of the due form. The error points at what is in the way.
pub(crate) fn handler(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[handler]` takes no arguments: the manifest has the event types"));
    }
    let function: ItemFn = syn::parse2(item).map_err(|error| {
        Error::new(error.span(), "`#[handler]` stands on a function: `fn name(event: Event<T>) -> Result<(), Failure>`")
    })?;
    let parameter = check(&function.sig)?;

    let name = &function.sig.ident;
    let handle = if function.sig.asyncness.is_some() { quote!(handle_async) } else { quote!(handle) };
    // With the span of the parameter, a wrong type is shown there and not at the attribute.
    let call = quote_spanned!(parameter.span()=> ::tidemill_sdk::__private::#handle(event, super::#name));
    Ok(quote! {
        #function

        #[doc(hidden)]
        mod __tidemill_handler {
            struct Handler;

            impl ::tidemill_sdk::__private::Guest for Handler {
                fn handle(
                    event: ::tidemill_sdk::__private::Event,
                ) -> ::core::result::Result<(), ::tidemill_sdk::__private::Failure> {
                    #call
                }
            }

            ::tidemill_sdk::bindings::export!(Handler with_types_in ::tidemill_sdk::bindings);
        }
    })
}

/// The one parameter of a function that can be a handler.
fn check(signature: &Signature) -> Result<&FnArg, Error> {
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a handler has no generics: name the type of its data"));
    }
    let mut parameters = signature.inputs.iter();
    match (parameters.next(), parameters.next()) {
        (Some(event @ FnArg::Typed(_)), None) => Ok(event),
        (Some(FnArg::Receiver(this)), _) => Err(Error::new_spanned(this, "a handler is a free function, not a method")),
        (None, _) => Err(Error::new_spanned(signature, "a handler takes the event: `event: Event<T>`")),
        (Some(_), Some(more)) => Err(Error::new_spanned(more, "a handler takes the event and nothing more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(item: TokenStream) -> String {
        handler(TokenStream::new(), item).unwrap_err().to_string()
    }

    #[test]
    fn the_function_stays_and_is_called_as_what_it_is() {
        let sync = handler(
            TokenStream::new(),
            quote!(
                fn f(e: Event) -> Result<(), Failure> {
                    Ok(())
                }
            ),
        )
        .unwrap();
        let text = sync.to_string();
        assert!(text.starts_with("fn f (e : Event)"), "{text}");
        assert!(text.contains("handle (event , super :: f)"), "{text}");

        let asynchronous = handler(
            TokenStream::new(),
            quote!(
                async fn f(e: Event) -> R {
                    Ok(())
                }
            ),
        )
        .unwrap()
        .to_string();
        assert!(asynchronous.contains("handle_async (event , super :: f)"), "{asynchronous}");
    }

    #[test]
    fn each_other_form_is_refused_in_words() {
        assert!(
            refused(quote!(
                struct S;
            ))
            .contains("stands on a function")
        );
        assert!(
            refused(quote!(
                fn f() {}
            ))
            .contains("takes the event")
        );
        assert!(
            refused(quote!(
                fn f(a: Event, b: u8) {}
            ))
            .contains("nothing more")
        );
        assert!(
            refused(quote!(
                fn f(&self) {}
            ))
            .contains("free function")
        );
        assert!(
            refused(quote!(
                fn f<T>(e: Event<T>) {}
            ))
            .contains("no generics")
        );
        let error = handler(
            quote!(retries = 3),
            quote!(
                fn f(e: Event) {}
            ),
        )
        .unwrap_err()
        .to_string();
        assert!(error.contains("takes no arguments"), "{error}");
    }
}
