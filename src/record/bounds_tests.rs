//! Tests that no record is longer than its bounds, and that what is cut is known.

use proptest::prelude::*;

use super::*;
use crate::record::comment::render;
use crate::record::comment::tests::example;
use crate::record::mask::Mask;
use crate::record::parse::tests::{hostile, record};
use crate::record::parse::{Parsed, parse};

/// What the record says once it was posted and read.
fn read_back(record: &Record) -> Record {
    match parse(&render(record).unwrap()) {
        Parsed::Record(record) => *record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn long_commands_are_cut_and_their_whole_is_known_by_its_digest() {
    let arguments: Vec<String> =
        std::iter::once("scap".to_owned()).chain((0..20_000).map(|n| format!("file{n}.php"))).collect();
    let commands = [arguments.join(" "), "x".repeat(1_800_000), "'".repeat(5000), "é🙂".repeat(3000)];
    for command in commands {
        let posted = read_back(&Record { command: Some(command.clone()), ..example() });
        let shown = posted.command.unwrap();
        assert!(command.starts_with(&shown) && shown.len() < command.len());
        let digest: String = Sha256::digest(command.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let cut = Cut { field: "command".to_owned(), bytes: command.len() as u64, sha256: Some(digest) };
        assert_eq!(posted.cut, [cut]);
    }
}

#[test]
fn a_secret_at_the_cut_is_masked_whole() {
    let token = "api-abcdefghijklmnopqrstuvwxyz23";
    for padding in COMMAND - 40..COMMAND {
        let command = Mask::default().text(&format!("{} {token} end", "x".repeat(padding)));
        let comment = render(&Record { command: Some(command), ..example() }).unwrap();
        assert!(!comment.contains("api-abc"), "{padding}");
    }
}

#[test]
fn of_hidden_arguments_there_is_no_digest() {
    let record = Record { command: Some("x".repeat(5000)), arguments_hidden: true, ..example() };
    assert_eq!(read_back(&record).cut[0].sha256, None);
}

#[test]
fn approvals_are_never_cut_but_refused() {
    let approval = example().approvals.swap_remove(0);
    let with = |count| Record { approvals: vec![approval.clone(); count], ..example() };
    assert_eq!(read_back(&with(30)).approvals.len(), 30);
    let error = with(200).check_fits().unwrap_err().to_string();
    assert!(error.starts_with("the record does not fit into a comment: 200 approvals"), "{error}");
    assert!(render(&with(200)).is_err());
    // What fits before the deploy fits after it.
    let most = (1..200).take_while(|count| with(*count).check_fits().is_ok()).last().unwrap();
    assert!(render(&with(most)).is_ok() && with(most + 3).check_fits().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_text_of_a_record_is_within_bounds_and_reads_back(
        record in record(),
        long in (hostile(), 1usize..3000),
        which in 0usize..8,
    ) {
        let mut record = record;
        let text = long.0.repeat(long.1);
        match which {
            0 => record.command = Some(text),
            1 => record.note = Some(text),
            2 => record.change = Some(text),
            3 => record.caller = Some(text),
            4 => record.host = text,
            5 => record.failed = vec![text],
            6 => record.reason = Some(crate::record::RecordedReason { category: text.clone(), explanation: Some(text) }),
            _ => record.verdict = text,
        }
        let bounded = record.clone().bounded();
        prop_assert_eq!(bounded.clone().bounded(), bounded.clone());
        let Ok(comment) = render(&record) else { return Ok(()) };
        let (people, block) = comment.split_once("\n```").unwrap();
        prop_assert!(block.len() <= BLOCK + 64, "{}", block.len());
        prop_assert!(people.lines().count() <= 10, "{people}");
        prop_assert_eq!(parse(&comment), Parsed::Record(Box::new(bounded)));
        for line in block.lines() {
            prop_assert!(line.len() < COMMAND + 64 || line.contains("\"approvals\"") || line.contains("\"behind\"") || line.contains("\"pipeline\"") || line.contains("\"reason\"") || line.contains("\"informed\"") || line.contains("\"failed\"") || line.contains("\"cut\""), "{line}");
        }
    }
}
