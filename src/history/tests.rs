//! Tests of the history that is built.

use super::*;
use crate::attribution::DeployerSource;
use crate::evidence::testing::{History as Made, at, person};
use crate::record::comment::render;
use crate::record::comment::tests::example;
use crate::record::{Deployer, Event, Outcome, Record, RecordedApproval};
use crate::witness::WitnessedWord::{Approve, Reject, Withdraw};

fn history_of(made: &Made) -> TaskHistory {
    build(&made.as_read_by("phabgate", None), &made.policy, Texts::Hidden)
}

/// The story as lines: kind, author, words.
fn lines(history: &TaskHistory) -> Vec<String> {
    let line = |entry: &Entry| {
        let author = entry.author.trim_start_matches("PHID-USER-");
        format!("{} {author} {}", entry.kind.word(), entry.words)
    };
    history.entries.iter().map(line).collect()
}

fn of(history: &TaskHistory, kind: EntryKind) -> Vec<String> {
    let found = history.entries.iter().filter(|entry| entry.kind == kind);
    found.map(|entry| entry.words.clone()).collect()
}

fn record(event: Event) -> Record {
    let mut record = example();
    record.action = Some("fix".to_owned());
    record.event = event;
    record.task = crate::ids::TaskId::new(1).unwrap();
    record.deployer =
        Some(Deployer { user: "deployer1".into(), phid: Some(person("deployer1")), source: DeployerSource::Token });
    record.behind = Vec::new();
    record.policy = Made::ready().policy.digest().to_string();
    (record.started, record.finished) = (record.started.map(|_| at(30)), record.finished.map(|_| at(40)));
    record
}

/// What a record says last.
fn deploy() -> String {
    format!("; deploy {}", example().deploy)
}

#[test]
fn an_emergency_is_listed_in_order() {
    let mut made = Made::ready();
    let started = Record {
        change: None,
        note: None,
        outcome: None,
        exit: None,
        command: Some("scap sync-world".into()),
        ..record(Event::Started)
    };
    made.comment("phabgate", 30, &render(&started).unwrap());
    made.comment(
        "phabgate",
        40,
        &render(&Record { note: Some("went well".into()), ..record(Event::Finished) }).unwrap(),
    );
    made.status("deployer1", 50, "resolved");
    made.status("sre1", 60, "open");
    assert_eq!(
        lines(&history_of(&made)),
        [
            "created deployer1 created the task",
            "reason deployer1 stated the reason in the description: availability, '5xx on every page view'",
            "tag deployer1 added the tag #emergency-deployment: an emergency from here on",
            "approve releng1 approved for releng: counts now",
            "approve sre1 approved for sre: counts now",
            "record phabgate recorded the start of a deploy by deployer1 on deploy1.example; command 'scap sync-world'; \
             approved by releng1 (releng), sre1 (sre, attested); verdict allowed; \
             deploy 0198f5d0-0000-7000-8000-000000000001",
            "record phabgate recorded the end of a deploy by deployer1: succeeded, exit status 0; note 'went well'; \
             deploy 0198f5d0-0000-7000-8000-000000000001",
            "status deployer1 closed the task as resolved",
            "status sre1 opened the task again (open)",
        ]
    );
}

#[test]
fn a_record_shows_the_times_that_it_states_another_policy_and_whose_account_it_names() {
    let mut made = Made::ready();
    let mut stated = record(Event::Recorded);
    stated.started = Some(at(-7_200));
    stated.policy = format!("sha256:{}", "0".repeat(64));
    stated.deployer = stated.deployer.map(|deployer| Deployer { user: "somebody-else".into(), ..deployer });
    made.comment("phabgate", 30, &render(&stated).unwrap());
    made.comment("phabgate", 40, &render(&Record { started: Some(at(-7_200)), ..record(Event::Finished) }).unwrap());
    let records = of(&history_of(&made), EntryKind::Record);
    for words in [
        "recorded a deploy by other means by deployer1 on",
        &format!("; it states that it started at {};", crate::time::utc(at(-7_200))),
        "; another policy than this one judged it",
        &deploy(),
    ] {
        assert!(records[0].contains(words), "{words}: {}", records[0]);
    }
    assert!(!records[1].contains("states") && !records[1].contains("another policy"), "{}", records[1]);
}

