//! *emergency* with a form of *approve*, *reject*, *withdraw* or another word for a no after it, in a folded line.
//!
//! Responsible for finding each of them, misspelt by one letter or with another ending. Not responsible for what stands around them, nor for
//! what follows from it.

use super::fold::{FoldPart, FoldedWord, within_one};

/// A word that may follow *emergency*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Reject,
    Rejection,
    Withdraw,
    Withdrawal,
    Approve,
    /// Another word for a no, which needs the dash and the colon of a trailer.
    Deny,
}

/// *emergency* directly followed by a form.
pub(super) struct Pair {
    pub(super) form: Form,
    /// Nothing stands before it.
    pub(super) at_start: bool,
    /// One dash stands between.
    pub(super) dashed: bool,
    /// Something that is looked past parts it from the rest of its word.
    pub(super) parted: bool,
    /// The number of the part after it.
    pub(super) end: usize,
}

/// The pairs of a line, in order.
pub(super) fn pairs(parts: &[FoldPart]) -> Vec<Pair> {
    let mut found = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let FoldPart::Word(word) = part else { continue };
        for start in word.starts() {
            let at_start = at == 0 && start == 0;
            if within_one(&word.text[start..], "emergency") {
                found.extend(pairs_of_two(parts, at, at_start));
            } else {
                found.extend(pairs_of_one(word, start).map(|(form, parted)| Pair {
                    form,
                    at_start,
                    dashed: false,
                    parted,
                    end: at + 1,
                }));
            }
        }
    }
    found
}

/// *emergency* at the end of a word, and a form in the next one.
fn pairs_of_two(parts: &[FoldPart], at: usize, at_start: bool) -> impl Iterator<Item = Pair> {
    let between = parts[at + 1..].iter();
    let run: Vec<&FoldPart> =
        between.take_while(|part| matches!(part, FoldPart::Blank | FoldPart::Dash | FoldPart::Underscore)).collect();
    // A dash with blanks beside it parts a sentence, unless the line begins with it.
    let direct = run.len() == 1 || at_start || run.iter().all(|part| **part != FoldPart::Blank);
    let (dashed, end) = (run == [&FoldPart::Dash], at + 2 + run.len());
    let next = parts.get(at + 1 + run.len()).filter(|_| direct);
    let word = next.and_then(|part| if let FoldPart::Word(word) = part { Some(word) } else { None });
    let forms = word.into_iter().flat_map(|word| {
        // What is looked past inside of a form, as in `Reject's`, parts nothing.
        let whole = form(&word.text).map(|form| (form, false));
        let parted = word.pieces(0).filter(move |_| whole.is_none()).filter_map(form).map(|form| (form, true));
        whole.into_iter().chain(parted)
    });
    forms.map(move |(form, parted)| Pair { form, at_start, dashed, parted, end })
}

/// Forms of which nothing parts *emergency*, as in `emergencyreject`, from a byte of a word on; and whether something that is looked past
/// parts them from the rest of it.
fn pairs_of_one(word: &FoldedWord, start: usize) -> impl Iterator<Item = (Form, bool)> {
    let form_of = |piece: &str| {
        let ends = piece.char_indices().map(|(end, _)| end).filter(|end| (8..=12).contains(end));
        let mut forms =
            ends.filter(|end| within_one(&piece[..*end], "emergency")).filter_map(|end| form(&piece[end..]));
        forms.find(|form| *form != Form::Deny)
    };
    let whole = word.text.get(start..).filter(|rest| rest.len() <= FoldedWord::LONGEST).and_then(form_of);
    let parted = word.pieces(start).filter(move |_| whole.is_none()).filter_map(form_of).map(|form| (form, true));
    whole.map(|form| (form, false)).into_iter().chain(parted)
}

/// The form that a word is: with another ending, or one letter wrong.
pub(super) fn form(word: &str) -> Option<Form> {
    const FORMS: [(Form, &str, &[&str]); 5] = [
        (Form::Rejection, "rejection", &["rejection", "rejections"]),
        (Form::Reject, "reject", &["reject", "rejects", "rejected", "rejecting"]),
        (Form::Withdrawal, "withdrawal", &["withdrawal", "withdrawals"]),
        (Form::Withdraw, "withdr", &["withdraw", "withdraws", "withdrew", "withdrawn", "withdrawing"]),
        (Form::Approve, "approv", &["approve", "approves", "approved", "approving", "approval"]),
    ];
    const DENIES: [(&str, &[&str]); 12] = [
        ("deny", &["denies", "denied", "denying"]),
        ("veto", &["vetos", "vetoes", "vetoed"]),
        ("refuse", &["refuses", "refused", "refusal"]),
        ("decline", &["declines", "declined"]),
        ("disapprove", &["disapproves", "disapproved", "disapproval"]),
        ("unapprove", &["unapproves", "unapproved"]),
        ("block", &["blocks", "blocked"]),
        ("stop", &["stops", "stopped"]),
        ("cancel", &["cancels", "canceled", "cancelled"]),
        ("retract", &["retracts", "retracted"]),
        ("no", &[]),
        ("nope", &[]),
    ];
    let misspelt = |base: &str| base.len() >= 6 && within_one(word, base);
    let denies = |(base, endings): &(&str, &[&str])| word == *base || endings.contains(&word) || misspelt(base);
    if DENIES.iter().any(denies) {
        return Some(Form::Deny);
    }
    let is = |(_, stem, forms): &&(Form, &str, &[&str])| {
        let ending = word.strip_prefix(stem).is_some_and(|ending| ending.chars().count() <= 4);
        ending || forms.iter().any(|form| within_one(word, form))
    };
    FORMS.iter().find(is).map(|(form, ..)| *form)
}
