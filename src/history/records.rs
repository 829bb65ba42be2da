//! Records of deploys, and comments that claim to be one.
//!
//! Responsible for what each says, and whether it is believed. Not responsible for how a record is written and read
//! (see [`crate::record`]).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Detail, Entry, EntryKind, HistoryBuilder, Tone, clipped};
use crate::attribution::ApprovalKind;
use crate::evidence::records::Authority;
use crate::evidence::timeline::Comment;
use crate::ids::{DeployId, Phid, User};
use crate::record::parse::Parsed;
use crate::record::{Event, Outcome, Record};
use crate::text::inert;
use crate::time::utc;

impl HistoryBuilder<'_> {
    /// What a comment records. `seen` holds the records that were listed before it.
    pub(super) fn record(&self, comment: &Comment<'_>, seen: &mut BTreeSet<(DeployId, Event)>) -> Option<Entry> {
        let transaction = comment.transaction;
        let (tone, words, detail) = match comment.claim() {
            Parsed::Absent => return None,
            Parsed::Unreadable { why } => {
                let why = match self.hide {
                    true => String::new(),
                    false => format!(": {}", clipped(why)),
                };
                (Tone::Bad, format!("wrote what claims to be a record and cannot be read{why}"), Detail::default())
            }
            Parsed::Newer { schema } => {
                let words = format!("wrote a record of the newer schema {schema}, which this version does not know");
                (Tone::Mind, words, Detail::default())
            }
            Parsed::Record(record) => {
                let authority = self.evidence.authority(record, &transaction.author, self.policy);
                let foreign = self.foreign.contains(&transaction.id);
                let believed = authority.is_believed() && !foreign;
                let contradicts = self.contradicting.get(&transaction.id);
                let duplicate = believed && contradicts.is_none() && !seen.insert((record.deploy, record.event));
                let detail = Detail {
                    deploy: Some(record.deploy),
                    event: Some(record.event),
                    outcome: record.outcome,
                    duplicate,
                    counts: Some(believed),
                    why_not: (!believed).then(|| self.why_not_believed(record, authority, foreign).to_owned()),
                    ..Detail::default()
                };
                match (believed, duplicate) {
                    _ if authority == Authority::Member => {
                        let words =
                            "said, as a member of a team, that nobody knows how the deploy ended: another may start";
                        (Tone::Mind, words.to_owned(), detail)
                    }
                    (true, false) => match contradicts {
                        None => (tone(record), self.describe(record, transaction.created), detail),
                        Some(standing) => {
                            let words = self.describe(record, transaction.created);
                            (Tone::Bad, format!("contradicts the record #{standing}, which stands: {words}"), detail)
                        }
                    },
                    (true, true) => {
                        let words = format!("{} a second time: a duplicate of the record before", event(record.event));
                        (Tone::Mind, words, detail)
                    }
                    (false, _) => {
                        let claim = match self.hide {
                            true => event(record.event).to_owned(),
                            false => self.describe(record, transaction.created),
                        };
                        let why = self.why_not_believed(record, authority, foreign);
                        (Tone::Bad, format!("wrote a record that is not believed, as {why}; it says: {claim}"), detail)
                    }
                }
            }
        };
        Some(Entry {
            moment: self.evidence.timeline.moment_of(transaction),
            author: transaction.author.clone(),
            kind: EntryKind::Record,
            tone,
            words,
            detail,
        })
    }

    fn why_not_believed(&self, record: &Record, authority: Authority, foreign: bool) -> &'static str {
        match (record.task == self.evidence.task.id, authority) {
            (true, _) if foreign => "it speaks of the deploy of somebody else",
            (true, Authority::Member) => "its author neither started the deploy nor is a recorder",
            (true, _) => "its author is neither a recorder nor the deployer that it names",
            (false, _) => "it speaks of another task",
        }
    }

    /// What a record says; `written` is when it was.
    fn describe(&self, record: &Record, written: Timestamp) -> String {
        let mut words = event(record.event).to_owned();
        let back = record.is_rollback() && !self.hide;
        let kinds = [(record.drill, "a drill"), (back, "a rollback")];
        let kinds: Vec<&str> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect();
        if !kinds.is_empty() {
            words.push_str(&format!(" ({})", kinds.join(", ")));
        }
        words.push_str(&match &record.deployer {
            Some(deployer) => format!(" by {}", self.person(deployer.phid.as_ref(), &deployer.user)),
            None => " by nobody known".to_owned(),
        });
        if record.event == Event::Finished {
            words.push_str(&format!(": {}", ended(record)));
            words.push_str(&stated("ended", record.finished, written));
        } else {
            if !self.hide {
                words.push_str(&format!(" on {}", clipped(&record.host)));
            }
            words.push_str(&stated("started", record.started, written));
            if let Some(change) = &record.change {
                words.push_str(&format!("; change {}", self.quote(change)));
            }
            if let Some(command) = &record.command {
                words.push_str(&format!("; command {}", self.quote(command)));
            }
            if record.event == Event::Recorded {
                words.push_str(&format!("; {}", ended(record)));
            }
        }
        words.push_str(&record.note.as_ref().map(|note| format!("; note {}", self.quote(note))).unwrap_or_default());
        if record.event != Event::Finished {
            words.push_str(&format!("; {}; verdict {}", self.approved(record), self.word(&record.verdict, &VERDICTS)));
            if !record.failed.is_empty() && !self.hide {
                words.push_str(&format!(" because of {}", clipped(&record.failed.join(", "))));
            }
        }
        if record.policy != self.digest.as_str() {
            words.push_str("; another policy than this one judged it");
        }
        words.push_str(&format!("; deploy {}", record.deploy));
        words
    }

    /// Who somebody is: whom the account is called today, else the name as it was written. Of a restricted task nothing
    /// that was written is shown.
    fn person(&self, phid: Option<&Phid<User>>, written: &str) -> String {
        match phid.and_then(|phid| self.evidence.accounts.get(phid)) {
            Some(account) => inert(&account.username),
            None if self.hide => "somebody".to_owned(),
            None => clipped(written),
        }
    }

    /// A word of a record; of a restricted task only where it is one of these.
    fn word(&self, word: &str, known: &[&str]) -> String {
        if self.hide && !known.contains(&word) { "(hidden)".to_owned() } else { clipped(word) }
    }

    fn approved(&self, record: &Record) -> String {
        if record.approvals.is_empty() {
            return "approved by nobody".to_owned();
        }
        let teams: Vec<&str> = self.policy.teams.iter().map(|team| team.key.as_str()).collect();
        let by = record.approvals.iter().map(|approval| {
            let kind = match approval.kind {
                ApprovalKind::Verified => "",
                ApprovalKind::Witnessed => ", heard on IRC",
                ApprovalKind::Attested => ", attested",
            };
            let person = self.person(approval.phid.as_ref(), &approval.user);
            format!("{person} ({}{kind})", self.word(&approval.team, &teams))
        });
        format!("approved by {}", by.collect::<Vec<_>>().join(", "))
    }
}

