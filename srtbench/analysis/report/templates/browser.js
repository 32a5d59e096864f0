"use strict";
(function () {
  const holder = document.getElementById("browser-data");
  if (!holder) return;
  const PAGE = 40;
  const form = document.querySelector("#browser .filters");
  const list = document.getElementById("browser-list");
  const detail = document.getElementById("browser-group");
  const count = document.getElementById("browser-count");
  const pageText = document.getElementById("browser-page");
  let data, groups, rollouts, starts, votes, majorityRight, matches = [], page = 0, chosen = -1;

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function phaseOf(g) { return groups.set[g] < 0 ? "train" : data.sets[groups.set[g]]; }
  function where(g) {
    const phase = phaseOf(g);
    return (phase === "train" ? phase : phase === "own" ? "eval" : "eval on " + phase) + " step " + groups.step[g];
  }
  function answerText(index) { return index < 0 ? "no answer" : data.answers[index]; }

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), function (c) { return c.charCodeAt(0); });
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function prepare() {
    groups = data.groups;
    rollouts = data.rollouts;
    const number = groups.run.length;
    starts = new Int32Array(number + 1);
    votes = new Int32Array(number);
    majorityRight = new Uint8Array(number);
    for (let g = 0; g < number; g++) {
      starts[g + 1] = starts[g] + groups.size[g];
      for (let r = starts[g]; r < starts[g + 1]; r++) {
        if (rollouts.answer[r] >= 0 && rollouts.answer[r] === groups.majority[g]) {
          votes[g] += 1;
          if (rollouts.right[r]) majorityRight[g] = 1;
        }
      }
    }
    data.runs.forEach(function (run, index) {
      if (groups.run.includes(index)) form.run.add(new Option(run.label, index));
    });
    data.sets.forEach(function (name) {
      if (name !== "own") form.phase.add(new Option("eval on " + name, name));
    });
    fillSteps();
  }

  function fillSteps() {
    const phase = form.phase.value, before = form.step.value, steps = new Set();
    for (let g = 0; g < groups.run.length; g++) {
      if (phase === "" || phaseOf(g) === phase) steps.add(groups.step[g]);
    }
    form.step.length = 1;
    Array.from(steps).sort(function (a, b) { return a - b; }).forEach(function (step) {
      form.step.add(new Option(step, step));
    });
    form.step.value = steps.has(Number(before)) ? before : "";
  }

  function rowMatches(g, r, right, vote) {
    if (right !== "" && rollouts.right[r] !== Number(right)) return false;
    if (vote === "") return true;
    const with_ = rollouts.answer[r] >= 0 && rollouts.answer[r] === groups.majority[g];
    return with_ === (vote === "1");
  }

  function filter() {
    const run = form.run.value, phase = form.phase.value, step = form.step.value;
    const majority = form.majority.value, right = form.right.value, vote = form.vote.value;
    const text = form.text.value.trim().toLowerCase();
    let prompts = null, answers = null;
    if (text) {
      prompts = data.prompts.map(function (p) {
        return p[0].toLowerCase().includes(text) || p[1].toLowerCase().includes(text);
      });
      answers = data.answers.map(function (a) { return a.toLowerCase().includes(text); });
    }
    matches = [];
    let rows = 0;
    for (let g = 0; g < groups.run.length; g++) {
      if (run !== "" && groups.run[g] !== Number(run)) continue;
      if (phase !== "" && phaseOf(g) !== phase) continue;
      if (step !== "" && groups.step[g] !== Number(step)) continue;
      if (majority !== "" && majorityRight[g] !== Number(majority)) continue;
      const promptHit = !text || prompts[groups.prompt[g]];
      let hits = 0;
      for (let r = starts[g]; r < starts[g + 1]; r++) {
        if (!rowMatches(g, r, right, vote)) continue;
        if (promptHit || (rollouts.answer[r] >= 0 && answers[rollouts.answer[r]])) hits += 1;
      }
      if (hits) { matches.push(g); rows += hits; }
    }
    page = 0;
    count.textContent = matches.length.toLocaleString("en") + " groups with " +
      rows.toLocaleString("en") + " matching rollouts";
    showPage();
    if (matches.length) choose(matches[0]); else detail.replaceChildren(element("p", "muted", "No group matches."));
  }

  function showPage() {
    const shown = matches.slice(page * PAGE, (page + 1) * PAGE);
    list.replaceChildren.apply(list, shown.map(function (g) {
      const item = element("li"), button = element("button", g === chosen ? "chosen" : "");
      button.type = "button";
      button.dataset.group = g;
      const dot = element("span", "dot");
      dot.style.background = data.runs[groups.run[g]].colour;
      const line = element("span", "line");
      line.append(element("span", "where", data.runs[groups.run[g]].label + ", " + where(g)));
      line.append(element("span", "what", data.prompts[groups.prompt[g]][0]));
      const result = element("span", "result " + (majorityRight[g] ? "right" : "wrong"),
        (majorityRight[g] ? "✓ " : "✗ ") + votes[g] + "/" + groups.size[g]);
      button.append(dot, line, result);
      item.append(button);
      return item;
    }));
    const pages = Math.max(1, Math.ceil(matches.length / PAGE));
    pageText.textContent = "page " + (page + 1) + " of " + pages;
    document.getElementById("browser-back").disabled = page === 0;
    document.getElementById("browser-next").disabled = page + 1 >= pages;
  }

  function choose(g) {
    chosen = g;
    list.querySelectorAll("button").forEach(function (button) {
      button.classList.toggle("chosen", Number(button.dataset.group) === g);
    });
    const parts = [], prompt = data.prompts[groups.prompt[g]];
    parts.push(element("h3", "", data.runs[groups.run[g]].label + ", " + where(g)));
    const head = element("p", "prompt");
    head.append(element("span", "muted", "prompt "), element("code", "", prompt[0]), " ",
      element("span", "muted", "gold "), element("code", "", prompt[1]));
    parts.push(head);
    const tally = new Map();
    for (let r = starts[g]; r < starts[g + 1]; r++) {
      const key = rollouts.answer[r];
      const entry = tally.get(key) || { votes: 0, right: 0 };
      entry.votes += 1;
      entry.right |= rollouts.right[r];
      tally.set(key, entry);
    }
    const ranked = Array.from(tally).sort(function (a, b) {
      return b[1].votes - a[1].votes || (b[0] === groups.majority[g]) - (a[0] === groups.majority[g]);
    });
    const bars = element("ol", "votes");
    ranked.forEach(function (entry) {
      const item = element("li", (entry[1].right ? "right" : "wrong") + (entry[0] < 0 ? " none" : ""));
      const bar = element("span", "bar");
      bar.style.width = (100 * entry[1].votes / groups.size[g]) + "%";
      item.append(bar, element("span", "answer", answerText(entry[0]) + (entry[1].right ? " ✓" : "")),
        element("span", "count", String(entry[1].votes)));
      bars.append(item);
    });
    parts.push(bars);
    const label = groups.label[g];
    if (groups.set[g] < 0) {
      parts.push(element("p", "muted small", label < 0 ? "no pseudo-label" : "pseudo-label " + answerText(label)));
    }
    const table = element("table", "completions"), body = element("tbody");
    const heads = element("tr");
    ["", "completion", "answer", "train_reward", "tokens"].forEach(function (name, i) {
      heads.append(element("th", i > 2 ? "number" : "", name));
    });
    const top = element("thead");
    top.append(heads);
    for (let r = starts[g]; r < starts[g + 1]; r++) {
      const row = element("tr", rowMatches(g, r, form.right.value, form.vote.value) ? "" : "dim");
      row.append(element("td", rollouts.right[r] ? "right" : "wrong", rollouts.right[r] ? "✓" : "✗"));
      const text = element("td");
      text.append(element("pre", "completion", data.texts[rollouts.text[r]] + (rollouts.cut[r] ? " ⟂" : "")));
      row.append(text, element("td", rollouts.answer[r] < 0 ? "muted" : "", answerText(rollouts.answer[r])));
      row.append(element("td", "number", rollouts.reward[r] === null ? "–" : String(rollouts.reward[r])));
      row.append(element("td", "number", String(rollouts.tokens[r])));
      body.append(row);
    }
    table.append(top, body);
    const scroll = element("div", "scroll");
    scroll.append(table);
    parts.push(scroll);
    detail.replaceChildren.apply(detail, parts);
  }

  function turn(by) { page += by; showPage(); }
  list.addEventListener("click", function (event) {
    const button = event.target.closest("button");
    if (button) choose(Number(button.dataset.group));
  });
  document.getElementById("browser-back").addEventListener("click", function () { turn(-1); });
  document.getElementById("browser-next").addEventListener("click", function () { turn(1); });
  form.addEventListener("change", function (event) {
    if (event.target.name === "phase") fillSteps();
    filter();
  });
  form.text.addEventListener("input", filter);

  unpack(holder.textContent).then(function (found) {
    data = found;
    prepare();
    filter();
  }).catch(function (error) {
    count.textContent = "This browser cannot unpack the rollouts (" + error.message + ").";
  });
})();
