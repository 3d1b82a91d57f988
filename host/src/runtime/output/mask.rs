use std::sync::Arc;

use zeroize::Zeroizing;

/// The shortest text that is looked for, in bytes. A shorter one stands in too many words to be told from them.
const SHORTEST: usize = 4;
/// What stands behind a text that was cut: the guest's side cuts reasons before the host sees them.
const ELLIPSIS: &[u8] = "…".as_bytes();
/// A longer text is looked for in pieces of this many bytes, so that no more of a stream than this is ever held back.
const PIECE: usize = 256;

/// Puts names in the place of a handler's secrets, wherever they stand in what its guest writes.
///
/// It finds a secret as it was given, in upper or lower case, and of one that has several lines each line; also the
/// beginning of one that was cut, if an ellipsis says so. It is there
/// against accidents: a guest that encodes a secret, or takes it apart, gets it past.
pub(in crate::runtime) struct Mask {
    /// What is looked for, by its first byte in lower case, the longest first.
    texts: Vec<Vec<Text>>,
    /// The longest of all, in bytes.
    longest: usize,
}

struct Text {
    bytes: Zeroizing<Vec<u8>>,
    /// What stands in its place.
    name: Arc<str>,
}

impl Mask {
    /// A mask for secrets, each with its key; `None` where there is nothing to look for.
    pub(in crate::runtime) fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let mut mask = Self { texts: (0..=u8::MAX).map(|_| Vec::new()).collect(), longest: 0 };
        for (key, secret) in secrets {
            let name: Arc<str> = format!("[secret {key}]").into();
            secret.lines().flat_map(pieces).for_each(|bytes| mask.add(bytes, &name));
        }
        for texts in &mut mask.texts {
            texts.sort_by_key(|text| std::cmp::Reverse(text.bytes.len()));
        }
        (mask.longest > 0).then_some(mask)
    }

    /// Whether all of a secret is found, down to lines that are too short to matter.
    pub(in crate::runtime) fn finds(secret: &str) -> bool {
        secret.lines().flat_map(pieces).next().is_some()
    }

    fn add(&mut self, bytes: &[u8], name: &Arc<str>) {
        let first = bytes.first().map_or(0, u8::to_ascii_lowercase);
        let texts = self.texts.get_mut(usize::from(first));
        if let Some(texts) = texts.filter(|texts| !texts.iter().any(|text| text.bytes.eq_ignore_ascii_case(bytes))) {
            texts.push(Text { bytes: Zeroizing::new(bytes.to_vec()), name: Arc::clone(name) });
            self.longest = self.longest.max(bytes.len());
        }
    }

    /// What may be shown of a text, and the number of its bytes that were left out at the end: none, or all that follow
    /// once `enough` bytes may be shown.
    pub(in crate::runtime) fn shown(&self, text: &str, enough: usize) -> (String, usize) {
        let (mut shown, mut rest) = (Vec::new(), text.as_bytes());
        while shown.len() <= enough && !rest.is_empty() {
            rest = self.step(rest, &mut shown);
        }
        // Nothing but whole characters was taken out, so this only changes the type.
        (String::from_utf8_lossy(&shown).into_owned(), rest.len())
    }

    /// A text as it may be shown, by a mask or without one, up to `most` bytes and with an ellipsis in the place of all that
    /// follow. Hardly more of it is looked at than is shown.
    pub(in crate::runtime) fn clip(mask: Option<&Arc<Self>>, text: &str, most: usize) -> String {
        let (mut shown, left) = match mask {
            Some(mask) => mask.shown(text, most),
            None => {
                let (shown, left) = text.split_at(text.floor_char_boundary(most));
                (shown.to_owned(), left.len())
            }
        };
        if left > 0 || shown.len() > most {
            shown.truncate(shown.floor_char_boundary(most));
            shown.push('…');
        }
        shown
    }

    /// A text as it may be shown, by a mask or without one.
    pub(in crate::runtime) fn hide(mask: Option<&Arc<Self>>, text: &str) -> String {
        mask.map_or_else(|| text.to_owned(), |mask| mask.shown(text, usize::MAX).0)
    }

    /// What may be shown of a stream so far, given its next bytes. What may be the beginning of a secret is kept in
    /// `held` until more of it is there.
    pub(super) fn pass(&self, held: &mut Vec<u8>, bytes: &[u8]) -> Vec<u8> {
        held.extend_from_slice(bytes);
        let (mut shown, mut rest) = (Vec::with_capacity(held.len()), held.as_slice());
        while !rest.is_empty() && self.begun(rest).is_none() {
            rest = self.step(rest, &mut shown);
        }
        let passed = held.len() - rest.len();
        held.drain(..passed);
        shown
    }

    /// What may be shown of what was held back, at a stream's end. The guest may have been ended in the middle of a
    /// secret, so what is as good as one is hidden too.
    pub(super) fn end(&self, held: &[u8]) -> Vec<u8> {
        let (mut shown, mut rest) = (Vec::new(), held);
        while !rest.is_empty() {
            match self.begun(rest).filter(|_| rest.len() >= SHORTEST) {
                Some(text) => {
                    shown.extend_from_slice(text.name.as_bytes());
                    break;
                }
                None => rest = self.step(rest, &mut shown),
            }
        }
        shown
    }

    /// Takes one secret off the beginning of `rest`, or all that is none up to where the next may begin.
    fn step<'a>(&self, rest: &'a [u8], shown: &mut Vec<u8>) -> &'a [u8] {
        let whole = self.beginning_like(rest).iter().find(|text| begins_with(rest, &text.bytes));
        let found = whole.map(|text| (text, text.bytes.len())).or_else(|| self.cut(rest));
        let taken = match found {
            Some((text, length)) => {
                shown.extend_from_slice(text.name.as_bytes());
                length
            }
            None => {
                let (_, after) = rest.split_at(1.min(rest.len()));
                let next = after.iter().position(|byte| !self.beginning_with(*byte).is_empty());
                let taken = next.map_or(rest.len(), |next| next + 1);
                shown.extend_from_slice(rest.get(..taken).unwrap_or(rest));
                taken
            }
        };
        rest.get(taken..).unwrap_or_default()
    }

    /// A secret of which an ellipsis has taken the rest, and how much is there of it.
    fn cut(&self, rest: &[u8]) -> Option<(&Text, usize)> {
        let like = self.beginning_like(rest).iter();
        let mut like = like.filter(|text| text.bytes.get(..SHORTEST).is_some_and(|bytes| begins_with(rest, bytes)));
        like.find_map(|text| {
            // Up to where the two differ, so that no more is looked at than was seen to be the same.
            let same = text.bytes.iter().zip(rest).take_while(|(one, other)| one.eq_ignore_ascii_case(other)).count();
            let within = rest.get(..same + ELLIPSIS.len()).unwrap_or(rest);
            let length = within.windows(ELLIPSIS.len()).rposition(|bytes| bytes == ELLIPSIS)?;
            (length >= SHORTEST).then_some((text, length))
        })
    }

    /// A secret that may go on where `rest` ends, or be cut there by an ellipsis.
    fn begun(&self, rest: &[u8]) -> Option<&Text> {
        if rest.len() >= self.longest + ELLIPSIS.len() {
            return None;
        }
        let goes_on = |text: &Text| text.bytes.len() > rest.len() && begins_with(&text.bytes, rest);
        let is_cut = |text: &Text| {
            (1..ELLIPSIS.len())
                .filter_map(|length| rest.strip_suffix(ELLIPSIS.get(..length)?))
                .any(|beginning| beginning.len() >= SHORTEST && begins_with(&text.bytes, beginning))
        };
        self.beginning_like(rest).iter().find(|text| goes_on(text) || is_cut(text))
    }

    fn beginning_like(&self, rest: &[u8]) -> &[Text] {
        rest.first().map_or(&[], |first| self.beginning_with(*first))
    }

    fn beginning_with(&self, first: u8) -> &[Text] {
        self.texts.get(usize::from(first.to_ascii_lowercase())).map_or(&[], Vec::as_slice)
    }
}

