//! A verdict as people see it: the decision first, in one line with who is needed; what is missing below.
//!
//! Responsible for the screen of `check`, and of a `run` that is refused, as pure functions. Not responsible for the decision itself,
//! for the call for help ([`super::call`]) and for the command that comes last ([`super::next`]).

use super::detail::Detail;
use super::said;
use super::task_header::TaskHeader;
use crate::attribution::ApprovalKind;
use crate::ids::TaskId;
use crate::layout::{BAD, FAINT, GOOD, HINT, MIND, NAME, hanging, styled};
use crate::rules::{Approval, Decision, Outcome, RuleOutcome, TeamCount, Verdict};
use crate::text::{columns, inert, shorten, shorten_inert};
use crate::time::utc;
use crate::view::{IfYouDeploy, VerdictSubject};

/// Where a hint begins, below its rule.
const HINTS: usize = 8;

/// The verdict for people, in at most `width` columns.
pub(super) fn text(task: TaskId, subject: &VerdictSubject, verdict: &Verdict, detail: Detail, width: usize) -> String {
    let mut page = headline(task, verdict, width);
    page.push_str(&header(task, subject, width));
    page.push_str(&facts(subject, &verdict.decision, width));
    page.push_str(&on_irc(task, subject, verdict, width));
    page.push('\n');
    page.push_str(&rules(&shown(verdict, subject, detail), detail, width));
    if !verdict.approvals.is_empty() {
        page.push('\n');
        page.push_str(&approvals(verdict, width));
    }
    if !subject.said.is_empty() {
        page.push('\n');
        page.push_str(&said::text(&subject.said, task, subject.invocation, width));
    }
    page
}

/// What would differ if who reads deployed, in one line, wrapped.
pub(super) fn if_you_deploy(other: &IfYouDeploy, width: usize) -> String {
    let why: Vec<String> = other.rules.iter().map(|rule| format!("{}: {}", rule.name, rule.message)).collect();
    let line = format!("as {}, it is {}; {}", inert(&other.user), other.decision.word(), why.join("; "));
    format!("\n{}", hanging(&format!("{} ", styled(MIND, "If you deploy")), 14, &line, width))
}

/// The rules as they are shown beside a call for help: what is to be written and by whom the call says, but of a restricted task.
pub(super) fn shown(verdict: &Verdict, subject: &VerdictSubject, detail: Detail) -> Vec<RuleOutcome> {
    let mut rules = verdict.rules.clone();
    // Where something else stands in the way nobody is to be asked yet.
    let is_called = verdict.decision == Decision::Pending && subject.restricted == Some(false);
    if detail == Detail::Folded && (is_called || verdict.decision == Decision::Denied) {
        let asked = rules.iter_mut().filter(|rule| rule.outcome == Outcome::Pending && rule.name.starts_with("team:"));
        asked.for_each(|rule| rule.hint = None);
    }
    rules
}

/// The task, its page, and that it is a drill.
pub(super) fn header(task: TaskId, subject: &VerdictSubject, width: usize) -> String {
    let (title, is_read) = (subject.title.as_deref(), subject.restricted == Some(true));
    let mut header = TaskHeader { task, title, is_read, url: &subject.url, drill: subject.drill }.text(width);
    if let Some(open) = &subject.space {
        let words =
            format!("it is restricted by its Space alone; if everybody may see that, write `{open}` under [policy]");
        header.push_str(&hanging(&format!("{} ", styled(HINT, "hint:")), 6, &words, width));
    }
    header
}

/// Why it is an emergency, and who deploys, in one line.
fn facts(subject: &VerdictSubject, decision: &Decision, width: usize) -> String {
    let mut facts = Vec::new();
    facts.extend(match (&subject.category, &subject.explanation) {
        (Some(category), Some(words)) => Some(format!("{}: '{}'", inert(category), shorten(words, EXPLANATION))),
        (Some(category), None) => Some(inert(category)),
        (None, _) => None,
    });
    facts.extend(subject.behind.first().map(|deployer| format!("{} deploys", inert(&deployer.user))));
    // Where somebody is still asked, the call names them.
    if *decision != Decision::Pending && !subject.informed.is_empty() {
        facts.push(format!("inform {}", inert(&subject.informed.join(", "))));
    }
    if facts.is_empty() { String::new() } else { hanging("", 0, &facts.join("; "), width) }
}

