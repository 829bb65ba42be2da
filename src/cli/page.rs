//! `page`: wakes those whose approval is missing, by hand.
//!
//! Responsible for the arguments, for saying who is paged before it is asked whether to, and for the calls. Not responsible for whether
//! anybody may be ([`crate::paging::by_hand`]), nor for the form of a page.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Globals;
use super::confirm::confirm;
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use crate::ids::TaskId;
use crate::layout::hanging;
use crate::paging::{
    BY_HAND_LASTS, ByHand, CallOutcome, FiringPage, NobodyPaged, OnCall, Page, PageWords, PagerKind, Pagers, Stage,
    Trusted, WhoToAsk, by_hand, kept_firing, over, read_on_call, who_to_ask,
};
use crate::rules::{Intent, JudgedTask};
use crate::text::inert;
use crate::time::utc;

/// The schema of `page --format json`.
const SCHEMA: &str = "phabgate/page/1";
/// How long it may take to list what fires already, before somebody is paged.
const LISTED_WITHIN: Duration = Duration::from_secs(3);

/// Arguments of `page`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = super::candidates::tasks())]
    task: String,
    /// Which team of the policy to page; all that are missing where none is named
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
    /// Page as the next stage: nobody answered the first page
    #[arg(long)]
    escalate: bool,
    /// Say to the pagers that nobody is needed any more; while an approval is missing a watch pages again
    #[arg(long, conflicts_with = "escalate")]
    resolve: bool,
    /// Page without asking
    #[arg(long, short)]
    yes: bool,
}

/// What was done, for programs; fields are only ever added.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    pages: Vec<JsonPage<'a>>,
}

/// One team.
#[derive(Debug, Serialize)]
struct JsonPage<'a> {
    team: &'a str,
    stage: Stage,
    /// The usernames of those it is for.
    people: &'a [String],
    /// Why nobody is paged.
    nobody: Option<String>,
    /// Since when this very page fires at the Alertmanager already.
    fires_since: Option<Timestamp>,
    /// It is to be ended and is not, since a watch keeps it firing.
    kept: bool,
    pagers: Vec<JsonPager>,
}

/// What a pager answered.
#[derive(Debug, Serialize)]
struct JsonPager {
    pager: PagerKind,
    accepted: bool,
    why: Option<String>,
}

/// A team, and whether it is paged.
struct Asked {
    team: String,
    who: WhoToAsk,
    page: Result<Page, NobodyPaged>,
    /// Since when this very page fires at the Alertmanager already.
    fires_since: Option<Timestamp>,
    /// It is to be ended and is not, since a watch keeps it firing.
    is_kept: bool,
    said: Vec<(PagerKind, CallOutcome)>,
}