fn begins_with(text: &[u8], beginning: &[u8]) -> bool {
    text.get(..beginning.len()).is_some_and(|text| text.eq_ignore_ascii_case(beginning))
}

/// What is looked for of a line: all of it in pieces, unless it is too short. The last has more bytes rather than being
/// one that is too short itself.
fn pieces(line: &str) -> impl Iterator<Item = &[u8]> {
    let mut rest = line.trim().as_bytes();
    std::iter::from_fn(move || {
        let length = if rest.len() > PIECE + SHORTEST { PIECE } else { rest.len() };
        let (piece, after) = rest.split_at(length);
        rest = after;
        (piece.len() >= SHORTEST).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(secrets: &[(&str, &str)]) -> Mask {
        Mask::new(secrets.iter().copied()).unwrap()
    }

    /// What comes of a stream that is written in these pieces.
    fn streamed<'a>(mask: &Mask, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let (mut held, mut shown) = (Vec::new(), Vec::new());
        for piece in pieces {
            shown.extend(mask.pass(&mut held, piece));
        }
        shown.extend(mask.end(&held));
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn a_secret_is_named_wherever_it_stands_and_nothing_else_changes() {
        let mask = mask(&[("key", "hunter2"), ("other", "swordfish")]);
        for (text, shown) in [
            ("", ""),
            ("hunter2", "[secret key]"),
            ("a hunter2, hunter2b", "a [secret key], [secret key]b"),
            ("HUNTER2swordFish", "[secret key][secret other]"),
            ("hhunter2", "h[secret key]"),
            ("hunterhunter2", "hunter[secret key]"),
            ("hunter1 süß sword", "hunter1 süß sword"),
        ] {
            assert_eq!(mask.shown(text, usize::MAX), (shown.to_owned(), 0), "{text}");
        }
    }

    /// However a text is cut into pieces, the same comes of it as of the whole.
    #[test]
    fn a_stream_in_any_pieces_is_masked_as_its_whole() {
        let mask = mask(&[("a", "abcabd"), ("b", "abcabdxyz"), ("c", "bcab"), ("d", "süßes")]);
        for text in [
            "abcabcabd.",
            "abcabdxy… abcab…",
            "abcabdxy abcabdxyz-",
            "süße… …",
            "xbcabcabd abcab.",
            "süß süßes süßesüßes.",
            "aaabcaab cab\n",
        ] {
            let whole = mask.shown(text, usize::MAX).0;
            for size in 1..=text.len() {
                assert_eq!(streamed(&mask, text.as_bytes().chunks(size)), whole, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_secret_shows_no_part_of_it_that_matters() {
        let mask = mask(&[("key", "hunter2"), ("longer", "hunter2000")]);
        for (text, shown) in
            [("hunt", "[secret longer]"), ("hunter2", "[secret longer]"), ("a hun", "a hun"), ("x", "x")]
        {
            assert_eq!(streamed(&mask, [text.as_bytes()]), shown, "{text}");
        }
    }

    #[test]
    fn the_beginning_of_one_is_hidden_where_it_was_cut() {
        let mask = mask(&[("key", "hunter2"), ("other", "hunt–er")]);
        for (text, shown) in [
            ("with hunter…", "with [secret key]…"),
            ("hunt… hun… hunter", "[secret other]… hun… hunter"),
            ("HUNTER2… huntress…", "[secret key]… huntress…"),
            ("hunt–e…", "[secret other]…"),
        ] {
            assert_eq!(mask.shown(text, usize::MAX).0, shown, "{text}");
        }
    }

    #[test]
    fn each_line_of_a_secret_is_one() {
        let mask = mask(&[("pem", "-----BEGIN KEY-----\r\n  MIIEvQIBADAN\n}\nAwEAAQ==\n-----END KEY-----\n")]);
        let shown = mask.shown("-----BEGIN KEY-----\\nMIIEvQIBADAN } awEAAQ==", usize::MAX).0;
        assert_eq!(shown, "[secret pem]\\n[secret pem] } [secret pem]");
    }

    #[test]
    fn a_long_secret_is_found_in_pieces_and_so_is_its_beginning() {
        let secret: String = (0..100).map(|number| format!("{number:03}-")).collect();
        for length in [255, 256, 257, 259, 260, 261, 400] {
            let (mask, secret) = (mask(&[("long", &secret[..length])]), &secret[..length]);
            assert!(mask.longest <= PIECE + SHORTEST);
            let shown = streamed(&mask, [b"<", secret.as_bytes(), b">"]);
            assert!(shown.replace("[secret long]", "") == "<>", "{length}: {shown}");
        }
        let long = mask(&[("long", &secret)]);
        assert_eq!(long.shown(&secret[..300], usize::MAX).0, format!("[secret long]{}", &secret[256..300]));
    }

    #[test]
    fn what_is_too_short_is_not_looked_for() {
        assert!(Mask::new([("key", "dev"), ("none", ""), ("lines", "a\nb\n")]).is_none());
        assert!(!Mask::finds("dev") && Mask::finds("devs") && Mask::finds("a\nlong line"));
    }

    /// Not even where a bound falls right behind the last.
    #[test]
    fn what_is_cut_says_so_and_shows_no_part_of_a_secret() {
        let mask = Arc::new(mask(&[("key", "hunter2")]));
        let clip = |text: &str, most| Mask::clip(Some(&mask), text, most);
        assert_eq!(clip("a hunter2 b", 16), "a [secret key] b");
        assert_eq!(clip("a hunter2 bc", 16), "a [secret key] b…");
        assert_eq!(clip(&"hunter2".repeat(3), 12), "[secret key]…");
        assert_eq!(clip("ä hunter2", 1), "…");
        assert_eq!(Mask::clip(None, "hunter2", 6), "hunter…");
        assert_eq!(Mask::clip(None, "hunter2", 7), "hunter2");
    }

    #[test]
    fn the_ellipsis_of_a_secret_is_one_of_its_letters() {
        let mask = mask(&[("key", "abcd…efgh")]);
        for (text, shown) in [
            ("abcd…efgh", "[secret key]"),
            ("abcd…ef…", "[secret key]…"),
            ("abcd…x", "[secret key]…x"),
            ("abc…", "abc…"),
        ] {
            assert_eq!(mask.shown(text, usize::MAX).0, shown, "{text}");
        }
    }

    #[test]
    fn no_more_is_looked_at_than_is_shown() {
        let mask = mask(&[("key", "hunter2")]);
        let (shown, left) = mask.shown(&"hunter2".repeat(1000), 100);
        assert_eq!((shown, left), ("[secret key]".repeat(9), 991 * 7));
    }
}
