// The desk with JavaScript: a whole row of a list opens what its link opens. Without it, the link does.
"use strict";
document.addEventListener("click", function (event) {
  if (event.button || event.defaultPrevented || event.target.closest("a, button, input, select, label, summary")) return;
  var row = event.target.closest("tr.opens");
  var link = row && row.querySelector("a[href]");
  if (!link || String(window.getSelection())) return;
  if (event.metaKey || event.ctrlKey) window.open(link.href, "_blank", "noopener");
  else link.click();
});
