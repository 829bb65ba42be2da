//! When what is said to those who look on, by a clock that stands still while anything can be done.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::gate::{AfterFailure, Assessment, Progress, Refusal};
use crate::ids::TaskId;

/// What those who look on heard and when, in seconds; and what they answer, one after the other, and then always the last.
#[derive(Debug)]
struct Heard {
    begun: Instant,
    all: Mutex<Vec<(u64, String)>>,
    answers: Mutex<VecDeque<Result<(), Unheard>>>,
    /// They take for ever.
    is_slow: bool,
}

impl Heard {
    fn new(answers: &[Result<(), Unheard>]) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().cloned().collect());
        Arc::new(Self { begun: Instant::now(), all: Mutex::default(), answers, is_slow: false })
    }

    async fn hear(&self, what: String) -> Result<(), Unheard> {
        self.all.lock().unwrap().push((self.begun.elapsed().as_secs(), what));
        if self.is_slow {
            std::future::pending::<()>().await;
        }
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().cloned().unwrap_or(Ok(())) }
    }

    fn so_far(&self) -> Vec<(u64, String)> {
        self.all.lock().unwrap().clone()
    }
}

impl Onlookers for Heard {
    async fn phase(&self, _: &SharedDeploy, phase: Phase) -> Result<(), Unheard> {
        self.hear(phase.word().0.to_owned()).await
    }

    async fn waiting(&self, run: &WaitingRun) -> Result<(), Unheard> {
        self.hear(format!("waits: {}", run.command)).await
    }

    async fn over(&self, _: &WaitingRun) -> Result<(), Unheard> {
        self.hear("over".to_owned()).await
    }

    fn name(&self) -> String {
        "the watch".to_owned()
    }
}

/// A source that says nothing, for ever.
struct Silent;

impl ChangeSource for Silent {
    async fn changed(&mut self, patience: Duration) -> Change {
        sleep(patience).await;
        Change::None
    }
}

/// What is said on the terminal.
#[derive(Default)]
struct Lines(Vec<String>);

