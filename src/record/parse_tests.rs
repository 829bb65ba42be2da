//! Tests that what is rendered reads back, and that nothing else is taken for a record.

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::attribution::{ApprovalKind, DeployerSource};
use crate::ids::{DeployId, Phid, Project, TaskId, TransactionId, User};
use crate::record::comment::render;
use crate::record::comment::tests::example;
use crate::record::{Clock, Deployer, Event, ExitStatus, Outcome, RecordedApproval, RecordedReason};

/// Texts that would break out of a careless wrapper, and any others.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("@outsider"),
        Just("T1"),
        Just("{F1}"),
        Just("#sre"),
        Just("https://phab.example/T1"),
        Just("`"),
        Just("``` "),
        Just("\n```\n"),
        Just("\n%%%\n"),
        Just("%%%"),
        Just("|"),
        Just("[[ x | y ]]"),
        Just("\n- "),
        Just("\n= "),
        Just("\n> "),
        Just("\r\n"),
        Just("\r"),
        Just("##"),
        Just("${{{strings.platform.server.name}}}"),
        Just("\u{1}1Z"),
        Just("\u{202e}"),
        Just("\u{200b}"),
        Just("\u{2028}"),
        Just("\\u{202e}"),
        Just("\\u0040"),
        Just("\\"),
        Just("\""),
        Just("\n!assign outsider\n"),
        Just("🙂"),
        Just("\0"),
        Just(" "),
        Just("**"),
        Just("\n```lang=json, name=phabgate/record/1\n{}\n```\n"),
    ];
    prop_oneof![prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat()), any::<String>(), "[ -~]{0,20}"]
}

fn timestamp() -> impl Strategy<Value = jiff::Timestamp> {
    (0i64..4_000_000_000, 0i32..1_000_000_000)
        .prop_map(|(seconds, nanoseconds)| jiff::Timestamp::new(seconds, nanoseconds).unwrap())
}

fn phid() -> impl Strategy<Value = Option<Phid<User>>> {
    option::of("[a-z0-9]{20}".prop_map(|tail| Phid::new(format!("PHID-USER-{tail}")).unwrap()))
}

fn project() -> impl Strategy<Value = Option<Phid<Project>>> {
    option::of("[a-z0-9]{20}".prop_map(|tail| Phid::new(format!("PHID-PROJ-{tail}")).unwrap()))
}

fn deployer() -> impl Strategy<Value = Deployer> {
    let source = prop_oneof![
        Just(DeployerSource::Flag),
        Just(DeployerSource::Token),
        Just(DeployerSource::CallingUser),
        Just(DeployerSource::Task)
    ];
    (hostile(), phid(), source).prop_map(|(user, phid, source)| Deployer { user, phid, source })
}

fn approval() -> impl Strategy<Value = RecordedApproval> {
    let kind = prop_oneof![Just(ApprovalKind::Verified), Just(ApprovalKind::Attested)];
    (hostile(), hostile(), (phid(), project()), kind, option::of(any::<u64>()), timestamp(), option::of(hostile()))
        .prop_map(|(team, user, (phid, project), kind, transaction, time, evidence)| RecordedApproval {
            team,
            user,
            phid,
            project,
            kind,
            transaction: transaction.map(TransactionId),
            time,
            evidence,
        })
}

prop_compose! {
    pub(crate) fn record()(
        event in prop_oneof![Just(Event::Started), Just(Event::Finished), Just(Event::Recorded)],
        outcome in option::of(prop_oneof![
            Just(Outcome::Succeeded),
            Just(Outcome::Failed),
            Just(Outcome::RolledBack),
            Just(Outcome::Unknown),
            Just(Outcome::NotStarted),
        ]),
        exit in option::of(prop_oneof![any::<i32>().prop_map(ExitStatus::Code), any::<i32>().prop_map(ExitStatus::Signal)]),
        task in 1u64..=u64::MAX,
        drill in any::<bool>(),
        deployer in option::of(deployer()),
        behind in prop::collection::vec(self::deployer(), 0..3),
        pipeline in prop::collection::vec(self::deployer(), 0..3),
        approvals in prop::collection::vec(approval(), 0..4),
        reason in option::of((hostile(), option::of(hostile()))),
        optional in prop::collection::vec(option::of(hostile()), 6),
        plain in prop::collection::vec(hostile(), 4),
        clock in option::of(prop_oneof![Just(Clock::Server), Just(Clock::Host)]),
        hidden in any::<bool>(),
        dropped in any::<u64>(),
        announced in option::of(any::<u64>()),
        lists in (prop::collection::vec(hostile(), 0..3), prop::collection::vec(hostile(), 0..3)),
        started in option::of(timestamp()),
        finished in option::of(timestamp()),
    ) -> Record {
        Record {
            schema: SCHEMA.to_owned(),
            deploy: DeployId::fresh(),
            event,
            task: TaskId::new(task).unwrap(),
            deployer,
            behind,
            pipeline,
            caller: optional[4].clone(),
            host: plain[0].clone(),
            reason: reason.map(|(category, explanation)| RecordedReason { category, explanation }),
            action: optional[0].clone(),
            change: optional[1].clone(),
            command: optional[2].clone(),
            arguments_hidden: hidden,
            note: optional[3].clone(),
            approvals,
            informed: lists.0,
            verdict: plain[1].clone(),
            failed: lists.1,
            policy: plain[2].clone(),
            started,
            finished,
            outcome,
            exit,
            announced: announced.map(TransactionId),
            share: optional[5].clone(),
            drill,
            clock,
            dropped,
            cut: Vec::new(),
            version: plain[3].clone(),
        }
    }
}

