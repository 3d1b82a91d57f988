use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::add_only_http_to_linker_async;
use wasmtime_wasi_http::p2::bindings::http::types::{HostOutgoingRequest as _, Method};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

use crate::runtime::state::GuestState;

/// Bytes of a request's method.
const MAX_METHOD: usize = 64;
/// Bytes of a request's authority: a name of 253, a port, and to spare.
const MAX_AUTHORITY: usize = 512;
/// Bytes of a request's path and query. Hardly a server takes more.
const MAX_PATH: usize = 16 << 10;

/// The instance that has what is bounded here, in the version that the engine's own crate gives out.
const TYPES: &str = "wasi:http/types@0.2.12";

type Set = wasmtime::Result<(Result<(), ()>,)>;

/// Lets guests import `wasi:http`, for what they send.
///
/// The host keeps what a guest gives each of its requests, however many it makes and sends none of, and the engine's crate
/// takes methods and authorities of any length. So these are looked at before; a longer one is answered as one that is
/// malformed.
pub(in crate::runtime) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, GuestState>,
         (request, method): (Resource<HostOutgoingRequest>, Method)|
         -> Set {
            let fits = !matches!(&method, Method::Other(name) if name.len() > MAX_METHOD);
            if fits { Ok((store.data_mut().http().set_method(request, method)?,)) } else { Ok((Err(()),)) }
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, GuestState>,
         (request, text): (Resource<HostOutgoingRequest>, Option<String>)|
         -> Set {
            let fits = fits(text.as_deref(), MAX_AUTHORITY);
            if fits { Ok((store.data_mut().http().set_authority(request, text)?,)) } else { Ok((Err(()),)) }
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: StoreContextMut<'_, GuestState>,
         (request, text): (Resource<HostOutgoingRequest>, Option<String>)|
         -> Set {
            let fits = fits(text.as_deref(), MAX_PATH);
            if fits { Ok((store.data_mut().http().set_path_with_query(request, text)?,)) } else { Ok((Err(()),)) }
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn fits(text: Option<&str>, most: usize) -> bool {
    text.is_none_or(|text| text.len() <= most)
}