impl Progress for Lines {
    fn note(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
    fn warn(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
    fn hint(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}

impl RunProgress for Lines {
    fn error(&mut self, _: &Refusal) {}
    fn failed(&mut self, _: TaskId, _: &str) {}
    fn objected(&mut self, _: TaskId, _: &Objection) {}
    fn next(&mut self, _: AfterFailure) {}
    fn stopped(&mut self, _: &Assessment) {}
    fn by_hand(&mut self, _: &str) {}
}

fn shared() -> SharedDeploy {
    SharedDeploy { deploy: DeployId::fresh(), secret: ShareSecret::fresh().unwrap() }
}

fn run() -> WaitingRun {
    let (deploy, deployer) = (DeployId::fresh(), "dana".to_owned());
    WaitingRun { deploy, deployer, action: None, change: None, command: "scap".to_owned() }
}

fn said(what: &[(u64, &str)]) -> Vec<(u64, String)> {
    what.iter().map(|(second, word)| (*second, (*word).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_phase_is_said_at_once_and_again_every_half_minute_until_the_gate_ends() {
    let heard = Heard::new(&[Ok(())]);
    let company = Company::new(Arc::clone(&heard), shared(), Silent);
    sleep(Duration::from_secs(10)).await;
    company.phase(Phase::Running);
    sleep(Duration::from_secs(70)).await;
    company.phase(Phase::Ended(ExitStatus::Code(0)));
    sleep(Duration::from_secs(1)).await;
    drop(company);
    sleep(Duration::from_secs(300)).await;
    let expected = [(0, "announced"), (10, "running"), (40, "running"), (70, "running"), (80, "ended")];
    assert_eq!(heard.so_far(), said(&expected));
}

#[tokio::test(start_paused = true)]
async fn those_who_do_not_know_of_it_yet_are_asked_again_soon_and_it_is_no_trouble() {
    let heard = Heard::new(&[Err(Unheard::Unknown), Err(Unheard::Unknown), Ok(())]);
    let mut company = Company::new(Arc::clone(&heard), shared(), Silent);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(heard.so_far(), said(&[(0, "announced"), (2, "announced"), (4, "announced")]));
    let mut lines = Lines::default();
    company.say_trouble(&mut lines);
    assert_eq!(lines.0, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn those_who_never_know_of_it_are_named_once_and_asked_less() {
    let heard = Heard::new(&[Err(Unheard::Unknown)]);
    let mut company = Company::new(Arc::clone(&heard), shared(), Silent);
    sleep(Duration::from_secs(125)).await;
    assert_eq!(heard.so_far().len(), 30 + 3, "every 2 s for a minute, and then every 30 s");
    let mut lines = Lines::default();
    company.say_trouble(&mut lines);
    company.say_trouble(&mut lines);
    assert_eq!(lines.0, ["the watch does not know of this deploy: nobody sees there how it goes on"]);
}

#[tokio::test(start_paused = true)]
async fn those_who_are_away_or_slow_are_named_once_whatever_else_says_so() {
    for (is_slow, why) in [(false, "the watch is away"), (true, "the watch does not answer in time")] {
        let answers = Mutex::new([Err(Unheard::Away("the watch is away".to_owned()))].into());
        let heard = Arc::new(Heard { begun: Instant::now(), all: Mutex::default(), answers, is_slow });
        let mut company = Company::new(Arc::clone(&heard), shared(), Silent);
        sleep(Duration::from_secs(200)).await;
        let mut lines = Lines::default();
        company.say_trouble(&mut lines);
        company.say_away("the source of changes is away", &mut lines);
        company.say_trouble(&mut lines);
        assert_eq!(lines.0, [format!("{why}: nobody sees there how it goes on")]);
        let every = if is_slow { 35 } else { 30 };
        assert!(heard.so_far().iter().all(|(second, _)| second % every == 0), "{:?}", heard.so_far());
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_said_to_wait_once_it_waits_and_is_taken_back() {
    let heard = Heard::new(&[Ok(())]);
    let mut waiting = WaitingCompany::new(Silent, Some((Arc::clone(&heard), run())));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(heard.so_far(), [], "nothing is waited for yet");
    assert_eq!(waiting.changed(Duration::from_secs(40)).await, Change::None);
    let (_, taking_back) = waiting.over();
    taking_back.unwrap().await.unwrap();
    assert_eq!(heard.so_far(), said(&[(3, "waits: scap"), (33, "waits: scap"), (43, "over")]));
    sleep(Duration::from_secs(200)).await;
    assert_eq!(heard.so_far().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_never_waited_or_is_not_shared_says_nothing() {
    let heard = Heard::new(&[Ok(())]);
    let waiting = WaitingCompany::new(Silent, Some((Arc::clone(&heard), run())));
    assert!(waiting.over().1.is_none());
    let mut alone: WaitingCompany<Silent, Heard> = WaitingCompany::new(Silent, None);
    assert_eq!(alone.changed(Duration::from_secs(40)).await, Change::None);
    assert!(alone.over().1.is_none());
    assert_eq!(heard.so_far(), []);
}

#[tokio::test(start_paused = true)]
async fn that_nobody_hears_what_waits_is_said_once_and_the_wait_goes_on() {
    let heard = Heard::new(&[Err(Unheard::Away("the watch refuses the token".to_owned()))]);
    let mut waiting = WaitingCompany::new(Silent, Some((Arc::clone(&heard), run())));
    let why = Some("the watch refuses the token: nobody sees there what waits".to_owned());
    assert_eq!(waiting.changed(Duration::from_secs(40)).await, Change::Unknown(why));
    for _ in 0..3 {
        assert_eq!(waiting.changed(Duration::from_secs(40)).await, Change::None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_is_not_news() {
    let mut company = Company::new(Heard::new(&[Ok(())]), shared(), Silent);
    let no = |text: &str| Objection { text: text.to_owned(), is_no: true };
    assert_eq!(company.news(vec![no("a"), no("b")]), [no("a"), no("b")]);
    assert_eq!(company.news(vec![no("b"), no("c")]), [no("c")]);
    assert!(company.was_said("a") && !company.was_said("d"));
}

#[test]
fn every_phase_reads_back_and_nothing_else_does() {
    let ended = [ExitStatus::Code(0), ExitStatus::Signal(9)].map(Phase::Ended);
    for phase in ended.into_iter().chain([Phase::Announced, Phase::Running, Phase::Lost, Phase::Stopped]) {
        let (word, status) = phase.word();
        assert_eq!(Phase::of(word, status), Some(phase));
        assert_eq!(Phase::of(word, if status.is_some() { None } else { Some(ExitStatus::Code(0)) }), None);
    }
    assert_eq!(Phase::of("<b>running</b>", None), None);
}
