//! `team:NAME`: enough people of a team have approved.

use super::verdict::{Outcome, RuleOutcome, TeamCount, WhyNot};
use super::{EvaluationContext, Rule, list};
use crate::evidence::Purpose;
use crate::time::rough;

pub(super) const RULE: Rule = Rule {
    name: "team",
    summary: "Enough people of the team have approved",
    page: "An emergency deploy needs a positive answer from each team that the policy names; some reasons need a further \
           team. To approve, a member of the team's project writes, alone on a line, \
           \"Emergency-Approve: sre\" (as a comment).\n\n\
           It counts when its author is a person with an enabled account, not behind the deploy, when it came after the tag \
           and after the last change of the reason's category, the deployer, the action or the change, when it is not older \
           than the policy allows, and when it was not withdrawn. One person fills one slot: someone in two teams serves \
           one of them.\n\n\
           Where the policy counts attested approvals, what the deployer says of a person (`--approved-by`) does not count beside \
           what that person wrote on the task themselves since it carries the tag, unless that is a plain yes (\"LGTM\"): then \
           they write the line.\n\nAsk the people whom the refusal names. Nobody in the team answers: the escalation text says whom to page.",
    judge: |rule, context| match context.teams {
        [] => rule.fail(
            "the policy names no team that has to approve: refusing to treat that as approval",
            "name at least one team whose role is \"approve\" under `policy.required`",
        ),
        teams => teams.iter().map(|count| judge(context, count)).collect(),
    },
};

fn judge(context: &EvaluationContext<'_>, count: &TeamCount) -> RuleOutcome {
    let outcome = |outcome, message, hint| RuleOutcome { name: format!("team:{}", count.team), outcome, message, hint };
    let Some(project) = context.evidence.teams.get(&count.team) else {
        let slug = context.policy.team(&count.team).map_or("?", |team| team.project.as_str());
        let message = format!("the server knows no project #{slug}, or does not show it to this account");
        let hint = format!("check `policy.teams.{}.project` in the configuration", count.team);
        return outcome(Outcome::Unknown, message, Some(hint));
    };
    let missing = (count.need as usize).saturating_sub(count.by.len());
    if missing == 0 {
        return outcome(Outcome::Pass, format!("{} approved by {}", count.title, list(&count.by, "and")), None);
    }
    if context.evidence.purpose == Purpose::Audit {
        let message = format!("{}{}", had_not_approved(count, missing), elsewhere(context, count));
        return outcome(Outcome::Fail, message, None);
    }
    let have = match count.by.len() {
        0 => String::new(),
        _ => format!(" (so far {})", list(&count.by, "and")),
    };
    let message =
        format!("{missing} more approval{} needed from {}{have}", if missing == 1 { "" } else { "s" }, count.title);
    let message = format!("{message}{}{}", elsewhere(context, count), outweighed(context, count));
    let unread = project.members.iter().filter(|member| !context.evidence.accounts.contains_key(member)).count();
    if count.could.len() + unread < missing {
        let hint = format!(
            "nobody else in {} can approve: the team's project needs members, or the policy must change",
            count.title
        );
        return outcome(Outcome::Fail, message, Some(hint));
    }
    let who = match count.could.len() {
        0 => format!("a member of {}", count.title),
        known if known <= 6 && unread == 0 => list(&count.could, "or"),
        // Of a large team not every account was read.
        known => {
            let shown = &count.could[..known.min(5)];
            format!("{} or another of the {} members of {}", shown.join(", "), project.members.len(), count.title)
        }
    };
    let hint = format!(
        "ask {who} to write on {}, alone on a line, \"Emergency-Approve: {}\" (as a comment; it then counts for {})",
        context.task(),
        count.team,
        rough(context.policy.max_age)
    );
    outcome(Outcome::Pending, message, Some(hint))
}

/// The same of a deploy of the past, for which no approval can come any more.
fn had_not_approved(count: &TeamCount, missing: usize) -> String {
    let missing = match missing {
        1 => "1 approval was missing".to_owned(),
        more => format!("{more} approvals were missing"),
    };
    let have = match count.by.len() {
        0 => String::new(),
        _ => format!(" beside that of {}", list(&count.by, "and")),
    };
    format!("{} had not approved: {missing}{have}", count.title)
}

/// Says of people who approved for this team as well that they serve another: one person fills one slot.
fn elsewhere(context: &EvaluationContext<'_>, count: &TeamCount) -> String {
    let approved = context.judged.approvals.iter().filter(|approval| approval.counts() && approval.team == count.team);
    let serves = |user: &str| {
        context.teams.iter().find(|other| other.team != count.team && other.by.iter().any(|by| by == user))
    };
    let parts: Vec<String> = approved
        .filter_map(|approval| Some(format!("{} serves {}", approval.user, serves(&approval.user)?.title)))
        .collect();
    if parts.is_empty() { String::new() } else { format!("; {}, and one person fills one slot", parts.join(", ")) }
}

/// Says which attested approvals for this team do not count since their people spoke for themselves.
fn outweighed(context: &EvaluationContext<'_>, count: &TeamCount) -> String {
    let of_team = context.judged.approvals.iter().filter(|approval| approval.team == count.team);
    let did = of_team.filter_map(|approval| match &approval.why_not {
        Some(WhyNot::OwnWord { did, .. }) => Some(format!("; {did}, which outweighs what is attested of them")),
        _ => None,
    });
    did.collect()
}
