"use strict";
(function () {
  const version = document.currentScript.dataset.version;
  const note = document.createElement("p");
  note.id = "watching";
  note.setAttribute("role", "status");
  document.body.prepend(note);
  function say(text) { note.textContent = text; }
  say("Watching; this page loads itself anew when there is more to see.");
  setInterval(function () {
    fetch("version", { cache: "no-store" }).then(function (answer) {
      return answer.text();
    }).then(function (newest) {
      if (newest !== version) location.reload();
      else say("Watching; this page loads itself anew when there is more to see.");
    }).catch(function () {
      say("srtbench report --watch has ended; this page stays as it is.");
    });
  }, 2000);
})();
