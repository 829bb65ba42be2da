//! What a network shows of a channel to somebody who is not in it: its modes (`MODE #channel`, reply 324), by which nobody there is disturbed.
//!
//! Responsible for the question, the answers, and for what of a mode keeps people out. Not responsible for bans, which depend on where one
//! comes from, nor for joining.

use crate::irc::channel_view::{Barrier, ChannelView, Shown};
use crate::irc::wire::{CaseMapping, Isupport, Message};

/// The channels that are looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct ChannelViews(Vec<ChannelView>);

impl ChannelViews {
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| ChannelView { name: name.clone(), shown: Shown::Nothing }).collect())
    }

    /// What they are asked about.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|view| view.name.clone()).collect()
    }

    /// Takes the modes of a channel, the third parameter of reply 324.
    pub(super) fn modes(&mut self, message: &Message, server: &Isupport) {
        let letters: String = message.param(2).chars().filter(char::is_ascii_alphabetic).collect();
        let barrier = |letter| match letter {
            'i' => Some(Barrier::InviteOnly),
            'k' => Some(Barrier::Key),
            'm' => Some(Barrier::Moderated),
            'l' => Some(Barrier::Limit),
            letter if letter == server.accounts_only => Some(Barrier::AccountsOnly),
            letter if Some(letter) == server.forward => Some(Barrier::Forward(letter)),
            _ => None,
        };
        let barriers = letters.chars().filter_map(barrier).collect();
        self.answer(message.param(1), Shown::Modes { letters, barriers }, server.casemapping);
    }

    /// Takes a refusal to say anything of a channel.
    pub(super) fn refused(&mut self, channel: &str, mapping: CaseMapping) {
        self.answer(channel, Shown::NoChannel, mapping);
    }

    fn answer(&mut self, channel: &str, shown: Shown, mapping: CaseMapping) {
        if let Some(view) = self.0.iter_mut().find(|view| mapping.same(&view.name, channel)) {
            view.shown = shown;
        }
    }

    pub(super) fn views(&self) -> Vec<ChannelView> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(isupport: &str, reply: &str) -> Shown {
        let mut server = Isupport::default();
        server.take(isupport.split(' '));
        let mut views = ChannelViews::new(&["#ops".to_owned()]);
        let message = Message::parse(reply.as_bytes()).unwrap();
        match message.command.as_str() {
            "324" => views.modes(&message, &server),
            _ => views.refused(message.param(1), server.casemapping),
        }
        views.views().remove(0).shown
    }

    fn barriers(isupport: &str, modes: &str) -> Vec<Barrier> {
        match shown(isupport, &format!(":irc.example 324 pg-doctor #OPS {modes}")) {
            Shown::Modes { barriers, .. } => barriers,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_keeps_people_out_is_read_from_the_modes() {
        assert_eq!(barriers("CASEMAPPING=ascii", "+nt"), []);
        assert_eq!(
            barriers("CASEMAPPING=ascii", "+iklnt <key> :5"),
            [Barrier::InviteOnly, Barrier::Key, Barrier::Limit]
        );
        assert_eq!(barriers("CASEMAPPING=ascii", "+mnt"), [Barrier::Moderated]);
        let letters = shown("", ":irc.example 324 pg-doctor #ops +cnt");
        assert_eq!(letters, Shown::Modes { letters: "cnt".into(), barriers: vec![] });
    }

    #[test]
    fn which_letter_keeps_out_who_has_no_account_hangs_on_the_network() {
        // With R there is r too, which says that the channel is registered.
        let with_both = "CHANMODES=Ibe,k,l,ACDRTimnprst";
        assert_eq!(barriers(with_both, "+nrt"), []);
        assert_eq!(barriers(with_both, "+nRt"), [Barrier::AccountsOnly]);
        assert_eq!(barriers("CHANMODES=eIbq,k,flj,CFPcgimnprstuz", "+nrt"), [Barrier::AccountsOnly]);
        assert_eq!(barriers("CHANMODES=eIbq,k,flj,CFPcgimnprstuz", "+nt"), []);
    }

    #[test]
    fn which_letter_sends_people_elsewhere_hangs_on_the_network() {
        let [insp, unreal, solanum] = [
            "CHANMODES=IXbegw,k,FHJLdfjl,ACDKMNOPQRSTcimnprstuz",
            "CHANMODES=beI,fkL,lFH,cdimnprstzCDGKMNOPQRSTVZ",
            "CHANMODES=eIbq,k,flj,CFLMPQRSTcgimnprstuz",
        ];
        // Where f is none, it is a protection against floods, and L a longer list of bans.
        for (network, modes, forward) in [
            (insp, "+L #more", Some('L')),
            (insp, "+f 5:5", None),
            (unreal, "+L #more", Some('L')),
            (unreal, "+f [5t]:5", None),
            (solanum, "+f #more", Some('f')),
            (solanum, "+L", None),
            ("CASEMAPPING=ascii", "+fL", None),
        ] {
            assert_eq!(barriers(network, modes), Vec::from_iter(forward.map(Barrier::Forward)), "{network} {modes}");
        }
    }

    #[test]
    fn what_is_not_answered_is_not_known() {
        assert_eq!(shown("", ":irc.example 403 pg-doctor #ops :No such channel"), Shown::NoChannel);
        assert_eq!(shown("", ":irc.example 324 pg-doctor #other +i"), Shown::Nothing);
        assert_eq!(shown("", ":irc.example 324 pg-doctor"), Shown::Nothing);
    }
}
