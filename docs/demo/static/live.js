"use strict";
const panel = document.getElementById("live");
new EventSource(panel.dataset.source).onmessage = (event) => {
  if (getSelection().isCollapsed) panel.innerHTML = JSON.parse(event.data); // else somebody copies a reference
};