#[test]
fn an_end_that_contradicts_another_and_a_record_of_somebody_elses_deploy_are_no_duplicates() {
    let mut made = Made::ready();
    made.comment("phabgate", 30, &render(&record(Event::Started)).unwrap());
    let stands = made.comment("phabgate", 40, &render(&record(Event::Finished)).unwrap());
    let failed = Record { outcome: Some(Outcome::Failed), ..record(Event::Finished) };
    made.comment("deployer1", 50, &render(&failed).unwrap());
    let by_sre2 = Deployer { user: "sre2".into(), phid: Some(person("sre2")), source: DeployerSource::Token };
    made.comment("sre2", 60, &render(&Record { deployer: Some(by_sre2), ..failed }).unwrap());
    let records = of(&history_of(&made), EntryKind::Record);
    assert!(records[2].starts_with(&format!("contradicts the record #{stands}, which stands: ")), "{records:#?}");
    let foreign = "wrote a record that is not believed, as it speaks of the deploy of somebody else; it says: ";
    assert!(records[3].starts_with(foreign), "{records:#?}");
}

#[test]
fn a_task_that_nothing_was_asked_of_is_no_emergency() {
    let mut made = Made::new("deployer1");
    made.comment("sre1", 10, "Nice weather.");
    made.status("deployer1", 20, "resolved");
    let history = history_of(&made);
    assert!(!history.emergency && !history.tagged);
    made.comment("sre1", 30, "Emergency-Approve: sre");
    let history = history_of(&made);
    assert!(history.emergency && !history.tagged);
}

#[test]
fn the_tag_comes_and_goes() {
    let mut made = Made::new("deployer1");
    made.tag("deployer1", 1, "emergency");
    made.tag("deployer1", 2, "emergency-sub");
    made.untag("deployer2", 3, "emergency");
    made.untag("deployer2", 4, "emergency-sub");
    made.tag("deployer2", 5, "unrelated");
    assert_eq!(
        of(&history_of(&made), EntryKind::Tag),
        [
            "added the tag #emergency-deployment: an emergency from here on",
            "added a subproject or milestone of the tag #emergency-deployment: it was an emergency already",
            "removed the tag #emergency-deployment: another tag still makes it an emergency",
            "removed a subproject or milestone of the tag #emergency-deployment: no emergency any more",
        ]
    );
}

#[test]
fn the_reason_is_followed_from_place_to_place() {
    let mut made = Made::emergency();
    made.field("deployer1", 10, Some("security - leak"));
    made.field("deployer1", 11, Some("security - a worse leak"));
    made.field("deployer1", 12, None);
    made.comment("outsider", 13, "Emergency-Reason: abuse - mine");
    made.describe("deployer1", 14, "Emergency-Reason: party");
    assert_eq!(
        of(&history_of(&made), EntryKind::Reason),
        [
            "stated the reason in the description: availability, '5xx on every page view'",
            "stated the reason in the custom field: security, 'leak'",
            "changed the explanation in the custom field: security, 'a worse leak'; before: security, 'leak'",
            "cleared the reason in the custom field; before: security, 'a worse leak'; in force is the one in the \
             description: availability, '5xx on every page view'",
            "stated the reason in a comment: abuse, 'mine'; does not count: only the task's author and the deployer \
             state it",
            "changed the reason in the description: 'party' (no category of the policy); before: availability, '5xx \
             on every page view'",
        ]
    );
}

#[test]
fn what_is_stated_about_the_deploy_is_listed() {
    let mut made = Made::emergency();
    made.comment("deployer1", 10, "Emergency-Deployer: deployer2\nEmergency-Action: rollback\nEmergency-Drill: yes");
    assert_eq!(
        of(&history_of(&made), EntryKind::Stated),
        [
            "stated the deployer in a comment: 'deployer2'",
            "stated the action in a comment: 'rollback'",
            "stated the drill in a comment: 'yes'",
        ]
    );
}