/// Runs `page`.
///
/// # Errors
/// Where no pager is configured, the task cannot be read, nobody may be paged, or a pager did not accept it.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?;
    if !session.settings.paging.has_pager() {
        let hint = "set `alertmanager` or `webhook` in the table [paging] of the configuration";
        return Err(Failure::usage("no pager is configured, so that nobody can be paged", hint));
    }
    session.caller_may_deploy(None)?;
    let pagers = session.pagers()?;
    let task = session.task(&args.task, ui)?;
    let team = args.team.as_deref().map(|given| named(given, &session)).transpose()?;
    let (reading, intent, assessor) = (session.reading(task), Intent::default(), session.assessor());
    let firing = async {
        // What is to be ended has to be known; who is to be woken does not wait for a list.
        match args.resolve {
            true => pagers.firing_of(task).await,
            false => match tokio::time::timeout(LISTED_WITHIN, pagers.firing_of(task)).await {
                Ok(firing) => firing,
                Err(_) => Some(Err(format!("it did not answer within {} s", LISTED_WITHIN.as_secs()))),
            },
        }
    };
    let (assessment, firing) = tokio::join!(assessor.assess(&reading, &intent), firing);
    let firing = listed(firing, ui);
    let read = assessment.judged();
    let mut asked = match (args.resolve, read) {
        (true, read) => {
            let pages =
                over(read, team.as_deref(), firing.as_deref().unwrap_or_default(), session.settings.paging.drills);
            let asked = pages.into_iter().map(Asked::over).collect::<Vec<_>>();
            // An Alertmanager lists all that fires there, and a webhook nothing.
            let is_all = firing.is_some() && pagers.kinds() == [PagerKind::Alertmanager];
            match (asked.is_empty(), read) {
                (true, None) => return Err(assessment.refusal().into()),
                (true, Some(_)) if team.is_none() && is_all => {
                    ui.note(&format!("{task}: no page fires at the Alertmanager, and no team is missing"));
                    asked
                }
                (true, Some(_)) => return Err(nothing_to_end(team.as_deref())),
                (false, _) => asked,
            }
        }
        (false, Some(read)) => ask(args, team.as_deref(), read, &session),
        (false, None) => return Err(assessment.refusal().into()),
    };
    for asked in &mut asked {
        let is_it = |fires: &&FiringPage| asked.page.as_ref().is_ok_and(|page| page.is_one_alert_with(&fires.page));
        asked.fires_since = firing.iter().flatten().find(is_it).map(|fires| fires.page.due);
        asked.is_kept = args.resolve && kept_firing(read, &asked.team, firing.as_deref().unwrap_or_default());
    }
    let words = read.map(|read| PageWords::of(read.evidence, read.state, &session.settings.policy, session.base()));
    let words = words.unwrap_or_default();
    if !ui.is_json() {
        match args.resolve {
            true => say_over(&asked, ui),
            false => announce(task, &asked, &pagers, &words, ui),
        }
    }
    let some = asked.iter().any(|team| team.page.is_ok() && !team.is_kept);
    if some && !args.yes && !confirm(if args.resolve { "End this?" } else { "Page them?" }, ui)? {
        return Err(Failure { exit: Exit::Denied, message: "nothing was sent".to_owned(), hint: None });
    }
    for team in asked.iter_mut().filter(|team| !team.is_kept) {
        let Ok(page) = &team.page else { continue };
        let words = words.clone().naming(team.who.asked());
        for kind in pagers.kinds() {
            let outcome = match args.resolve {
                true => pagers.resolve(kind, page).await,
                false => pagers.trigger(kind, page, &words, Some(BY_HAND_LASTS)).await,
            };
            team.said.push((kind, outcome));
        }
    }
    match ui.is_json() {
        true => ui.json(&Json { schema: SCHEMA, task, pages: asked.iter().map(|team| json(team, args)).collect() }),
        false => done(task, &asked, args, ui),
    }
    ended(&asked)
}

impl Asked {
    /// A page that is said to be over.
    fn over(page: Page) -> Self {
        let who = WhoToAsk { on_call: vec![], others: vec![], note: None };
        Self { team: page.key.team.clone(), who, page: Ok(page), fires_since: None, is_kept: false, said: Vec::new() }
    }
}

/// Says what ends: what fires, and of what no pager lists that it ends where it was sent.
fn say_over(asked: &[Asked], ui: &mut Ui) {
    let fires = |asked: &Asked| Some((asked.page.as_ref().ok()?.key.of_team(), asked.fires_since?));
    let ending = || asked.iter().filter(|asked| !asked.is_kept);
    for (page, since) in ending().filter_map(fires) {
        ui.note(&format!("ends {page}, which fires since {}", utc(since)));
    }
    let mut others: Vec<&str> =
        ending().filter(|asked| asked.fires_since.is_none()).map(|asked| asked.team.as_str()).collect();
    others.dedup();
    if !others.is_empty() {
        ui.note(&format!("ends what was sent by hand for {}, if anything was", others.join(", ")));
    }
}

/// What fires at the Alertmanager of a task; `None` where there is none, or it cannot be read.
fn listed(firing: Option<Result<Vec<FiringPage>, String>>, ui: &mut Ui) -> Option<Vec<FiringPage>> {
    match firing? {
        Ok(firing) => Some(firing),
        Err(why) => {
            ui.warn(&format!("what fires at the Alertmanager cannot be read: {why}"));
            None
        }
    }
}

fn nothing_to_end(team: Option<&str>) -> Failure {
    match team {
        Some(_) => Failure {
            exit: Exit::Denied,
            message: "nobody was paged about this task: it never was an emergency".to_owned(),
            hint: None,
        },
        None => Failure::usage("no team is missing, so that it has to be said whose page is over", "add --team TEAM"),
    }
}

