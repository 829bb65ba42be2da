//! The page of the audit in a browser: at the width of a phone and of a screen, in light and in dark, with and without
//! its script, on paper.

use serde_json::json;

use crate::browser::Browser;
use crate::report::Sample;

const WINDOWS: [(u32, &str); 4] = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")];

/// Elements that reach beyond the window, but for what is in a box that is pushed aside by itself, and the link that is
/// only there for the keyboard.
pub(crate) const BEYOND: &str = "(() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.body.querySelectorAll('*')].filter((it) => {
    const box = it.getBoundingClientRect();
    const beyond = box.width > 0 && (box.right > width + 0.5 || box.left < -0.5);
    return beyond && !it.parentElement.closest('.push, .wide, .patterns') && !it.matches('.skip');
  });
  const page = document.documentElement.scrollWidth;
  return [page > width ? `the page is ${page} wide in ${width}` : '',
    ...wide.map((it) => it.outerHTML.slice(0, 120))].filter(Boolean);
})()";

/// Text whose contrast with what is behind it is below 4.5.
pub(crate) const PALE: &str = "(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => {
      const it = part / 255;
      return it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (it) => {
    for (; it; it = it.parentElement) {
      const colour = getComputedStyle(it).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const pale = new Set();
  let seen = 0;
  for (const it of document.body.querySelectorAll('*')) {
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
    if (!own || it.matches('script, style, title, desc') || it.getClientRects().length === 0) continue;
    const style = getComputedStyle(it);
    const front = light(it instanceof SVGElement ? style.fill : style.color);
    const back = light(behind(it));
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    seen += 1;
    if (contrast < 4.5) pale.add(`${contrast.toFixed(2)} ${it.tagName} ${it.className}`);
  }
  return seen > 200 ? [...pale] : [`only ${seen} texts`];
})()";

const OPEN_ALL: &str = "document.querySelectorAll('details').forEach((it) => { it.open = true; })";

#[test]
fn nothing_is_wider_than_the_window_and_all_text_can_be_read() {
    let Some(mut browser) = Browser::start() else { return };
    for sample in [Sample::incomplete(), Sample::long(60, 60, 14), Sample::of(Vec::new())] {
        let page = sample.page();
        for (width, scheme) in WINDOWS {
            browser.window(width, scheme);
            browser.open(&page, "");
            assert_eq!(browser.eval(BEYOND), json!([]), "{width} {scheme}");
            browser.eval(OPEN_ALL);
            assert_eq!(browser.eval(BEYOND), json!([]), "{width} {scheme}, opened");
            if !sample.tasks.is_empty() {
                assert_eq!(browser.eval(PALE), json!([]), "{width} {scheme}");
            }
            assert_eq!(browser.complaints(), [] as [String; 0]);
        }
    }
}

#[test]
fn hostile_text_stays_text_and_nothing_is_asked_for() {
    let Some(mut browser) = Browser::start() else { return };
    let page = Sample::incomplete().page();
    browser.open(&page, "");
    browser.eval(OPEN_ALL);
    assert_eq!(browser.eval("typeof window.pwned"), "undefined");
    assert_eq!(
        browser.eval("document.querySelectorAll('img, iframe, object, link, base, [style], [onerror]').length"),
        0
    );
    assert_eq!(browser.eval("[document.scripts.length, document.querySelectorAll('style').length]"), json!([1, 1]));
    let shown = browser.eval("[...document.querySelectorAll('code')].some((it) => it.textContent.includes('<script>window.pwned=1</script>'))");
    assert_eq!(shown, true);
    assert_eq!(browser.eval("/[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.documentElement.textContent)"), false);
    let links = browser.eval("[...document.links].filter((it) => !/^(https:|#)/.test(it.getAttribute('href'))).length");
    assert_eq!(links, 0);
    let given = browser.eval("[...document.links].find((it) => it.host === 'logs.example.org')?.rel");
    assert_eq!(given, "noreferrer noopener");
    assert_eq!(browser.eval("[...document.querySelectorAll('.d')].some((it) => it.textContent.includes('see javascript:window.pwned=4'))"), true);
    // A script that gets in all the same is not run, and the page asks nobody for anything.
    assert_eq!(browser.complaints(), [] as [String; 0]);
    let asked = browser.requests();
    assert!(asked.len() == 1 && asked[0].starts_with("file://"), "{asked:?}");
    let (before, after) = page.split_once("<main>").unwrap();
    browser.open(&format!("{before}<script>window.pwned=5</script><img src=\"https://example.org/x.png\">{after}"), "");
    assert_eq!(browser.eval("typeof window.pwned"), "undefined");
    assert_eq!(browser.complaints().len(), 2, "{:?}", browser.complaints());
}