#[test]
fn each_answer_is_listed_with_whether_it_counts() {
    let mut made = Made::ready();
    made.comment("outsider", 20, "Emergency-Approve: sre");
    made.comment("sre2", 21, "Emergency-Approve: sre after lunch");
    made.comment("sre1", 22, "Emergency-Withdraw: sre");
    made.comment("sre2", 23, "Emergency-Reject: no way");
    made.comment("releng2", 24, "Emergency-Reject: releng - too risky");
    made.comment("releng2", 25, "Emergency-Approve: releng");
    made.comment("admin", 26, "Emergency-Reject: sre");
    made.comment("admin", 27, "Emergency-Reject: never");
    made.comment("releng1", 28, "Emergency-Approve: releng");
    let history = history_of(&made);
    assert_eq!(
        of(&history, EntryKind::Approve),
        [
            "approved for releng: does not count now: replaced by their later approval of 23:43:48",
            "approved for sre: does not count now: withdrawn",
            "approved for sre: does not count now: not a member of SRE",
            "approved for 'sre after lunch': does not count now: not understood: write the team alone, as in \
             \"Emergency-Approve: sre\" (as a comment)",
            "approved for releng: counts now",
            "approved for releng: counts now",
        ]
    );
    assert_eq!(of(&history, EntryKind::Withdraw), ["withdrew for sre: stands"]);
    assert_eq!(
        of(&history, EntryKind::Reject),
        [
            "rejected 'no way', not understood, so for every team of theirs (sre): stands, and stops a deploy",
            "rejected for releng, 'too risky': does not stand: replaced by their later approval of 23:43:45",
            "rejected for sre: does not stand: replaced by their later no of 23:43:47",
            "rejected 'never', not understood: does not stand: its author is in no team of the policy",
        ]
    );
}

/// Whether each approval counts, by the history that a reader sees and by the verdict that they are given.
fn counting(made: &Made, reader: &'static str, deployer: Option<&str>) -> (Vec<bool>, Vec<bool>) {
    let evidence = made.as_read_by(reader, deployer);
    let history = build(&evidence, &made.policy, Texts::Hidden);
    let approvals = history.entries.iter().filter(|entry| entry.kind == EntryKind::Approve);
    let verdict = rules::evaluate(&evidence, &made.policy, &Intent::default(), None);
    (
        approvals.map(|entry| entry.detail.counts == Some(true)).collect(),
        verdict.approvals.iter().map(|a| a.counts()).collect(),
    )
}

#[test]
fn what_counts_is_what_counts_in_the_verdict_whoever_reads_it() {
    let mut made = Made::ready();
    for reader in ["sre1", "deployer1", "phabgate", "outsider"] {
        assert_eq!(counting(&made, reader, None), (vec![true; 2], vec![true; 2]), "{reader}");
        assert_eq!(counting(&made, reader, Some("SRE1")), (vec![true, false], vec![true, false]), "{reader}");
    }
    // Who deployed once may approve the next deploy: it is the verdict that says who may not.
    let mut by_sre1 = record(Event::Recorded);
    by_sre1.deployer = Some(Deployer { user: "sre1".into(), phid: Some(person("sre1")), source: DeployerSource::Flag });
    made.comment("phabgate", 30, &render(&by_sre1).unwrap());
    assert_eq!(counting(&made, "sre2", None), (vec![true; 2], vec![true; 2]));
    made.comment("deployer1", 31, "Emergency-Deployer: sre1");
    made.comment("sre1", 32, "Emergency-Approve: sre");
    made.comment("releng1", 33, "Emergency-Approve: releng");
    let (listed, judged) = counting(&made, "sre2", None);
    assert_eq!((listed.last(), judged.last()), (Some(&true), Some(&true)));
    assert!(of(&history_of(&made), EntryKind::Approve).iter().any(|words| words.contains("may be behind the deploy")));
}

#[test]
fn what_somebody_said_on_irc_is_listed_once_as_their_answer() {
    let mut made = Made::emergency();
    made.policy.witnesses = vec!["heard".into()];
    made.policy.accept_witnessed = true;
    made.members.get_mut("sre").unwrap().push("heard");
    made.witness(20, Approve, "sre1", "sre");
    made.comment("heard", 30, "I was restarted.");
    let history = history_of(&made);
    let [said] = of(&history, EntryKind::Approve).try_into().unwrap();
    assert_eq!(said, "approved on IRC as 'sre1' for sre: counts now");
    assert_eq!(of(&history, EntryKind::Said), ["said 'I was restarted.'"]);
}

