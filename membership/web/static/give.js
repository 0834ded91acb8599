// The page works without this. With it: the button says the sum, the fee follows the amount, one press is one payment.
(function () {
  'use strict';
  setTimeout(function () { // for browsers that know autofocus on fields alone
    var told = document.querySelector('[autofocus]');
    if (told && document.activeElement === document.body) told.focus();
  }, 200);

  // The thanks page of a gift on its way: it looks again, more and more slowly, and changes only when there is news.
  function look(times) {
    var wait = [2, 3, 5, 8, 13, 20][times];
    if (wait && window.fetch) setTimeout(function () {
      fetch(location.href, { credentials: 'same-origin', cache: 'no-store' }).then(function (answer) {
        return answer.ok ? answer.text() : '';
      }).then(function (page) {
        var said = / data-status="(\w+)"/.exec(page);
        if (said && said[1] !== waiting.dataset.status) location.replace(location.href);
        else look(times + 1);
      }, function () { look(times + 1); });
    }, wait * 1000);
  }
  var waiting = document.querySelector('main[data-status=processing]');
  if (waiting) look(0);
  var form = document.querySelector('form[data-sample]');
  if (!form) return;
  var data = form.dataset, other = form.elements.other_amount, button = form.querySelector('button.go');
  var fee = document.getElementById('fee-text'), plain = button.textContent, chosen = null, sent = 0;

  // "€1,234,567.89" tells how this language writes a sum; browsers do not speak all of ours.
  var shape = /^(\D*)1(\D*)234\D*567(?:(\D)\d+)?(\D*)$/.exec(data.sample);
  if (!shape) return;

  function money(minor) {
    var whole = String(Math.floor(minor / data.unit)).replace(/\B(?=(\d{3})+$)/g, shape[2]);
    var rest = minor % data.unit;
    if (rest) whole += shape[3] + (String(+data.unit + rest)).slice(1);
    return shape[1] + whole + shape[4];
  }
  function typed() {
    var m = /^\s*(\d{1,9})(?:[.,](\d+))?\s*$/.exec(other.value), places = data.unit.length - 1;
    if (!m || (m[2] || '').length > places) return 0;
    return +m[1] * data.unit + +((m[2] || '') + '000').slice(0, places);
  }
  function picked(name) { return form.querySelector('[name=' + name + ']:checked'); }
  function amount() {
    var price = picked('price'), radio = price || picked('amount');
    if (other.value.trim()) { var t = typed(); return t && !(price && t < +price.dataset.minor) ? { minor: t, text: money(t) } : null; }
    return radio ? { minor: +radio.dataset.minor, text: (price ? radio.nextElementSibling.firstElementChild : radio.nextElementSibling).textContent.trim() } : null;
  }
  function gross(minor) {
    var g = (minor + +data.fixed) * 1e8 / (1e8 - data.rate) / data.step;
    return Math.ceil(g - 1e-9) * data.step;
  }
  function say() {
    var sum = amount(), interval = picked('interval'), price = picked('price'), text = sum && sum.text;
    if (!sum) { button.textContent = plain; return; }
    if (fee) {
      var full = gross(sum.minor);
      fee.textContent = data.fee.replace('{fee}', money(full - sum.minor)).replace('{sum}', sum.text);
      if (form.elements.covers_fee.checked) text = money(full);
    }
    var often = interval ? interval.value : price && price.dataset.interval;
    if (often) button.textContent = data[often].replace('{sum}', text);
  }
  other.addEventListener('input', function () {
    var radio = picked('amount');
    if (other.value.trim()) { if (radio) { chosen = radio; radio.checked = false; } }
    else if (chosen) { chosen.checked = true; }
    say();
  });
  form.addEventListener('change', function (event) {
    if (event.target.name === 'amount') { other.value = ''; chosen = event.target; }
    say();
  });
  // A second press within a few seconds is the same press. Coming Back frees the form at once.
  form.addEventListener('submit', function (event) {
    var now = Date.now();
    if (now - sent < 6000) { event.preventDefault(); return; }
    history.replaceState(history.state, ''); // Back finds what was typed, however soon: some browsers note it only now and then
    sent = now;
    button.setAttribute('aria-busy', 'true');
  });
  window.addEventListener('pageshow', function () { sent = 0; button.removeAttribute('aria-busy'); say(); });
  say();
}());