/// What is shown: how many rows, and what is said of it.
const SHOWN: &str = "[[...document.querySelectorAll('.d')].filter((it) => it.getClientRects().length > 0).length, \
                     document.getElementById('count').textContent, location.hash]";

fn choose(browser: &mut Browser, name: &str, value: &str) {
    browser.eval(&format!(
        "(() => {{ const it = document.querySelector('select[name={name}]'); it.value = {value:?}; \
         it.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
    ));
}

#[test]
fn the_filter_shows_what_was_chosen() {
    let Some(mut browser) = Browser::start() else { return };
    let page = Sample::usual().page();
    browser.open(&page, "");
    assert_eq!(browser.eval(SHOWN), json!([30, "30 of 30 shown", ""]));
    choose(&mut browser, "finding", "*");
    let with = browser.eval(SHOWN)[0].as_u64().unwrap();
    choose(&mut browser, "finding", "-");
    let without = browser.eval(SHOWN)[0].as_u64().unwrap();
    assert!(with > 5 && without > 5 && with + without == 30, "{with} and {without}");
    choose(&mut browser, "finding", "record-unfinished");
    assert_eq!(browser.eval(SHOWN), json!([3, "3 of 30 shown", "#finding=record-unfinished"]));
    choose(&mut browser, "finding", "");
    choose(&mut browser, "severity", "error");
    let errors = browser.eval(SHOWN);
    assert_eq!(errors[2], "#severity=error");
    let bad = "[...document.querySelectorAll('.d:not([hidden])')].every((it) => it.querySelector('.mark.error'))";
    assert!(errors[0].as_u64().is_some_and(|shown| (1..with).contains(&shown)), "{errors} of {with}");
    assert_eq!(browser.eval(bad), true);
    choose(&mut browser, "severity", "");
    choose(&mut browser, "reason", "security");
    assert_eq!(browser.eval(SHOWN), json!([5, "5 of 30 shown", "#reason=security"]));
    let months = "[...new Set([...document.querySelectorAll('.d:not([hidden])')].map((it) => it.dataset.m))]";
    let month = browser.eval(months)[0].as_str().unwrap().to_owned();
    choose(&mut browser, "month", &month);
    assert_eq!(browser.eval(months), json!([month]));
    assert_eq!(browser.eval(SHOWN)[2], format!("#reason=security&month={month}"));
    browser.eval("document.querySelector('#filter button').click()");
    assert_eq!(browser.eval(SHOWN), json!([30, "30 of 30 shown", ""]));
    // A reason that wants to be more than text can be chosen like any other.
    choose(&mut browser, "reason", &phabgate::text::inert(crate::report::HOSTILE));
    assert_eq!(browser.eval(SHOWN)[0], 1);
    // The address says what to show, and what it says wrong shows all.
    browser.open(&page, "#reason=security&finding=record-unfinished");
    assert_eq!(browser.eval(SHOWN)[0], 0);
    assert_eq!(browser.eval("document.getElementById('nothing').hidden"), false);
    browser.open(&page, "#reason=nonsense&month=%00");
    assert_eq!(browser.eval(SHOWN)[0], 30);
    assert_eq!(browser.eval("[...document.querySelectorAll('select')].every((it) => it.selectedIndex === 0)"), true);
    // The worst come first, and a link to a row opens it whatever was chosen.
    let worst = "[...document.querySelectorAll('.d')].map((it) => ['error', 'warning', 'notice'].find((severity) => \
                 (it.dataset.s ?? '').includes(severity)) ?? 'none')";
    let worst: Vec<String> = serde_json::from_value(browser.eval(worst)).unwrap();
    let mut sorted = worst.clone();
    sorted.sort_by_key(|severity| ["error", "warning", "notice", "none"].iter().position(|it| it == severity));
    assert!(worst == sorted && worst[0] == "error", "{worst:?}");
    choose(&mut browser, "finding", "-");
    let followed = "new Promise((done) => { addEventListener('hashchange', () => done(true), { once: true }); \
                    document.querySelector('.urgent .row').click(); })";
    assert_eq!(browser.eval(followed), true);
    let opened = "[...document.querySelectorAll('.d[open]')].map((it) => '#' + it.id)";
    let target = browser.eval("document.querySelector('.urgent .row').getAttribute('href')");
    assert_eq!(browser.eval(opened), json!([target]));
    // All by their tasks, and the newest first.
    choose(&mut browser, "order", "task");
    let tasks =
        browser.eval("[...document.querySelectorAll('.d summary > a')].map((it) => Number(it.textContent.slice(1)))");
    let tasks: Vec<u64> = serde_json::from_value(tasks).unwrap();
    assert!(tasks.len() == 30 && tasks.is_sorted(), "{tasks:?}");
    choose(&mut browser, "order", "new");
    let times = browser.eval("[...document.querySelectorAll('.d .t')].map((it) => it.textContent)");
    let times: Vec<String> = serde_json::from_value(times).unwrap();
    assert!(times.len() == 30 && times.windows(2).all(|pair| pair[0] >= pair[1]), "{times:?}");
    assert_eq!(browser.complaints(), [] as [String; 0]);
}

