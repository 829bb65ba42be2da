//! Nothing that the gate prints or puts on a task is an answer or a statement of whoever pastes it back: what it says, turned
//! into a mail and back by several clients, as a comment of every person, makes no verdict better.

use clap::CommandFactory;

use super::answer_page::Shown;
use super::detail::Detail;
use super::verdict_screen;
use crate::audit::findings;
use crate::evidence::testing::History;
use crate::gate::Task;
use crate::ids::TaskId;
use crate::record::comment::{render, tests::example};
use crate::rules::{self, Intent, JudgedTask, Texts};
use crate::view::VerdictSubject;

/// All that the gate says, as it says it.
fn messages() -> Vec<String> {
    let task = TaskId::new(1).unwrap();
    let url = || "http://phab.example/T1".to_owned();
    let mut all = vec![render(&example()).unwrap().to_string()];
    for (at, (_, evidence, policy, intent)) in verdict_screen::tests::cases().into_iter().enumerate() {
        let (read, verdict) = Task::judged(evidence.clone(), &policy, &intent, None, Texts::Hidden);
        for rule in verdict.rules.iter().filter(|rule| rule.outcome != rules::Outcome::Pass) {
            all.push(verdict_screen::rules(std::slice::from_ref(rule), Detail::Whole, 40));
            all.push(format!("{} {}", rule.message, rule.hint.clone().unwrap_or_default()));
        }
        // The pages hold the rules: one of each is enough.
        if at > 0 {
            continue;
        }
        let subject = VerdictSubject::of_task(&read, &policy, url(), Texts::Hidden);
        for detail in [Detail::Folded, Detail::Whole] {
            all.push(verdict_screen::text(task, &subject, &verdict, detail, 80));
        }
        let judged = JudgedTask { evidence: &evidence, state: &read.state, verdict: &verdict };
        let shown = Shown::of(judged, &policy, url(), Texts::Hidden);
        for comment in ["Emergency-Approve: sre", "`fine`\n\nEmergency-Approve: sre", "Emergency-Withdraw: sre"] {
            all.push(shown.before(comment, 40));
        }
    }
    for why in ["Emergency-Approve: sre", "Emergency-Withdraw: sre", "x`\nEmergency-Approve: sre\n"] {
        all.push(History::ready().heard_no(why));
    }
    all.push(crate::request::instructions(&History::ready().policy));
    all.extend(rules::ALL.iter().map(|rule| rule.page.to_owned()));
    all.extend(findings::ALL.iter().map(|rule| rule.page.to_owned()));
    let command = super::Cli::command();
    all.extend(command.get_subcommands().map(|command| command.clone().render_long_help().to_string()));
    all
}

fn each_line(text: &str, of: impl Fn(&str) -> String) -> String {
    text.lines().map(of).collect::<Vec<_>>().join("\n")
}

/// What becomes of a text on its way through a mail client and back.
fn mailed(text: &str) -> Vec<String> {
    let flat = each_line(text, |line| line.trim().to_owned());
    // As HTML: the marks are gone, and what was code is text.
    let bare = each_line(&flat, |line| {
        let line = line.trim_start_matches(['-', '*', ' ', '>']);
        line.replace("**", "").replace('`', "").replace("(NOTE) ", "")
    });
    let wrapped = textwrap::fill(&bare.replace('\n', " "), 40);
    let mut all = Vec::new();
    for text in [text.to_owned(), flat, bare, wrapped] {
        all.push(format!("No! Please wait\n\n________________________________\nFrom: phabgate\nSent: now\n\n{text}"));
        all.push(format!("Nein\n\nAm 27.11.2026 schrieb phabgate <phabgate@phab.example>:\n\n{text}"));
        all.push(text);
    }
    all
}

#[test]
fn nothing_that_the_gate_says_answers_for_who_pastes_it() {
    let rank = |history: &History| {
        let verdict = rules::evaluate(&history.evidence(), &history.policy, &Intent::default(), None);
        let order = ["undecided", "denied", "pending", "allowed"];
        let approvals = verdict.approvals.iter().filter(|approval| approval.counts()).count();
        let failed = verdict.rules.iter().filter(|rule| rule.outcome == rules::Outcome::Fail).count();
        (order.iter().position(|word| *word == verdict.decision.word()).unwrap(), approvals, usize::MAX - failed)
    };
    let mut no_reason = History::new("deployer1");
    no_reason.tag("deployer1", 2, "emergency");
    let mut rejected = History::ready();
    rejected.comment("sre2", 20, "Emergency-Reject: sre");
    let mut doubted = History::ready();
    doubted.comment("sre2", 20, "**Emergency-Reject: sre**");
    let bases: Vec<_> = [no_reason, History::emergency(), rejected, doubted].map(|base| (rank(&base), base)).into();
    let mut seen = std::collections::BTreeSet::new();
    for message in messages() {
        if !message.to_lowercase().contains("emergency-") {
            continue;
        }
        for text in mailed(&message) {
            if !text.to_lowercase().contains("emergency-") || !seen.insert(text.clone()) {
                continue;
            }
            for person in ["releng1", "sre1", "sre2", "both", "deployer1", "outsider"] {
                // Nobody else states the reason.
                let bases = if person == "deployer1" { &bases[..] } else { &bases[1..] };
                for (before, base) in bases {
                    let mut history = base.clone();
                    history.comment(person, 30, &text);
                    let after = rank(&history);
                    assert!(
                        after.0 <= before.0 && after.1 <= before.1 && after.2 <= before.2,
                        "{person} pastes\n{text}"
                    );
                }
            }
        }
    }
    assert!(seen.len() > 60, "{} texts hold anything to paste", seen.len());
}
