//! What a server says of itself in reply 005: `RPL_ISUPPORT`.
//!
//! Responsible for the tokens that matter here, with what holds where a server sends none. Not responsible for the others.

use super::names::CaseMapping;

/// What a server supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isupport {
    /// How names are compared.
    pub casemapping: CaseMapping,
    /// With which characters the name of a channel begins.
    pub chantypes: String,
    /// With which a message goes to a part of a channel alone: `@#channel`.
    pub statusmsg: String,
    /// Which stand before nicks in lists of who is in a channel.
    pub prefixes: String,
    /// The mode by which a bot says that it is one; `None` where the network has none.
    pub bot_mode: Option<char>,
    /// The mode of a channel that lets in nobody without a services account. Where there is `R` it is that, and `r` says that a channel is
    /// registered; elsewhere it is `r`.
    pub accounts_only: char,
    /// The mode of a channel that sends to another one who may not join it; `None` where it is not known that the network has one.
    pub forward: Option<char>,
    /// The most bytes of a nick, where it is said.
    pub nick_length: Option<usize>,
}

impl Default for Isupport {
    fn default() -> Self {
        Self {
            casemapping: CaseMapping::default(),
            chantypes: "#&".to_owned(),
            statusmsg: String::new(),
            prefixes: "@+".to_owned(),
            bot_mode: None,
            accounts_only: 'r',
            forward: None,
            nick_length: None,
        }
    }
}

impl Isupport {
    /// Takes the tokens of one reply, without the nick before and the words behind them.
    pub fn take<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>) {
        for token in tokens {
            match token.strip_prefix('-') {
                Some(withdrawn) => self.set(withdrawn, None),
                None => {
                    let (key, value) = token.split_once('=').unwrap_or((token, ""));
                    self.set(key, Some(&unescaped(value)));
                }
            }
        }
    }

    /// Sets one; `None` is what holds where a server says nothing.
    fn set(&mut self, key: &str, value: Option<&str>) {
        let defaults = Self::default();
        match key {
            "CASEMAPPING" => self.casemapping = value.map_or(defaults.casemapping, CaseMapping::named),
            "CHANTYPES" => self.chantypes = value.map_or(defaults.chantypes, str::to_owned),
            "STATUSMSG" => self.statusmsg = value.unwrap_or_default().to_owned(),
            "PREFIX" => {
                // (ov)@+
                let symbols = |value: &str| value.split_once(')').map_or("", |(_, symbols)| symbols).to_owned();
                self.prefixes = value.map_or(defaults.prefixes, symbols);
            }
            "BOT" => self.bot_mode = value.and_then(|value| value.chars().next()).filter(char::is_ascii_alphabetic),
            "CHANMODES" => {
                let has_both = value.is_some_and(|value| value.contains('R'));
                self.accounts_only = if has_both { 'R' } else { defaults.accounts_only };
                self.forward = value.and_then(forward);
            }
            "NICKLEN" => self.nick_length = value.and_then(|value| value.parse().ok()),
            _ => {}
        }
    }

    /// Whether this is the name of a channel.
    pub fn is_channel(&self, name: &str) -> bool {
        name.starts_with(|c| self.chantypes.contains(c))
    }

    /// The channel of a target, and whether all of it is meant: `@#channel` means its operators alone. `None` where it is none.
    pub fn channel_of<'t>(&self, target: &'t str) -> Option<(&'t str, bool)> {
        if self.is_channel(target) {
            return Some((target, true));
        }
        let bare = target.trim_start_matches(|c| self.statusmsg.contains(c));
        (bare.len() < target.len() && self.is_channel(bare)).then_some((bare, false))
    }
}

/// The mode that sends people to another channel, by the modes of channels that are lists, always have a parameter, have one where they are set,
/// and have none. `L` is it with a parameter (InspIRCd, UnrealIRCd); `f` is it on networks that know quiets as a list, `q` (solanum and its
/// kin), and elsewhere a protection against floods.
fn forward(modes: &str) -> Option<char> {
    let mut kinds = modes.split(',');
    let (lists, always, set) = (kinds.next()?, kinds.next()?, kinds.next()?);
    let has_link = always.contains('L') || set.contains('L');
    let has_forward = lists.contains('q') && set.contains('f');
    if has_link { Some('L') } else { has_forward.then_some('f') }
}

/// A value without its escapes, `\x20`; what is none stays as it is.
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &after[2..];
            }
            None => {
                out.push_str("\\x");
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_read_and_taken_back() {
        let mut known = Isupport::default();
        known.take(
            "CASEMAPPING=ascii CHANTYPES=# STATUSMSG=!@%+ PREFIX=(Yqaohv)!~&@%+ BOT=B NICKLEN=30 NETWORK=A\\x20b"
                .split(' '),
        );
        assert_eq!((known.casemapping, known.chantypes.as_str(), known.bot_mode), (CaseMapping::Ascii, "#", Some('B')));
        assert_eq!((known.prefixes.as_str(), known.nick_length), ("!~&@%+", Some(30)));
        known.take(["-CASEMAPPING", "-STATUSMSG", "BOT", "PREFIX=", "CHANTYPES"]);
        assert_eq!((known.casemapping, known.statusmsg.as_str(), known.bot_mode), (CaseMapping::Rfc1459, "", None));
        assert_eq!((known.prefixes.as_str(), known.chantypes.as_str()), ("", ""));
    }

    #[test]
    fn a_message_to_a_part_of_a_channel_is_known() {
        let mut known = Isupport::default();
        assert_eq!(known.channel_of("@#a"), None);
        known.take(["STATUSMSG=@+"]);
        assert_eq!(known.channel_of("#a"), Some(("#a", true)));
        assert_eq!(known.channel_of("@#a"), Some(("#a", false)));
        assert_eq!((known.channel_of("sre1"), known.channel_of("@sre1"), known.channel_of("")), (None, None, None));
        // Where a character is both, the name of a channel comes first.
        known.take(["CHANTYPES=#+"]);
        assert_eq!(known.channel_of("+a"), Some(("+a", true)));
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(unescaped("A\\x20b\\x5C\\x=\\xzz"), "A b\\\\x=\\xzz");
    }

    proptest! {
        #[test]
        fn no_token_makes_it_panic(tokens in proptest::collection::vec("\\PC{0,20}|-?(PREFIX|BOT|NICKLEN|CHANTYPES)=?\\PC{0,6}", 0..8)) {
            let mut known = Isupport::default();
            known.take(tokens.iter().map(String::as_str));
            let _ = known.channel_of("@#a");
        }
    }
}
