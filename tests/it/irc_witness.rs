//! What people say about a deploy on a real IRC network: it is on the task once, or it counts for nothing, and that is said.

use std::time::{Duration, Instant};

use crate::live_server::say;
use crate::pagers::{Alertmanager, Pager, notified};
use crate::paging::tables;
use crate::site::Site;
use crate::watching::{ACCOUNTS, until};
use crate::witnessed::{Heard, code};

#[test]
fn a_yes_is_on_the_task_before_it_is_said_to_be_and_counts_with_one_on_the_task() {
    let Some(heard) = Heard::with("\"verified\", \"witnessed\"") else { return };
    let mut sre1 = heard.first("sre1");
    let (task, asked) = heard.emergency(&mut sre1);
    let code_of_now = code(&asked, &task, "sre");
    sre1.say(&format!("!status {task}"));
    assert!(sre1.until("open for").contains(&format!("; to approve: !approve {task} TEAM {code_of_now} ")));

    // Another word for a no is pointed to the no of that very task, and is none; of what is no emergency it is talk.
    for line in ["!stop T8999", "no T8999"] {
        sre1.say(line);
    }
    sre1.say(&format!("!nack {task} the graphs look wrong"));
    sre1.until(&format!("NOT understood (that word counts for nothing). It is written !reject {task} - WHY"));
    assert_eq!((sre1.count("T8999"), sre1.count("NOT understood")), (0, 1));
    assert!(heard.witnesses(&task).is_empty());

    // Not with another code, nor for a team of others.
    let other = if code_of_now == "CDFG" { "CDFH" } else { "CDFG" };
    sre1.say(&format!("!approve {task} sre {other}"));
    sre1.until("REFUSED: the code is of something else");
    sre1.say(&format!("!approve {task} releng {code_of_now}"));
    sre1.until("REFUSED: no approval for that team: not a member of");
    assert!(heard.witnesses(&task).is_empty());

    sre1.say(&format!("!approve {task} sre {code_of_now}"));
    let recorded = sre1.until("your yes is recorded: ");
    let witnesses = heard.witnesses(&task);
    assert_eq!(witnesses.len(), 1, "it is there once it is said: {recorded}");
    assert!(
        witnesses[0].contains("`sre1` says yes for `sre`") && witnesses[0].contains(&code_of_now),
        "{}",
        witnesses[0]
    );
    heard.watching.comment("releng1", &task, "Emergency-Approve: releng");
    until("allowed", || heard.watching.verdict(&task) == "allowed");
    sre1.until("is approved and may be deployed");

    // A no is recorded, a second time it is the same; then it is taken back.
    let mut releng1 = heard.person("releng1");
    releng1.say(&format!("!reject {task} the graphs look wrong"));
    let first = sre1.until("your no is recorded: ");
    until("denied", || heard.watching.verdict(&task) == "denied");
    releng1.say(&format!("!reject {task} the graphs look wrong"));
    let again = sre1.until("your no is recorded: ");
    let link = |text: &str| text.rsplit("recorded: ").next().unwrap().trim().to_owned();
    assert_eq!(link(&first), link(&again), "who repeats a no writes no second comment");
    releng1.say(&format!("!reject {task} STOP the database is corrupted"));
    let other = sre1.until("your no is recorded: ");
    assert_ne!(link(&first), link(&other), "what else they say is on the task too");
    let last = heard.witnesses(&task).pop().unwrap_or_default();
    assert!(last.contains("STOP the database is corrupted"), "{last}");
    releng1.say(&format!("!withdraw {task}"));
    sre1.until("your withdrawal is recorded: ");
    until("pending", || heard.watching.verdict(&task) == "pending");
    assert_eq!(heard.witnesses(&task).len(), 4);
}