/// An emergency whose witness is believed.
fn with_witness() -> Made {
    let mut made = Made::emergency();
    made.policy.witnesses = vec!["heard".into()];
    made.policy.accept_witnessed = true;
    made
}

#[test]
fn a_witness_that_is_not_believed_is_listed_with_what_it_says() {
    let mut made = with_witness();
    let yes = crate::witness::render(&made.heard(20, Approve, "sre1", "sre"));
    let mut elsewhere = made.heard(20, Reject, "sre2", "sre");
    elsewhere.task = crate::ids::TaskId::new(2).unwrap();
    let mut future = made.heard(20, Reject, "sre2", "sre");
    future.seen = crate::ids::TransactionId(900);
    made.comment("outsider", 20, &yes);
    made.comment("heard", 21, &yes.replace("\"word\"", "\"wrd\""));
    made.comment("heard", 22, &crate::witness::render(&elsewhere));
    made.comment("heard", 23, &crate::witness::render(&future));
    let turned = made.comment("deployer1", 24, "Nothing.");
    made.edit(turned, "admin", 25, &yes);
    let history = history_of(&made);
    assert_eq!(
        of(&history, EntryKind::Witness),
        [
            "wrote what claims to be a witness and is not believed, as `policy.witnesses` does not name its author; it says: \
             sre1 approved on IRC for 'sre'",
            "wrote what claims to be a witness and is not believed, as it cannot be read",
            "wrote what claims to be a witness and is not believed, as it speaks of another task; it says: sre2 said no on IRC \
             for 'sre'",
            "wrote what claims to be a witness and is not believed, as it speaks of what cannot be; a no stands all the same; it \
             says: sre2 said no on IRC for 'sre'",
        ]
    );
    assert_eq!(
        of(&history, EntryKind::Edited),
        [
            "edited the comment of deployer1 of 2026-11-22 23:43:44 UTC: what claims to be a witness was put in (it says now: sre1 \
          approved on IRC for 'sre'); it counts for nobody, as `policy.witnesses` does not name its author"
        ]
    );
    assert_eq!(of(&history, EntryKind::Approve), [""; 0], "nobody approved");
}

#[test]
fn an_edited_witness_is_listed_as_what_it_said_first_and_who_made_it_say_what() {
    let mut made = with_witness();
    let id = made.witness(20, Approve, "sre1", "sre");
    let text = crate::witness::render(&made.heard(20, Withdraw, "sre1", "sre"));
    made.edit(id, "admin", 30, &text);
    let history = history_of(&made);
    assert_eq!(
        of(&history, EntryKind::Approve),
        ["approved on IRC as 'sre1' for sre: does not count now: what the witness wrote down was edited"]
    );
    assert_eq!(
        of(&history, EntryKind::Withdraw),
        ["put into a witness that sre1 withdrew on IRC as 'sre1' for every team of theirs (sre): stands"]
    );
    let put = history.entries.iter().find(|entry| entry.kind == EntryKind::Withdraw).unwrap();
    assert_eq!((put.author.as_str(), put.moment.time), (person("admin").as_str(), crate::evidence::testing::at(30)));
    assert_eq!(
        of(&history, EntryKind::Edited),
        [
            "edited the comment of heard of 2026-11-22 23:43:40 UTC: the witness in it was changed (it says now: sre1 withdrew on \
          IRC for 'sre'); a yes of it counts for nobody, and a no that stood in any version of it stands"
        ]
    );
}

#[test]
fn nothing_that_a_witness_is_said_to_say_is_shown_of_a_restricted_task() {
    let mut made = with_witness();
    made.task.view = "admin".into();
    let mut heard = made.heard(20, Reject, "stranger", "SECRET");
    (heard.user, heard.why, heard.account) = ("SECRET".into(), Some("SECRET".into()), "SECRET".into());
    let text = crate::witness::render(&heard);
    made.comment("outsider", 20, &text);
    let turned = made.comment("heard", 21, &text);
    made.edit(turned, "admin", 22, &text.replace("reject", "withdraw"));
    made.comment("heard", 23, &format!("{text}{text}"));
    for entry in &history_of(&made).entries {
        let whole = format!("{} {}", entry.words, serde_json::to_string(&entry.detail).unwrap());
        assert!(!whole.contains("SECRET"), "{whole}");
    }
}