/// The verdicts that a record can state.
const VERDICTS: [&str; 4] = ["allowed", "pending", "denied", "undecided"];

/// How far the time of an event may be from that of its record without being worth a word.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// When something happened by the record, where that is another time than that of the record.
fn stated(happened: &str, time: Option<Timestamp>, written: Timestamp) -> String {
    let far = time.filter(|time| time.duration_since(written).abs() > APART);
    far.map(|time| format!("; it states that it {happened} at {}", utc(time))).unwrap_or_default()
}

fn event(event: Event) -> &'static str {
    match event {
        Event::Started => "recorded the start of a deploy",
        Event::Finished => "recorded the end of a deploy",
        Event::Recorded => "recorded a deploy by other means",
    }
}

fn ended(record: &Record) -> String {
    let outcome = match record.outcome {
        Some(Outcome::Succeeded) => "succeeded",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::RolledBack) => "rolled back",
        Some(Outcome::NotStarted) => "the command was never started",
        Some(Outcome::Unknown) | None => "nobody saw how it ended",
    };
    match record.exit {
        Some(exit) => format!("{outcome}, {exit}"),
        None => outcome.to_owned(),
    }
}

fn tone(record: &Record) -> Tone {
    match record.outcome {
        _ if record.verdict != "allowed" => Tone::Bad,
        None => Tone::Good,
        Some(Outcome::Succeeded) => Tone::Good,
        Some(Outcome::Failed) => Tone::Bad,
        Some(Outcome::RolledBack | Outcome::Unknown | Outcome::NotStarted) => Tone::Mind,
    }
}