/// What is said on IRC to approve, in a line of its own, so that it can be copied; nothing once nobody is asked for it.
fn on_irc(task: TaskId, subject: &VerdictSubject, verdict: &Verdict, width: usize) -> String {
    let is_rejected = verdict.rule("rejected").is_some_and(|rule| rule.outcome == Outcome::Fail);
    let is_asked = !is_rejected && !matches!(verdict.decision, Decision::Allowed(_));
    let Some(code) = subject.code.filter(|_| is_asked) else { return String::new() };
    let (label, command) = ("to approve on IRC:", format!("!approve {task} TEAM {code}"));
    let between = if columns(label) + 1 + columns(&command) <= width { " " } else { "\n  " };
    format!("{label}{between}{command}\n")
}

/// How much of an explanation stands at the top.
const EXPLANATION: usize = 100;

/// The decision in one line, and who is needed.
pub(super) fn headline(task: TaskId, verdict: &Verdict, width: usize) -> String {
    let (style, word) = word(&verdict.decision);
    let head = format!("{} {}: ", styled(style, word), styled(NAME, &task.to_string()));
    let used = word.len() + 1 + task.to_string().len() + 2;
    let rest = summary(verdict);
    // One line: what is longer stands below, with the rules.
    format!("{head}{}\n", shorten_inert(&rest, width.saturating_sub(used).max(20)))
}

/// The word for a decision, and how it is shown.
pub(super) fn word(decision: &Decision) -> (anstyle::Style, &'static str) {
    match decision {
        Decision::Allowed(_) => (GOOD, "ALLOWED"),
        Decision::Pending => (MIND, "PENDING"),
        Decision::Denied => (BAD, "DENIED"),
        Decision::Undecided => (BAD, "UNDECIDED"),
    }
}

/// What a decision rests on, in a few words: who approved, who is needed, or the first rule that does not hold.
pub(super) fn summary(verdict: &Verdict) -> String {
    let of = |outcome| {
        let messages: Vec<&str> =
            verdict.rules.iter().filter(|rule| rule.outcome == outcome).map(|rule| rule.message.as_str()).collect();
        match messages.as_slice() {
            [first, _, ..] => format!("{first}; and {} more", messages.len() - 1),
            _ => messages.concat(),
        }
    };
    match &verdict.decision {
        Decision::Allowed(_) => {
            let by = |team: &TeamCount| team.by.iter().map(|user| format!("{user} ({})", inert(&team.team))).collect();
            let by: Vec<String> = verdict.teams.iter().flat_map(|team| -> Vec<String> { by(team) }).collect();
            if by.is_empty() { "it may be deployed".to_owned() } else { format!("approved by {}", by.join(", ")) }
        }
        Decision::Pending => match verdict.needed() {
            Some(needed) => format!("needs {needed}"),
            None => of(Outcome::Pending),
        },
        Decision::Denied => of(Outcome::Fail),
        Decision::Undecided => of(Outcome::Unknown),
    }
}

/// What a rule is marked with: distinguished by the word, not by the colour alone.
fn mark(outcome: Outcome) -> (anstyle::Style, &'static str) {
    match outcome {
        Outcome::Pass => (GOOD, "ok"),
        Outcome::Warn => (MIND, "warn"),
        Outcome::Pending => (MIND, "wait"),
        Outcome::Fail => (BAD, "FAIL"),
        Outcome::Unknown => (BAD, "????"),
    }
}

/// The longest name beside which text stands on a terminal of 80 columns.
const NAME_COLUMNS: usize = 20;