/// What the server would read as Remarkup outside of spans: the part for people with its spans taken out as the server
/// does it, a backtick after no letter up to the next one on the line.
fn live(people: &str) -> String {
    regex_lite::Regex::new("(^|\\W)`[^`\n]+`").unwrap().replace_all(people, "$1~").into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_rendered_reads_back(record in record()) {
        let comment = render(&record).unwrap();
        let record = record.bounded();
        prop_assert_eq!(parse(&comment), Parsed::Record(Box::new(record.clone())));
        prop_assert!(claims(&comment));
        let dos = comment.replace('\n', "\r\n");
        prop_assert_eq!(parse(&format!("said before\r\n{dos}said after")), Parsed::Record(Box::new(record)));
    }

    #[test]
    fn nothing_supplied_is_live(record in record()) {
        let comment = render(&record).unwrap();
        let (people, block) = comment.split_once("\n```").unwrap();
        // Every line is ours, and so is every word outside a span.
        let live = live(people);
        prop_assert!(live.is_ascii() || !live.contains(|c: char| !c.is_ascii() && c != '…'), "{live}");
        let monogram = regex_lite::Regex::new(r"[@#|`\[\]{}<>%$]|//|\b[A-Za-z]\d").unwrap();
        prop_assert!(!monogram.is_match(&live), "{live}");
        prop_assert!(people.lines().next().is_some_and(crate::record::comment::is_headline), "{people}");
        for (number, line) in people.lines().enumerate() {
            match number {
                0 => prop_assert!(["**", "(WARNING) **", "(IMPORTANT) **"].iter().any(|start| line.starts_with(start)), "{line}"),
                _ => {
                    let starts = ["The times are", "Attested by", "Stated: ", "Said besides: ", "Informed: ", "Also behind", "Could make", "Of "];
                    prop_assert!(starts.iter().any(|start| line.starts_with(start)), "{line}");
                }
            }
            prop_assert!(!line.chars().any(crate::text::is_hidden));
            let evaluated = line.contains("${{{");
            prop_assert!(!evaluated, "{line}");
        }
        // The block is ASCII, its only fence ends it, and its strings hold nothing that Remarkup or a terminal knows.
        prop_assert!(block.is_ascii());
        prop_assert_eq!(block.matches('`').count(), 3);
        let ends = block.ends_with("}\n```\n");
        prop_assert!(ends, "{block}");
        let special = block.contains(['@', '#', '|', '%', '$', '<', '>', '*', '~', '!', '(', ')', '\u{1b}']);
        prop_assert!(!special && !block.contains("//") && !block.contains("__"), "{block}");
    }

    #[test]
    fn a_record_is_read_only_where_the_splitter_says_fence(
        before in prop::collection::vec(prop::sample::select(vec![
            "NOTE: a", "(WARNING) a", "cowsay {{{", "}}}", "%%%", "```", "- a", "  a", "> a", "| a |", "<table>",
            "</table>", "---", "= a", "", "a",
        ]), 0..5),
        indent in prop::sample::select(vec!["", " ", "  ", "> ", "\t"]),
    ) {
        let record = render(&example()).unwrap();
        let block: String = record[record.find("```").unwrap()..].lines().map(|line| format!("{indent}{line}\n")).collect();
        let text = before.join("\n") + "\n" + &block;
        let opens = |line: &crate::remarkup::Line<'_>| line.text.starts_with("```lang=json, lines=6");
        let shown = crate::remarkup::lines(&text);
        let as_code = shown.iter().any(|line| opens(line) && line.kind == crate::remarkup::LineKind::Fence);
        prop_assert!(as_code || parse(&text) == Parsed::Absent, "{text}");
        prop_assert_eq!(claims(&text), parse(&text) != Parsed::Absent);
    }

    #[test]
    fn any_text_is_parsed_without_a_panic(parts in prop::collection::vec(hostile(), 0..8)) {
        parse(&parts.concat());
    }
}

