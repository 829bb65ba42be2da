'use strict';
(() => {
  const byId = (id) => document.getElementById(id);

  // The newest months are what is looked for.
  for (const box of document.querySelectorAll('.push')) box.scrollLeft = box.scrollWidth;

  // Paper opens nothing. Where the style cannot do it, the details are opened for the printer and closed again.
  if (!CSS.supports('selector(::details-content)')) {
    let opened = [];
    addEventListener('beforeprint', () => {
      opened = [...document.querySelectorAll('details:not([open])')];
      for (const details of opened) details.open = true;
    });
    addEventListener('afterprint', () => {
      for (const details of opened) details.open = false;
    });
  }

  const form = byId('filter');
  if (!form) return;
  const list = byId('rows');
  const rows = [...list.children];
  // Each is made when it is first asked for: there may be many rows. What is equal stays with the worst first.
  const orders = { '': rows };
  const by = { new: (row) => row.querySelector('.t').textContent, task: (row) => -row.querySelector('a').textContent.slice(1) };
  const inOrder = (name) => {
    const keyed = () => rows.map((row) => [by[name](row), row]);
    orders[name] ??= keyed().sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0)).map(([, row]) => row);
    return orders[name];
  };
  const selects = [...form.querySelectorAll('select')];
  let order = '';

  const suits = (row, { reason, month, severity, finding }) => {
    const { r, m, s, f } = row.dataset;
    return (reason === '' || r === reason) && (month === '' || m === month)
      && (severity === '' || (s && s.split(' ').includes(severity)))
      && (finding === '' || (finding === '*' ? f : finding === '-' ? !f : f && f.split(' ').includes(finding)));
  };

  const apply = () => {
    const chosen = Object.fromEntries(selects.map((select) => [select.name, select.value]));
    let shown = 0;
    for (const row of rows) {
      row.hidden = !suits(row, chosen);
      if (!row.hidden) shown += 1;
    }
    if (order !== chosen.order) {
      order = chosen.order;
      list.append(...inOrder(order));
    }
    byId('count').textContent = `${shown} of ${rows.length} shown`;
    byId('nothing').hidden = shown > 0;
  };

  // What is chosen stands in the address, so that it can be passed on.
  const write = () => {
    const chosen = selects.filter((select) => select.value !== '').map((select) => [select.name, select.value]);
    history.replaceState(null, '', chosen.length > 0 ? `#${new URLSearchParams(chosen)}` : '#');
  };
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const select of selects) {
      select.value = asked.get(select.name) ?? '';
      // What there is not to choose from leaves nothing chosen.
      if (select.selectedIndex < 0) select.value = '';
    }
    apply();
  };

  form.hidden = false;
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', () => { apply(); write(); });
  form.querySelector('button').addEventListener('click', () => {
    for (const select of selects) select.value = '';
    apply();
    write();
  });
  // A row that is linked to is shown, whatever was chosen, and opened.
  const visit = () => {
    const row = byId(location.hash.slice(1));
    if (!row || row.parentElement !== list) return;
    if (row.hidden) {
      for (const select of selects) select.value = '';
      apply();
    }
    row.open = true;
    row.scrollIntoView();
  };
  addEventListener('hashchange', () => {
    if (location.hash === '' || location.hash.includes('=')) {
      read();
      if (location.hash !== '') byId('deploys').scrollIntoView();
    } else visit();
  });
  read();
  visit();
})();
