//! Writes WebAssembly that nobody would write: `random-guests module|component FIRST COUNT`.
//!
//! One for each seed from FIRST on, as its length in four bytes, little-endian, and its binary form. A module has the
//! imports and the exports of the module that is read from standard input; a component has whatever it has. The same seed
//! gives the same bytes.

use std::error::Error;
use std::io::{self, Read, Write};
use std::iter;

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

/// Bytes of randomness for each, and so about how large it becomes.
const RANDOMNESS: usize = 4096;

type Made = Result<Vec<u8>, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [kind, first, count] = arguments.as_slice() else { return Err("it takes a kind, a seed and a count".into()) };
    let (first, count): (u64, u64) = (first.parse()?, count.parse()?);
    let mut shape = Vec::new();
    io::stdin().read_to_end(&mut shape)?;
    let make: fn(&mut Unstructured<'_>, &[u8]) -> Made = match kind.as_str() {
        "module" => module,
        "component" => component,
        _ => return Err("it makes a module or a component".into()),
    };
    let mut out = io::stdout().lock();
    for seed in first..first + count {
        let random = random(seed);
        let wasm = make(&mut Unstructured::new(&random), &shape)?;
        out.write_all(&u32::try_from(wasm.len())?.to_le_bytes())?;
        out.write_all(&wasm)?;
    }
    Ok(())
}

/// One of this shape, within what the host's engine has switched on, so that most of them run.
fn module(random: &mut Unstructured<'_>, shape: &[u8]) -> Made {
    let config = Config {
        module_shape: Some(shape.to_vec()),
        exceptions_enabled: false,
        gc_enabled: false,
        // They bring `externref`, which takes a collector.
        reference_types_enabled: false,
        threads_enabled: false,
        ..Config::default()
    };
    Ok(Module::new(config, random)?.to_bytes())
}

/// Any, with all that there is.
fn component(random: &mut Unstructured<'_>, _: &[u8]) -> Made {
    Ok(Component::new(Config::default(), random)?.to_bytes())
}

/// SplitMix64, after Steele, Lea and Flood (2014).
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some((z ^ (z >> 31)).to_le_bytes())
    };
    iter::from_fn(next).flatten().take(RANDOMNESS).collect()
}