#[test]
fn an_edit_is_listed_with_what_was_there_before() {
    let mut made = Made::emergency();
    let turned = made.comment("sre1", 10, "Emergency-Approve: sre");
    let kept = made.comment("sre2", 11, "Emergency-Approve: sre");
    let plain = made.comment("sre2", 12, "Looking.");
    made.edit(turned, "sre1", 20, "Emergency-Reject: sre - no");
    made.edit(kept, "sre2", 21, "Emergency-Approve: sre\n\nGood luck.");
    made.edit(plain, "sre2", 22, "Still looking.");
    made.edit(kept, "admin", 23, "Emergency-Approve: releng");
    let history = history_of(&made);
    assert_eq!(
        of(&history, EntryKind::Edited),
        [
            "edited their comment of 2026-11-22 23:43:30 UTC: `Emergency-Approve: sre` was taken out; \
             `Emergency-Reject: sre - no` was put in",
            "edited their comment of 2026-11-22 23:43:31 UTC: what it says to the gate is as before",
            "edited the comment of sre2 of 2026-11-22 23:43:31 UTC: `Emergency-Approve: sre` became \
             `Emergency-Approve: releng`",
        ]
    );
    assert_eq!(
        of(&history, EntryKind::Approve),
        [
            "approved for sre: does not count now: the comment was edited since and does not say it any more",
            "approved for sre: does not count now: the comment was edited since and does not say it any more",
            "approved for releng (by an edit): does not count now: somebody else edited it into the comment",
        ]
    );
    assert_eq!(of(&history, EntryKind::Reject), ["rejected for sre, 'no' (by an edit): stands, and stops a deploy"]);
}

#[test]
fn what_was_a_drill_when_it_was_tagged_is_said_to_be_one() {
    let tagged = |seconds| {
        let mut made = Made::new("deployer1");
        made.describe("deployer1", 1, "Emergency-Reason: availability - x");
        made.tag("deployer1", 2, "emergency");
        made.comment("deployer1", seconds, "Emergency-Drill: yes");
        of(&history_of(&made), EntryKind::Tag)
    };
    assert_eq!(tagged(2), ["added the tag #emergency-deployment: a drill from here on"]);
    assert_eq!(tagged(9), ["added the tag #emergency-deployment: an emergency from here on"]);
}

#[test]
fn a_removal_is_listed_with_who_did_it() {
    let mut made = Made::ready();
    let gone = made.comment("sre1", 20, "Emergency-Withdraw: sre");
    made.remove(gone, "admin", 30);
    let history = history_of(&made);
    let removed = history.entries.iter().find(|entry| entry.kind == EntryKind::Removed).unwrap();
    assert_eq!(removed.author, person("admin").as_str());
    assert_eq!(
        removed.words,
        "removed the comment of sre1 of 2026-11-22 23:43:40 UTC; it may have said anything, so no older approval of \
         sre1 counts any more"
    );
    assert!(of(&history, EntryKind::Approve)[1].contains("a later comment of the approver was removed"));
}

#[test]
fn a_witness_that_was_removed_takes_what_was_heard_with_it_and_nothing_of_its_author() {
    let mut made = Made::emergency();
    made.policy.witnesses = vec!["heard".into()];
    made.policy.accept_witnessed = true;
    let gone = made.witness(20, Approve, "sre1", "sre");
    made.remove(gone, "admin", 30);
    assert_eq!(
        of(&history_of(&made), EntryKind::Removed),
        [
            "removed the comment of heard of 2026-11-22 23:43:40 UTC; it may have said anything, so no older approval heard on \
          IRC counts any more"
        ]
    );
}

