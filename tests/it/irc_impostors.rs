//! Who is not whom they seem on a real IRC network, and what is not what it seems: nothing of it is recorded, and nobody is silenced by it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::irc_network::network::{CHANNEL, Person};
use crate::watching::until;
use crate::witnessed::{Heard, code};

/// What the policy accepts.
const BOTH: &str = "\"verified\", \"witnessed\"";

/// An emergency for which both teams were asked, in the channel where sre1 is.
struct Asked {
    heard: Heard,
    sre1: Person,
    task: String,
    /// The code of what would be approved.
    code: String,
}

/// One of its own; `None` where there is no network on this machine.
fn asked() -> Option<Asked> {
    let heard = Heard::with(BOTH)?;
    let mut sre1 = heard.first("sre1");
    let (task, asked) = heard.emergency(&mut sre1);
    let code = code(&asked, &task, "sre");
    Some(Asked { heard, sre1, task, code })
}

#[test]
fn of_impostors_nothing_is_recorded_and_it_stands_beside_the_task() {
    let Some(Asked { heard, mut sre1, task, code }) = asked() else { return };
    let mut stranger = Person::new(&heard.network, "sre1_", None);
    let mut outsider = heard.person("outsider");
    let mut late = heard.person("late");
    for (person, why) in [
        (&mut stranger, "the nick is not logged in with the services"),
        (&mut outsider, "the services account is not listed with the watch"),
        (&mut late, "registered after it was listed"),
    ] {
        for line in [format!("!approve {task} sre {code}"), format!("!reject {task} stop"), format!("!withdraw {task}")]
        {
            person.say(&line);
            sre1.until(why);
        }
    }
    // What any client can send is another key.
    stranger.send(&format!("@+account=sre1 PRIVMSG {CHANNEL} :!reject {task} stop"));
    sre1.until("the nick is not logged in with the services");
    assert_eq!(heard.watching.verdict(&task), "pending");
    assert!(heard.witnesses(&task).is_empty());
    let page = heard.watching.get(&task).text;
    assert!(page.contains("Said on IRC, not counted") && page.contains("sre1_"), "{page}");
    assert!(page.contains("the services account is not listed with the watch"), "{page}");
}

#[test]
fn who_left_and_who_deploys_cannot_approve() {
    let Some(Asked { heard, mut sre1, task, code }) = asked() else { return };
    for (name, why) in [("leaver", "the account is disabled"), ("doer", "REFUSED: ")] {
        let mut person = heard.person(name);
        person.say(&format!("!approve {task} sre {code}"));
        let answer = sre1.until(&format!("{name}: REFUSED: "));
        assert!(answer.contains(why), "{answer}");
    }
    let mut leaver = heard.person("leaver");
    leaver.say(&format!("!reject {task} out of spite"));
    sre1.until("leaver: REFUSED: ");
    assert!(heard.witnesses(&task).is_empty());
    assert_eq!(heard.watching.verdict(&task), "pending");
}