#[test]
fn other_comments_are_no_records() {
    let comment = render(&example()).unwrap();
    let block = &comment[comment.find("```").unwrap()..];
    let each = |prefix: &str| block.lines().map(|line| format!("{prefix}{line}\n")).collect::<String>();
    for text in [
        String::new(),
        "a comment about phabgate/record/1".to_owned(),
        "```lang=json\n{}\n```".to_owned(),
        "```name=phabgate/records/1\n{}\n```".to_owned(),
        "```name=other/record/1\n{}\n```".to_owned(),
        each("> "),
        each("  "),
        each(" "),
        each("\t"),
        format!("%%%\n{block}%%%"),
        format!("NOTE: look\n{block}"),
        format!("(IMPORTANT) look\n{block}"),
        format!("cowsay {{{{{{\n{block}\n}}}}}}"),
        format!("<table>\n{block}</table>"),
        format!("- item\n{}", each(" ")),
        format!("```\n{}", block.lines().next().unwrap()),
    ] {
        assert_eq!(parse(&text), Parsed::Absent, "{text}");
        assert!(!claims(&text), "{text}");
    }
}

#[test]
fn what_claims_to_be_a_record_and_is_none_is_reported() {
    let comment = render(&example()).unwrap();
    let two = format!("{comment}{comment}");
    let cut = comment[..comment.len() - 5].to_owned();
    let cases = [
        (two, "more than one block"),
        (cut, "no end"),
        (comment.replace("\"event\": \"finished\"", "\"event\": \"undone\""), "not a record"),
        (comment.replace("\"host\"", "\"hast\""), "not a record"),
        (NAMED.replace("\"schema\": \"phabgate/record/1\"", "\"schema\": \"phabgate/record/2\""), "inside"),
        ("```\n{\"schema\": \"phabgate/record/1\"}\n```".to_owned(), "not a record"),
        ("```\n{\"schema\": \"phabgate/record/one\"}\n```".to_owned(), "never was"),
        (comment.replace("\"host\"", "\"schema\": \"phabgate/record/1\",\n\"host\""), "not a record"),
        ("```name=phabgate/record/1\n```".to_owned(), "not a record"),
        ("```name=phabgate/record/1```".to_owned(), "not a record"),
        ("```name=phabgate/record/1\nhello\n```".to_owned(), "not a record"),
        ("```name=phabgate/record/\n{}\n```".to_owned(), "never was"),
        ("```name=phabgate/record/0\n{}\n```".to_owned(), "never was"),
        ("```name=phabgate/record/one\n{}\n```".to_owned(), "never was"),
        ("```name=phabgate/record\n{}\n```".to_owned(), "never was"),
        (format!("```name=phabgate/record/1\n{}\n```", "[".repeat(5000)), "not a record"),
    ];
    for (text, expected) in cases {
        assert!(claims(&text), "{text}");
        match parse(&text) {
            Parsed::Unreadable { why } => assert!(why.contains(expected), "{why}: {text}"),
            other => panic!("{other:?}: {text}"),
        }
    }
}

#[test]
fn a_newer_schema_is_distinguished() {
    for number in ["2", "10", "99999999999999999999999"] {
        let schema = format!("phabgate/record/{number}");
        let text = format!("words\n```lang=json, name={schema}, lines=6\nanything\n```");
        assert_eq!(parse(&text), Parsed::Newer { schema: schema.clone() });
        assert!(claims(&text));
        let text = format!("words\n```lang=json\n{{\"schema\": \"{schema}\", anything\n```");
        assert_eq!(parse(&text), Parsed::Newer { schema });
        assert!(claims(&text));
    }
}

#[test]
fn unknown_fields_and_other_options_are_passed_over() {
    let record = example();
    let comment = render(&record)
        .unwrap()
        .replace("\"host\"", "\"new\": {\"deep\": [1, 2]},\n\"host\"")
        .replace("lang=json, lines=6", "lang=json");
    assert_eq!(parse(&comment), Parsed::Record(Box::new(record)));
}

#[test]
fn a_fence_that_shows_a_record_before_the_record_is_passed_over() {
    let record = example();
    let shown = "```\n```lang=json, name=phabgate/record/1\n```\n";
    assert_eq!(parse(&format!("{shown}{}", render(&record).unwrap())), Parsed::Record(Box::new(record)));
}

/// A record as gates wrote it before its block lost its name and won fields.
const NAMED: &str = include_str!("fixtures/named-fence.txt");

#[test]
fn records_of_before_are_read() {
    let Parsed::Record(record) = parse(NAMED) else { panic!() };
    let mut expected = Record { caller: None, clock: None, ..example() };
    for approval in &mut expected.approvals {
        approval.project = None;
    }
    assert_eq!(*record, expected);
}
