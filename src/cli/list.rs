//! `list`: the open emergencies and where each stands, the first command of the morning.
//!
//! Responsible for what is shown of each. Not responsible for which they are ([`crate::gate::emergencies`]).

use super::exit::{Exit, Failure};
use super::next::{NOW, Next};
use super::session::Session;
use super::ui::Ui;
use super::{Globals, TaskSubject, verdict_screen};
use crate::gate::Assessment;
use crate::gate::emergencies::{MOST, OpenEmergencies, open_emergencies};
use crate::layout::{FAINT, MIND, NAME, hanging, styled};
use crate::rules::Decision;
use crate::text::inert;
use crate::view::{VerdictSubject, emergencies};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show the texts of restricted tasks
    #[arg(long)]
    pub(super) show_restricted: bool,
}

/// Runs `list`.
///
/// # Errors
/// Where the configuration or the credentials are wrong, or the server does not say which emergencies are open.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?.showing(args.show_restricted);
    session.warn_of_undelivered(ui);
    let found = open_emergencies(&session.context(), |task| session.reading(task)).await?;
    let shown: Vec<(VerdictSubject, &Assessment)> =
        found.tasks.iter().map(|read| (VerdictSubject::of(read, session.viewer()), read)).collect();
    match ui.is_json() {
        true => ui.json(&emergencies(shown.iter().map(|(subject, read)| (subject, *read)), found.left_out)),
        false => ui.data(&text(&shown, &found, ui)),
    }
    let unread = found.tasks.iter().any(|read| read.verdict.decision == Decision::Undecided);
    Ok(if unread || found.left_out > 0 { Exit::Incomplete } else { Exit::Done })
}

fn text(shown: &[(VerdictSubject, &Assessment)], found: &OpenEmergencies, ui: &Ui) -> String {
    let width = ui.width();
    let Some((_, first)) = shown.first() else {
        return "no open emergency is shown to this account; nothing is to be done".to_owned();
    };
    let mut page = String::new();
    for (subject, read) in shown {
        page.push_str(&entry(subject, read, width));
    }
    if found.left_out > 0 {
        let more = format!("{} more are open and were not read; the newest {MOST} are above", found.left_out);
        page.push_str(&hanging(&format!("{} ", styled(MIND, "…")), 2, &more, width));
    }
    // What was broken by a deploy is more urgent than what waits for one.
    let failed = shown.iter().find(|(subject, read)| is_to_be_rolled_back(subject, read));
    let next = match failed {
        Some((_, read)) => Next::rollback(read.number, &TaskSubject::default(), ui.invocation()),
        None => Next::new(NOW, &format!("check {}", first.number), ui.invocation()),
    };
    page + &format!("\n{}", next.text())
}

/// Whether its last deploy failed, and a rollback is allowed.
fn is_to_be_rolled_back(subject: &VerdictSubject, read: &Assessment) -> bool {
    subject.last_failed && matches!(read.verdict.decision, Decision::Allowed(_))
}

/// One emergency: its verdict and its title, what is missing, and where it is.
fn entry(subject: &VerdictSubject, read: &Assessment, width: usize) -> String {
    let (style, word) = verdict_screen::word(&read.verdict.decision);
    let title = subject.title.as_deref().map_or("(its texts are not shown)".to_owned(), inert);
    let drill = if subject.drill { " (a drill)" } else { "" };
    let number = read.number.to_string();
    let head = format!("{}  {} ", styled(style, &format!("{word:9}")), styled(NAME, &number));
    let mut lines = hanging(&head, 12 + number.len(), &format!("{title}{drill}"), width);
    let failed = if subject.last_failed { "; its last deploy failed" } else { "" };
    lines.push_str(&hanging("           ", 11, &format!("{}{failed}", verdict_screen::summary(&read.verdict)), width));
    lines + &format!("           {}\n", styled(FAINT, &subject.url))
}
