"use strict";
// Shows the rows of this page that contain the text.
const field = document.getElementById("filter");
const rows = [...document.querySelectorAll("tbody tr")];
function apply() {
  const text = field.value.toLowerCase();
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("count").textContent = `${count} of ${rows.length} on this page`;
}
field.addEventListener("input", apply);
apply();
