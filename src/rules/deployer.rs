//! `deployer`: it is known who deploys, and all sources agree.

use super::RuleOutcome;
use super::{EvaluationContext, Rule, list};
use crate::attribution::DeployerSource;
use crate::evidence::{Candidate, Purpose, bare};

pub(super) const RULE: Rule = Rule {
    name: "deployer",
    summary: "It is known who deploys, and all sources agree",
    page: "Who deploys is whom `--deployer` names, else the owner of the token unless that is a bot or a recorder, else \
           the account that the configuration maps the calling user to. Every account that could be behind the deploy, from \
           whichever source, is kept from approving it. Where the sources disagree, or the task states another deployer, \
           nobody knows who deploys and the answer is no.\n\n\
           Who only reads is not taken for the deployer: `check`, `history` and `approve` judge the deploy of whom the task \
           states, or of `--deployer`, and where there is neither, of whoever will run it, which is anybody but those whose \
           approvals are needed. So everybody is given the same verdict; `check` adds what would differ if you deploy.\n\n\
           Give `--deployer NAME`, map your system account under `[deployers]`, or correct the line \"Emergency-Deployer\" of the \
           task (which voids the approvals before it).",
    judge: |rule, context| {
        let candidates = &context.evidence.candidates;
        let stated = context.task_state.deployer.as_ref().map(|stated| bare(&stated.value));
        let Some(deployer) = candidates.first() else {
            return nobody(rule, context, stated);
        };
        // Two names are one account in any case, and no two accounts have one name.
        let different = |name: &str| !name.eq_ignore_ascii_case(&deployer.name);
        let mut named: Vec<String> = candidates.iter().map(|candidate| said(context, candidate)).collect();
        let task_differs = stated.is_some_and(different);
        if candidates.iter().any(|candidate| different(&candidate.name)) || task_differs {
            let stated = stated.filter(|stated| {
                candidates.iter().all(|known| known.source != DeployerSource::Task || known.name != **stated)
            });
            // Quoted already, and so inert.
            named.extend(stated.map(|stated| format!("{} (the task)", context.quote(stated))));
            return rule.fail(
                format!("the sources disagree about who deploys: {}", list(&named, "and")),
                correction(context, candidates, task_differs),
            );
        }
        account(rule, context, deployer)
    },
};

/// What it means that nobody is known to deploy: to who deploys, that it cannot be; to who reads, that anybody may whose
/// approval is not needed.
fn nobody(rule: &Rule, context: &EvaluationContext<'_>, stated: Option<&str>) -> Vec<RuleOutcome> {
    if context.evidence.purpose == Purpose::Read && stated.is_none() {
        let mut approved: Vec<String> = Vec::new();
        for user in context.teams.iter().flat_map(|count| &count.by) {
            if !context.policy.self_approval && !approved.contains(user) {
                approved.push(user.clone());
            }
        }
        return rule.pass(match approved.as_slice() {
            [] => "whoever runs it: the task states nobody".to_owned(),
            [one] => format!("whoever runs it, but not {one}, who approved"),
            more => format!("whoever runs it, but none of those who approved ({})", more.join(", ")),
        });
    }
    let name = match stated.filter(|_| !context.hide) {
        Some(name) => crate::text::inert(name),
        None => "NAME".to_owned(),
    };
    rule.fail(
        "nobody knows who deploys",
        format!("type it again with `--deployer {name}`, the account of who deploys; or map it under `[deployers]`"),
    )
}

/// How the sources are made to name one account.
fn correction(context: &EvaluationContext<'_>, candidates: &[Candidate], task_differs: bool) -> String {
    let has = |source| candidates.iter().any(|candidate| candidate.source == source);
    let asker = candidates.iter().find(|candidate| candidate.source != DeployerSource::Flag);
    if !task_differs && has(DeployerSource::Flag) {
        let own = asker.map_or_else(String::new, |asker| format!(" of {}", crate::text::inert(&asker.name)));
        return format!("leave `--deployer` out, or let the named one deploy with a token that is not that{own}");
    }
    if !task_differs {
        return "use the token of the account that `[deployers]` names, or correct `[deployers]`".to_owned();
    }
    let name = candidates.first().map_or("NAME", |deployer| deployer.name.as_str());
    let option = format!("--deployer {}", crate::record::mask::quote(&crate::text::inert(name)));
    format!(
        "have the deployer that the task states deploy; or {}, which voids the approvals so far",
        context.restate(&option)
    )
}

fn account(rule: &Rule, context: &EvaluationContext<'_>, deployer: &Candidate) -> Vec<RuleOutcome> {
    let name = name(context, deployer);
    let Some(account) = &deployer.account else {
        return rule.fail(
            format!("the server knows no account {name}"),
            match deployer.source {
                DeployerSource::Task => context.restate("--deployer NAME"),
                _ => "check the spelling of the deployer's name".to_owned(),
            },
        );
    };
    let other = || match deployer.source {
        DeployerSource::Task => context.restate("--deployer NAME"),
        _ => "type it again with `--deployer NAME` of the person who deploys".to_owned(),
    };
    let recorder = context.policy.recorders.iter().any(|recorder| account.is_named(recorder));
    if account.is_bot() || recorder {
        let what = if recorder { "a recorder" } else { "a bot" };
        return rule.fail(format!("{name} is {what}, and a person deploys"), other());
    }
    if !account.is_enabled_person() {
        return rule.fail(format!("the account {name} is disabled"), other());
    }
    rule.pass(said(context, deployer))
}

/// The name of a candidate, fit to be shown. What the task states is a text of the task where no account bears it.
fn name(context: &EvaluationContext<'_>, candidate: &Candidate) -> String {
    match (&candidate.account, candidate.source) {
        (Some(account), _) => crate::text::inert(&account.username),
        (None, DeployerSource::Task) => context.quote(&candidate.name),
        (None, _) => crate::text::inert(&candidate.name),
    }
}

fn said(context: &EvaluationContext<'_>, candidate: &Candidate) -> String {
    let source = match candidate.source {
        DeployerSource::Flag => "--deployer",
        DeployerSource::Token => "the token's owner",
        DeployerSource::CallingUser => "the calling user",
        DeployerSource::Task => "the task",
    };
    format!("{} ({source})", name(context, candidate))
}
