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
  let data, groups, rollouts, starts, votes, majorityRight, matches = [], page = 0, chosen = -1, acted = false;

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
      if (groups.run.includes(index)) form.run.add(new Option(run.label, run.id));
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

  /* Filters and the chosen group stand in the address, after "#browser?": a link shows the same. */
  const FILTERS = ["run", "phase", "step", "majority", "right", "vote", "text"];
  function nameOf(g) {
    return [data.runs[groups.run[g]].id, phaseOf(g), groups.step[g], data.prompts[groups.prompt[g]][2]].join("/");
  }
  function toAddress() {
    const said = new URLSearchParams();
    FILTERS.forEach(function (name) {
      const value = form[name].value;
      if (value !== (name === "phase" ? "own" : "")) said.set(name, value);
    });
    if (chosen >= 0 && acted) said.set("group", nameOf(chosen));
    const text = said.toString();
    if (!text && !location.hash.startsWith("#browser?")) return;
    history.replaceState(null, "", text ? "#browser?" + text : "#browser");
  }
  function fromAddress() {
    if (!location.hash.startsWith("#browser?")) return undefined;
    const said = new URLSearchParams(location.hash.slice("#browser?".length));
    form.phase.value = said.has("phase") ? said.get("phase") : "own";
    fillSteps();
    FILTERS.forEach(function (name) {
      if (name !== "phase") form[name].value = said.get(name) || "";
    });
    acted = said.has("group");
    document.getElementById("browser").scrollIntoView();
    return said.get("group") || undefined;
  }

  function filter(group) {
    const run = data.runs.findIndex(function (one) { return one.id === form.run.value; });
    const phase = form.phase.value, step = form.step.value;
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
      if (run >= 0 && groups.run[g] !== run) continue;
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
    const wanted = group === undefined ? -1 : matches.findIndex(function (g) { return nameOf(g) === group; });
    page = Math.max(0, Math.floor(wanted / PAGE));
    count.textContent = matches.length.toLocaleString("en") + " groups with " +
      rows.toLocaleString("en") + " matching rollouts";
    chosen = -1;
    showPage();
    if (matches.length) choose(matches[Math.max(wanted, 0)]); else detail.replaceChildren(element("p", "muted", "No group matches."));
    toAddress();
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
    const vote = element("div", "vote");
    vote.append(element("h4", "", "Vote of " + groups.size[g]), bars);
    const label = groups.label[g];
    if (groups.set[g] < 0) {
      vote.append(element("p", "muted small", label < 0 ? "no pseudo-label" : "pseudo-label " + answerText(label)));
    }
    const cards = element("ol", "cards");
    for (let r = starts[g]; r < starts[g + 1]; r++) {
      const with_ = rollouts.answer[r] >= 0 && rollouts.answer[r] === groups.majority[g];
      const card = element("li", (with_ ? "majority" : "") +
        (rowMatches(g, r, form.right.value, form.vote.value) ? "" : " dim"));
      const top = element("p", "small");
      top.append(element("b", rollouts.right[r] ? "right" : "wrong", rollouts.right[r] ? "✓ " : "✗ "),
        element("span", rollouts.answer[r] < 0 ? "muted" : "", answerText(rollouts.answer[r])));
      card.append(top, element("pre", "completion", data.texts[rollouts.text[r]] + (rollouts.cut[r] ? " ⟂" : "")));
      const reward = rollouts.reward[r] === null ? "" : "train_reward " + rollouts.reward[r] + ", ";
      card.append(element("p", "muted small", reward + rollouts.tokens[r] + " tokens"));
      cards.append(card);
    }
    const beside = element("div", "beside");
    beside.append(vote, cards);
    parts.push(beside);
    detail.replaceChildren.apply(detail, parts);
    toAddress();
  }

  function turn(by) { page += by; showPage(); }
  list.addEventListener("click", function (event) {
    const button = event.target.closest("button");
    if (!button) return;
    acted = true;
    choose(Number(button.dataset.group));
  });
  document.getElementById("browser-back").addEventListener("click", function () { turn(-1); });
  document.getElementById("browser-next").addEventListener("click", function () { turn(1); });
  form.addEventListener("change", function (event) {
    if (event.target.name === "phase") fillSteps();
    acted = false;
    filter();
  });
  form.text.addEventListener("input", function () { acted = false; filter(); });
  window.addEventListener("hashchange", function () {
    if (data && location.hash.startsWith("#browser?")) filter(fromAddress());
  });

  unpack(holder.textContent).then(function (found) {
    data = found;
    prepare();
    filter(fromAddress());
  }).catch(function (error) {
    count.textContent = "This browser cannot unpack the rollouts (" + error.message + ").";
  });
})();