/// The rules: those that hold first, in one line unless each is to be seen.
pub(super) fn rules(rules: &[RuleOutcome], detail: Detail, width: usize) -> String {
    let is_shown = |rule: &&RuleOutcome| detail == Detail::Whole || rule.outcome != Outcome::Pass;
    let mut sorted: Vec<&RuleOutcome> = rules.iter().filter(is_shown).collect();
    sorted.sort_by_key(|rule| match rule.outcome {
        Outcome::Pass => 0,
        Outcome::Warn => 1,
        Outcome::Pending => 2,
        Outcome::Fail => 3,
        Outcome::Unknown => 4,
    });
    // A long name does not push the text of all others to the right: its own begins on the next line.
    let lengths = sorted.iter().map(|rule| rule.name.len()).filter(|length| *length <= NAME_COLUMNS.max(width / 4));
    let names = lengths.max().unwrap_or_default();
    let mut lines = String::new();
    let folded = rules.len() - sorted.len();
    if folded > 0 {
        let (style, word) = mark(Outcome::Pass);
        let (what, them) = if folded == 1 { ("rule holds", "it") } else { ("rules hold", "them") };
        let more = styled(FAINT, &format!("(-v shows {them})"));
        lines.push_str(&format!("  {}    {folded} {what} {more}\n", styled(style, word)));
    }
    for rule in sorted {
        let (style, word) = mark(rule.outcome);
        let at = 2 + 4 + 2 + names + 2;
        let head = format!("  {}{}  {:names$}  ", styled(style, word), " ".repeat(4 - word.len()), rule.name);
        let head = match rule.name.len() > names {
            true => format!("{}\n{}", head.trim_end(), " ".repeat(at)),
            false => head,
        };
        lines.push_str(&hanging(&head, at, &rule.message, width));
        if let Some(hint) = &rule.hint {
            let head = format!("{}{} ", " ".repeat(HINTS), styled(HINT, "hint:"));
            lines.push_str(&hanging(&head, HINTS + 6, hint, width));
        }
    }
    lines
}

/// Why an approval that counts fills no slot of its team.
fn spare(verdict: &Verdict, approval: &Approval) -> Option<String> {
    let fills = |team: &&TeamCount| team.by.contains(&inert(&approval.user));
    let own = verdict.teams.iter().find(|team| team.team == approval.team)?;
    if !approval.counts() || fills(&own) {
        return None;
    }
    Some(match verdict.teams.iter().find(fills) {
        Some(other) => format!(": counts for {} already, and one person fills one slot", inert(&other.team)),
        None => ": more than is needed".to_owned(),
    })
}