/// The key of the team that is meant.
fn named(given: &str, session: &Session) -> Result<String, Failure> {
    let policy = &session.settings.policy;
    policy.team_named(given).map(|team| team.key.clone()).ok_or_else(|| {
        let known: Vec<&str> = policy.teams.iter().map(|team| team.key.as_str()).collect();
        let message = format!("--team {:?}: the policy has no such team", inert(given));
        Failure::usage(message, format!("it has {}", known.join(", ")))
    })
}

fn stage(args: &Args) -> Stage {
    if args.escalate { Stage::Escalation } else { Stage::Page }
}

/// The teams that are meant, whom each asks, and whether it is paged.
fn ask(args: &Args, team: Option<&str>, read: JudgedTask<'_>, session: &Session) -> Vec<Asked> {
    let settings = &session.settings;
    let missing: Vec<String> = match team {
        Some(team) => vec![team.to_owned()],
        None => read.verdict.missing_teams().map(|team| team.team.clone()).collect(),
    };
    let owner = &read.evidence.owner;
    let asker =
        session.calling_account.as_deref().or_else(|| Some(owner.username.as_str()).filter(|_| !owner.is_bot()));
    let trusted = Trusted { named: &settings.paging.trusted, deployers: &session.deployers, policy: &settings.policy };
    let stage = stage(args);
    let asked = missing.into_iter().map(|team| {
        let page = by_hand(&ByHand { read, team: &team, stage, settings: &settings.paging, trusted, asker });
        let count = read.verdict.teams.iter().find(|count| count.team == team);
        let who = match (count, settings.paging.on_call.get(&team)) {
            (Some(count), Some(source)) => who_to_ask(count, &read_on_call(source)),
            (Some(count), _) => who_to_ask(count, &OnCall::NotSet),
            (None, _) => WhoToAsk { on_call: vec![], others: vec![], note: None },
        };
        Asked { team, who, page, fires_since: None, is_kept: false, said: Vec::new() }
    });
    asked.collect()
}

/// Says who is paged, through what and with which words, and of whom nobody is.
fn announce(task: TaskId, asked: &[Asked], pagers: &Pagers, words: &PageWords, ui: &mut Ui) {
    let kinds: Vec<String> = pagers
        .kinds()
        .into_iter()
        .map(|kind| format!("{kind} at {}", pagers.address(kind).unwrap_or_default()))
        .collect();
    let mut through = true;
    for Asked { team, who, page, fires_since, .. } in asked {
        if let Err(why) = page {
            ui.note(&format!("{team}: nobody is paged: {why}"));
            ui.hint(why.hint());
            continue;
        }
        if let Some(since) = fires_since {
            ui.note(&format!(
                "{team}: this page fires since {}; sent again it goes on, and wakes nobody anew",
                utc(*since)
            ));
            if page.as_ref().is_ok_and(|page| page.key.stage == Stage::Page) {
                ui.hint(&format!(
                    "`phabgate page {task} --team {team} --escalate` pages anew, as what nobody answered"
                ));
            }
        }
        let on_call = if who.on_call.is_empty() { "" } else { " (on call)" };
        let people = match who.asked() {
            [] => "the team, of which nobody is left who could approve".to_owned(),
            people => format!("{}{on_call}", people.join(", ")),
        };
        ui.note(&format!("{team}: pages {people}"));
        if let Some(note) = &who.note {
            ui.warn(note);
        }
        if std::mem::take(&mut through) {
            let said = words.category.iter().map(String::as_str).chain(words.url.as_deref());
            let said: Vec<&str> = said.collect();
            let task = task.to_string();
            let said = if said.is_empty() { task } else { format!("{task}, {}", said.join(", ")) };
            ui.note(&format!("through {}; it says {said}", kinds.join(" and ")));
        }
    }
    if asked.is_empty() {
        ui.note(&format!("{task}: no team is missing, so that nobody is paged"));
    }
}

