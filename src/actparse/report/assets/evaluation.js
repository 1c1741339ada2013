"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** Show a cursor where the pointer is on a line chart, and the values under it as text. */
  function readLines(chart) {
    const readout = chart.parentElement.querySelector("[data-readout]");
    const { area: [left, top, across, down], x, series } = JSON.parse(chart.dataset.lines);
    const cursor = document.createElementNS(SVG, "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y1", top);
    cursor.setAttribute("y2", top + down);
    const idle = readout.textContent;
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
      const share = Math.min(Math.max((at - left) / across, 0), 1);
      const index = Math.round(share * (x.length - 1));
      cursor.setAttribute("x1", left + x[index] * across);
      cursor.setAttribute("x2", left + x[index] * across);
      chart.append(cursor);
      const values = series.map(({ name, y }) => `${name} ${(100 * y[index]).toFixed(1)} %`);
      readout.textContent = `at ${x[index].toFixed(3)}: ${values.join(", ")}`;
    });
    chart.addEventListener("pointerleave", () => {
      cursor.remove();
      readout.textContent = idle;
    });
  }

  /** Return the sort key of a cell: its number if it contains one. */
  function sortKey(row, column) {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    return cell.classList.contains("number") ? Number(text) : text.toLowerCase();
  }

  function sortBy(table, column) {
    const headers = [...table.tHead.rows[0].cells];
    const ascending = headers[column].getAttribute("aria-sort") !== "ascending";
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [sortKey(row, column), row]);
    keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (ascending ? 1 : -1));
    body.append(...keyed.map(([, row]) => row));
  }

  function filterTable(table) {
    const words = document.querySelector(`[data-filter="${table.id}"]`).value.toLowerCase().split(/\s+/).filter(Boolean);
    const wrongAlone = document.querySelector(`[data-wrong="${table.id}"]`).checked;
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (wrongAlone && !("wrongAction" in row.dataset)) || !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    document.querySelector(`[data-count="${table.id}"]`).textContent = `${shown} of ${table.tBodies[0].rows.length} videos`;
  }

  document.querySelectorAll("[data-lines]").forEach(readLines);
  document.querySelectorAll("[data-sort]").forEach((button) => {
    button.addEventListener("click", () => sortBy(button.closest("table"), Number(button.dataset.sort)));
  });
  document.querySelectorAll("[data-filter]").forEach((input) => {
    const table = document.getElementById(input.dataset.filter);
    input.addEventListener("input", () => filterTable(table));
    document.querySelector(`[data-wrong="${table.id}"]`).addEventListener("change", () => filterTable(table));
    filterTable(table);
  });
})();