#[test]
fn a_whole_emergency_on_a_real_server_is_followed_line_by_line_and_page_by_page() {
    let Some(site) = Site::real(&ACCOUNTS) else {
        return say("passed over: PHABGATE_LIVE names no Phorge");
    };
    let hook = Pager::new();
    let Some(alertmanager) = Alertmanager::start(&hook.url, "group_by: ['...'], group_wait: 0s") else { return };
    let paging = tables(Some(&alertmanager.url), None, "").replace("\"1s\"", "\"15s\"");
    let Some(heard) = Heard::on(site, "\"verified\", \"witnessed\"", &paging) else { return };
    let mut sre1 = heard.first("sre1");
    let task = heard.watching.emergency("All page views fail");
    let took = |what: &str, since: Instant| say(&format!("{what}: {} ms", since.elapsed().as_millis()));
    let begun = Instant::now();
    let about = format!("{task} is an emergency deploy");
    let first = sre1.until(&about);
    took("from the tag to the line in the channel", begun);
    let asked = [first, sre1.until(&about)].concat();
    sre1.say(&format!("!ack {task}"));
    sre1.until("nobody is paged for sre");
    // Who acknowledged is not paged, the other team is.
    let paged = || notified(&hook).into_iter().filter(|(_, labels, _)| labels["task"] == task).collect::<Vec<_>>();
    until("releng is paged", || !paged().is_empty());
    took("from the tag to the page, which is due after 15 s", begun);
    let begun = Instant::now();
    sre1.say(&format!("!approve {task} sre {}", code(&asked, &task, "sre")));
    sre1.until("your yes is recorded: ");
    took("from `!approve` to `recorded`", begun);
    assert_eq!(heard.witnesses(&task).len(), 1);
    let begun = Instant::now();
    heard.watching.comment("releng1", &task, "Emergency-Approve: releng");
    sre1.until(&format!("{task} is approved and may be deployed"));
    took("from the last approval to `may be deployed`", begun);
    until("the page is over", || paged().len() == 2);
    took("from the last approval to the end of the page", begun);
    let run = heard.watching.command(&["run", &task, "--deployer", "deployer1", "--", "true"]).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    sre1.until(&format!("{task} was deployed: it succeeded"));
    let mut releng1 = heard.person("releng1");
    let begun = Instant::now();
    releng1.say(&format!("!reject {task} the graphs look wrong"));
    sre1.until("your no is recorded: ");
    took("from `!reject` to `recorded`", begun);
    heard.watching.site.edit("deployer1", &task, "status", "resolved");
    sre1.until(&format!("{task} ended as an emergency"));
    assert_eq!((sre1.count(&about), sre1.count(&format!("{task} is approved"))), (2, 1));
    assert_eq!((sre1.count("was deployed: it succeeded"), heard.witnesses(&task).len()), (1, 2));
    let [(fires, labels, starts), (ends, same_labels, same_start)] = &paged()[..] else { panic!("{:#?}", paged()) };
    assert_eq!((fires.as_str(), ends.as_str(), labels["team"].as_str()), ("firing", "resolved", "releng"));
    assert_eq!((labels, starts), (same_labels, same_start));
    assert!(alertmanager.firing().iter().all(|alert| alert["labels"]["task"] != task.as_str()));
}

#[test]
fn without_witnessed_in_the_policy_a_yes_is_refused_and_a_no_counts() {
    let Some(heard) = Heard::with("\"verified\"") else { return };
    let mut sre1 = heard.first("sre1");
    let (task, asked) = heard.emergency(&mut sre1);
    assert!(!asked.contains("!approve"), "{asked}");
    sre1.say(&format!("!approve {task} sre CDFG"));
    sre1.until("REFUSED: an approval that is said on IRC does not count");
    sre1.say(&format!("!reject {task}"));
    sre1.until("your no is recorded: ");
    until("denied", || heard.watching.verdict(&task) == "denied");
}

