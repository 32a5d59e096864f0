"use strict";
document.querySelectorAll("table.sortable").forEach(function (table) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach(function (head, column) {
    head.tabIndex = 0;
    function sort() {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = function (row) {
        const cell = row.cells[column];
        const text = cell.dataset.sort !== undefined ? cell.dataset.sort : cell.textContent.trim();
        const number = Number(text);
        return text === "–" ? -Infinity : Number.isNaN(number) ? text : number;
      };
      const rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (a, b) {
        const x = key(a), y = key(b);
        return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
      });
      table.tBodies[0].append(...rows);
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
});
document.querySelectorAll("figure .zoom").forEach(function (frame) {
  function zoom() { frame.classList.toggle("full"); }
  frame.addEventListener("click", zoom);
  frame.addEventListener("keydown", function (event) {
    if (event.key === "Enter") { event.preventDefault(); zoom(); }
  });
});