#[test]
fn without_its_script_all_can_be_read_and_no_control_is_there() {
    let Some(mut browser) = Browser::start() else { return };
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.window(390, "light");
    browser.open(&Sample::usual().page(), "");
    assert_eq!(browser.eval("document.getElementById('filter').getClientRects().length"), 0);
    assert_eq!(browser.eval("document.querySelectorAll('.d').length"), 30);
    let opened = "(() => { const it = document.querySelector('.d'); it.querySelector('summary').click(); \
                  return [it.open, it.querySelector('.b').getBoundingClientRect().height > 100]; })()";
    assert_eq!(browser.eval(opened), json!([true, true]));
}

#[test]
fn paper_shows_the_evidence_and_no_controls() {
    let Some(mut browser) = Browser::start() else { return };
    browser.window(1280, "dark");
    browser.open(&Sample::usual().page(), "");
    let seen = "[...document.querySelectorAll('.d .b')].filter((it) => it.checkVisibility()).length";
    assert_eq!(browser.eval(seen), 0, "on a screen the rows are closed");
    browser.media("print", "dark");
    assert_eq!(browser.eval(seen), 30);
    let controls = "[...document.querySelectorAll('select, button, .table > summary, .skip')]\
                    .filter((it) => it.getClientRects().length > 0).length";
    assert_eq!(browser.eval(controls), 0);
    assert_eq!(browser.eval("getComputedStyle(document.documentElement).backgroundColor"), "rgb(255, 255, 255)");
    assert_eq!(browser.eval(PALE), json!([]));
    let printed = browser.call("Page.printToPDF", &json!({ "paperWidth": 8.27, "paperHeight": 11.69 }));
    assert!(printed["data"].as_str().unwrap().starts_with("JVBERi0"), "a PDF");
}

#[test]
fn the_keyboard_reaches_all() {
    let Some(mut browser) = Browser::start() else { return };
    browser.window(1280, "light");
    browser.open(&Sample::usual().page(), "");
    browser.press("Tab", 9);
    assert_eq!(browser.eval("document.activeElement.textContent"), "Skip to the deploys");
    assert_eq!(browser.eval("document.activeElement.getBoundingClientRect().left >= 0"), true, "it is seen");
    browser.press("Enter", 13);
    browser.press("Tab", 9);
    assert_eq!(browser.eval("document.activeElement.name"), "reason");
    browser.eval("document.querySelector('.d > summary').focus()");
    browser.press("Enter", 13);
    assert_eq!(browser.eval("document.querySelector('.d').open"), true);
    assert_eq!(browser.eval("getComputedStyle(document.activeElement).outlineStyle"), "solid");
}

#[test]
fn charts_are_named_for_who_cannot_see_them() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&Sample::usual().page(), "");
    browser.call("Accessibility.enable", &json!({}));
    let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let images = nodes.iter().filter(|node| node["role"]["value"] == "image" && node["ignored"] != true);
    let told: Vec<(&str, &str)> = images
        .map(|node| (node["name"]["value"].as_str().unwrap_or(""), node["description"]["value"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(
        told.iter().all(|(name, numbers)| name.len() > 10 && numbers.bytes().any(|it| it.is_ascii_digit())),
        "{told:?}"
    );
    let tables = nodes.iter().filter(|node| node["role"]["value"] == "table").count();
    assert_eq!(tables, 0, "tables are closed");
    browser.eval(OPEN_ALL);
    assert_eq!(browser.eval("document.querySelectorAll('.card table').length"), 7);
}
