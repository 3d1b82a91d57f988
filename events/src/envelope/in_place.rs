//! Base64 that is decoded where it lies: of a body of megabytes there needs to be only one.

use std::ops::Range;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use base64::{DecodeError, DecodeSliceError, Engine};

/// Bytes of base64 that are decoded at once, which is a multiple of four: a piece ends where a group does.
const PIECE: usize = 4 << 10;
/// Reads what is not the end, where no padding may stand.
const INNER: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, NO_PAD);

/// Decodes the base64 that stands in `range` of `bytes`, and makes `bytes` what it says.
///
/// # Errors
/// As `STANDARD.decode` has them; then `bytes` is what it was.
pub(super) fn decode(bytes: &mut Vec<u8>, range: Range<usize>) -> Result<(), DecodeError> {
    let Some(text) = bytes.get_mut(range.clone()) else { return Err(DecodeError::InvalidLength(0)) };
    let length = shrink(text)?;
    bytes.truncate(range.start + length);
    bytes.drain(..range.start);
    bytes.shrink_to_fit();
    Ok(())
}

/// Decodes `text` to its own front, and gives the length of what is there then.
fn shrink(text: &mut [u8]) -> Result<usize, DecodeError> {
    let (mut piece, mut read, mut written) = ([0; PIECE], 0, 0);
    while read < text.len() {
        let end = text.len().min(read + PIECE);
        let (Some(from), Some(piece)) = (text.get(read..end), piece.get_mut(..end - read)) else { break };
        piece.copy_from_slice(from);
        let engine = if end == text.len() { &STANDARD } else { &INNER };
        match engine.decode_slice(&*piece, text.get_mut(written..end).unwrap_or_default()) {
            Ok(length) => written += length,
            Err(error) => {
                restore(text, read, piece);
                return Err(shifted(error, read));
            }
        }
        read = end;
    }
    Ok(written)
}

/// Puts back what `text` was before its first `read` bytes were decoded: base64 says one thing in one way only, where
/// padding and trailing bits are insisted on. Behind it stood `piece`.
fn restore(text: &mut [u8], read: usize, piece: &[u8]) {
    if let Some(place) = text.get_mut(read..read + piece.len()) {
        place.copy_from_slice(piece);
    }
    let mut decoded = [0; PIECE / 4 * 3];
    // The last one first: none is overwritten before it is read.
    for index in (0..read / PIECE).rev() {
        let begin = index * decoded.len();
        if let Some(from) = text.get(begin..begin + decoded.len()) {
            decoded.copy_from_slice(from);
        }
        let place = text.get_mut(index * PIECE..(index + 1) * PIECE).unwrap_or_default();
        // There is room for exactly what it was.
        _ = INNER.encode_slice(decoded, place);
    }
}

/// The error with its place in the whole.
fn shifted(error: DecodeSliceError, by: usize) -> DecodeError {
    match error {
        DecodeSliceError::DecodeError(DecodeError::InvalidByte(at, byte)) => DecodeError::InvalidByte(at + by, byte),
        DecodeSliceError::DecodeError(DecodeError::InvalidLength(length)) => DecodeError::InvalidLength(length + by),
        DecodeSliceError::DecodeError(DecodeError::InvalidLastSymbol { offset, symbol, symbol_value }) => {
            DecodeError::InvalidLastSymbol { offset: offset + by, symbol, symbol_value }
        }
        DecodeSliceError::DecodeError(DecodeError::InvalidPadding) => DecodeError::InvalidPadding,
        // What is decoded is shorter than its text, which there is room for.
        DecodeSliceError::OutputSliceTooSmall => DecodeError::InvalidLength(by),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(before: &str, text: &str) {
        let whole = format!("{before}{text}\"}}");
        let mut bytes = whole.clone().into_bytes();
        match (decode(&mut bytes, before.len()..before.len() + text.len()), STANDARD.decode(text)) {
            (Ok(()), Ok(decoded)) => assert_eq!(bytes, decoded),
            (Err(_), Err(_)) => assert_eq!(bytes, whole.as_bytes()),
            (ours, theirs) => panic!("{ours:?} where {theirs:?} is right, for {text:?}"),
        }
    }

    proptest! {
        #[test]
        fn it_says_what_the_library_says_and_spoils_nothing(
            before in "[ -~]{0,40}",
            data in prop::collection::vec(any::<u8>(), 0..4 * PIECE),
            spoiled in prop::option::of((any::<prop::sample::Index>(), any::<char>())),
            cut in 0..4usize,
        ) {
            let mut text = STANDARD.encode(data);
            text.truncate(text.len().saturating_sub(cut));
            if let Some((index, letter)) = spoiled && !text.is_empty() {
                let at = index.index(text.len());
                text.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
            }
            check(&before, &text);
        }
    }

    #[test]
    fn padding_stands_at_the_end_alone() {
        let group = |text: &str| text.repeat(PIECE / 4);
        for text in [
            String::new(),
            group("AAAA"),
            group("AAAA") + "AA==",
            group("AAAA").split_at(4).1.to_owned() + "AA==" + "AAAA",
            group("AAAA").split_at(4).1.to_owned() + "AAA=",
            group("AAAA") + "AB==",
            "====".to_owned(),
        ] {
            check("{\"data\":\"", &text);
        }
    }
}