#[test]
fn what_only_looks_like_a_word_is_none_and_what_is_long_or_coloured_is_one() {
    let Some(Asked { heard, mut sre1, task, code }) = asked() else { return };
    let mut releng1 = heard.person("releng1");
    for line in [
        // CTCP, a notice, in private, another word for a bot, look-alikes, a code that is none.
        format!("PRIVMSG {CHANNEL} :\u{1}ACTION !reject {task}\u{1}"),
        format!("PRIVMSG {CHANNEL} :\u{1}!approve {task} sre {code}\u{1}"),
        format!("NOTICE {CHANNEL} :!approve {task} sre {code}"),
        format!("PRIVMSG phabgate :!approve {task} sre {code}"),
        format!("PRIVMSG phabgate :!reject {task}"),
        format!("PRIVMSG {CHANNEL} :<sre2> !approve {task} sre {code}"),
        format!("PRIVMSG {CHANNEL} :!\u{430}pprove {task} sre {code}"),
        format!("PRIVMSG {CHANNEL} :!approve {task} sre {code}\u{200b}"),
        format!("PRIVMSG {CHANNEL} :!approve {task} sre {code} and more"),
        format!("PRIVMSG {CHANNEL} :!approve {task}1 sre {code}"),
        format!("PRIVMSG {CHANNEL} :!approve {task} sre {code}{}", " x".repeat(200)),
        format!("PRIVMSG {CHANNEL} :!approve {task}"),
    ] {
        sre1.send(&line);
    }
    // What was said before this is answered, or counted for nothing, once this is.
    sre1.say(&format!("!approve {task} sre CDFG{code}"));
    let is_answered = (0..10).any(|_| {
        sre1.say(&format!("!status {task}"));
        sre1.within(Duration::from_secs(10), |line| line.contains("open for")).is_some()
    });
    assert!(is_answered, "who says much waits, and is heard again");
    assert!(heard.witnesses(&task).is_empty(), "{:?}", heard.witnesses(&task));
    assert_eq!(heard.watching.verdict(&task), "pending");

    // A line as long as a message can be, with all that a terminal would take for its own.
    let start = format!("!reject {task} \u{3}04red\u{f} \u{202e}turned \u{1b}[31m T99 ");
    let why = "é".repeat((512 - 2 - format!("PRIVMSG {CHANNEL} :").len() - start.len()) / 2);
    releng1.say(&format!("{start}{why}"));
    sre1.until("releng1: your no is recorded: ");
    until("denied", || heard.watching.verdict(&task) == "denied");
    let witnesses = heard.witnesses(&task);
    assert_eq!(witnesses.len(), 1, "{witnesses:?}");
    assert!(!witnesses[0].contains(['\u{3}', '\u{1b}', '\u{202e}']), "{}", witnesses[0]);
    let page = heard.watching.get(&task).text;
    assert!(!page.contains(['\u{3}', '\u{1b}', '\u{202e}']), "{page}");
}

#[test]
fn who_answer_in_one_second_are_all_heard() {
    let Some(Asked { heard, mut sre1, task, code }) = asked() else { return };
    let mut others: Vec<Person> = ["sre2", "releng1", "releng2"].map(|name| heard.person(name)).into();
    let mut stranger = heard.stranger("curious");
    for _ in 0..3 {
        stranger.say(&format!("!status {task}"));
    }
    sre1.say(&format!("!approve {task} sre {code}"));
    for (person, team) in others.iter_mut().zip(["sre", "releng", "releng"]) {
        person.say(&format!("!approve {task} {team} {code}"));
    }
    let begun = std::time::Instant::now();
    let mut left = vec!["sre1: ", "sre2: ", "releng1: ", "releng2: "];
    while !left.is_empty() && begun.elapsed() < Duration::from_secs(60) {
        let line = sre1
            .within(Duration::from_secs(60), |line| line.contains("recorded: ") || line.contains("REFUSED: "))
            .unwrap_or_default();
        assert!(!line.contains("REFUSED: "), "{line}");
        left.retain(|name| !line.contains(&format!(":{name}your yes is recorded: ")));
    }
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(heard.witnesses(&task).len(), 4);
}

#[test]
fn a_flood_of_thousands_of_lines_silences_nobody() {
    let Some(Asked { heard, mut sre1, task, code }) = asked() else { return };
    let mut flooders: Vec<Person> = (0..4).map(|number| heard.stranger(&format!("flood{number}"))).collect();
    flooders.push(heard.person("outsider"));
    flooders.push(heard.person("late"));
    for number in 0..1_000 {
        for flooder in &mut flooders {
            let line = match number % 4 {
                0 => format!("!reject {task} flood"),
                1 => format!("!approve {task} sre {code}"),
                2 => format!("!status T{number}"),
                _ => format!("!withdraw {task} {}", "x".repeat(400)),
            };
            flooder.say(&line);
        }
        if number == 500 {
            sre1.say(&format!("!approve {task} sre {code}"));
        }
        if number == 700 {
            sre1.say(&format!("!reject {task} the graphs look wrong"));
        }
    }
    until("the no is on the task", || heard.witnesses(&task).iter().any(|text| text.contains("`sre1` says no")));
    until("denied", || heard.watching.verdict(&task) == "denied");
    assert!(heard.witnesses(&task).iter().all(|text| text.contains("`sre1` says")), "{:?}", heard.witnesses(&task));
    sre1.until("sre1: your no is recorded: ");
    // It is heard on: a person who was silent is answered.
    let mut releng1 = heard.person("releng1");
    releng1.say(&format!("!reject {task} me too"));
    until("both", || heard.witnesses(&task).iter().any(|text| text.contains("`releng1` says no")));
    let page = heard.watching.get(&task).text;
    assert!(page.contains("Said on IRC, not counted") && page.len() < 200_000, "{} bytes", page.len());
}

