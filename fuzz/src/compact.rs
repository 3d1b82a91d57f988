//! Changing a token behind its base64, where a changed byte is a changed byte of JSON. Of the tokens that bytes changed
//! at random make, nearly none would get past the decoding.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzzer_mutate;

/// Changes the token in `data[..size]` in place, as [`libfuzzer_sys::fuzz_mutator`] asks for it, and gives its new
/// size: one part behind its encoding, or the text itself, whichever `seed` says.
pub fn mutate_token(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    // One time in four the text, so that the dots and what is no base64 get their share.
    if let Some(token) = with_changed_part(&data[..size], max_size, seed as usize % 4) {
        data[..token.len()].copy_from_slice(&token);
        return token.len();
    }
    fuzzer_mutate(data, size, max_size)
}

/// `None` where there is no such part, it is no base64url, or the token would get too long.
fn with_changed_part(token: &[u8], max_size: usize, part: usize) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(parts.get(part)?).ok()?;
    let (size, room) = (bytes.len(), max_size * 3 / 4);
    bytes.resize(size.max(room), 0);
    let size = fuzzer_mutate(&mut bytes, size, room);
    let changed = URL_SAFE_NO_PAD.encode(&bytes[..size]);
    parts[part] = changed.as_bytes();
    let token = parts.join(&b'.');
    (token.len() <= max_size).then_some(token)
}