fn approvals(verdict: &Verdict, width: usize) -> String {
    let shown = |team: &str| columns(&inert(team));
    let teams = verdict.approvals.iter().map(|approval| shown(&approval.team)).max().unwrap_or(0).min(20);
    let users = verdict.approvals.iter().map(|approval| approval.user.len()).max().unwrap_or(0);
    let mut lines = format!("{}\n", styled(NAME, "Approvals"));
    for approval in &verdict.approvals {
        let team = shorten(&approval.team, 20);
        let kind = match approval.kind {
            ApprovalKind::Verified => "verified",
            ApprovalKind::Witnessed => "witnessed",
            ApprovalKind::Attested => "attested",
        };
        let pad = " ".repeat(teams.saturating_sub(columns(&team)));
        let spare = spare(verdict, approval);
        let counts = match (approval.counts(), &spare) {
            (true, None) => styled(GOOD, "yes"),
            (true, Some(_)) => "yes".to_owned(),
            (false, _) => styled(MIND, "no "),
        };
        let head = format!("  {counts}  {team}{pad}  {:users$}  ", approval.user);
        let what = match &approval.why_not {
            None => format!("{kind}, {}{}", utc(approval.time), spare.unwrap_or_default()),
            Some(why) => format!("{kind}, {}: {why}", utc(approval.time)),
        };
        lines.push_str(&hanging(&head, 2 + 3 + 2 + teams + 2 + users + 2, &what, width));
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::attribution::DeployerSource;
    use crate::evidence::Evidence;
    use crate::evidence::testing::{self, History, at, person};
    use crate::gate::Task;
    use crate::ids::{DeployId, Phid};
    use crate::policy::{Action, Policy};
    use crate::record::Event;
    use crate::rules;
    use crate::rules::{Intent, Texts};

    /// What is wrong with a task, by the rule that finds it.
    pub(in crate::cli) fn cases() -> Vec<(&'static str, Evidence, Policy, Intent)> {
        let mut cases = Vec::new();
        let mut case = |rule, made: &dyn Fn(&mut History, &mut Intent)| {
            let (mut history, mut intent) = (History::ready(), Intent::default());
            made(&mut history, &mut intent);
            cases.push((rule, history.evidence(), history.policy, intent));
        };
        case("task-open", &|made, _| _ = made.status("outsider", 20, "resolved"));
        case("tag", &|made, _| _ = made.untag("outsider", 20, "emergency"));
        case("reason", &|made, _| _ = made.describe("deployer1", 3, "Please deploy."));
        case("reason", &|made, _| _ = made.describe("deployer1", 3, "Emergency-Reason: marketing - launch"));
        case("explanation", &|made, _| _ = made.describe("deployer1", 3, "Emergency-Reason: abuse"));
        case("explanation", &|made, _| {
            _ = made.describe("deployer1", 20, "Emergency-Reason: availability - other words")
        });
        case("deployer", &|made, _| made.candidates.clear());
        case("deployer", &|made, _| made.candidates.push(("deployer2".into(), DeployerSource::Token)));
        case("deployer", &|made, _| made.candidates[0].0 = "nobody".into());
        case("deployer", &|made, _| made.candidates[0].0 = "gone".into());
        case("team", &|made, _| *made = History::emergency());
        case("team", &|made, _| _ = made.comment("sre1", 20, "Emergency-Withdraw: sre"));
        case("team", &|made, _| _ = made.later(50_000));
        case("rejected", &|made, _| {
            _ = made.comment("sre2", 20, "Emergency-Reject: sre - it takes the databases down")
        });
        case("action", &|_, intent| intent.action = Some(Action::Fix));
        case("action", &|_, intent| intent.action = Some(Action::OnWikiEdit));
        case("change", &|made, intent| {
            made.comment("deployer1", 4, "Emergency-Change: I1");
            intent.change = Some("I2".into());
        });
        case("in-flight", &|made, _| _ = made.record("phabgate", 20, &started("deployer2")));
        case("repeat", &|made, _| {
            let mut record = started("deployer1");
            record.approvals.push(crate::record::RecordedApproval {
                team: "sre".into(),
                user: "sre1".into(),
                phid: Some(person("sre1")),
                project: None,
                kind: ApprovalKind::Verified,
                transaction: made.timeline().transactions().last().map(|last| last.id),
                time: at(11),
                evidence: None,
            });
            made.record("phabgate", 20, &record);
            record.event = Event::Finished;
            record.outcome = Some(crate::record::Outcome::Failed);
            made.record("phabgate", 21, &record);
        });
        case("can-record", &|made, _| made.task.interact = Some("no-one".into()));
        case("can-record", &|made, _| made.task.interact = Some("PHID-PLCY-1".into()));
        case("in-flight", &|made, _| _ = made.record("outsider", 20, &started("deployer1")));
        case("action", &|made, intent| {
            made.comment("deployer1", 4, "Emergency-Action: fix");
            intent.action = Some(Action::Rollback);
        });
        case("team-open", &|made, _| made.join = "users");
        case("possible-no", &|made, _| _ = made.comment("sre2", 20, "**Emergency-Reject: sre**"));
        case("near-misses", &|made, _| _ = made.comment("sre2", 20, "Emergency-Aprove: sre"));
        case("near-misses", &|made, _| _ = made.comment("sre1", 20, "- Emergency-Withdraw: sre"));
        case("server", &|made, _| made.task.interact = None);
        case("server", &|made, _| {
            made.task.custom.insert("custom.emergency.reason".into(), serde_json::Value::Null);
            made.unexposed("outsider", 20);
        });
        let (mut evidence, policy) = (History::ready().evidence(), History::ready().policy);
        evidence.skew = jiff::SignedDuration::from_secs(300);
        cases.push(("clock", evidence.clone(), policy.clone(), Intent::default()));
        evidence.tag = None;
        cases.push(("tag", evidence.clone(), policy.clone(), Intent::default()));
        std::sync::Arc::make_mut(&mut evidence.teams).remove("sre");
        cases.push(("team", evidence.clone(), policy.clone(), Intent::default()));
        evidence.statuses = Default::default();
        cases.push(("task-open", evidence, policy, Intent::default()));
        cases
    }

    fn started(deployer: &str) -> crate::record::Record {
        let deploy: DeployId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        testing::record(deploy, Event::Started, deployer)
    }

    #[test]
    fn a_task_that_its_space_alone_restricts_says_what_would_open_it() {
        let header_of = |open: &[&str], view: &str| {
            let mut history = History::ready();
            history.task.space = Some(Phid::new("PHID-SPCE-1").unwrap());
            history.task.view = view.into();
            history.policy.open_spaces = open.iter().map(|space| (*space).to_owned()).collect();
            let policy = &history.policy;
            let (task, _) = Task::judged(history.evidence(), policy, &Intent::default(), None, Texts::Hidden);
            let subject = VerdictSubject::of_task(&task, policy, "https://phab.example/T1".into(), Texts::Hidden);
            let shown = header(TaskId::new(1).unwrap(), &subject, 200);
            anstream::adapter::strip_str(&shown).to_string()
        };
        let closed = header_of(&[], "users");
        assert!(closed.contains("write `open_spaces = [\"PHID-SPCE-1\"]` under [policy]"), "{closed}");
        assert!(!closed.contains("page views"), "{closed}");
        assert!(header_of(&["PHID-SPCE-1"], "users").contains("page views"));
        assert!(!header_of(&[], "admin").contains("open_spaces"), "to open the Space would not open it");
    }

    #[test]
    fn what_is_said_on_irc_is_a_line_of_its_own_and_nothing_of_what_was_rejected() {
        let page = |history: &History, width| {
            let policy = &history.policy;
            let (task, verdict) = Task::judged(history.evidence(), policy, &Intent::default(), None, Texts::Hidden);
            let subject = VerdictSubject::of_task(&task, policy, "https://phab.example/T1".into(), Texts::Hidden);
            text(TaskId::new(1).unwrap(), &subject, &verdict, Detail::Folded, width)
        };
        let mut history = History::emergency();
        history.policy.accept_witnessed = true;
        let (wide, narrow) = (page(&history, 80), page(&history, 30));
        assert!(wide.lines().any(|line| line.starts_with("to approve on IRC: !approve T1 TEAM ")), "{wide}");
        assert!(narrow.contains("\nto approve on IRC:\n  !approve T1 TEAM "), "{narrow}");
        history.comment("sre1", 10, "Emergency-Reject: sre");
        assert!(!page(&history, 80).contains("!approve"), "nobody is to approve what was rejected");
    }

    #[test]
    fn who_reads_only_a_refusal_knows_what_to_do() {
        let mut page = String::new();
        let mut covered = Vec::new();
        let task = TaskId::new(1).unwrap();
        let verdicts = cases()
            .into_iter()
            .map(|(rule, evidence, policy, intent)| (rule, rules::evaluate(&evidence, &policy, &intent, None)));
        let unread = Verdict::undecided("the server did not answer within 15 s (maniphest.search)".into(), "try again");
        let others = [("task-visible", rules::not_visible(task, "phabgate")), ("evidence", unread)];
        for (name, verdict) in verdicts.chain(others) {
            let of_rule =
                |rule: &&RuleOutcome| rule.outcome != Outcome::Pass && rule.name.split(':').next() == Some(name);
            let found: Vec<RuleOutcome> = verdict.rules.iter().filter(of_rule).cloned().collect();
            assert!(!found.is_empty(), "{name} finds nothing: {:#?}", verdict.rules);
            assert!(found.iter().all(|rule| rule.hint.is_some()), "{name} says what is wrong and not what to do");
            page.push_str(&rules(&found, Detail::Folded, 80));
            covered.push(name);
        }
        for rule in rules::ALL {
            assert!(covered.contains(&rule.name), "the refusal of {} is not among them", rule.name);
        }
        let page = anstream::adapter::strip_str(&page).to_string();
        assert!(page.lines().all(|line| crate::text::columns(line) <= 80), "{page}");
        insta::assert_snapshot!(page);
    }
}