#[test]
fn strangers_of_many_nicks_and_hosts_keep_no_answer_from_who_is_listed_nor_from_another_host() {
    let Some(Asked { heard, mut sre1, task, code }) = asked() else { return };
    let mut doer = heard.person("doer");
    let mut curious = Person::from(&heard.network, Ipv4Addr::new(127, 0, 0, 9), "curious");
    let mut flooders: Vec<Person> = (0..12)
        .map(|number| Person::from(&heard.network, Ipv4Addr::new(127, 0, 0, 2 + number % 3), &format!("flood{number}")))
        .collect();
    let is_over = AtomicBool::new(false);
    let asks = |person: &mut Person, line: &str, mark: &str| {
        person.say(line);
        person
            .within(Duration::from_secs(15), |heard| heard.contains(mark))
            .unwrap_or_else(|| panic!("{line}: {mark}"));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 9_000.. {
                for flooder in &mut flooders {
                    flooder.say(&format!("!status T{number}"));
                    flooder.within(Duration::from_millis(125), |_| false);
                }
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _over = Over(&is_over);
        let flood = format!("PRIVMSG {CHANNEL} :flood");
        for _ in 0..8 {
            sre1.until(&flood);
        }
        for _ in 0..2 {
            asks(&mut sre1, &format!("!status {task}"), "open for");
            asks(&mut sre1, &format!("!approve {task} sre CDFG"), "sre1: REFUSED: ");
        }
        asks(&mut doer, &format!("!ack {task}"), "doer: ");
        asks(&mut curious, "!status T8999", "curious: T8999 is no open emergency");
        asks(&mut sre1, &format!("!approve {task} sre {code}"), "sre1: your yes is recorded: ");
    });
}

/// Ends the flood, also where a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn whoever_is_listed_and_in_no_team_silences_nobody_by_saying_no_again_and_again() {
    let Some(Asked { heard, mut sre1, task, .. }) = asked() else { return };
    let (mut doer, mut sre2) = (heard.person("doer"), heard.person("sre2"));
    for number in 0..60 {
        doer.say(&format!("!reject {task} nonsense number {number}"));
    }
    sre1.until("doer: REFUSED: ");
    let answered_within = Duration::from_secs(30);
    sre2.say(&format!("!reject {task} the graphs look wrong"));
    sre1.within(answered_within, |line| line.contains("sre2: your no is recorded: ")).expect("sre2 is answered");
    for number in 60..80 {
        doer.say(&format!("!reject {task} nonsense number {number}"));
    }
    let other = heard.watching.emergency("Nobody can save an edit");
    let is_ask = |line: &str| line.contains(&format!("{other} is an emergency deploy"));
    sre1.within(answered_within, is_ask).expect("the other emergency is asked for");
}

#[test]
fn a_bot_whose_nick_is_taken_hears_under_another_and_gets_it_back() {
    let Some(mut heard) = Heard::with(BOTH) else { return };
    let mut sre1 = heard.first("sre1");
    heard.watching.stops();
    sre1.until("QUIT");
    let mut thief = heard.stranger("phabgate");
    heard.watching.starts();
    sre1.until("JOIN");
    let (task, _) = heard.emergency(&mut sre1);
    sre1.say(&format!("!reject {task} stop"));
    sre1.until("sre1: your no is recorded: ");
    assert_eq!(heard.witnesses(&task).len(), 1);
    let named = "somebody else has the nick phabgate, and the bot works as ";
    until("named in the log", || heard.watching.has_logged(named));
    thief.say(&format!("sre1: your no is REFUSED: https://evil.example/{task}"));
    thief.send("QUIT");
    sre1.until(" NICK :phabgate");
    sre1.say(&format!("!withdraw {task}"));
    sre1.within(Duration::from_secs(60), |line| {
        line.starts_with(['@', ':']) && line.contains(":phabgate!") && line.contains("your withdrawal is recorded")
    })
    .expect("under its own nick");
    until("named in the log", || heard.watching.has_logged("the bot has its nick phabgate back"));
}
