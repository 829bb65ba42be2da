//! What comes from an IRC network, and what is said there: any bytes are read within bounds, and no text is more than one line.

use phabgate::irc::wire::{CaseMapping, Frames, Isupport, Message, REST_LIMIT, outgoing};
use phabgate::irc::{BOT_LIMIT, Draft, TCPIRCBOT_LIMIT};

pub(super) fn check(input: &[u8]) {
    let mut frames = Frames::default();
    let mut server = Isupport::default();
    // As it comes from a socket: in pieces.
    for piece in input.chunks(usize::from(input.first().copied().unwrap_or(1)).max(1)) {
        frames.add(piece);
        while let Some(line) = frames.next_line() {
            let Ok(line) = line else { continue };
            assert!(!line.is_empty() && line.len() <= Frames::LIMIT);
            if let Ok(message) = Message::parse(&line) {
                read_back(&message);
                if message.command == "005" {
                    server.take(message.params.iter().map(String::as_str));
                }
                let _ = server.channel_of(message.param(0));
                same_both_ways(message.sender(), message.last());
            }
        }
    }
    let _ = Message::parse(input);
    let text = String::from_utf8_lossy(input);
    said(&text);
}

/// What was read is written as what reads the same, unless what is no UTF-8 made it too long.
fn read_back(message: &Message) {
    let written = message.to_string();
    match Message::parse(written.as_bytes()) {
        Ok(again) => assert_eq!(&again, message, "{written:?}"),
        Err(error) => assert!(written.len() > REST_LIMIT || written.contains('\0'), "{error}: {written:?}"),
    }
}

fn same_both_ways(one: &str, other: &str) {
    for mapping in [CaseMapping::Ascii, CaseMapping::Rfc1459, CaseMapping::Rfc1459Strict] {
        assert_eq!(mapping.same(one, other), mapping.same(other, one));
        assert!(mapping.same(one, one) && mapping.fold(mapping.fold(one).as_str()) == mapping.fold(one));
    }
}

/// A line of a text is inert, fits, and is one message.
fn said(text: &str) {
    let Ok(task) = "T1234".parse() else { return };
    let line = Draft::about(task).quoted(text).words(" -- T1234 ").quoted(text).finish();
    for limit in [BOT_LIMIT, TCPIRCBOT_LIMIT, 17] {
        let line = line.within(limit);
        assert!(line.len() <= limit && !super::is_live(&line), "{line:?}");
        assert!(!line.starts_with(['!', '/']), "{line:?}");
        let monograms = line
            .match_indices('T')
            .map(|(at, _)| line[at + 1..].chars().take_while(|c| c.is_numeric()).collect::<String>());
        assert!(monograms.into_iter().all(|digits| digits.is_empty() || digits == "1234"), "{line:?}");
        assert!(outgoing("PRIVMSG", &["#ops"], Some(&line)).is_ok(), "{line:?}");
    }
}
