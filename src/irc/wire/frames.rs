//! A stream of bytes, split into lines.
//!
//! Responsible for the ends of lines and the bound of what is kept of one. Not responsible for what is in a line.

use super::{REST_LIMIT, TAGS_LIMIT};

/// A line that was longer than a message can be. What there was of it is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line was longer than a message can be")]
pub struct Overlong;

/// What came of a stream and was not taken yet.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// How many bytes of an overlong line were passed over, which it is until it ends.
    passed_over: usize,
}

impl Frames {
    /// What is kept at most: a caller that takes each line before it adds more keeps no more than that and what it adds.
    pub const LIMIT: usize = TAGS_LIMIT + REST_LIMIT;
    /// How long a line may be at most until it ends: no server of IRC sends one that is nearly as long.
    const ENDLESS: usize = 64 << 10;

    /// Adds what came.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a line goes on beyond all that could still be one: who sends it speaks no IRC.
    pub fn is_endless(&self) -> bool {
        self.passed_over > Self::ENDLESS
    }

    /// The next whole line, without its end; `None` until there is one. Blank lines are passed over, as RFC 1459 asks for.
    pub fn next_line(&mut self) -> Option<Result<Vec<u8>, Overlong>> {
        loop {
            let Some(end) = self.bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                if self.bytes.len() <= Self::LIMIT {
                    return None;
                }
                let is_new = self.passed_over == 0;
                self.passed_over = self.passed_over.saturating_add(self.bytes.len());
                self.bytes.clear();
                return is_new.then_some(Err(Overlong));
            };
            let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
            line.pop();
            if std::mem::take(&mut self.passed_over) > 0 {
                continue;
            }
            match line.len() {
                0 => {}
                length if length > Self::LIMIT => return Some(Err(Overlong)),
                _ => return Some(Ok(line)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(frames: &mut Frames) -> Vec<Result<String, Overlong>> {
        std::iter::from_fn(|| frames.next_line())
            .map(|line| line.map(|line| String::from_utf8(line).unwrap()))
            .collect()
    }

    #[test]
    fn lines_end_as_servers_end_them() {
        let mut frames = Frames::default();
        frames.add(b"one\r\ntwo\nthree\r\r\n\r\nfo");
        assert_eq!(lines(&mut frames), [Ok("one".into()), Ok("two".into()), Ok("three".into())]);
        frames.add(b"ur\r");
        assert_eq!(lines(&mut frames), [Ok("four".into())]);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let mut frames = Frames::default();
        for _ in 0..100 {
            frames.add(&[b'x'; 4096]);
            let _ = frames.next_line();
            assert!(frames.bytes.len() <= Frames::LIMIT);
        }
        frames.add(b"tail\nnext\n");
        assert_eq!(lines(&mut frames), [Ok("next".into())]);
        frames.add(&[b'x'; Frames::LIMIT + 1]);
        frames.add(b"\nnext\n");
        assert_eq!(lines(&mut frames), [Err(Overlong), Ok("next".into())]);
    }

    #[test]
    fn a_line_that_never_ends_is_known_as_such_and_one_that_does_is_not() {
        let mut frames = Frames::default();
        let mut add = |bytes: &[u8]| {
            frames.add(bytes);
            while frames.next_line().is_some() {}
            frames.is_endless()
        };
        for _ in 0..2 {
            // Many lines, of which each ends, and one that nearly is too long.
            assert!(!(0..100).any(|_| add(&[&[b'x'; 4096][..], b"\n"].concat())));
            assert!(!(0..6).any(|_| add(&[b'x'; 9 << 10])) && !add(b"\n"));
        }
        assert!((0..8).any(|_| add(&[b'x'; 9 << 10])));
    }

    proptest! {
        #[test]
        fn how_the_stream_comes_in_pieces_does_not_matter(
            text in "([a-z]{0,5}(\r\n|\n|\r)){0,8}", cuts in proptest::collection::vec(1usize..7, 0..40),
        ) {
            let mut whole = Frames::default();
            whole.add(text.as_bytes());
            let mut pieces = Frames::default();
            let (mut rest, mut found) = (text.as_bytes(), Vec::new());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.add(piece);
                found.extend(lines(&mut pieces));
                rest = after;
            }
            pieces.add(rest);
            found.extend(lines(&mut pieces));
            prop_assert_eq!(found, lines(&mut whole));
        }
    }
}
