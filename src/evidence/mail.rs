//! What a mail client leaves in a comment that was written as an answer to a mail: the mail itself, below a head of the
//! client's, often without a mark of quotation.
//!
//! Phorge strips what it knows of such quotations (`On … wrote:`, `-----Original Message-----`, forty underscores before
//! `From:`); what other clients write stays. Responsible for finding where a quotation begins. Not responsible for what is
//! made of it: below it nothing is a yes.

use crate::record::render::is_headline;
use crate::remarkup::{Line, lines};

/// The address in the foot of each mail that a server sends, in every language.
const FOOT: &str = "/settings/panel/emailpreferences/";

/// The number of the line of a text from which on it repeats a mail; `None` where it repeats none.
pub(super) fn quoted_from(text: &str) -> Option<usize> {
    may_hold(text).then(|| head(&lines(text))).flatten()
}

/// The same of a text that was split into its lines already.
pub(super) fn head_of(text: &str, lines: &[Line<'_>]) -> Option<usize> {
    may_hold(text).then(|| head(lines)).flatten()
}

/// Whether a text can hold a head at all, told by characters that most texts do not hold.
fn may_hold(text: &str) -> bool {
    (text.contains('@') && text.contains(':'))
        || ["__________", "-----", FOOT].iter().any(|mark| text.contains(mark))
        || text.lines().any(is_headline)
        || (text.contains(": ") && text.lines().any(|line| names_a_sender(line.trim())))
}

/// The number of the first line of a head among some lines.
fn head(lines: &[Line<'_>]) -> Option<usize> {
    let texts: Vec<&str> = lines.iter().map(|line| if line.kind.is_words() { line.text.trim() } else { "" }).collect();
    let begins = |at: &usize| {
        let line = texts[*at];
        is_ruler(line)
            || is_divider(line)
            || is_introduction(line)
            || is_header_block(&texts[*at..])
            || is_headline(line)
    };
    (0..texts.len()).find(begins).or_else(|| {
        // A mail of the server below no head that is known: what was typed is the first paragraph at most.
        let foot = lines.iter().any(|line| line.text.contains(FOOT));
        let first = texts.iter().position(|line| !line.is_empty())?;
        let end = texts[first..].iter().position(|line| line.is_empty()).map(|length| first + length);
        foot.then(|| end.unwrap_or(first))
    })
}

/// `________________________________`, as Outlook on the web draws it.
fn is_ruler(line: &str) -> bool {
    line.len() >= 10 && line.bytes().all(|byte| byte == b'_')
}

/// `-----Ursprüngliche Nachricht-----`, `---------- Forwarded message ---------`.
fn is_divider(line: &str) -> bool {
    let dash = |c: char| matches!(c, '-' | '–' | '—' | '─');
    let words = line.trim_matches(dash);
    let before = line.len() - line.trim_start_matches(dash).len();
    let after = line.len() - line.trim_end_matches(dash).len();
    before >= 5 && after >= 3 && words.chars().any(char::is_alphabetic)
}

/// `Am 26.11.2026 schrieb releng1 <releng1@example.org>:`, or the last line of it where it is broken.
fn is_introduction(line: &str) -> bool {
    line.ends_with(':') && has_address(line)
}

/// `<…@…>`.
fn has_address(line: &str) -> bool {
    let parts = line.split('<').skip(1);
    parts.filter_map(|part| part.split_once('>')).any(|(within, _)| within.contains('@'))
}

/// `From: …`, `Sent: …` one under the other, with an address in one of them, or by their names.
fn is_header_block(lines: &[&str]) -> bool {
    let run: Vec<&str> = lines.iter().copied().take_while(|line| is_header(line)).take(12).collect();
    let addressed = run.iter().any(|line| has_address(line));
    run.len() >= 2 && (addressed || (names_a_sender(run[0]) && run.len() >= 3))
}

/// `word: …`, which is no trailer of the gate's.
fn is_header(line: &str) -> bool {
    let line = line.trim_matches('*');
    let Some((word, _)) = line.split_once(':') else { return false };
    let word = word.trim_matches(['*', ' ']);
    !word.is_empty()
        && word.chars().count() <= 24
        && word.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-'))
        && !super::trailers::is_key(word)
}

/// A line that names who sent a mail, in the languages in which clients write no address.
fn names_a_sender(line: &str) -> bool {
    const WORDS: [&str; 10] = ["from", "von", "fra", "från", "de", "da", "van", "lähettäjä", "od", "от"];
    let line = line.trim_matches('*');
    let word = line.split_once(':').map(|(word, _)| word.trim_matches(['*', ' ']).to_lowercase());
    word.is_some_and(|word| WORDS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPED: &str = "No! Please wait\n\n";

    #[test]
    fn what_clients_put_above_a_mail_is_a_head() {
        for head in [
            "________________________________\nFrom: releng1 (RelEng) <releng1@phab.example>\nSent: Friday\nTo: sre1",
            "________________________________\nVon: releng1\nGesendet: Freitag, 27. November 2026 03:14\nAn: sre1",
            "-----Ursprüngliche Nachricht-----\nVon: releng1",
            "-------- Weitergeleitete Nachricht --------\nBetreff: T1",
            "---------- Forwarded message ---------",
            "Am 27.11.2026 um 03:14 schrieb releng1 (RelEng) <releng1@phab.example>:",
            "Den fre. 27. nov. 2026 kl. 03.14 skrev releng1 <\nreleng1@phab.example>:\nfre <a@b>:",
            "Le ven. 27 nov. 2026 à 03:14, releng1 <releng1@phab.example> a écrit :",
            "El vie, 27 nov 2026, releng1\n<releng1@phab.example> escribió:",
            "From: releng1 <releng1@phab.example>\nDate: Friday\nTo: sre1",
            "*From:* releng1 <releng1@phab.example>\n*Sent:* Friday",
            "Fra: releng1\nSendt: 27. november 2026\nTil: sre1\nEmne: T1",
            "(NOTE) **Emergency deploy started** by `deployer1`",
            "NOTE: Emergency deploy finished: succeeded by deployer1",
            "**Deploy started** by `deployer1`, approved by `releng1`",
            "WARNING: Deploy ended, outcome unknown 2026-11-23 03:14 UTC.",
        ] {
            assert!(
                quoted_from(&format!("{TYPED}{head}\n\nEmergency-Approve: sre")).is_some_and(|at| at >= 2),
                "{head}"
            );
        }
    }

    #[test]
    fn a_mail_below_no_known_head_leaves_the_first_paragraph() {
        let mail = "Am Freitag schrieb releng1\n\nEmergency-Approve: sre\n\nhttp://phab.example/settings/panel/emailpreferences/";
        assert_eq!(quoted_from(&format!("No!\n\n{mail}")), Some(1));
        assert_eq!(quoted_from(mail), Some(1));
    }

    #[test]
    fn what_people_write_is_no_head() {
        for text in [
            "Deploy succeeded, thanks!",
            "Emergency-Approve: sre\nEmergency-Reject: releng - mail <a@b>",
            "Ask <sre1@phab.example> first.\nEmergency-Approve: sre",
            "Risk: low\nPlan: roll back\nEmergency-Approve: sre",
            "---\nEmergency-Approve: sre",
            "A heading\n-----\nEmergency-Approve: sre",
            "```\nFrom: a <a@b>\nTo: c <c@d>\n```\nEmergency-Approve: sre",
            "> Am 27.11. schrieb <a@b>:\n\nEmergency-Approve: sre",
            "It is down since 03:14: look at <https://a.example/@x>\nEmergency-Approve: sre",
        ] {
            assert_eq!(quoted_from(text), None, "{text}");
        }
    }
}