#[test]
fn records_are_listed_with_what_is_wrong_with_them() {
    let mut made = Made::ready();
    let started = made.comment("phabgate", 30, &render(&record(Event::Started)).unwrap());
    made.comment("phabgate", 31, &render(&record(Event::Started)).unwrap());
    made.comment("outsider", 32, &render(&record(Event::Finished)).unwrap());
    let mut elsewhere = record(Event::Finished);
    elsewhere.task = crate::ids::TaskId::new(2).unwrap();
    made.comment("phabgate", 33, &render(&elsewhere).unwrap());
    made.comment("outsider", 34, "```lang=json, name=phabgate/record/1\n{\n```");
    made.comment("outsider", 35, "```lang=json, name=phabgate/record/9\n{}\n```");
    made.edit(started, "phabgate", 40, "Nothing happened.");
    let history = history_of(&made);
    let records = of(&history, EntryKind::Record);
    assert_eq!(
        records.iter().map(|words| words.split([':', ';']).next().unwrap()).collect::<Vec<_>>(),
        [
            "recorded the start of a deploy by deployer1 on deploy1.example",
            "recorded the start of a deploy a second time",
            "wrote a record that is not believed, as its author is neither a recorder nor the deployer that it names",
            "wrote a record that is not believed, as it speaks of another task",
            "wrote what claims to be a record and cannot be read",
            "wrote a record of the newer schema phabgate/record/9, which this version does not know",
        ]
    );
    assert!(of(&history, EntryKind::Edited)[0].ends_with("the record was taken out; what it said first counts"));
    let duplicates = history.entries.iter().filter(|entry| entry.detail.duplicate).count();
    assert_eq!(duplicates, 1);
}

#[test]
fn an_approval_that_served_says_so() {
    let mut made = Made::emergency();
    let approval = made.comment("sre1", 10, "Emergency-Approve: sre");
    let mut recorded = record(Event::Recorded);
    recorded.outcome = Some(Outcome::Failed);
    recorded.approvals = vec![RecordedApproval {
        team: "sre".into(),
        user: "sre1".into(),
        phid: Some(person("sre1")),
        project: None,
        kind: crate::attribution::ApprovalKind::Verified,
        transaction: Some(approval),
        time: crate::evidence::testing::at(10),
        evidence: None,
    }];
    made.comment("phabgate", 30, &render(&recorded).unwrap());
    assert_eq!(
        of(&history_of(&made), EntryKind::Approve),
        ["approved for sre: counts now; a recorded deploy rests on it"]
    );
}

#[test]
fn a_restricted_task_keeps_its_texts_to_itself() {
    let mut made = Made::new("deployer1");
    made.task.view = "admin".into();
    made.describe("deployer1", 1, "Emergency-Reason: security - SECRET\nEmergency-Change: SECRET");
    made.tag("deployer1", 2, "emergency");
    made.field("deployer1", 3, Some("SECRET"));
    made.field("deployer1", 4, None);
    let edited = made.comment("sre1", 5, "Emergency-Approve: SECRET");
    made.edit(edited, "sre1", 6, "Emergency-Reject: sre - SECRET\nEmergency-SECRET: x\nEmergency-Followup: SECRET");
    made.comment("sre2", 7, "Emergency-Approve: sre and SECRET");
    made.comment("sre2", 8, "Emergency-Reject: SECRET");
    made.comment("outsider", 9, "Emergency-Reason: abuse - SECRET");
    let mut secret = record(Event::Recorded);
    secret.command = Some("SECRET".into());
    secret.note = Some("SECRET".into());
    secret.change = Some("SECRET".into());
    secret.verdict = "SECRET".into();
    secret.failed = vec!["SECRET".into()];
    secret.approvals[0].team = "SECRET".into();
    (secret.approvals[0].user, secret.approvals[0].phid) = ("SECRET".into(), None);
    (secret.approvals[1].user, secret.approvals[1].phid) = ("SECRET".into(), Some(person("stranger")));
    secret.host = "SECRET".into();
    made.comment("phabgate", 10, &render(&secret).unwrap());
    made.comment("outsider", 11, &render(&secret).unwrap());
    made.comment("outsider", 12, "```lang=json, name=phabgate/record/1\n{\"SECRET\": 1}\n```");
    made.comment("outsider", 13, "```lang=json, name=phabgate/record/SECRET\n```");
    let evidence = made.as_read_by("phabgate", None);
    let hidden = build(&evidence, &made.policy, Texts::Hidden);
    assert!(hidden.hidden);
    for entry in &hidden.entries {
        let whole = format!("{} {}", entry.words, serde_json::to_string(&entry.detail).unwrap());
        assert!(!whole.contains("SECRET"), "{whole}");
    }
    let shown = build(&evidence, &made.policy, Texts::Shown);
    let secrets = lines(&shown).iter().filter(|line| line.contains("SECRET")).count();
    assert_eq!(shown.entries.len(), hidden.entries.len());
    assert!(secrets >= 14, "{:#?}", lines(&shown));
}
