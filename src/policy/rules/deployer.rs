//! `deployer`: it is known who deploys, and all sources agree.

use super::{Context, Rule, list};
use crate::evidence::Candidate;
use crate::record::DeployerSource;

pub(super) const RULE: Rule = Rule {
    name: "deployer",
    summary: "It is known who deploys, and all sources agree",
    page: "The deployer is whom `--deployer` names, else the owner of the token unless that is a bot or a recorder, else \
           the account that the configuration maps the calling user to. Every account that could be behind the deploy, from \
           whichever source, is kept from approving it. Where the sources disagree, or the task states another deployer, \
           nobody knows who deploys and the answer is no.\n\n\
           Give `--deployer NAME`, map your system account under `[deployers]`, or correct the line `Emergency-Deployer` of the \
           task (which voids the approvals before it).",
    judge: |rule, context| {
        let candidates = &context.evidence.candidates;
        let stated = context.story.deployer.as_ref().map(|stated| stated.value.trim_start_matches('@'));
        let Some(deployer) = candidates.first() else {
            let hint = match stated.filter(|_| !context.hide) {
                Some(name) => {
                    format!("the task states {}: give `--deployer NAME` if that is right", crate::text::inert(name))
                }
                None => "give `--deployer NAME`, your account on the tracker".to_owned(),
            };
            return rule.fail("nobody knows who deploys", hint);
        };
        let different = |name: &str| !name.eq_ignore_ascii_case(&deployer.name);
        let mut named: Vec<String> =
            candidates.iter().map(|candidate| said(&candidate.name, candidate.source)).collect();
        let task_differs = stated.is_some_and(different);
        if candidates.iter().any(|candidate| different(&candidate.name)) || task_differs {
            if let Some(stated) = stated {
                // Quoted already, and so inert.
                named.push(format!("{} (the task)", context.quote(stated)));
            }
            return rule.fail(
                format!("the sources disagree about who deploys: {}", list(&named, "and")),
                "make them name one account, the one that deploys",
            );
        }
        account(rule, context, deployer)
    },
};

fn account(rule: &Rule, context: &Context<'_>, deployer: &Candidate) -> Vec<crate::policy::RuleOutcome> {
    let name = crate::text::inert(&deployer.name);
    let Some(account) = &deployer.account else {
        return rule.fail(format!("the tracker knows no account {name}"), "check the spelling of the deployer's name");
    };
    let recorder = context.policy.recorders.iter().any(|recorder| account.is_named(recorder));
    if account.is_bot() || recorder {
        let what = if recorder { "a recorder" } else { "a bot" };
        return rule.fail(
            format!("{name} is {what}, and a person deploys"),
            "give `--deployer NAME` of the person who deploys",
        );
    }
    if !account.is_enabled_person() {
        return rule
            .fail(format!("the account {name} is disabled"), "give `--deployer NAME` of an account that is in use");
    }
    rule.pass(said(&account.username, deployer.source))
}

fn said(name: &str, source: DeployerSource) -> String {
    let source = match source {
        DeployerSource::Flag => "--deployer",
        DeployerSource::Token => "the token's owner",
        DeployerSource::CallingUser => "the calling user",
        DeployerSource::Task => "the task",
    };
    format!("{} ({source})", crate::text::inert(name))
}
