'use strict';
(() => {
  const byId = (id) => document.getElementById(id);
  const events = document.body.dataset.events;
  const live = byId('live');
  const lost = byId('lost');
  // How far this device's clock is from the server's.
  let ahead = 0;
  const measure = () => {
    const now = byId('main').dataset.now;
    if (now) ahead = Date.now() - Date.parse(now);
  };

  // Clocks tick as the service writes them.
  const rough = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (minutes === 0) return seconds === 0 ? 'less than 1 s' : `${seconds} s`;
    if (hours === 0) return `${minutes} min`;
    if (hours >= 48) return `${Math.floor(hours / 24)} days`;
    return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  };
  const two = (number) => String(number).padStart(2, '0');
  const exact = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    if (minutes === 0) return `${seconds} s`;
    if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  };
  const tick = () => {
    const now = Date.now() - ahead;
    for (const time of document.querySelectorAll('time[data-ago], time[data-clock]')) {
      const seconds = Math.max(0, Math.floor((now - Date.parse(time.dateTime)) / 1000));
      const text = 'clock' in time.dataset ? exact(seconds) : rough(seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  };

  // What is to be copied. Where the clipboard is not given, the text is selected for the person to copy.
  const dress = (within) => {
    for (const button of within.querySelectorAll('button[data-copy]')) button.hidden = false;
  };
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-copy]');
    if (!button) return;
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = 'Selected';
    }
    byId('announced').textContent = button.textContent;
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });

  dress(document);
  measure();
  if (!events) return;
  setInterval(tick, 1000);

  // A part without what only passes: clocks, and what this script did to it.
  const bare = (part) => {
    const copy = part.cloneNode(true);
    for (const time of copy.querySelectorAll('time[data-ago], time[data-clock]')) time.textContent = '';
    for (const button of copy.querySelectorAll('button[data-copy]')) { button.hidden = true; button.textContent = 'Copy'; }
    for (const fresh of copy.querySelectorAll('.fresh')) fresh.classList.remove('fresh');
    copy.classList.remove('fresh');
    for (const it of [copy, ...copy.querySelectorAll('[class=""]')]) if (it.getAttribute('class') === '') it.removeAttribute('class');
    return copy.outerHTML;
  };
  // Where the reader is: the part with the focus, or else the first that is seen, keeps its place.
  const anchor = () => {
    const isSeen = (it) => it && it.getBoundingClientRect().bottom > 0 && it.getBoundingClientRect().top < innerHeight;
    const focused = document.activeElement.closest('main [id]');
    const seen = isSeen(focused) ? focused : [...document.querySelectorAll('main [id]')].find(isSeen);
    return seen ? [seen.id, seen.getBoundingClientRect().top] : null;
  };
  // Parts that did not change stay as they are, with focus and selection in them; of the list each task is a part.
  const merge = (old, next) => {
    const known = new Map([...old.children].map((part) => [bare(part), part]));
    const parts = [...next.children].map((part) => {
      const same = known.get(bare(part));
      known.delete(bare(part));
      if (same) return same;
      const list = part.matches('.all') && byId(part.id);
      if (list) {
        merge(list, part);
        return list;
      }
      const fresh = document.adoptNode(part);
      dress(fresh);
      if (fresh.id !== 'known') fresh.classList.add('fresh');
      return fresh;
    });
    const stays = new Set(parts);
    for (const part of [...old.children]) if (!stays.has(part)) part.remove();
    parts.forEach((part, at) => { if (old.children[at] !== part) old.insertBefore(part, old.children[at] ?? null); });
  };
  const swap = (html) => {
    const next = new DOMParser().parseFromString(html, 'text/html').querySelector('main');
    const main = byId('main');
    if (!next) return;
    const place = scrollY > 0 ? anchor() : null;
    const focused = document.activeElement;
    const focus = main.contains(focused) && focused !== main
      ? [focused.closest('[id]').id, [...focused.closest('[id]').querySelectorAll('a, button')].indexOf(focused)] : null;
    const title = main.dataset.title;
    for (const { name, value } of [...next.attributes]) main.setAttribute(name, value);
    merge(main, next);
    measure();
    tick();
    document.title = main.dataset.title;
    if (title !== main.dataset.title) byId('announced').textContent = main.dataset.title;
    if (focus && !main.contains(document.activeElement)) {
      byId(focus[0])?.querySelectorAll('a, button')[focus[1]]?.focus({ preventScroll: true });
    }
    const again = place && byId(place[0]);
    if (again) scrollBy(0, again.getBoundingClientRect().top - place[1]);
  };
  const hide = (task) => {
    const part = task && byId('main').classList.contains('index') ? byId(task) : null;
    if (part) part.remove();
    else if (!byId('main').classList.contains('index') || !task) byId('main').replaceChildren(byId('gone').content.cloneNode(true));
  };

  // One question at a time; what comes meanwhile is asked once more.
  let asking = false;
  let again = false;
  let wait = 1000;
  let later = 0;
  let heard = Date.now();
  const ask = async () => {
    if (asking) { again = true; return; }
    asking = true;
    again = false;
    clearTimeout(later);
    let known = false;
    try {
      const answer = await fetch(`${location.pathname}?fragment`, { cache: 'no-store', credentials: 'same-origin', redirect: 'error' });
      if ([200, 401, 403, 404].includes(answer.status)) {
        swap(await answer.text());
        known = true;
      }
    } catch { /* It is asked again below. */ }
    asking = false;
    if (known) { heard = Date.now(); wait = 1000; } else wait = Math.min(2 * wait, 15000);
    show();
    // Without a change too: how old the evidence is, and whether the server answers, is no event.
    later = setTimeout(ask, known && !again ? 30000 : wait);
  };
  let source = null;
  const show = () => {
    const on = source?.readyState === EventSource.OPEN;
    const old = Date.now() - heard > 45000;
    live.className = on && !old ? 'on' : 'off';
    live.textContent = on && !old ? 'live' : 'not connected';
    lost.hidden = on && !old;
    if (!lost.hidden) {
      const seen = `This page has lost the watch. It showed what was known at ${new Date(heard - ahead).toISOString().slice(11, 19)} UTC, and tries again by itself.`;
      if (lost.textContent !== seen) lost.textContent = seen;
    }
  };
  const listen = () => {
    source?.close();
    source = new EventSource(events);
    source.onopen = () => show();
    source.onerror = () => {
      // Blinks of a connection say nothing; what lasts is shown.
      setTimeout(show, 2000);
      // It was refused: the page itself says why.
      if (source.readyState === EventSource.CLOSED) { ask(); setTimeout(listen, 10000); }
    };
    source.addEventListener('gone', (event) => { hide(event.data); ask(); });
    source.addEventListener('changed', (event) => { if (event.data !== byId('main').dataset.key) ask(); });
  };
  // A phone that was asleep knows nothing of what happened.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    if (source?.readyState !== EventSource.OPEN) listen();
    ask();
  });
  // A page that is left for another holds no stream: a browser opens six to one service, and would wait for one of them.
  addEventListener('pagehide', () => { source?.close(); clearTimeout(later); });
  addEventListener('pageshow', (event) => { if (event.persisted) { listen(); ask(); } });
  listen();
  later = setTimeout(ask, 30000);
})();
