//! `possible-no`: nobody who may has written what reads as a no and is none by the letter.

use super::verdict::Effect;
use super::{Rule, list};

pub(super) const RULE: Rule = Rule {
    name: "possible-no",
    summary: "Nobody of a team wrote what reads as a no",
    page: "A member of a team of the policy wrote a line that a reader takes for a no, though it is not one by the letter: \
           bold, in a list, with another dash, misspelt, with words before it, in the description, below a mail that their \
           client repeated. Nobody can know that it was not meant. So it stops the deploy until its author answers by the \
           letter, for any team, in a later comment, or edits the line away. Approvals of theirs that are older do not count \
           any more.\n\n\
           What is read so: \"emergency\" with a form of \"reject\" after it, at the start of a line or before a colon, a dash, \
           a team's name or the end of the line; \"Emergency-Deny:\", \"-Veto:\", \"-Refuse:\", \"-Decline:\", \"-Disapprove:\", \
           \"-Unapprove:\", \"-Block:\", \"-Stop:\", \"-Cancel:\", \"-Retract:\", \"-No:\"; and \"Emergency-Approve:\" with no or not \
           after it; whatever else the line says (\"emergency-reject is a command\"), since only who wrote it knows. A no in other \
           words, in another language or without \"emergency\" (\"Reject: sre\", \"bitte nicht\") stops nothing: \
           `check`, `history` and `run` show it under what was said on the task. Lines in quotes, fences, literal text and code \
           are not read, unless nothing closes the fence or the literal text. Links are read by the names that they show, and \
           in a table, whose marks can hide a line, each cell by itself, also where it is struck out.\n\n\
           Talk to who wrote it. They write, alone on a line, \"Emergency-Reject: TEAM\" if it is a no, or \
           \"Emergency-Withdraw: TEAM\" if it is none (as a comment); or they approve anew.",
    judge: |rule, context| {
        let denying = context.near_misses.iter().filter(|near| near.effect == Effect::Denies);
        let (mut said, mut hints) = (Vec::new(), Vec::new());
        for near in denying {
            let line = context.quote(&near.line);
            said.push(format!("{} wrote {line}, which reads as a no: {}", near.user, near.why));
            let write = near.write.as_deref().unwrap_or_default();
            let hint = format!("{} has to write on {}, alone on a line, {write}", near.user, context.task());
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        match said.is_empty() {
            true => rule.pass("nobody wrote what reads as a no"),
            false => rule.fail(list(&said, "and"), hints.join("; ")),
        }
    },
};