fn json<'a>(asked: &'a Asked, args: &Args) -> JsonPage<'a> {
    let pager = |(pager, outcome): &(PagerKind, CallOutcome)| {
        let why = outcome.why_not().map(str::to_owned);
        JsonPager { pager: *pager, accepted: why.is_none(), why }
    };
    JsonPage {
        team: &asked.team,
        stage: asked.page.as_ref().map_or(stage(args), |page| page.key.stage),
        people: if asked.page.is_ok() { asked.who.asked() } else { &[] },
        nobody: asked.page.as_ref().err().map(ToString::to_string),
        fires_since: asked.fires_since,
        kept: asked.is_kept,
        pagers: asked.said.iter().map(pager).collect(),
    }
}

fn done(task: TaskId, asked: &[Asked], args: &Args, ui: &mut Ui) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    for asked in asked {
        let Ok(page) = &asked.page else { continue };
        if asked.is_kept {
            let team = &asked.team;
            lines.push((
                team,
                format!("not ended: a watch fires it again within the minute as long as {team} is missing"),
            ));
        }
        for (kind, outcome) in &asked.said {
            let words = match (outcome, args.resolve) {
                (CallOutcome::Accepted, true) => format!("{kind} has heard that its pages are over"),
                (CallOutcome::Accepted, false) => {
                    match asked.fires_since.filter(|_| *kind == PagerKind::Alertmanager) {
                        Some(since) => {
                            format!(
                                "fires since {} at {kind}; sent again it goes on, and wakes nobody anew",
                                utc(since)
                            )
                        }
                        None => format!("paged through {kind}"),
                    }
                }
                (CallOutcome::NotAccepted(why) | CallOutcome::Refused(why), _) => {
                    format!("{kind} did not take {}: {why}", page.key.of_team())
                }
                (CallOutcome::Unclear(why), _) => {
                    format!("it is not clear whether {kind} took {}: {why}", page.key.of_team())
                }
            };
            lines.push((&asked.team, words));
        }
    }
    // Of several pages of a team one line says what all of them came to.
    lines.sort();
    lines.dedup();
    let line = |(team, words): &(&str, String)| hanging(&format!("{team}: "), team.len() + 2, words, ui.width());
    let mut page: String = lines.iter().map(line).collect();
    if page.is_empty() {
        page.push_str(if args.resolve { "Nothing was to be ended.\n" } else { "Nobody was paged.\n" });
    }
    let mut outcomes = asked.iter().flat_map(|team| &team.said);
    let reached = outcomes.any(|(_, outcome)| matches!(outcome, CallOutcome::Accepted | CallOutcome::Unclear(_)));
    let words = match (reached, args.resolve) {
        (true, false) => Some(format!(
            "Where no watch looks after it, it ends by itself in an hour; `phabgate page {task} --team TEAM --resolve` ends it before."
        )),
        // It pages whom it finds missing, whatever was said by hand.
        (true, true) => Some(format!(
            "While an approval is missing a watch pages again; a comment on {task} by the team, or `!ack {task}` on IRC, holds that."
        )),
        (false, true) if asked.iter().any(|team| team.is_kept) => Some(format!(
            "A comment on {task} by the team, or `!ack {task}` on IRC, holds its pages; an approval ends them."
        )),
        (false, false) if asked.iter().any(|team| team.page.is_ok()) => {
            Some("Nobody was reached: call them yourself.".to_owned())
        }
        (false, _) => None,
    };
    if let Some(words) = words {
        page.push_str(&hanging("", 0, &ui.invocation().adapt(&words), ui.width()));
        page.push('\n');
    }
    ui.data(page.trim_end());
}

fn ended(asked: &[Asked]) -> Result<Exit, Failure> {
    let mut outcomes = asked.iter().flat_map(|team| &team.said).map(|(_, outcome)| outcome);
    if outcomes.any(|outcome| *outcome != CallOutcome::Accepted) {
        return Ok(Exit::Incomplete);
    }
    let is_undecided = |team: &Asked| matches!(team.page, Err(NobodyPaged::Undecided));
    Ok(match asked {
        _ if asked.iter().any(is_undecided) => Exit::Incomplete,
        _ if asked.iter().all(|team| team.page.is_ok() && !team.is_kept) => Exit::Done,
        _ => Exit::Denied,
    })
}