#[test]
fn a_no_is_on_the_task_once_wherever_the_watch_is_killed() {
    let Some(mut heard) = Heard::with("\"verified\"") else { return };
    let mut sre1 = heard.first("sre1");
    for point in phabgate::crash::WITNESS_POINTS {
        heard.watching.killed_and_started_to_crash(Some(point));
        sre1.until("JOIN");
        let task = heard.watching.emergency("All page views fail");
        for _ in 0..2 {
            sre1.until("is an emergency deploy");
        }
        sre1.say(&format!("!reject {task} stop"));
        heard.watching.dies();
        heard.watching.killed_and_started();
        sre1.until("JOIN");
        // Whoever said it waits for that, wherever the watch died.
        sre1.until("your no is recorded: ");
        until("denied", || heard.watching.verdict(&task) == "denied");
        // A second one would be there before the answer to another no. Right after the bot came it does not know yet whether the services are there.
        let is_answer = |line: &str| line.contains("REFUSED: the services") || line.contains("recorded: http");
        let is_recorded = (0..10).any(|_| {
            sre1.say(&format!("!withdraw {task}"));
            let answer = sre1.within(Duration::from_secs(60), is_answer).expect("an answer");
            answer.contains("your withdrawal is recorded: ")
        });
        assert!(is_recorded);
        let witnesses = heard.witnesses(&task);
        assert_eq!(witnesses.iter().filter(|text| text.contains("says no")).count(), 1, "{point}: {witnesses:?}");
        assert_eq!(witnesses.len(), 2, "{point}");
    }
    // What was not written is named where nothing would write it any more.
    heard.watching.killed_and_started_to_crash(Some(phabgate::crash::WITNESS_POINTS[0]));
    sre1.until("JOIN");
    let task = heard.watching.emergency("All page views fail");
    sre1.until("is an emergency deploy");
    sre1.say(&format!("!reject {task} stop"));
    heard.watching.dies();
    heard.watching.reconfigured(|config| {
        let kept = config.lines().filter(|line| !line.trim().starts_with("witness_token_file"));
        kept.map(|line| format!("{line}\n")).collect()
    });
    let named = format!(
        "{task}: a no that was said on IRC is not on the task, and is not written without irc.witness_token_file"
    );
    until("named in the log", || heard.watching.has_logged(&named));
}

#[test]
fn a_no_waits_for_the_services_as_little_as_for_the_server_of_the_tasks() {
    let Some(mut heard) = Heard::with("\"verified\", \"witnessed\"") else { return };
    let mut sre1 = heard.first("sre1");
    let (task, asked) = heard.emergency(&mut sre1);
    let code = code(&asked, &task, "sre");
    // With the services away who was logged in before still is, and nothing new is believed of them.
    heard.network.stop_services();
    // With the server's own `CAP DEL`, at once.
    sre1.say(&format!("!approve {task} sre {code}"));
    let refused = sre1.until("REFUSED: the services");
    assert!(refused.contains("are away") || refused.contains("do not answer"), "{refused}");
    sre1.say(&format!("!reject {task} stop"));
    sre1.until("your no is recorded: ");
    assert!(heard.witnesses(&task).iter().all(|text| text.contains("says no")));
    heard.network.start_services();
}

#[test]
fn a_no_that_waits_for_the_services_is_kept_where_the_watch_ends() {
    let Some(mut heard) = Heard::with("\"verified\"") else { return };
    let mut sre1 = heard.first("sre1");
    let (task, _) = heard.emergency(&mut sre1);
    heard.network.hang_services(true);
    sre1.say(&format!("!reject {task} stop"));
    // What comes after it on the network is answered: the bot has heard it.
    sre1.say("!help");
    sre1.until("I understand !status");
    heard.watching.stops();
    heard.network.hang_services(false);
    heard.watching.starts();
    until("denied", || heard.watching.verdict(&task) == "denied");
    sre1.until("your no is recorded: ");
    assert_eq!(heard.witnesses(&task).len(), 1);
}
