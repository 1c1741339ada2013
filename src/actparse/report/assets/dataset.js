"use strict";
const action = document.getElementById("action");
const split = document.getElementById("split");
const nameField = document.getElementById("name");
const videos = [...document.querySelectorAll(".video")];
function filter() {
  const text = nameField.value.trim().toLowerCase();
  let shown = 0;
  for (const video of videos) {
    const fits = (!action.value || video.dataset.action === action.value)
      && (!split.value || video.dataset.split === split.value)
      && video.dataset.name.toLowerCase().includes(text);
    video.hidden = !fits;
    shown += fits;
  }
  document.getElementById("count").value = `${shown} of ${videos.length} videos`;
}
for (const field of [action, split, nameField]) field.addEventListener("input", filter);
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
filter();
